//! Signatures by the rule of format.md section 2.

mod key;

pub use key::{key_is_acceptable, point_is_canonical};
