//! One block (semantics.md section 1): refuse it whole, or apply it whole.

use super::citation::Citations;
use super::effect::Effects;
use super::envelope::{Placed, Results, Run, Verdict};
use super::leaf::{leaf_hash, LeafFields};
use super::sweep::MAX_SWEPT;
use super::table::Slot;
use super::voucher::CheckedVouchers;
use super::Kernel;
use crate::format::limits::RESULT_BYTES;
use crate::format::{check_grid_shape, BlockEnvelope, BlockView, Code, Hash32, Id16, ZERO_ID};

/// A block that does not fit here. The state is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BlockError(pub String);

/// What became of one envelope of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvelopeOutcome {
    pub first_sequence: u64,
    pub timestamp_ns: u64,
    pub record_count: u32,
    /// OK when its records were executed, else the result of all its heads.
    pub code: Code,
    /// Of the envelope that consumed the id before; 0 for none.
    pub original_sequence: u64,
    /// Bytes from the start of the block.
    pub offset: u32,
    /// Of its signer's key; zero for UNKNOWN_KEY.
    pub principal: Id16,
    pub envelope_id: Id16,
    /// Whether it consumed its id.
    pub consumed: bool,
    pub effect_count: u32,
    /// Its leaf of the log tree.
    pub leaf_hash: Hash32,
}

/// What applying a block answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub first_sequence: u64,
    pub timestamp_ns: u64,
    pub record_count: u32,
    /// 16 bytes a record.
    pub results: Vec<u8>,
    /// 128 bytes each.
    pub effects: Vec<u8>,
    pub envelopes: Vec<EnvelopeOutcome>,
    /// The names that it registered, see `names_of`.
    pub names: Vec<u8>,
    /// Whether all results are plain successes and nothing had an effect.
    pub plain: bool,
}

/// What a block comes with, beside its bytes.
struct Given<'a> {
    vouchers: &'a CheckedVouchers,
    citations: &'a Citations,
}

impl Kernel {
    /// Applies a block whose bytes were checked before it was appended.
    ///
    /// # Errors
    /// [`BlockError`] when header, shape, sequence number or timestamp do not fit; the state is
    /// then unchanged.
    ///
    /// # Panics
    /// When an invariant of semantics.md section 4 is broken, or the block cites earlier records:
    /// the state is then of no more use.
    pub fn apply(&mut self, block: &[u8]) -> Result<Applied, BlockError> {
        self.apply_citing(block, &[])
    }

    /// As `apply`, for a block that may cite earlier records: `citations` has what these moved
    /// (`citation.rs`).
    ///
    /// # Errors
    /// As `apply`.
    ///
    /// # Panics
    /// When an invariant is broken, or the citations are not those of the block.
    pub fn apply_citing(&mut self, block: &[u8], citations: &[u8]) -> Result<Applied, BlockError> {
        let vouchers = self.collect_vouchers(block).verify(1);
        self.apply_checked(block, &vouchers, citations)
    }

    /// As `apply_citing`, with the vouchers of the block that were verified already; it verifies
    /// others itself, so what it does is the same whichever these are.
    ///
    /// # Errors
    /// As `apply`.
    ///
    /// # Panics
    /// As `apply_citing`.
    pub fn apply_checked(
        &mut self,
        block: &[u8],
        vouchers: &CheckedVouchers,
        citations: &[u8],
    ) -> Result<Applied, BlockError> {
        let view = self.check(block)?;
        let given = Given {
            vouchers,
            citations: &Citations::of(&self.state, view, citations),
        };
        let header = view.header();
        let (timestamp_ns, first_sequence) = (header.timestamp_ns(), header.first_sequence());
        self.state.prune(&self.genesis, timestamp_ns);
        self.state.gather.begin_block(first_sequence);

        let mut results = vec![0; header.record_count() as usize * RESULT_BYTES];
        let mut effects = Effects::default();
        let mut envelopes = Vec::with_capacity(header.envelope_count() as usize);
        let mut sweep_budget = MAX_SWEPT;
        let mut plain = true;
        let names_before = self.state.names.len();
        for envelope in view.envelopes() {
            let outcome = self.envelope(
                view,
                &envelope,
                &mut results,
                (&mut effects, &given),
                &mut sweep_budget,
                &mut plain,
            );
            envelopes.push(outcome);
        }
        // Checked with the header: neither leaves 64 bits.
        self.state.next_sequence = first_sequence + u64::from(header.record_count());
        self.state.min_next_timestamp_ns = timestamp_ns + u64::from(header.record_count());
        let has_names = self.state.names.len() != names_before;
        let names = has_names.then(|| self.names_of(view, &envelopes, &results));
        Ok(Applied {
            names: names.unwrap_or_default(),
            first_sequence,
            timestamp_ns,
            record_count: header.record_count(),
            results,
            plain: plain && effects.count() == 0,
            effects: effects.into_bytes(),
            envelopes,
        })
    }

    fn check<'a>(&self, block: &'a [u8]) -> Result<BlockView<'a>, BlockError> {
        let refuse = |why: String| Err(BlockError(why));
        let view = BlockView::parse(block).map_err(|refusal| BlockError(refusal.to_string()))?;
        let header = view.header();
        let (sequence, timestamp) = (header.first_sequence(), header.timestamp_ns());
        if sequence != self.state.next_sequence {
            let due = self.state.next_sequence;
            return refuse(format!(
                "starts at sequence number {sequence}, not at {due}"
            ));
        }
        if timestamp < self.state.min_next_timestamp_ns {
            let due = self.state.min_next_timestamp_ns;
            return refuse(format!("timestamp {timestamp} is before {due}"));
        }
        for (number, envelope) in view.envelopes().enumerate() {
            if envelope.view.header().ledger_id() != &self.genesis.ledger_id {
                return refuse(format!("envelope {number} is of another ledger"));
            }
            if let Err(refusal) = check_grid_shape(envelope.view) {
                return refuse(format!("envelope {number}: {refusal}"));
            }
        }
        Ok(view)
    }

    fn envelope(
        &mut self,
        block: BlockView<'_>,
        envelope: &BlockEnvelope<'_>,
        all_results: &mut [u8],
        (effects, given): (&mut Effects, &Given<'_>),
        sweep_budget: &mut u32,
        plain: &mut bool,
    ) -> EnvelopeOutcome {
        let header = block.header();
        let BlockEnvelope {
            view, first_record, ..
        } = *envelope;
        let placed = Placed {
            view,
            first_sequence: header.first_sequence() + u64::from(first_record),
            timestamp_ns: header.timestamp_ns() + u64::from(first_record),
            block_timestamp_ns: header.timestamp_ns(),
        };
        let count = view.record_count() as usize;
        let first = first_record as usize * RESULT_BYTES;
        let mut results = Results::new(&mut all_results[first..first + count * RESULT_BYTES]);
        let effects_before = effects.count();
        let mut run = Run {
            genesis: &self.genesis,
            state: &mut self.state,
            effects,
            vouchers: given.vouchers,
            citations: given.citations,
            sweep_budget: *sweep_budget,
        };
        let verdict = run.envelope(&placed, &mut results);
        *sweep_budget = run.sweep_budget;
        *plain &= results.is_plain();
        let results_root = if results.is_plain() {
            self.roots.of_plain(count)
        } else {
            self.roots.of(results.bytes())
        };
        let fields = LeafFields {
            rules_version: header.rules_version(),
            first_sequence: placed.first_sequence,
            timestamp_ns: placed.timestamp_ns,
            results_root,
            effects_root: self.roots.of_effects(effects.since(effects_before)),
        };
        let leaf = leaf_hash(view, &fields);
        self.frontier.append(leaf);
        let effect_count = effects.count() - effects_before;
        self.outcome(envelope, &placed, &verdict, (effect_count, leaf))
    }

    fn outcome(
        &self,
        envelope: &BlockEnvelope<'_>,
        placed: &Placed<'_>,
        verdict: &Verdict,
        (effect_count, leaf_hash): (usize, Hash32),
    ) -> EnvelopeOutcome {
        let id_of = |slot: Slot| self.state.principals.get(slot).id;
        EnvelopeOutcome {
            first_sequence: placed.first_sequence,
            timestamp_ns: placed.timestamp_ns,
            record_count: placed.view.record_count(),
            code: verdict.code,
            original_sequence: verdict.original_sequence,
            offset: envelope.offset,
            principal: verdict.principal.map_or(ZERO_ID, id_of),
            envelope_id: placed.view.header().envelope_id(),
            consumed: verdict.consumed,
            // At most the records and sweeps of a block.
            effect_count: effect_count as u32,
            leaf_hash,
        }
    }
}
