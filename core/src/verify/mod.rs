//! Proof from bytes alone: signatures, roots, CONT hashes, possessions, and a block as a whole.
//!
//! Signatures follow format.md section 2. [`verify_zip215`] is its bare equation;
//! [`verify_batch`] and [`verify_strict`] ask for canonical encodings on top, as everybody does
//! who accepts new bytes. [`verify_envelopes`] puts the checks of an envelope in their order and
//! [`check_block`] those of a block.

mod batch;
mod block;
mod envelopes;
mod key;
mod keycache;
#[cfg(feature = "python")]
mod python;
mod single;
mod vouchers;

pub use batch::{verify_batch, verify_strict, Item, Lane, Seed};
pub use block::{check_block, BlockContext, CheckedBlock};
pub use envelopes::{verify_envelopes, Verdicts};
pub use key::{key_is_acceptable, point_is_canonical};
#[cfg(feature = "python")]
pub use python::register;
pub use single::verify_zip215;
pub use vouchers::{verify_voucher, verify_vouchers, KeyedVoucher};
