//! What the fuzzers run: one module a target, each with `run(data)`.
//!
//! A target takes any bytes and panics when something is wrong: when the code under test panics,
//! and when an answer breaks one of the properties that the target's own description lists. The
//! same functions replay the kept corpus in `core/tests/replay`, without any fuzzer, so that
//! `cargo test` holds what was found.
//!
//! Random bytes do not get past a hash or a signature. So where a format has any, the first bytes
//! of the input say which of them are put right before the rest is judged (`repair`).

mod repair;
mod source;
pub mod targets;
mod world;

#[path = "../../tests/kernel/ledger.rs"]
mod ledger;
#[path = "../../tests/support/mod.rs"]
mod support;
