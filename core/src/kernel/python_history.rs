//! Python face of the kernel's part of the history index; documented in `_history.pyi`.

use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::cell::{Broken, Cell};
use super::python::{array, PyKernel};
use super::Kernel;
use crate::format::Id16;
use crate::history::{keyed_pages, KeyedPages, PyChunk, PySearch};

create_exception!(tallystick_core, HistoryGapError, PyValueError);

/// A kernel that gathers postings, seen from the index. Nothing here holds the GIL for long.
#[pyclass(name = "KernelHistory", module = "tallystick_core", frozen)]
pub struct PyKernelHistory {
    kernel: Py<PyKernel>,
}

impl PyKernelHistory {
    fn cell(&self) -> &Cell {
        self.kernel.get().cell()
    }
}

#[pymethods]
impl PyKernelHistory {
    #[new]
    #[pyo3(signature = (kernel, *, chunk_first, since, chunk_records))]
    fn new(
        py: Python<'_>,
        kernel: Py<PyKernel>,
        chunk_first: u64,
        since: u64,
        chunk_records: u64,
    ) -> PyResult<Self> {
        let cell = kernel.get().cell();
        let start = |kernel: &mut Kernel| kernel.start_history(chunk_first, since, chunk_records);
        match py.detach(|| cell.change(start))? {
            Ok(()) => Ok(Self { kernel }),
            Err(gap) => Err(HistoryGapError::new_err(gap.to_string())),
        }
    }

    #[getter]
    fn first_sequence(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(py.detach(|| self.cell().read(Kernel::history_first))?)
    }

    #[getter]
    fn is_full(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(py.detach(|| self.cell().read(Kernel::is_history_full))?)
    }

    fn take(&self, py: Python<'_>) -> PyResult<Option<PyChunk>> {
        let chunk = py.detach(|| self.cell().change(Kernel::take_history))?;
        Ok(chunk.map(|inner| PyChunk { inner }))
    }

    /// Sorts and packs without the kernel; only the ids are its.
    fn pack<'py>(&self, py: Python<'py>, chunk: &PyChunk) -> PyResult<KeyedPages<'py>> {
        let pages = py.detach(|| {
            let groups = chunk.inner.groups();
            let ids = self
                .cell()
                .read(|kernel| kernel.account_ids(groups.slots()))?;
            Ok::<_, Broken>(groups.pack(&ids))
        })?;
        Ok(keyed_pages(py, &pages))
    }

    fn search(&self, py: Python<'_>, search: &PySearch) -> PyResult<u64> {
        let search = &search.inner;
        Ok(py.detach(|| {
            self.cell()
                .read(|kernel| kernel.search_history(&mut search.lock()))
        })?)
    }

    fn search_chunk(&self, py: Python<'_>, chunk: &PyChunk, search: &PySearch) -> PyResult<()> {
        let (chunk, search) = (&chunk.inner, &search.inner);
        py.detach(|| {
            let mut search = search.lock();
            let account = *search.account();
            if let Some(slot) = self.cell().read(|kernel| kernel.account_slot(account))? {
                chunk.search(slot, &mut search);
            }
            Ok::<_, Broken>(())
        })?;
        Ok(())
    }

    fn accounts_of<'py>(
        &self,
        py: Python<'py>,
        principal: PyBackedBytes,
        limit: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let principal: Id16 = array(&principal, "an id")?;
        let ids = py.detach(|| {
            self.cell()
                .read(|kernel| kernel.accounts_of(principal, limit))
        })?;
        Ok(PyBytes::new(py, ids.as_flattened()))
    }
}

/// Adds this file's class and exception to the extension module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("HistoryGapError", m.py().get_type::<HistoryGapError>())?;
    m.add_class::<PyKernelHistory>()
}
