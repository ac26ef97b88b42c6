//! The targets. [`ALL`] is what the corpus is replayed against; each has a file of its own name in
//! `fuzz_targets`.

pub mod admission;
pub mod block;
pub mod checkpoint;
pub mod frame;
pub mod genesis;
pub mod kernel;
pub mod node;
pub mod signatures;

/// What a fuzzer runs.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const ALL: [(&str, Target); 8] = [
    ("admission", admission::run),
    ("block", block::run),
    ("checkpoint", checkpoint::run),
    ("frame", frame::run),
    ("genesis", genesis::run),
    ("kernel", kernel::run),
    ("node", node::run),
    ("signatures", signatures::run),
];
