//! Python face of verification and of block headers; documented in `_verify.pyi`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::{BlockContext, CheckedBlock};
use crate::format::limits::{BLOCK_HEADER_BYTES, MAX_ENVELOPE_BYTES, RULES_VERSION};
use crate::format::{self, write_block_header, Refusal};

fn exactly<const N: usize>(bytes: &[u8], what: &str) -> PyResult<[u8; N]> {
    bytes
        .try_into()
        .map_err(|_| PyValueError::new_err(format!("{what} has {N} bytes, not {}", bytes.len())))
}

#[pyfunction]
fn verify_ed25519(
    py: Python<'_>,
    public_key: PyBackedBytes,
    message: PyBackedBytes,
    signature: PyBackedBytes,
) -> PyResult<bool> {
    let key = exactly(&public_key, "a public key")?;
    let signature = exactly(&signature, "a signature")?;
    Ok(py.detach(|| super::verify_zip215(&key, &message, &signature)))
}

#[pyfunction]
fn key_is_acceptable(public_key: PyBackedBytes) -> bool {
    <&[u8; 32]>::try_from(&public_key[..]).is_ok_and(super::key_is_acceptable)
}

/// What [`super::check_block`] found.
#[pyclass(frozen, get_all, module = "tallystick_core")]
struct BlockCheck {
    code: u16,
    detail: String,
    record_count: u32,
    envelope_count: u32,
    next_sequence: u64,
    min_next_timestamp_ns: u64,
    signatures: u64,
}

impl From<Result<CheckedBlock, Refusal>> for BlockCheck {
    fn from(result: Result<CheckedBlock, Refusal>) -> Self {
        match result {
            Ok(checked) => Self {
                code: 0,
                detail: String::new(),
                record_count: checked.record_count,
                envelope_count: checked.envelope_count,
                next_sequence: checked.next_sequence,
                min_next_timestamp_ns: checked.min_next_timestamp_ns,
                signatures: checked.signatures,
            },
            Err(refusal) => Self {
                code: refusal.code.value(),
                detail: refusal.detail.into_owned(),
                record_count: 0,
                envelope_count: 0,
                next_sequence: 0,
                min_next_timestamp_ns: 0,
                signatures: 0,
            },
        }
    }
}

#[pyfunction]
#[pyo3(signature = (
    block, *, ledger_id, max_lifetime_ns, next_sequence, min_timestamp_ns, seed, threads = 1
))]
// One argument for each fact that a block is checked against; Python passes them by name.
#[allow(clippy::too_many_arguments)]
fn check_block(
    py: Python<'_>,
    block: PyBackedBytes,
    ledger_id: PyBackedBytes,
    max_lifetime_ns: u64,
    next_sequence: u64,
    min_timestamp_ns: u64,
    seed: PyBackedBytes,
    threads: usize,
) -> PyResult<BlockCheck> {
    let ledger_id = exactly(&ledger_id, "a ledger id")?;
    let seed = exactly(&seed, "a seed")?;
    let context = BlockContext {
        ledger_id: &ledger_id,
        max_lifetime_ns,
        next_sequence,
        min_timestamp_ns,
    };
    Ok(py
        .detach(|| super::check_block(&block, &context, &seed, threads))
        .into())
}

/// The fields of a block's header.
#[pyclass(frozen, get_all, module = "tallystick_core")]
struct BlockHeader {
    rules_version: u16,
    timestamp_ns: u64,
    first_sequence: u64,
    envelope_count: u32,
    record_count: u32,
    envelope_bytes: u32,
}

#[pyfunction]
fn block_header(block: PyBackedBytes) -> PyResult<BlockHeader> {
    let header = format::BlockHeader::parse(&block)
        .map_err(|refusal| PyValueError::new_err(refusal.to_string()))?;
    Ok(BlockHeader {
        rules_version: header.rules_version(),
        timestamp_ns: header.timestamp_ns(),
        first_sequence: header.first_sequence(),
        envelope_count: header.envelope_count(),
        record_count: header.record_count(),
        envelope_bytes: header.envelope_bytes(),
    })
}

#[pyfunction]
#[pyo3(signature = (
    bodies, *, timestamp_ns, first_sequence, envelope_count, record_count,
    rules_version = RULES_VERSION
))]
// As check_block.
#[allow(clippy::too_many_arguments)]
fn build_block<'py>(
    py: Python<'py>,
    bodies: Vec<PyBackedBytes>,
    timestamp_ns: u64,
    first_sequence: u64,
    envelope_count: u32,
    record_count: u32,
    rules_version: u16,
) -> PyResult<Bound<'py, PyBytes>> {
    let length: usize = bodies.iter().map(|body| body.len()).sum();
    let too_large = || PyValueError::new_err("more than 1 MiB of envelopes");
    if length > MAX_ENVELOPE_BYTES {
        return Err(too_large());
    }
    let header = write_block_header(
        rules_version,
        timestamp_ns,
        first_sequence,
        envelope_count,
        record_count,
        u32::try_from(length).map_err(|_| too_large())?,
    );
    PyBytes::new_with(py, BLOCK_HEADER_BYTES + length, |out| {
        let (head, mut rest) = out.split_at_mut(BLOCK_HEADER_BYTES);
        head.copy_from_slice(&header);
        for body in &bodies {
            let (place, behind) = rest.split_at_mut(body.len());
            place.copy_from_slice(body);
            rest = behind;
        }
        Ok(())
    })
}

/// Adds this module's functions and classes to the extension module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<BlockCheck>()?;
    m.add_class::<BlockHeader>()?;
    m.add_function(wrap_pyfunction!(verify_ed25519, m)?)?;
    m.add_function(wrap_pyfunction!(key_is_acceptable, m)?)?;
    m.add_function(wrap_pyfunction!(check_block, m)?)?;
    m.add_function(wrap_pyfunction!(block_header, m)?)?;
    m.add_function(wrap_pyfunction!(build_block, m)?)
}
