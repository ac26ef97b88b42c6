//! The deterministic kernel: `(state, block) -> (state, results, effects, leaves)`.
//!
//! The rules are those of `docs/semantics.md`, in its order; the bytes are those of
//! `docs/format.md`. The executable specification in `ledger/tallystick_ledger/spec` is the same
//! in plain Python, and tests bind the two. Nothing here knows a clock, chance, a thread or I/O.
//!
//! | file | what |
//! |---|---|
//! | `apply`, `envelope`, `input`, `ahead` | a block, an envelope, a record with its stages |
//! | `registry`, `key`, `recovery`, `unit`, `money` | the rules, one function a kind |
//! | `metering`, `meter`, `mandate`, `channel`, `system` | more of them |
//! | `card`, `priced`, `card_state` | rate cards, and holds that they price |
//! | `debt`, `claim_state` | what a hold may charge beyond its maximum, and who owes it |
//! | `grant`, `share`, `grant_state` | grants, and the shares that they pay of holds |
//! | `correction`, `citation` | more of them, and what they cite of the log |
//! | `netting`, `netting_state`, `netting_codec`, `netting_query` | deferred units |
//! | `pending`, `voucher` | amounts that are pinned; vouchers, verified before they are needed |
//! | `sweep`, `effect`, `leaf` | pruning and expiry, computed postings, what the log tree gets |
//! | `state`, `rows`, `table`, `window`, `schedule`, `journal` | the tables and their changes |
//! | `encode`, `decode`, `price_codec`, `grant_codec` | state rows and digest, there and back |
//! | `checkpoint`, `invariants` | all of the state as bytes; what must hold of it |
//! | `price_rows`, `quote`, `quote_rows` | rows of cards, lines and terms; quotes |
//! | `grant_rows` | rows of grants, shares and lists |
//! | `exchange`, `exchange_rows` | one unit for another, by a maker's quote |
//! | `limit`, `delegation` | more of the rules: limits and zones, keys under keys |
//! | `spending`, `calendar`, `line` | what limits count, and until when; keys above a key |
//! | `limit_rows`, `limit_codec` | rows of limits, marks, lines and zones, and their bytes |
//! | `gather`, `touched`, `history` | which accounts a record has to do with |
//! | `query`, `market`, `admit`, `cell`, `packed`, `python*` | what the shell asks, and how |
//!
//! A refused record or block is a value. A broken invariant is a panic: it means that this node
//! can no longer say what the ledger says, and the only honest reaction is to stop.

mod admit;
mod ahead;
mod apply;
mod calendar;
mod card;
mod card_state;
#[cfg(any(test, feature = "python"))]
mod cell;
mod channel;
mod checkpoint;
mod citation;
mod claim_state;
#[cfg(test)]
mod collisions;
mod correction;
mod debt;
mod decode;
mod delegation;
mod effect;
mod encode;
mod envelope;
mod exchange;
mod exchange_rows;
mod gather;
mod grant;
mod grant_codec;
mod grant_rows;
mod grant_state;
mod history;
mod input;
mod invariants;
mod journal;
mod key;
mod leaf;
mod limit;
mod limit_codec;
mod limit_rows;
mod line;
mod mandate;
mod market;
mod meter;
mod metering;
mod money;
mod netting;
mod netting_codec;
mod netting_query;
mod netting_state;
mod packed;
mod pending;
mod price_codec;
mod price_rows;
mod priced;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "python")]
mod python_applied;
#[cfg(feature = "python")]
mod python_checkpoint;
#[cfg(feature = "python")]
mod python_history;
mod query;
mod quote;
mod quote_rows;
mod recovery;
mod registry;
mod rows;
mod schedule;
mod share;
mod spending;
mod state;
mod sweep;
mod system;
mod table;
mod touched;
mod unit;
mod voucher;
mod window;

pub use apply::{Applied, BlockError, EnvelopeOutcome};
pub use checkpoint::{checkpoint_info, CheckpointError, CheckpointInfo};
pub use citation::cited_sequences;
pub use history::HistoryGap;
pub use market::CardList;
pub use netting_query::NettingView;
#[cfg(feature = "python")]
pub use python::register;
pub use query::KernelStatus;
pub use table::Slot;
pub use voucher::{CheckedVouchers, VoucherBatch};

use crate::format::Genesis;
use crate::tree::Frontier;
use leaf::ResultRoots;
use state::State;

/// A ledger's state, and the right edge of its log tree.
pub struct Kernel {
    genesis: Genesis,
    state: State,
    frontier: Frontier,
    roots: ResultRoots,
}

impl Kernel {
    /// The state before the first block.
    pub fn new(genesis: Genesis) -> Self {
        Self {
            state: State::from_genesis(&genesis),
            genesis,
            frontier: Frontier::new(),
            roots: ResultRoots::default(),
        }
    }
}
