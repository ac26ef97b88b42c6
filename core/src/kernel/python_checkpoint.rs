//! Python face of what a checkpoint says of itself; documented in `_kernel.pyi`.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::python::CheckpointError;
use super::{checkpoint_info, CheckpointInfo};

#[pyclass(name = "CheckpointInfo", module = "tallystick_core", frozen)]
pub struct PyCheckpointInfo {
    inner: CheckpointInfo,
}

#[pymethods]
impl PyCheckpointInfo {
    #[getter]
    fn ledger_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.ledger_id)
    }

    #[getter]
    fn applied_index(&self) -> u64 {
        self.inner.applied_index
    }

    #[getter]
    fn tree_size(&self) -> u64 {
        self.inner.tree_size
    }

    #[getter]
    fn next_sequence(&self) -> u64 {
        self.inner.next_sequence
    }

    #[getter]
    fn min_next_timestamp_ns(&self) -> u64 {
        self.inner.min_next_timestamp_ns
    }
}

#[pyfunction]
#[pyo3(name = "checkpoint_info")]
fn py_checkpoint_info(py: Python<'_>, checkpoint: PyBackedBytes) -> PyResult<PyCheckpointInfo> {
    match py.detach(|| checkpoint_info(&checkpoint)) {
        Ok(inner) => Ok(PyCheckpointInfo { inner }),
        Err(error) => Err(CheckpointError::new_err(error.to_string())),
    }
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyCheckpointInfo>()?;
    m.add_function(wrap_pyfunction!(py_checkpoint_info, m)?)
}
