//! `tallystick_core`: the parts of a Tallystick node that Python cannot run at speed.
//!
//! Bytes in, bytes out. Nothing here opens a file or a socket, reads a clock, or draws a random
//! number; whatever depends on one of these is passed in by the caller. The same code therefore
//! runs in a node and under the deterministic simulator.
//!
//! Each module is plain Rust and is tested by `cargo test --no-default-features`. Its Python
//! face is the module's `register` function, compiled only with the feature `python`.

#![forbid(unsafe_code)]

pub mod admission;
pub mod format;
pub mod history;
pub mod kernel;
pub mod raft;
pub mod threads;
pub mod tree;
pub mod verify;

#[cfg(feature = "python")]
mod python {
    use pyo3::prelude::*;

    /// The extension module `tallystick_core._core`; `tallystick_core/__init__.py` re-exports it.
    #[pymodule]
    fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::raft::register(m)?;
        crate::tree::register(m)?;
        crate::verify::register(m)?;
        crate::admission::register(m)?;
        crate::kernel::register(m)?;
        crate::history::register(m)?;
        m.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
