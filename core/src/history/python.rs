//! Python face of the history index; documented in `_history.pyi`.

use parking_lot::Mutex;
use pyo3::create_exception;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::{cut_conts, cut_records, Accept, Chunk, Merge, MergeStep, Page, PageError, Search};
use crate::format::u64_at;

create_exception!(tallystick_core, HistoryPageError, PyValueError);

/// Bytes of a set of tags: one bit each.
const TAG_SET_BYTES: usize = 32;

impl From<PageError> for PyErr {
    fn from(error: PageError) -> Self {
        HistoryPageError::new_err(error.to_string())
    }
}

/// `(account ‖ u64 BE sequence number, page, postings on it)` for each page.
pub type KeyedPages<'py> = Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>, u64)>;

/// Pages for Python.
pub fn keyed_pages<'py>(py: Python<'py>, pages: &[Page]) -> KeyedPages<'py> {
    let keyed = pages.iter().map(|page| {
        let key = [&page.account[..], &page.sequence.to_be_bytes()].concat();
        let bytes = PyBytes::new(py, &page.bytes);
        (PyBytes::new(py, &key), bytes, page.count)
    });
    keyed.collect()
}

fn numbers(bytes: &[u8], what: &str) -> PyResult<Vec<u64>> {
    if bytes.len() % 8 != 0 {
        return Err(PyValueError::new_err(format!("{what} are 8 bytes each")));
    }
    Ok((0..bytes.len())
        .step_by(8)
        .map(|at| u64_at(bytes, at))
        .collect())
}

fn tag_set(bytes: &[u8]) -> PyResult<[bool; 256]> {
    if bytes.len() != TAG_SET_BYTES {
        return Err(PyValueError::new_err("a set of tags has 32 bytes"));
    }
    Ok(std::array::from_fn(|tag| {
        bytes[tag / 8] >> (tag % 8) & 1 == 1
    }))
}

#[pyclass(name = "HistoryChunk", module = "tallystick_core", frozen)]
pub struct PyChunk {
    pub inner: Chunk,
}

#[pymethods]
impl PyChunk {
    #[getter]
    fn first_sequence(&self) -> u64 {
        self.inner.first_sequence
    }

    #[getter]
    fn end_sequence(&self) -> u64 {
        self.inner.end_sequence
    }

    #[getter]
    fn is_complete(&self) -> bool {
        self.inner.is_complete
    }

    #[getter]
    fn posting_count(&self) -> usize {
        self.inner.postings.len()
    }
}

#[pyclass(name = "HistorySearch", module = "tallystick_core", frozen)]
pub struct PySearch {
    pub inner: Mutex<Search>,
}

#[pymethods]
impl PySearch {
    #[new]
    #[pyo3(signature = (account, low, high, *, newest_first, limit, always, if_listed, listed))]
    #[allow(clippy::too_many_arguments)] // one for each thing that a search is made of
    fn new(
        account: PyBackedBytes,
        low: u64,
        high: u64,
        newest_first: bool,
        limit: usize,
        always: PyBackedBytes,
        if_listed: PyBackedBytes,
        listed: PyBackedBytes,
    ) -> PyResult<Self> {
        let account = account[..]
            .try_into()
            .map_err(|_| PyValueError::new_err("an account has 16 bytes"))?;
        let listed = numbers(&listed, "sequence numbers")?;
        if !listed.is_sorted() {
            return Err(PyValueError::new_err("listed sequence numbers ascend"));
        }
        let accept = Accept {
            always: tag_set(&always)?,
            if_listed: tag_set(&if_listed)?,
            listed,
        };
        let inner = Mutex::new(Search::new(
            account,
            (low, high),
            newest_first,
            limit,
            accept,
        ));
        Ok(Self { inner })
    }

    fn narrow(&self, low: u64, high: u64) {
        self.inner.lock().narrow(low, high);
    }

    fn page(&self, py: Python<'_>, page: PyBackedBytes) -> PyResult<()> {
        Ok(py.detach(|| self.inner.lock().page(&page))?)
    }

    #[getter]
    fn low(&self) -> u64 {
        self.inner.lock().low()
    }

    #[getter]
    fn high(&self) -> u64 {
        self.inner.lock().high()
    }

    #[getter]
    fn is_full(&self) -> bool {
        self.inner.lock().is_full()
    }

    #[getter]
    fn sequences<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let search = self.inner.lock();
        let bytes: Vec<u8> = search
            .sequences
            .iter()
            .copied()
            .flat_map(u64::to_le_bytes)
            .collect();
        PyBytes::new(py, &bytes)
    }

    #[getter]
    fn tags<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.lock().tags)
    }
}

/// A merge, or nothing once it has finished.
#[pyclass(name = "HistoryMerge", module = "tallystick_core", frozen)]
pub struct PyMerge {
    inner: Mutex<Option<Merge>>,
    input_count: usize,
}

impl PyMerge {
    fn with<T>(&self, call: impl FnOnce(&mut Merge) -> PyResult<T>) -> PyResult<T> {
        let mut guard = self.inner.lock();
        let merge = guard.as_mut();
        call(merge.ok_or_else(|| PyValueError::new_err("the merge has finished"))?)
    }
}

#[pymethods]
impl PyMerge {
    #[new]
    fn new(base: u64, input_count: usize) -> Self {
        Self {
            inner: Mutex::new(Some(Merge::new(base, input_count))),
            input_count,
        }
    }

    #[pyo3(signature = (input, page))]
    fn feed(&self, input: usize, page: Option<PyBackedBytes>) -> PyResult<()> {
        if input >= self.input_count {
            return Err(PyIndexError::new_err("no such input"));
        }
        let page = page.map(|page| page.to_vec());
        self.with(|merge| Ok(merge.feed(input, page)?))
    }

    fn run(&self, py: Python<'_>) -> PyResult<Option<usize>> {
        let step = py.detach(|| self.with(|merge| Ok(merge.run()?)))?;
        Ok(match step {
            MergeStep::Feed(input) => Some(input),
            MergeStep::Done => None,
        })
    }

    fn take_pages<'py>(&self, py: Python<'py>) -> PyResult<KeyedPages<'py>> {
        let pages = self.with(|merge| Ok(merge.take_pages()))?;
        Ok(keyed_pages(py, &pages))
    }

    fn finish<'py>(&self, py: Python<'py>) -> PyResult<KeyedPages<'py>> {
        let merge = self.inner.lock().take();
        let merge = merge.ok_or_else(|| PyValueError::new_err("the merge has finished"))?;
        let pages = py.detach(|| merge.finish());
        Ok(keyed_pages(py, &pages))
    }
}

#[pyfunction]
#[pyo3(name = "cut_records")]
fn py_cut_records<'py>(
    py: Python<'py>,
    block: PyBackedBytes,
    sequences: PyBackedBytes,
) -> PyResult<Bound<'py, PyBytes>> {
    let sequences = numbers(&sequences, "sequence numbers")?;
    let cut = py.detach(|| cut_records(&block, &sequences));
    let cut = cut.map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &cut))
}

#[pyfunction]
#[pyo3(name = "cut_conts")]
fn py_cut_conts<'py>(
    py: Python<'py>,
    block: PyBackedBytes,
    sequences: PyBackedBytes,
) -> PyResult<Bound<'py, PyBytes>> {
    let sequences = numbers(&sequences, "sequence numbers")?;
    let cut = py.detach(|| cut_conts(&block, &sequences));
    let cut = cut.map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &cut))
}

#[pyfunction]
fn history_tag_of_kind(kind: u16) -> u8 {
    super::tag::of_kind(kind)
}

/// Adds this module's classes and functions to the extension module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("HistoryPageError", m.py().get_type::<HistoryPageError>())?;
    m.add_class::<PyChunk>()?;
    m.add_class::<PySearch>()?;
    m.add_class::<PyMerge>()?;
    m.add_function(wrap_pyfunction!(py_cut_records, m)?)?;
    m.add_function(wrap_pyfunction!(py_cut_conts, m)?)?;
    m.add_function(wrap_pyfunction!(history_tag_of_kind, m)?)
}
