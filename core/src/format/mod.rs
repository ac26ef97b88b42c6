//! The bytes of the ledger: genesis, envelope, record grid, block and the ids made from them.
//!
//! Everything here is a *view*: a parser checks the shape of borrowed bytes once and hands out
//! typed getters over them; nothing is copied, and nothing is allocated per record. A view that
//! exists has the right length, so its getters cannot fail. Offsets are those of
//! `docs/format.md`, whose sections the comments cite.
//!
//! A parser refuses with [`Refusal`]: a [`Code`] below 64 and a sentence for people. Whether the
//! *content* of a record makes sense (kind, flags, fields) is the kernel's business, not ours.

mod block;
mod bytes;
mod code;
mod envelope;
mod genesis;
mod grid;
mod ids;
pub mod limits;
mod possession;
mod record;
mod voucher;

pub use block::{write_block_header, BlockEnvelope, BlockHeader, BlockView, Envelopes};
pub use bytes::{id16_at, u128_at, u16_at, u32_at, u64_at, Hash32, Id16, Key32, ZERO_ID};
pub use code::Code;
pub use envelope::{EnvelopeHeader, EnvelopeView};
pub use genesis::{Genesis, GenesisNode};
pub use grid::{check_grid_shape, cont_hash, Heads};
pub use ids::{node_principal_index, object_id, sha256};
pub use possession::{Possession, POSSESSION_PREFIX};
pub use record::{kind, RecordView, Records};
pub use voucher::{Voucher, VOUCHER_PREFIX};

use std::borrow::Cow;

/// Why bytes were refused: a code of `docs/format.md` section 11 below 64, and what exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code:?}: {detail}")]
pub struct Refusal {
    /// What to answer.
    pub code: Code,
    /// For a person; never parsed.
    pub detail: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with its reason.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }

    /// The commonest refusal: the bytes do not have the shape of the format.
    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Malformed, detail)
    }
}
