//! The immutable objects and the exceptions that the binding hands to Python.

use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;
use raft::eraftpb::MessageType;
use raft::{ProgressState, StateRole};

use super::frame::FrameError;
use super::setup::Refusal;

create_exception!(tallystick_core, RaftFrameError, PyValueError);
create_exception!(tallystick_core, RaftRefused, PyException);
create_exception!(tallystick_core, NotLeader, RaftRefused);
create_exception!(tallystick_core, NoLeader, RaftRefused);
create_exception!(tallystick_core, ProposalDropped, RaftRefused);
create_exception!(tallystick_core, ReadNotReady, RaftRefused);

/// `RaftFrameError` with its `reason`.
pub fn frame_error(py: Python<'_>, error: &FrameError) -> PyErr {
    let raised = RaftFrameError::new_err(error.to_string());
    match raised.value(py).setattr("reason", error.reason) {
        Ok(()) => raised,
        Err(failed) => failed,
    }
}

/// The exception for a refusal; `NotLeader` gets its `leader`.
pub fn refused(py: Python<'_>, refusal: &Refusal) -> PyErr {
    let text = refusal.to_string();
    match refusal {
        Refusal::NotLeader(leader) => {
            let raised = NotLeader::new_err(text);
            match raised.value(py).setattr("leader", *leader) {
                Ok(()) => raised,
                Err(failed) => failed,
            }
        }
        Refusal::ProposalDropped(_) => ProposalDropped::new_err(text),
        Refusal::NoLeader => NoLeader::new_err(text),
        Refusal::ReadNotReady(_) => ReadNotReady::new_err(text),
        Refusal::Invalid(_) => PyValueError::new_err(text),
    }
}

#[pyclass(
    eq,
    eq_int,
    frozen,
    hash,
    module = "tallystick_core",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum RaftRole {
    Follower,
    PreCandidate,
    Candidate,
    Leader,
}

impl From<StateRole> for RaftRole {
    fn from(role: StateRole) -> Self {
        match role {
            StateRole::Follower => Self::Follower,
            StateRole::PreCandidate => Self::PreCandidate,
            StateRole::Candidate => Self::Candidate,
            StateRole::Leader => Self::Leader,
        }
    }
}

#[pyclass(
    eq,
    eq_int,
    frozen,
    hash,
    module = "tallystick_core",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerState {
    Probe,
    Replicate,
    Snapshot,
}

impl From<ProgressState> for PeerState {
    fn from(state: ProgressState) -> Self {
        match state {
            ProgressState::Probe => Self::Probe,
            ProgressState::Replicate => Self::Replicate,
            ProgressState::Snapshot => Self::Snapshot,
        }
    }
}

#[pyclass(
    eq,
    eq_int,
    frozen,
    hash,
    module = "tallystick_core",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum RaftMessageType {
    Append = 3,
    AppendResponse = 4,
    RequestVote = 5,
    RequestVoteResponse = 6,
    Heartbeat = 8,
    HeartbeatResponse = 9,
    TimeoutNow = 14,
    ReadIndex = 15,
    ReadIndexResponse = 16,
    RequestPreVote = 17,
    RequestPreVoteResponse = 18,
}

impl RaftMessageType {
    /// The Python name of a type that the frame parser lets through.
    pub fn of(kind: MessageType) -> PyResult<Self> {
        Ok(match kind {
            MessageType::MsgAppend => Self::Append,
            MessageType::MsgAppendResponse => Self::AppendResponse,
            MessageType::MsgRequestVote => Self::RequestVote,
            MessageType::MsgRequestVoteResponse => Self::RequestVoteResponse,
            MessageType::MsgHeartbeat => Self::Heartbeat,
            MessageType::MsgHeartbeatResponse => Self::HeartbeatResponse,
            MessageType::MsgTimeoutNow => Self::TimeoutNow,
            MessageType::MsgReadIndex => Self::ReadIndex,
            MessageType::MsgReadIndexResp => Self::ReadIndexResponse,
            MessageType::MsgRequestPreVote => Self::RequestPreVote,
            MessageType::MsgRequestPreVoteResponse => Self::RequestPreVoteResponse,
            other => return Err(PyValueError::new_err(format!("local message {other:?}"))),
        })
    }
}

#[pyclass(frozen, get_all, name = "Ready", module = "tallystick_core")]
pub struct PyReady {
    pub number: u64,
    pub must_sync: bool,
    pub hard_state: Option<(u64, u64, u64)>,
    pub entries: Py<PyList>,
    pub truncate_from: Option<u64>,
    pub messages_now: Py<PyList>,
    pub messages_after_persist: Py<PyList>,
    pub committed: Py<PyList>,
    pub read_states: Py<PyList>,
    pub soft_state: Option<(u64, RaftRole)>,
    pub wanted: Vec<(u64, u64, u64, u64)>,
}

#[pyclass(frozen, get_all, name = "PeerProgress", module = "tallystick_core")]
#[derive(Clone)]
pub struct PyPeerProgress {
    pub id: u64,
    pub matched: u64,
    pub next: u64,
    pub state: PeerState,
    pub recent_active: bool,
    pub pending: bool,
    pub inflight: usize,
}

#[pyclass(frozen, get_all, name = "RaftStatus", module = "tallystick_core")]
pub struct PyStatus {
    pub id: u64,
    pub role: RaftRole,
    pub term: u64,
    pub vote: u64,
    pub leader: u64,
    pub commit: u64,
    pub applied: u64,
    pub last_index: u64,
    pub persisted: u64,
    pub transferring_to: u64,
    pub uncommitted_bytes: usize,
    pub cache_first: u64,
    pub cache_bytes: u64,
    pub open_fetches: usize,
    pub pending_reads: usize,
    pub peers: Vec<PyPeerProgress>,
}

/// Adds all classes and exceptions of this file.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = m.py();
    m.add("RaftFrameError", py.get_type::<RaftFrameError>())?;
    m.add("RaftRefused", py.get_type::<RaftRefused>())?;
    m.add("NotLeader", py.get_type::<NotLeader>())?;
    m.add("NoLeader", py.get_type::<NoLeader>())?;
    m.add("ProposalDropped", py.get_type::<ProposalDropped>())?;
    m.add("ReadNotReady", py.get_type::<ReadNotReady>())?;
    m.add_class::<RaftRole>()?;
    m.add_class::<PeerState>()?;
    m.add_class::<RaftMessageType>()?;
    m.add_class::<PyReady>()?;
    m.add_class::<PyPeerProgress>()?;
    m.add_class::<PyStatus>()
}
