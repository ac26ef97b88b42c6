//! Proof from bytes alone: signatures, roots, CONT hashes, possessions, and a block as a whole.
//!
//! Signatures follow format.md section 2. [`verify_zip215`] is its bare equation;
//! [`verify_batch`] and [`verify_strict`] ask for canonical encodings on top, as everybody does
//! who accepts new bytes.

mod batch;
mod key;
mod single;

pub use batch::{verify_batch, verify_strict, Item};
pub use key::{key_is_acceptable, point_is_canonical};
pub use single::verify_zip215;
