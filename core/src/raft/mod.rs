//! Raft, bound to Python: bytes in, bytes out.

#[cfg(feature = "python")]
use pyo3::prelude::*;

/// Adds this module's classes and exceptions to the extension module.
#[cfg(feature = "python")]
pub fn register(_m: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
