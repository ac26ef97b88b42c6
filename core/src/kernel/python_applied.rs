//! Python face of an applied block; documented in `_kernel.pyi`.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::Applied;

/// An applied block with its packed layouts, made once and without the GIL.
#[pyclass(name = "Applied", module = "tallystick_core", frozen)]
pub struct PyApplied {
    inner: Applied,
    vouchers_verified: usize,
    sparse_results: Vec<u8>,
    effect_counts: Vec<u8>,
    envelopes: Vec<u8>,
    outcomes: Vec<u8>,
    ids: Vec<u8>,
    leaf_hashes: Vec<u8>,
}

impl PyApplied {
    pub fn new(inner: Applied, vouchers_verified: usize) -> Self {
        Self {
            vouchers_verified,
            sparse_results: inner.sparse_results(),
            effect_counts: inner.effect_counts(),
            envelopes: inner.envelope_entries(),
            outcomes: inner.outcomes(),
            ids: inner.ids(),
            leaf_hashes: inner.leaf_hashes(),
            inner,
        }
    }
}

#[pymethods]
impl PyApplied {
    #[getter]
    fn first_sequence(&self) -> u64 {
        self.inner.first_sequence
    }

    #[getter]
    fn timestamp_ns(&self) -> u64 {
        self.inner.timestamp_ns
    }

    #[getter]
    fn record_count(&self) -> u32 {
        self.inner.record_count
    }

    #[getter]
    fn envelope_count(&self) -> usize {
        self.inner.envelopes.len()
    }

    #[getter]
    fn vouchers_verified(&self) -> usize {
        self.vouchers_verified
    }

    #[getter]
    fn plain(&self) -> bool {
        self.inner.plain
    }

    #[getter]
    fn results<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.results)
    }

    #[getter]
    fn sparse_results<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.sparse_results)
    }

    #[getter]
    fn effects<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.effects)
    }

    #[getter]
    fn names<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.names)
    }

    #[getter]
    fn effect_counts<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.effect_counts)
    }

    #[getter]
    fn envelopes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.envelopes)
    }

    #[getter]
    fn outcomes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.outcomes)
    }

    #[getter]
    fn ids<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.ids)
    }

    #[getter]
    fn leaf_hashes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.leaf_hashes)
    }
}
