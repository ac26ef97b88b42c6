//! Raft, bound to Python: bytes in, bytes out.
//!
//! * [`frame`]: the wire format between nodes and its strict parser.
//! * [`admit`]: which messages may reach the core, given the node's state.
//! * [`store`]: the part of the log that Raft must be able to read at once.
//! * [`setup`]: what a core starts with, and its refusals.
//! * [`engine`]: the core itself, in plain Rust; the loop it wants is described there.
//! * [`writes`]: which completed writes raft may be told about.
//! * `binding`, `views`: the Python face of the core, and the objects it hands out.

pub mod admit;
#[cfg(feature = "python")]
mod binding;
pub mod engine;
mod feed;
pub mod frame;
pub mod limits;
mod reads;
pub mod setup;
pub mod store;
#[cfg(feature = "python")]
mod views;
pub mod writes;

#[cfg(feature = "python")]
use pyo3::prelude::*;

/// Adds this module's classes and exceptions to the extension module.
#[cfg(feature = "python")]
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    views::register(m)?;
    binding::register(m)
}
