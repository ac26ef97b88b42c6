//! Tests of the public Rust interface over whole envelopes, messages and blocks.

mod admission;
mod batch;
mod block;
mod format;
#[path = "../support/mod.rs"]
mod support;
