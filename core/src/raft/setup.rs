//! What a core is started with, and the reasons for which it refuses a request.

use raft::eraftpb::Entry;
use raft::{Config, ReadOnlyOption};

use super::limits::*;

/// Everything a core is made from. Terms and indexes are those found on disk.
#[derive(Debug, Clone)]
pub struct Setup {
    /// This node; never 0.
    pub id: u64,
    /// Voting members.
    pub voters: Vec<u64>,
    /// Members that replicate and do not vote.
    pub learners: Vec<u64>,
    /// Persisted term.
    pub term: u64,
    /// Persisted vote in that term; 0 if none.
    pub vote: u64,
    /// Persisted commit index. Raised to `applied`: what was applied was committed.
    pub commit: u64,
    /// Index of the last applied entry.
    pub applied: u64,
    /// (first index, term) of each term in the log.
    pub term_runs: Vec<(u64, u64)>,
    /// Index of the last entry in the log.
    pub last_index: u64,
    /// Entries of at least (applied, last_index].
    pub tail: Vec<Entry>,
    /// Ticks without a leader before an election; the timeout is drawn from [t, 2t).
    pub election_tick: usize,
    /// Ticks between heartbeats.
    pub heartbeat_tick: usize,
    /// Appends on their way to one follower.
    pub max_inflight_msgs: usize,
    /// Bytes of entries in one append.
    pub max_size_per_msg: u64,
    /// Bytes of proposals not committed yet, beyond which proposals are dropped.
    pub max_uncommitted_bytes: u64,
    /// Bytes of applied entries that stay in memory for slightly slow followers.
    pub cache_bytes: u64,
    /// Seed of the election timeouts.
    pub seed: u64,
    /// Different in each run of the process; keeps answers to old reads from matching new ones.
    pub nonce: u64,
}

/// Why a request was not accepted. All are expected; the caller tells its client what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Only a leader can do this; the field is the leader if known, else 0.
    #[error("this node is not the leader (leader: {0})")]
    NotLeader(u64),
    /// The proposal was not appended; nothing happened.
    #[error("proposal dropped: {0}")]
    ProposalDropped(&'static str),
    /// No leader is known, so nobody can answer a read.
    #[error("no leader is known")]
    NoLeader,
    /// The leader cannot answer reads yet (nothing committed in its own term) or has too many.
    #[error("reads are not possible yet: {0}")]
    ReadNotReady(&'static str),
    /// The caller's argument makes no sense in this state.
    #[error("{0}")]
    Invalid(String),
}

pub(super) fn invalid<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Invalid(text.into()))
}

impl Setup {
    /// Checks what can be checked without building anything.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let mut members: Vec<u64> = self.voters.iter().chain(&self.learners).copied().collect();
        members.sort_unstable();
        let unique = members.windows(2).all(|pair| pair[0] != pair[1]);
        if !unique || self.voters.is_empty() || members.contains(&0) {
            return invalid("members must be distinct, not 0, and one must vote");
        }
        if !members.contains(&self.id) {
            return invalid(format!("node {} is not a member", self.id));
        }
        let bounds = [
            (self.max_size_per_msg, MAX_SIZE_PER_MSG, "max_size_per_msg"),
            (
                self.max_inflight_msgs as u64,
                MAX_INFLIGHT_MSGS as u64,
                "max_inflight_msgs",
            ),
            (
                self.election_tick as u64,
                MAX_ELECTION_TICK as u64,
                "election_tick",
            ),
            (self.last_index, MAX_INDEX, "last_index"),
            (self.term, MAX_INDEX, "term"),
            (self.commit.max(self.applied), self.last_index, "commit"),
        ];
        for (value, most, name) in bounds {
            if value > most {
                return invalid(format!("{name} is {value}, more than {most}"));
            }
        }
        let last_term = self.term_runs.last().map_or(0, |run| run.1);
        if self.term < last_term {
            return invalid(format!("term {} below the log's {last_term}", self.term));
        }
        if (self.tail.len() as u64) < self.last_index - self.applied {
            return invalid("the tail must cover everything above the applied index");
        }
        Ok(())
    }

    /// Raft's own configuration; the choices that are not the caller's are made here.
    pub(super) fn config(&self) -> Config {
        Config {
            id: self.id,
            election_tick: self.election_tick,
            heartbeat_tick: self.heartbeat_tick,
            applied: self.applied,
            max_size_per_msg: self.max_size_per_msg,
            max_inflight_msgs: self.max_inflight_msgs,
            check_quorum: true,
            pre_vote: true,
            read_only_option: ReadOnlyOption::Safe,
            skip_bcast_commit: false,
            max_uncommitted_size: self.max_uncommitted_bytes,
            max_committed_size_per_ready: MAX_COMMITTED_BYTES_PER_READY,
            ..Config::default()
        }
    }
}
