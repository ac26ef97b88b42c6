//! Python face of admission; documented in `_admission.pyi`. `Kernel.admit` makes the object.

use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::{Admission, AdmissionState};
use crate::format::Genesis;

/// Messages of clients with a code for each of their envelopes.
#[pyclass(name = "Admission", module = "tallystick_core")]
pub struct PyAdmission {
    inner: Admission<PyBackedBytes>,
}

impl PyAdmission {
    /// Screens messages, without the GIL.
    pub fn admit(
        py: Python<'_>,
        messages: Vec<PyBackedBytes>,
        now_ns: u64,
        genesis: &Genesis,
        state: &(impl AdmissionState + Sync),
    ) -> Self {
        let inner = py.detach(|| Admission::new(messages, now_ns, genesis, state));
        Self { inner }
    }

    fn index(&self, m: usize) -> PyResult<usize> {
        if m < self.inner.message_count() {
            Ok(m)
        } else {
            Err(PyIndexError::new_err("no message with this index"))
        }
    }
}

fn packed<'py, const N: usize>(
    py: Python<'py>,
    items: impl Iterator<Item = [u8; N]>,
) -> Bound<'py, PyBytes> {
    PyBytes::new(py, items.collect::<Vec<_>>().as_flattened())
}

#[pymethods]
impl PyAdmission {
    #[pyo3(signature = (seed, threads = 1))]
    fn verify(&mut self, py: Python<'_>, seed: PyBackedBytes, threads: usize) -> PyResult<u64> {
        let seed: [u8; 32] = seed
            .as_ref()
            .try_into()
            .map_err(|_| PyValueError::new_err("a seed has 32 bytes"))?;
        let inner = &mut self.inner;
        Ok(py.detach(|| inner.verify(&seed, threads)))
    }

    #[getter]
    fn signatures(&self) -> u64 {
        self.inner.signatures()
    }

    fn __len__(&self) -> usize {
        self.inner.message_count()
    }

    fn envelope_counts(&self) -> Vec<usize> {
        (0..self.inner.message_count())
            .map(|m| self.inner.envelope_count(m))
            .collect()
    }

    fn codes<'py>(&self, py: Python<'py>, m: usize) -> PyResult<Bound<'py, PyBytes>> {
        let codes = self.inner.codes(self.index(m)?);
        Ok(packed(py, codes.map(|code| code.value().to_le_bytes())))
    }

    fn detail(&self, m: usize, envelope: usize) -> PyResult<&str> {
        if envelope >= self.inner.envelope_count(self.index(m)?) {
            return Err(PyIndexError::new_err("no envelope with this index"));
        }
        Ok(self.inner.detail(m, envelope))
    }

    fn record_counts<'py>(&self, py: Python<'py>, m: usize) -> PyResult<Bound<'py, PyBytes>> {
        let counts = self.inner.record_counts(self.index(m)?);
        Ok(packed(py, counts.map(u32::to_le_bytes)))
    }

    fn original<'py>(&self, py: Python<'py>, m: usize) -> PyResult<Bound<'py, PyBytes>> {
        let originals = self.inner.original_sequences(self.index(m)?);
        Ok(packed(py, originals.map(u64::to_le_bytes)))
    }

    fn ok_count(&self, m: usize) -> PyResult<usize> {
        Ok(self.inner.ok_count(self.index(m)?))
    }

    fn ok_records(&self, m: usize) -> PyResult<u32> {
        Ok(self.inner.ok_records(self.index(m)?))
    }

    fn records(&self, m: usize) -> PyResult<u32> {
        Ok(self.inner.records(self.index(m)?))
    }

    fn min_valid_until_ns(&self, m: usize) -> PyResult<u64> {
        Ok(self.inner.min_valid_until_ns(self.index(m)?).unwrap_or(0))
    }

    fn max_valid_until_ns(&self, m: usize) -> PyResult<u64> {
        Ok(self.inner.max_valid_until_ns(self.index(m)?).unwrap_or(0))
    }

    fn envelope<'py>(
        &self,
        py: Python<'py>,
        m: usize,
        envelope: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if envelope >= self.inner.envelope_count(self.index(m)?) {
            return Err(PyIndexError::new_err("no envelope with this index"));
        }
        Ok(PyBytes::new(py, self.inner.envelope_bytes(m, envelope)))
    }

    fn body<'py>(&self, py: Python<'py>, m: usize) -> PyResult<Bound<'py, PyBytes>> {
        let m = self.index(m)?;
        if self.inner.is_whole(m) {
            return Ok(self.inner.message(m).into_pyobject(py)?);
        }
        let length = self.inner.ok_slices(m).map(<[u8]>::len).sum();
        PyBytes::new_with(py, length, |out| {
            let mut rest = out;
            for slice in self.inner.ok_slices(m) {
                let (place, behind) = rest.split_at_mut(slice.len());
                place.copy_from_slice(slice);
                rest = behind;
            }
            Ok(())
        })
    }
}

/// Adds the class to the extension module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyAdmission>()
}
