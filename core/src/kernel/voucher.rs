//! The vouchers of a block, verified together before they are needed.
//!
//! A voucher names its channel, and the channel names the key: it takes state to verify one. The
//! VOUCHER records of a block whose channel is there when the block comes are collected from the
//! state, verified in one batch (which needs no state), and their answers looked up by the rule.
//! Whoever is not found there is verified alone. An answer is kept with its key and is a fact
//! about the record's bytes, so it does not matter what the block did to the state meanwhile.

use hashbrown::HashMap;

use super::rows::{Channel, ChannelStatus};
use super::state::State;
use super::table::Slot;
use super::Kernel;
use crate::format::{BlockView, Hash32, Heads, Key32, RecordView, Voucher};
use crate::verify::{verify_voucher, verify_vouchers, KeyedVoucher};

/// Vouchers of a block, with their keys.
pub struct VoucherBatch<'a> {
    ledger_id: Hash32,
    /// Sequence numbers of their records.
    sequences: Vec<u64>,
    vouchers: Vec<KeyedVoucher<'a>>,
}

/// Which vouchers of a block hold, as far as they were verified.
#[derive(Default)]
pub struct CheckedVouchers {
    /// By sequence number: the key, and whether it signed.
    answers: HashMap<u64, (Key32, bool)>,
}

impl VoucherBatch<'_> {
    pub fn len(&self) -> usize {
        self.vouchers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.vouchers.is_empty()
    }

    /// Verifies all of them on up to `threads` threads.
    pub fn verify(&self, threads: usize) -> CheckedVouchers {
        if self.is_empty() {
            return CheckedVouchers::default();
        }
        let answers = verify_vouchers(&self.vouchers, &self.ledger_id, threads);
        let keys = self.vouchers.iter().map(|keyed| keyed.key);
        let keyed = keys.zip(answers);
        CheckedVouchers {
            answers: self.sequences.iter().copied().zip(keyed).collect(),
        }
    }
}

impl CheckedVouchers {
    /// Whether the key signed the voucher of record number `sequence`.
    pub fn holds(&self, sequence: u64, keyed: &KeyedVoucher<'_>, ledger_id: &Hash32) -> bool {
        match self.answers.get(&sequence) {
            Some((key, answer)) if *key == keyed.key => *answer,
            _ => verify_voucher(keyed, ledger_id),
        }
    }
}

impl Kernel {
    /// The vouchers of a block that the state knows how to verify. Of any bytes, also of a block
    /// that does not fit.
    pub fn collect_vouchers<'a>(&self, block: &'a [u8]) -> VoucherBatch<'a> {
        let mut batch = VoucherBatch {
            ledger_id: self.genesis.ledger_id,
            sequences: Vec::new(),
            vouchers: Vec::new(),
        };
        let Ok(view) = BlockView::parse(block) else {
            return batch;
        };
        if self.state.channels.len() == 0 {
            return batch;
        }
        for envelope in view.envelopes() {
            let Some(key) = self.state.keys.find_row(*envelope.view.header().signer()) else {
                continue;
            };
            // `BlockView` has refused a block whose sequence numbers leave 64 bits.
            let first = view.header().first_sequence() + u64::from(envelope.first_record);
            for (index, record, _) in Heads::new(envelope.view) {
                if let Some(keyed) = due(&self.state, key.principal, record) {
                    batch.sequences.push(first + u64::from(index));
                    batch.vouchers.push(keyed);
                }
            }
        }
        batch
    }
}

/// The voucher of a record whose rule will ask for its signature, as far as the state can tell:
/// nobody makes the ledger verify vouchers of channels that are not his.
fn due<'a>(state: &State, principal: Slot, record: RecordView<'a>) -> Option<KeyedVoucher<'a>> {
    let voucher = Voucher::of(record)?;
    let channel: &Channel = state.channels.find_row(voucher.channel())?;
    let is_payee = state.accounts.get(channel.payee).owner == principal;
    let is_due = channel.status != ChannelStatus::Closed && voucher.cumulative() >= channel.highest;
    (is_payee && is_due).then_some(KeyedVoucher {
        key: channel.key,
        voucher,
    })
}
