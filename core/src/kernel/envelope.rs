//! One envelope (semantics.md section 2): which of the five cases it is, then its records, each on
//! its own or all or none.

use std::cell::Cell;

use super::ahead::ReadAhead;
use super::citation::Citations;
use super::effect::Effects;
use super::input::{execute, Input, Outcome};
use super::leaf::result_bytes;
use super::rows::LiveId;
use super::state::State;
use super::table::Slot;
use super::touched;
use super::voucher::CheckedVouchers;
use crate::format::limits::RESULT_BYTES;
use crate::format::{Code, EnvelopeView, Genesis, Heads};
use crate::history::tag;

/// An envelope with its place in the ledger.
pub struct Placed<'a> {
    pub view: EnvelopeView<'a>,
    /// Sequence number of its first record.
    pub first_sequence: u64,
    /// Timestamp of its first record.
    pub timestamp_ns: u64,
    /// Timestamp of its block.
    pub block_timestamp_ns: u64,
}

/// Where the results of one envelope go. They are zero to begin with.
pub struct Results<'a> {
    bytes: &'a mut [u8],
    /// Whether all of them are plain successes so far.
    is_plain: bool,
}

/// What became of an envelope, beside its results and effects.
pub struct Verdict {
    /// OK when its records were executed, else the result of all its heads.
    pub code: Code,
    /// Whether it consumed its id.
    pub consumed: bool,
    /// Of its signer's key; None for UNKNOWN_KEY.
    pub principal: Option<Slot>,
    /// First sequence number of the envelope that consumed the id before; 0 for none.
    pub original_sequence: u64,
}

/// What the envelopes of a block share.
pub struct Run<'a> {
    pub genesis: &'a Genesis,
    pub state: &'a mut State,
    pub effects: &'a mut Effects,
    pub vouchers: &'a CheckedVouchers,
    pub citations: &'a Citations,
    /// Holds, channels and recoveries that may still be swept in this block.
    pub sweep_budget: u32,
}

impl<'a> Results<'a> {
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self {
            bytes,
            is_plain: true,
        }
    }

    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    #[cold]
    fn refuse(&mut self, index: u32, code: Code, detail: u32) {
        let at = index as usize * RESULT_BYTES;
        self.bytes[at..at + RESULT_BYTES].copy_from_slice(&result_bytes(Err(code), detail));
        self.is_plain = false;
    }

    fn refuse_all(&mut self, view: EnvelopeView<'_>, code: Code) {
        for (index, _, _) in Heads::new(view) {
            self.refuse(index, code, 0);
        }
    }
}

impl Run<'_> {
    pub fn envelope(&mut self, placed: &Placed<'_>, results: &mut Results<'_>) -> Verdict {
        self.state.gather.begin_envelope(placed.first_sequence);
        self.sweep(placed.timestamp_ns, placed.first_sequence, 0);
        let header = placed.view.header();
        let mut verdict = Verdict {
            code: Code::UnknownKey,
            consumed: false,
            principal: None,
            original_sequence: 0,
        };
        let Some(key) = self.state.keys.find(*header.signer()) else {
            results.refuse_all(placed.view, verdict.code);
            return verdict;
        };
        let principal = self.state.keys.get(key).principal;
        verdict.principal = Some(principal);
        let digest = header.digest();
        let live_key = (principal, header.envelope_id());
        if let Some(live) = self.state.live_ids.find(live_key) {
            verdict.original_sequence = live.first_sequence;
            verdict.code = if live.header_digest == digest {
                Code::Duplicate
            } else {
                Code::IdConflict
            };
            results.refuse_all(placed.view, verdict.code);
            touched::refused_all(self.state, placed, principal, self.citations, verdict.code);
            return verdict;
        }
        self.state.insert_live_id(LiveId {
            first_sequence: placed.first_sequence,
            principal,
            record_count: placed.view.record_count(),
            block_timestamp_ns: placed.block_timestamp_ns,
            envelope_id: header.envelope_id(),
            header_digest: digest,
        });
        verdict.consumed = true;
        if header.valid_until_ns() < placed.block_timestamp_ns {
            verdict.code = Code::Expired;
            results.refuse_all(placed.view, verdict.code);
            touched::refused_all(self.state, placed, principal, self.citations, verdict.code);
            return verdict;
        }
        verdict.code = Code::Ok;
        if header.is_atomic() {
            self.all_or_none(placed, (key, principal), results);
        } else {
            self.each_on_its_own(placed, (key, principal), results);
        }
        verdict
    }

    #[inline]
    fn sweep(&mut self, t: u64, sequence: u64, index: u32) {
        if self.state.next_due_ns() <= t {
            self.state.gather.at_sweep(index);
            let place = (sequence, index);
            self.state
                .sweep(t, place, &mut self.sweep_budget, self.effects);
        }
    }

    fn each_on_its_own(
        &mut self,
        placed: &Placed<'_>,
        signer: (Slot, Slot),
        results: &mut Results<'_>,
    ) {
        let mut ahead = ReadAhead::new(self.state, placed.view);
        for input in inputs(
            self.genesis,
            (self.vouchers, self.citations),
            placed,
            signer,
        ) {
            ahead.reach(self.state, input.index);
            if input.index > 0 {
                self.sweep(input.t, input.sequence, input.index);
            }
            let gathered = self.state.gather.len();
            let outcome = self.execute(&input);
            touched::note(self.state, &input, outcome, gathered);
            if let Err(code) = outcome {
                results.refuse(input.index, code, input.detail.get());
            }
        }
    }

    #[inline]
    fn execute(&mut self, input: &Input<'_>) -> Outcome {
        let tag = tag::of_kind(input.record.kind());
        self.state.gather.at(input.index, tag);
        execute(self.state, self.effects, input)
    }

    fn all_or_none(
        &mut self,
        placed: &Placed<'_>,
        signer: (Slot, Slot),
        results: &mut Results<'_>,
    ) {
        let (effects_before, gathered_before) = (self.effects.count(), self.state.gather.len());
        self.state.journal.begin();
        let mut ahead = ReadAhead::new(self.state, placed.view);
        let failure = inputs(
            self.genesis,
            (self.vouchers, self.citations),
            placed,
            signer,
        )
        .find_map(|input| {
            ahead.reach(self.state, input.index);
            let gathered = self.state.gather.len();
            let outcome = self.execute(&input);
            touched::note(self.state, &input, outcome, gathered);
            let detail = input.detail.get();
            outcome.err().map(|code| (input.index, code, detail))
        });
        let Some((failed, code, detail)) = failure else {
            self.state.journal.commit();
            return;
        };
        self.state.roll_back();
        self.effects.truncate(effects_before);
        self.state.gather.truncate(gathered_before);
        touched::refused_all(self.state, placed, signer.1, self.citations, code);
        for (index, _, _) in Heads::new(placed.view) {
            if index == failed {
                results.refuse(index, code, detail);
            } else {
                results.refuse(index, Code::AtomicAborted, failed);
            }
        }
    }
}

/// The heads of an envelope with what the rules need to know.
#[inline]
fn inputs<'a>(
    genesis: &'a Genesis,
    (vouchers, citations): (&'a CheckedVouchers, &'a Citations),
    placed: &Placed<'a>,
    (key, principal): (Slot, Slot),
) -> impl Iterator<Item = Input<'a>> {
    let header = placed.view.header();
    let (sequence, t) = (placed.first_sequence, placed.timestamp_ns);
    // Neither sum overflows: the block's last sequence number and timestamp fit.
    Heads::new(placed.view).map(move |(index, record, conts)| Input {
        genesis,
        record,
        conts,
        index,
        sequence: sequence + u64::from(index),
        t: t + u64::from(index),
        signer: header.signer(),
        key,
        principal,
        envelope_id: header.envelope_id(),
        vouchers,
        citations,
        detail: Cell::new(0),
    })
}
