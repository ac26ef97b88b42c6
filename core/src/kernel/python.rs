//! Python face of the kernel; documented in `_kernel.pyi`.

use pyo3::create_exception;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::cell::{Broken, Cell};
use super::python_applied::PyApplied;
use super::{cited_sequences, CardList, Kernel, KernelStatus};
use crate::admission::PyAdmission;
use crate::format::{Genesis, Id16, Key32};

create_exception!(tallystick_core, GenesisError, PyValueError);
create_exception!(tallystick_core, BlockError, PyValueError);
create_exception!(tallystick_core, CheckpointError, PyValueError);
create_exception!(tallystick_core, KernelBroken, PyRuntimeError);

impl From<Broken> for PyErr {
    fn from(_: Broken) -> Self {
        KernelBroken::new_err("the kernel panicked before; end the process")
    }
}

fn parse_genesis(bytes: &[u8]) -> PyResult<Genesis> {
    Genesis::parse(bytes).map_err(|refusal| GenesisError::new_err(refusal.to_string()))
}

pub(super) fn array<const N: usize>(bytes: &[u8], what: &str) -> PyResult<[u8; N]> {
    bytes
        .try_into()
        .map_err(|_| PyValueError::new_err(format!("{what} has {N} bytes")))
}

fn optional_id(bytes: Option<&[u8]>) -> PyResult<Option<Id16>> {
    bytes.map(|id| array(id, "an id")).transpose()
}

fn check_ids(ids: &[u8]) -> PyResult<()> {
    if ids.len() % 16 != 0 {
        return Err(PyValueError::new_err("ids are 16 bytes each"));
    }
    Ok(())
}

/// The kernel as Python sees it. Everything that may take long runs without the GIL.
#[pyclass(name = "Kernel", module = "tallystick_core", frozen)]
pub struct PyKernel {
    cell: Cell,
    genesis: Genesis,
}

impl PyKernel {
    fn of(kernel: Kernel) -> Self {
        Self {
            genesis: kernel.genesis().clone(),
            cell: Cell::new(kernel),
        }
    }

    pub(super) fn cell(&self) -> &Cell {
        &self.cell
    }

    /// Reads without the GIL, and gives the bytes to Python.
    fn bytes_of<'py, T: AsRef<[u8]> + Send>(
        &self,
        py: Python<'py>,
        read: impl FnOnce(&Kernel) -> T + Send,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| self.cell.read(read))?;
        Ok(PyBytes::new(py, bytes.as_ref()))
    }

    /// As `bytes_of`, for a row that may not be there.
    fn row_of<'py>(
        &self,
        py: Python<'py>,
        read: impl FnOnce(&Kernel) -> Option<Vec<u8>> + Send,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let row = py.detach(|| self.cell.read(read))?;
        Ok(row.map(|row| PyBytes::new(py, &row)))
    }
}

#[pymethods]
impl PyKernel {
    #[new]
    fn new(genesis: PyBackedBytes) -> PyResult<Self> {
        Ok(Self::of(Kernel::new(parse_genesis(&genesis)?)))
    }

    #[staticmethod]
    fn restore(
        py: Python<'_>,
        genesis: PyBackedBytes,
        checkpoint: PyBackedBytes,
    ) -> PyResult<Self> {
        let genesis = parse_genesis(&genesis)?;
        match py.detach(|| Kernel::restore(genesis, &checkpoint)) {
            Ok(kernel) => Ok(Self::of(kernel)),
            Err(error) => Err(CheckpointError::new_err(error.to_string())),
        }
    }

    #[pyo3(signature = (applied_index = 0))]
    fn checkpoint<'py>(
        &self,
        py: Python<'py>,
        applied_index: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.bytes_of(py, |kernel| kernel.checkpoint(applied_index))
    }

    /// The vouchers are verified without a lock: others may read and admit meanwhile.
    #[pyo3(signature = (block, threads = 1, citations = None))]
    fn apply(
        &self,
        py: Python<'_>,
        block: PyBackedBytes,
        threads: usize,
        citations: Option<PyBackedBytes>,
    ) -> PyResult<PyApplied> {
        let citations: &[u8] = citations.as_deref().unwrap_or_default();
        let applied = py.detach(|| {
            let batch = self.cell.read(|kernel| kernel.collect_vouchers(&block))?;
            let vouchers = batch.verify(threads);
            let verified = batch.len();
            self.cell
                .change(|kernel| kernel.apply_checked(&block, &vouchers, citations))
                .map(|applied| applied.map(|inner| PyApplied::new(inner, verified)))
        })?;
        applied.map_err(|error| BlockError::new_err(error.to_string()))
    }

    fn admit(
        &self,
        py: Python<'_>,
        messages: Vec<PyBackedBytes>,
        now_ns: u64,
    ) -> PyResult<PyAdmission> {
        let admission = PyAdmission::admit(py, messages, now_ns, &self.genesis, &self.cell);
        py.detach(|| self.cell.read(|_| ()))?;
        Ok(admission)
    }

    fn state_digest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.bytes_of(py, Kernel::state_digest)
    }

    fn state_rows<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.bytes_of(py, Kernel::state_rows)
    }

    fn verify_invariants(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(py.detach(|| self.cell.read(Kernel::verify_invariants))?)
    }

    fn status(&self, py: Python<'_>) -> PyResult<PyKernelStatus> {
        let inner = py.detach(|| self.cell.read(Kernel::status))?;
        Ok(PyKernelStatus { inner })
    }

    #[getter]
    fn ledger_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.genesis.ledger_id)
    }

    fn accounts<'py>(&self, py: Python<'py>, ids: PyBackedBytes) -> PyResult<Bound<'py, PyBytes>> {
        check_ids(&ids)?;
        self.bytes_of(py, |kernel| kernel.account_rows(&ids))
    }

    fn holds<'py>(&self, py: Python<'py>, ids: PyBackedBytes) -> PyResult<Bound<'py, PyBytes>> {
        check_ids(&ids)?;
        self.bytes_of(py, |kernel| kernel.hold_rows(&ids))
    }

    fn channels<'py>(&self, py: Python<'py>, ids: PyBackedBytes) -> PyResult<Bound<'py, PyBytes>> {
        check_ids(&ids)?;
        self.bytes_of(py, |kernel| kernel.channel_rows(&ids))
    }

    fn terms<'py>(&self, py: Python<'py>, ids: PyBackedBytes) -> PyResult<Bound<'py, PyBytes>> {
        check_ids(&ids)?;
        self.bytes_of(py, |kernel| kernel.terms_rows(&ids))
    }

    fn cards<'py>(&self, py: Python<'py>, ids: PyBackedBytes) -> PyResult<Bound<'py, PyBytes>> {
        check_ids(&ids)?;
        self.bytes_of(py, |kernel| kernel.card_rows(&ids))
    }

    #[pyo3(signature = (after, limit, *, drafts_of = None, owner = None, model = None))]
    fn card_list<'py>(
        &self,
        py: Python<'py>,
        after: PyBackedBytes,
        limit: usize,
        drafts_of: Option<PyBackedBytes>,
        owner: Option<PyBackedBytes>,
        model: Option<PyBackedBytes>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let after: Id16 = array(&after, "an id")?;
        let list = CardList {
            drafts_of: optional_id(drafts_of.as_deref())?,
            owner: optional_id(owner.as_deref())?,
            model: optional_id(model.as_deref())?,
        };
        self.bytes_of(py, |kernel| kernel.card_list(&list, after, limit))
    }

    #[pyo3(signature = (card, first, limit, *, model = None))]
    fn card_lines<'py>(
        &self,
        py: Python<'py>,
        card: PyBackedBytes,
        first: u32,
        limit: usize,
        model: Option<PyBackedBytes>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let card: Id16 = array(&card, "an id")?;
        let model = optional_id(model.as_deref())?;
        self.bytes_of(py, |kernel| kernel.card_lines(card, model, first, limit))
    }

    fn correction<'py>(
        &self,
        py: Python<'py>,
        sequence: u64,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.row_of(py, |kernel| kernel.correction_row(sequence))
    }

    fn quote<'py>(
        &self,
        py: Python<'py>,
        id: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let id: Id16 = array(&id, "an id")?;
        self.row_of(py, |kernel| kernel.quote_row(id))
    }

    fn exchange<'py>(
        &self,
        py: Python<'py>,
        id: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let id: Id16 = array(&id, "an id")?;
        self.row_of(py, |kernel| kernel.exchange_quote_row(id))
    }

    fn mandate<'py>(
        &self,
        py: Python<'py>,
        id: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let id: Id16 = array(&id, "an id")?;
        self.row_of(py, |kernel| kernel.mandate_row(id))
    }

    fn mandates<'py>(
        &self,
        py: Python<'py>,
        principal: PyBackedBytes,
        after: PyBackedBytes,
        limit: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let principal: Id16 = array(&principal, "an id")?;
        let after: Id16 = array(&after, "an id")?;
        self.bytes_of(py, |kernel| kernel.mandate_rows(principal, after, limit))
    }

    fn disputes<'py>(
        &self,
        py: Python<'py>,
        principal: PyBackedBytes,
        after: u64,
        limit: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let principal: Id16 = array(&principal, "an id")?;
        self.bytes_of(py, |kernel| kernel.dispute_rows(principal, after, limit))
    }

    fn grant<'py>(
        &self,
        py: Python<'py>,
        grant_id: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let id: Id16 = array(&grant_id, "an id")?;
        self.row_of(py, |kernel| kernel.grant_row(id))
    }

    fn shares<'py>(
        &self,
        py: Python<'py>,
        hold: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let hold: Id16 = array(&hold, "an id")?;
        self.row_of(py, |kernel| kernel.shares_row(hold))
    }

    fn grants<'py>(
        &self,
        py: Python<'py>,
        principal: PyBackedBytes,
        after: PyBackedBytes,
        limit: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let principal: Id16 = array(&principal, "an id")?;
        let after: Id16 = array(&after, "an id")?;
        self.bytes_of(py, |kernel| kernel.grant_rows(principal, after, limit))
    }

    fn limits<'py>(
        &self,
        py: Python<'py>,
        principal: PyBackedBytes,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let principal: Id16 = array(&principal, "an id")?;
        self.bytes_of(py, |kernel| kernel.limit_rows(principal))
    }

    fn zone<'py>(
        &self,
        py: Python<'py>,
        id: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let id: Id16 = array(&id, "an id")?;
        self.row_of(py, |kernel| kernel.zone_row(id))
    }

    fn recovery<'py>(
        &self,
        py: Python<'py>,
        principal: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let principal: Id16 = array(&principal, "a principal")?;
        self.row_of(py, |kernel| kernel.recovery_row(principal))
    }

    fn line<'py>(
        &self,
        py: Python<'py>,
        public_key: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let key: Key32 = array(&public_key, "a public key")?;
        self.row_of(py, |kernel| kernel.line_row(key))
    }

    #[pyo3(signature = (unit, principal, account))]
    fn netting<'py>(
        &self,
        py: Python<'py>,
        unit: PyBackedBytes,
        principal: Option<PyBackedBytes>,
        account: Option<PyBackedBytes>,
    ) -> PyResult<Option<Vec<Bound<'py, PyBytes>>>> {
        let unit: Id16 = array(&unit, "an id")?;
        let (principal, account) = (
            optional_id(principal.as_deref())?,
            optional_id(account.as_deref())?,
        );
        let read = |kernel: &Kernel| kernel.netting_view(unit, principal, account);
        let view = py.detach(|| self.cell.read(read))?;
        Ok(view.map(|view| {
            let parts = [
                view.unit,
                view.windows,
                view.members,
                view.closed,
                view.open,
                view.pairs,
                view.figures,
            ];
            parts.map(|part| PyBytes::new(py, &part)).to_vec()
        }))
    }

    fn claim<'py>(
        &self,
        py: Python<'py>,
        claim_id: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let id: Id16 = array(&claim_id, "an id")?;
        self.row_of(py, |kernel| kernel.claim_row(id))
    }

    fn claims<'py>(
        &self,
        py: Python<'py>,
        principal: PyBackedBytes,
        after: PyBackedBytes,
        limit: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let principal: Id16 = array(&principal, "an id")?;
        let after: Id16 = array(&after, "an id")?;
        self.bytes_of(py, |kernel| kernel.claim_rows(principal, after, limit))
    }

    fn key<'py>(
        &self,
        py: Python<'py>,
        public_key: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let key: Key32 = array(&public_key, "a public key")?;
        self.row_of(py, |kernel| kernel.key_row(key))
    }

    fn principal<'py>(
        &self,
        py: Python<'py>,
        id: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let id: Id16 = array(&id, "an id")?;
        self.row_of(py, |kernel| kernel.principal_row(id))
    }

    fn unit<'py>(
        &self,
        py: Python<'py>,
        id: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let id: Id16 = array(&id, "an id")?;
        self.row_of(py, |kernel| kernel.unit_row(id))
    }

    fn name<'py>(
        &self,
        py: Python<'py>,
        id: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let id: Id16 = array(&id, "an id")?;
        self.row_of(py, |kernel| kernel.name_row(id))
    }

    fn units<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.bytes_of(py, Kernel::unit_rows)
    }

    fn live_id<'py>(
        &self,
        py: Python<'py>,
        principal: PyBackedBytes,
        envelope_id: PyBackedBytes,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let principal: Id16 = array(&principal, "an id")?;
        let envelope_id: Id16 = array(&envelope_id, "an envelope id")?;
        self.row_of(py, |kernel| kernel.live_id_row(principal, envelope_id))
    }
}

#[pyclass(name = "KernelStatus", module = "tallystick_core", frozen)]
pub struct PyKernelStatus {
    inner: KernelStatus,
}

#[pymethods]
impl PyKernelStatus {
    #[getter]
    fn next_sequence(&self) -> u64 {
        self.inner.next_sequence
    }

    #[getter]
    fn min_next_timestamp_ns(&self) -> u64 {
        self.inner.min_next_timestamp_ns
    }

    #[getter]
    fn tree_size(&self) -> u64 {
        self.inner.tree_size
    }

    #[getter]
    fn tree_root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.tree_root)
    }

    #[getter]
    fn principals(&self) -> usize {
        self.inner.principals
    }

    #[getter]
    fn keys(&self) -> usize {
        self.inner.keys
    }

    #[getter]
    fn names(&self) -> usize {
        self.inner.names
    }

    #[getter]
    fn units(&self) -> usize {
        self.inner.units
    }

    #[getter]
    fn accounts(&self) -> usize {
        self.inner.accounts
    }

    #[getter]
    fn holds(&self) -> usize {
        self.inner.holds
    }

    #[getter]
    fn open_holds(&self) -> usize {
        self.inner.open_holds
    }

    #[getter]
    fn channels(&self) -> usize {
        self.inner.channels
    }

    #[getter]
    fn live_ids(&self) -> usize {
        self.inner.live_ids
    }

    #[getter]
    fn references(&self) -> usize {
        self.inner.references
    }

    #[getter]
    fn next_expiry_ns(&self) -> u64 {
        self.inner.next_expiry_ns
    }
}

#[pyfunction]
#[pyo3(name = "cited_sequences")]
fn py_cited_sequences<'py>(py: Python<'py>, block: PyBackedBytes) -> Bound<'py, PyBytes> {
    let sequences = py.detach(|| cited_sequences(&block));
    let bytes: Vec<u8> = sequences.into_iter().flat_map(u64::to_le_bytes).collect();
    PyBytes::new(py, &bytes)
}

/// Adds the kernel's classes and exceptions to the extension module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = m.py();
    m.add("GenesisError", py.get_type::<GenesisError>())?;
    m.add("BlockError", py.get_type::<BlockError>())?;
    m.add("CheckpointError", py.get_type::<CheckpointError>())?;
    m.add("KernelBroken", py.get_type::<KernelBroken>())?;
    m.add_class::<PyKernel>()?;
    m.add_class::<PyApplied>()?;
    m.add_class::<PyKernelStatus>()?;
    m.add_function(wrap_pyfunction!(py_cited_sequences, m)?)?;
    super::python_checkpoint::register(m)?;
    super::python_history::register(m)
}
