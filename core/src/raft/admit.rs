//! Which decoded messages reach the Raft core: the checks that need the node's state.
//!
//! The core was written for peers that follow the protocol and stops the process (panics) or
//! believes what it is told when one does not. A node must not be crashed or deceived by a frame,
//! so everything that an honest peer cannot send is refused here, before the core sees it:
//!
//! 1. The frame is addressed to this node, its `from` is the authenticated sender, and the sender
//!    is a member. Learners neither lead nor vote.
//! 2. One leader per term: a second one is evidence, not an instruction.
//! 3. Nothing contradicts what is committed: log matching and leader completeness (Raft §5.4).
//! 4. A heartbeat's commit index is inside the log (it is at most what this node acknowledged).
//! 5. An acknowledgement is inside the leader's log.
//! 6. A vote was asked for: the request and the entries below it have been durable.
//!
//! What an honest peer can send but has lost its meaning on the way (a late answer, a ReadIndex to
//! a former leader) is ignored, not refused: a refusal is counted against the peer.
//!
//! Rejections are also normalised: the scan for the conflicting term that raft makes entry by
//! entry is done by term runs, so that no frame costs time proportional to the log.

use raft::eraftpb::{Message, MessageType};
use raft::{Raft, StateRole};

use super::frame::FrameError;
use super::limits::{MAX_PENDING_READS, MAX_TERM_JUMP};
use super::reads;
use super::store::LogStore;

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Give it to the core.
    Step,
    /// Drop it: honest, but too late or in the wrong place.
    Ignore,
}

type Admission = Result<Verdict, FrameError>;

fn refuse(reason: &'static str, detail: impl Into<String>) -> Admission {
    Err(FrameError::new(reason, detail))
}

/// Decides about a message from the authenticated peer `sender`.
///
/// `vote_durable` says that this node's term and vote have reached the disk.
///
/// # Errors
///
/// [`FrameError`] if no honest peer would have sent the message.
pub fn admit(
    raft: &Raft<LogStore>,
    sender: u64,
    vote_durable: bool,
    message: &mut Message,
) -> Admission {
    use MessageType::*;
    check_address(raft, sender, message)?;
    let kind = message.get_msg_type();
    if message.term > raft.term.saturating_add(MAX_TERM_JUMP) {
        return refuse("term_jump", format!("{} to {}", raft.term, message.term));
    }
    if kind != MsgReadIndex && message.term < raft.term {
        return Ok(Verdict::Step); // raft drops it, or tells the sender of the newer term
    }
    match kind {
        MsgAppend => {
            check_only_leader(raft, message)?;
            check_committed(raft, message)
        }
        MsgHeartbeat => {
            check_only_leader(raft, message)?;
            let last = raft.raft_log.last_index();
            if message.commit > last {
                return refuse("commit", format!("{} in a log of {last}", message.commit));
            }
            Ok(Verdict::Step)
        }
        MsgAppendResponse => admit_append_response(raft, message),
        MsgRequestVoteResponse | MsgRequestPreVoteResponse => {
            admit_vote(raft, vote_durable, message)
        }
        MsgTimeoutNow => Ok(step_if(from_my_leader(raft, message))),
        MsgReadIndexResp => {
            let mine = reads::owner(&message.entries[0].data) == Some(raft.id);
            Ok(step_if(mine && from_my_leader(raft, message)))
        }
        MsgReadIndex => {
            if reads::owner(&message.entries[0].data) != Some(sender) {
                return refuse("read_context", "not the sender's");
            }
            let room = raft.pending_read_count() < MAX_PENDING_READS;
            Ok(step_if(room && raft.state == StateRole::Leader))
        }
        _ => Ok(Verdict::Step),
    }
}

fn step_if(condition: bool) -> Verdict {
    if condition {
        Verdict::Step
    } else {
        Verdict::Ignore
    }
}

fn check_address(raft: &Raft<LogStore>, sender: u64, message: &Message) -> Admission {
    use MessageType::*;
    if message.to != raft.id {
        return refuse("misdirected", format!("to {}", message.to));
    }
    if message.from != sender {
        return refuse("forged", format!("{sender} wrote as {}", message.from));
    }
    if raft.prs().get(sender).is_none() {
        return refuse("unknown_peer", format!("node {sender}"));
    }
    let open_to_learners = matches!(
        message.get_msg_type(),
        MsgAppendResponse | MsgHeartbeatResponse | MsgReadIndex
    );
    if !open_to_learners && !raft.prs().conf().voters().contains(sender) {
        let kind = message.get_msg_type();
        return refuse("not_voter", format!("{kind:?} from node {sender}"));
    }
    Ok(Verdict::Step)
}

fn from_my_leader(raft: &Raft<LogStore>, message: &Message) -> bool {
    raft.state == StateRole::Follower && raft.term == message.term && raft.leader_id == message.from
}

fn check_only_leader(raft: &Raft<LogStore>, message: &Message) -> Admission {
    let known = raft.leader_id;
    if message.term == raft.term && known != 0 && known != message.from {
        return refuse(
            "two_leaders",
            format!("{known} and {} in term {}", message.from, message.term),
        );
    }
    Ok(Verdict::Step)
}

/// The leader's log contains every committed entry, with its term.
fn check_committed(raft: &Raft<LogStore>, message: &Message) -> Admission {
    let log = &raft.raft_log;
    let (commit, commit_term) = log.commit_info();
    let previous_fits = if message.index > commit {
        message.log_term >= commit_term
    } else {
        log.match_term(message.index, message.log_term)
    };
    let entries_fit = message
        .entries
        .iter()
        .take_while(|entry| entry.index <= commit)
        .all(|entry| log.match_term(entry.index, entry.term));
    if !previous_fits || !entries_fit {
        return refuse(
            "committed_conflict",
            format!(
                "append after ({}, term {}) against commit ({commit}, term {commit_term})",
                message.index, message.log_term
            ),
        );
    }
    Ok(Verdict::Step)
}

fn admit_append_response(raft: &Raft<LogStore>, message: &mut Message) -> Admission {
    if raft.state != StateRole::Leader || message.term != raft.term {
        return Ok(Verdict::Step);
    }
    let last = raft.raft_log.last_index();
    if message.index > last {
        return refuse("ack", format!("{} in a log of {last}", message.index));
    }
    if !message.reject {
        return Ok(Verdict::Step);
    }
    let matched = raft.prs().get(message.from).map_or(0, |peer| peer.matched);
    if message.index <= matched {
        // A late rejection. raft 0.7 would move `next` back below `matched` for it.
        return Ok(Verdict::Ignore);
    }
    if message.log_term > 0 {
        let store = raft.store();
        message.reject_hint = store.conflict_hint(message.reject_hint, message.log_term);
        message.log_term = 0; // the scan is done
    }
    message.reject_hint = message.reject_hint.max(matched);
    Ok(Verdict::Step)
}

fn admit_vote(raft: &Raft<LogStore>, vote_durable: bool, message: &Message) -> Admission {
    let pre_vote = message.get_msg_type() == MessageType::MsgRequestPreVoteResponse;
    if pre_vote {
        // A granted pre-vote carries the term that was asked for; a rejection the voter's own.
        let asked = raft.state == StateRole::PreCandidate && message.term == raft.term + 1;
        return Ok(step_if(message.reject || asked));
    }
    if raft.state != StateRole::Candidate || message.term != raft.term || message.reject {
        return Ok(Verdict::Step);
    }
    if !vote_durable || raft.raft_log.persisted != raft.raft_log.last_index() {
        return refuse("unasked_vote", "granted before the request was sent");
    }
    Ok(Verdict::Step)
}
