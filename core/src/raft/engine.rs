//! The Raft core of one node: messages in, [`Ready`] work out. No I/O, no clock, no randomness.
//!
//! The caller's loop is: feed (`tick`, `step`, `propose`, `read_index`, `fetched`), then take
//! [`RaftEngine::ready`] until there is none, then [`RaftEngine::take_wants`]. For each Ready it
//!
//! 1. sends `messages_now` at once (a leader replicates while its own disk still writes, Raft
//!    thesis §10.2.1);
//! 2. queues entries and hard state for the disk, in order of `number`;
//! 3. after the sync that covers it calls `on_persist(number)` and only then sends
//!    `messages_after_persist` (votes and acknowledgements promise durability);
//! 4. applies `committed` in order and reports `advance_apply`.
//!
//! `ready` moves the entries to the in-memory tail and tells raft so (`advance_append_async`),
//! so any number of Readies may wait for the disk at the same time.
//!
//! When a later write replaces what an earlier one wrote, [`super::writes`] decides what
//! `on_persist` may report.
//!
//! **Election timeouts** are drawn from a generator seeded by the caller, once per change of term
//! or role, over raft's own random ones: two runs with the same inputs are the same.
//!
//! **Panics** mean a broken invariant (a lost disk, a bug). The state is then unknown: the process
//! must exit.

use bytes::Bytes;
use raft::eraftpb::{ConfState, Entry, HardState, Message, MessageType};
use raft::{RawNode, StateRole};
use slog::{o, Discard, Logger};

use super::admit::{admit, Verdict};
use super::frame::FrameError;
use super::limits::*;
use super::reads::ReadContexts;
use super::setup::{invalid, Refusal, Setup};
use super::store::LogStore;
use super::writes::Writes;

/// One batch of work. See the module's description for the order of its parts.
#[derive(Debug)]
pub struct Ready {
    /// Numbers rise by one; `on_persist` takes them.
    pub number: u64,
    /// Whether the write needs a sync before `on_persist`. False for a mere commit index: that is
    /// not worth a write of its own and goes along with the next one.
    pub must_sync: bool,
    /// Term, vote and commit index, if any of them changed.
    pub hard_state: Option<HardState>,
    /// Entries to write. If the first index is not above the last one handed out before, the log
    /// from there on is to be deleted in the same write.
    pub entries: Vec<Entry>,
    /// First index of a void suffix that `entries` replace, if there is one.
    pub truncate_from: Option<u64>,
    /// Messages that may leave at once.
    pub messages_now: Vec<Message>,
    /// Messages that must wait for `on_persist(number)`.
    pub messages_after_persist: Vec<Message>,
    /// Entries to apply, in order, each exactly once per run of the process.
    pub committed: Vec<Entry>,
    /// (index, context) of reads: answer once `index` is applied.
    pub read_states: Vec<(u64, Bytes)>,
    /// (leader, role) if either changed.
    pub soft_state: Option<(u64, StateRole)>,
}

/// The core. See the module's description.
pub struct RaftEngine {
    pub(super) raw: RawNode<LogStore>,
    reads: ReadContexts,
    cache_bytes: u64,
    writes: Writes,
    ready_number: u64,
    persisted_number: u64,
    /// Number of the last Ready with a new term or vote, and these two.
    vote_number: u64,
    vote_handed_out: (u64, u64),
    commit_handed_out: u64,
    campaigns: bool,
    seed: u64,
    draws: u64,
    drawn_for: (u64, StateRole),
}

/// SplitMix64: one well-mixed word per input (Steele, Lea and Flood, OOPSLA 2014).
fn mix(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

impl RaftEngine {
    /// Starts a core from what the disk holds.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] if the parts of `setup` contradict each other.
    pub fn new(setup: Setup) -> Result<Self, Refusal> {
        setup.check()?;
        let config = setup.config();
        let hard_state = HardState {
            term: setup.term,
            vote: setup.vote,
            commit: setup.commit.max(setup.applied),
            ..HardState::default()
        };
        let members = ConfState::from((setup.voters, setup.learners));
        let store = LogStore::new(
            hard_state,
            members,
            setup.term_runs,
            setup.last_index,
            setup.tail,
        )
        .map_err(Refusal::Invalid)?;
        let raw = RawNode::new(&config, store, &Logger::root(Discard, o!()))
            .map_err(|error| Refusal::Invalid(error.to_string()))?;
        let mut engine = Self {
            raw,
            reads: ReadContexts::new(setup.id, setup.nonce),
            cache_bytes: setup.cache_bytes,
            writes: Writes::default(),
            ready_number: 0,
            persisted_number: 0,
            vote_number: 0,
            vote_handed_out: (setup.term, setup.vote),
            commit_handed_out: setup.applied,
            campaigns: true,
            seed: mix(setup.seed ^ mix(setup.id)),
            draws: 0,
            drawn_for: (setup.term, StateRole::Follower),
        };
        engine.draw_timeout();
        Ok(engine)
    }

    fn draw_timeout(&mut self) {
        let base = self.raw.raft.election_timeout();
        let extra = (mix(self.seed ^ self.draws) % base as u64) as usize;
        self.draws += 1;
        self.drawn_for = (self.raw.raft.term, self.raw.raft.state);
        self.raw.raft.set_randomized_election_timeout(base + extra);
    }

    /// To be called after everything that may have changed term or role.
    fn settle(&mut self) {
        if self.drawn_for != (self.raw.raft.term, self.raw.raft.state) {
            self.draw_timeout();
            if self.raw.raft.state != StateRole::Leader {
                self.raw.mut_store().clear_wants();
            }
        }
    }

    /// Whether an election may start here now. A lone voter elects itself in one call, and raft
    /// wants its log to be durable by then.
    fn may_campaign(&self) -> bool {
        let log = &self.raw.raft.raft_log;
        let durable = log.persisted == log.last_index();
        self.campaigns && (durable || !self.raw.raft.prs().is_singleton())
    }

    fn vote_durable(&self) -> bool {
        self.vote_handed_out == (self.raw.raft.term, self.raw.raft.vote)
            && self.vote_number <= self.persisted_number
    }

    /// One tick of the logical clock.
    pub fn tick(&mut self) {
        if self.is_leader() || self.may_campaign() {
            self.raw.tick();
            self.settle();
        } else {
            // Time passes all the same: the lease of a silent leader must run out here, or this
            // node would never vote for its successor.
            let raft = &mut self.raw.raft;
            raft.election_elapsed = raft.election_elapsed.saturating_add(1);
        }
    }

    /// Allows or forbids this node to start elections; it votes and follows in any case.
    pub fn allow_campaigns(&mut self, allowed: bool) {
        self.campaigns = allowed;
    }

    /// Stops leading, in the same term and with the vote kept. Nothing for any other role.
    pub fn step_down(&mut self) {
        if self.is_leader() {
            let term = self.raw.raft.term;
            self.raw.raft.become_follower(term, 0);
            self.settle();
        }
    }

    /// Takes a decoded message from the authenticated peer `sender`.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if no honest peer would have sent it; nothing has changed then.
    pub fn step(&mut self, sender: u64, mut message: Message) -> Result<(), FrameError> {
        let verdict = admit(&self.raw.raft, sender, self.vote_durable(), &mut message)?;
        let forces_campaign = message.get_msg_type() == MessageType::MsgTimeoutNow;
        if verdict == Verdict::Ignore || (forces_campaign && !self.may_campaign()) {
            return Ok(());
        }
        let outcome = self.raw.step(message);
        self.settle();
        outcome.map_err(|error| FrameError::new("raft", error.to_string()))
    }

    /// Appends a payload to the leader's log. Returns the entry's (term, index).
    ///
    /// # Errors
    ///
    /// [`Refusal::NotLeader`], [`Refusal::ProposalDropped`], or [`Refusal::Invalid`] for an empty
    /// payload (these are Raft's own) or one above [`MAX_PAYLOAD_BYTES`].
    pub fn propose(&mut self, payload: Bytes) -> Result<(u64, u64), Refusal> {
        if payload.is_empty() || payload.len() > MAX_PAYLOAD_BYTES {
            return invalid(format!("payload of {} bytes", payload.len()));
        }
        self.require_leader()?;
        if self.raw.raft.lead_transferee.is_some() {
            return Err(Refusal::ProposalDropped("leadership is being transferred"));
        }
        let entry = Entry {
            data: payload,
            ..Entry::default()
        };
        let mut message = Message::default();
        message.set_msg_type(MessageType::MsgPropose);
        message.from = self.raw.raft.id;
        message.set_entries(vec![entry].into());
        self.raw
            .raft
            .step(message)
            .map_err(|_| Refusal::ProposalDropped("too much is uncommitted"))?;
        Ok((self.raw.raft.term, self.raw.raft.raft_log.last_index()))
    }

    fn require_leader(&self) -> Result<(), Refusal> {
        if self.is_leader() {
            Ok(())
        } else {
            Err(Refusal::NotLeader(self.raw.raft.leader_id))
        }
    }

    /// Asks for a read index. A Ready's `read_states` will hold the answer, or never will: the
    /// caller repeats what got lost, and asks anew after each change of leader.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoLeader`], [`Refusal::ReadNotReady`], or [`Refusal::Invalid`] for a context
    /// above [`MAX_READ_CONTEXT_BYTES`].
    pub fn read_index(&mut self, context: &[u8]) -> Result<(), Refusal> {
        if context.len() > MAX_READ_CONTEXT_BYTES {
            return invalid(format!("read context of {} bytes", context.len()));
        }
        let raft = &self.raw.raft;
        if raft.leader_id == 0 {
            return Err(Refusal::NoLeader);
        }
        if self.is_leader() && !raft.commit_to_current_term() {
            return Err(Refusal::ReadNotReady("nothing committed in this term"));
        }
        if raft.pending_read_count() >= MAX_PENDING_READS {
            return Err(Refusal::ReadNotReady("too many pending reads"));
        }
        let wrapped = self.reads.wrap(context);
        self.raw.read_index(wrapped);
        Ok(())
    }

    /// Starts to hand leadership to a voter. `status` tells how it goes; raft gives up after an
    /// election timeout.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotLeader`], or [`Refusal::Invalid`] if `to` is not another voter.
    pub fn transfer_leader(&mut self, to: u64) -> Result<(), Refusal> {
        self.require_leader()?;
        if to == self.raw.raft.id || !self.raw.raft.prs().conf().voters().contains(to) {
            return invalid(format!("node {to} is not another voter"));
        }
        self.raw.transfer_leader(to);
        self.settle();
        Ok(())
    }

    /// Starts a (pre-)election now.
    pub fn campaign(&mut self) {
        if self.may_campaign() {
            // Raft answers Ok or panics for a campaign.
            let _ = self.raw.campaign();
            self.settle();
        }
    }

    /// Tells raft that messages to `id` were lost, so that it probes where the follower stands.
    pub fn report_unreachable(&mut self, id: u64) {
        self.raw.report_unreachable(id);
    }

    /// Whether [`RaftEngine::ready`] would return work.
    pub fn has_ready(&self) -> bool {
        self.raw.has_ready()
    }

    /// The next batch of work, if there is any.
    pub fn ready(&mut self) -> Option<Ready> {
        if !self.raw.has_ready() {
            return None;
        }
        let mut from_raft = self.raw.ready();
        let entries = from_raft.take_entries();
        let store = self.raw.mut_store();
        let first = entries.first().map(|entry| entry.index);
        let truncate_from = first.filter(|first| *first <= store.last());
        store.append(&entries);
        let reads = &self.reads;
        let ready = Ready {
            number: from_raft.number(),
            must_sync: from_raft.must_sync(),
            hard_state: from_raft.hs().cloned(),
            truncate_from,
            messages_now: from_raft.take_messages(),
            messages_after_persist: from_raft.take_persisted_messages(),
            committed: from_raft.take_committed_entries(),
            read_states: from_raft
                .take_read_states()
                .into_iter()
                .filter_map(|state| Some((state.index, reads.unwrap(state.request_ctx)?)))
                .collect(),
            soft_state: from_raft.ss().map(|soft| (soft.leader_id, soft.raft_state)),
            entries,
        };
        self.raw.advance_append_async(from_raft);
        self.note_handed_out(&ready);
        Some(ready)
    }

    fn note_handed_out(&mut self, ready: &Ready) {
        self.ready_number = ready.number;
        if let (Some(first), Some(last)) = (ready.entries.first(), ready.entries.last()) {
            self.writes.begin(ready.number, first.index, last.index);
        }
        if let Some(state) = &ready.hard_state {
            if self.vote_handed_out != (state.term, state.vote) {
                self.vote_handed_out = (state.term, state.vote);
                self.vote_number = ready.number;
            }
        }
        if let Some(entry) = ready.committed.last() {
            self.commit_handed_out = entry.index;
        }
    }

    /// Reports that everything of the Readies up to `number` is durable.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for a number that was never handed out or goes back.
    pub fn on_persist(&mut self, number: u64) -> Result<(), Refusal> {
        if number < self.persisted_number || number > self.ready_number {
            return invalid(format!(
                "persisted {number} outside [{}, {}]",
                self.persisted_number, self.ready_number
            ));
        }
        self.persisted_number = number;
        if let Some(reportable) = self.writes.finish(number) {
            self.raw.on_persist_ready(reportable);
        }
        Ok(())
    }

    /// Reports that all entries up to `index` have been applied.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] if `index` goes back or was not handed out as committed.
    pub fn advance_apply(&mut self, index: u64) -> Result<(), Refusal> {
        let applied = self.raw.raft.raft_log.applied;
        if index < applied || index > self.commit_handed_out {
            return invalid(format!(
                "applied {index} outside [{applied}, {}]",
                self.commit_handed_out
            ));
        }
        self.raw.advance_apply_to(index);
        Ok(())
    }

    /// Frees entries at or below `index` that are applied, but keeps `cache_bytes` of the newest.
    /// Returns the first index that is still in memory.
    pub fn trim(&mut self, index: u64) -> u64 {
        let limit = index.min(self.raw.raft.raft_log.applied);
        let keep = self.cache_bytes;
        self.raw.mut_store().trim(limit, keep)
    }

    /// Sets the election timeout that is valid until the next change of term or role.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] outside `[election_tick, 2 * election_tick)`.
    pub fn set_election_timeout(&mut self, ticks: usize) -> Result<(), Refusal> {
        let base = self.raw.raft.election_timeout();
        if !(base..2 * base).contains(&ticks) {
            return invalid(format!("{ticks} ticks outside [{base}, {})", 2 * base));
        }
        self.raw.raft.set_randomized_election_timeout(ticks);
        Ok(())
    }

    /// Term of the entry at `index`; `None` beyond the log.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        let log = &self.raw.raft.raft_log;
        if index > log.last_index() {
            return None;
        }
        log.term(index).ok()
    }

    /// Whether this node leads in its term.
    pub fn is_leader(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    /// The raft state machine, for status and tests.
    pub fn raft(&self) -> &raft::Raft<LogStore> {
        &self.raw.raft
    }

    /// The in-memory log, for status and for [`LogStore::rehome`].
    pub fn store_mut(&mut self) -> &mut LogStore {
        self.raw.mut_store()
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
