//! Python face of the tree; documented in `_tree.pyi`.

use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::format::Hash32;

fn check_leaves(data: &[u8], leaf_bytes: usize) -> PyResult<()> {
    if leaf_bytes == 0 || data.len() % leaf_bytes != 0 {
        let message = "data is not a whole number of leaves";
        return Err(PyValueError::new_err(message));
    }
    Ok(())
}

fn hash32(bytes: &[u8]) -> PyResult<Hash32> {
    bytes
        .try_into()
        .map_err(|_| PyValueError::new_err("a hash has 32 bytes"))
}

#[pyfunction]
#[pyo3(signature = (data, leaf_bytes, threads = 1))]
fn tree_root<'py>(
    py: Python<'py>,
    data: PyBackedBytes,
    leaf_bytes: usize,
    threads: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    check_leaves(&data, leaf_bytes)?;
    let root = py.detach(|| super::root_threaded(&data, leaf_bytes, threads));
    Ok(PyBytes::new(py, &root))
}

#[pyfunction]
fn tree_inclusion_path<'py>(
    py: Python<'py>,
    data: PyBackedBytes,
    leaf_bytes: usize,
    index: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    check_leaves(&data, leaf_bytes)?;
    let path = py
        .detach(|| super::inclusion_path(super::leaf_hashes(&data, leaf_bytes), index))
        .ok_or_else(|| PyIndexError::new_err("no leaf with this index"))?;
    Ok(PyBytes::new(py, path.as_flattened()))
}

#[pyfunction]
fn tree_verify_inclusion(
    leaf_hash: PyBackedBytes,
    index: u64,
    size: u64,
    path: PyBackedBytes,
    root: PyBackedBytes,
) -> PyResult<bool> {
    if path.len() % 32 != 0 {
        return Err(PyValueError::new_err("a path is a whole number of hashes"));
    }
    let nodes: Vec<Hash32> = path.chunks_exact(32).map(hash32).collect::<PyResult<_>>()?;
    let (leaf_hash, root) = (hash32(&leaf_hash)?, hash32(&root)?);
    Ok(super::verify_inclusion(
        &leaf_hash, index, size, &nodes, &root,
    ))
}

/// Adds this module's functions to the extension module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(tree_root, m)?)?;
    m.add_function(wrap_pyfunction!(tree_inclusion_path, m)?)?;
    m.add_function(wrap_pyfunction!(tree_verify_inclusion, m)?)
}
