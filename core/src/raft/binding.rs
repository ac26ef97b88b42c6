//! The Python face of the engine: `RaftCore` and `FrameInfo`.
//!
//! Payloads are Python `bytes` on both sides. A payload that came from Python is used in place
//! (`Bytes::from_owner`) and the same object is handed out again, for writing and for applying.
//! One that came in a frame is copied once into a `bytes` object, when it is first handed out; the
//! in-memory log then uses that object too, and the frame is freed. Documentation for users is in
//! `_core.pyi`.

use std::collections::BTreeMap;

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};
use raft::eraftpb::{Entry, Message};

use super::engine::RaftEngine;
use super::frame::{decode, encode_into, encoded_len, is_bulk};
use super::limits::{FETCH_BYTES, MAX_FRAME_BYTES, MAX_PAYLOAD_BYTES, MAX_READ_CONTEXT_BYTES};
use super::setup::{Refusal, Setup};
use super::views::{frame_error, refused, PyPeerProgress, PyReady, PyStatus, RaftMessageType};

type PyEntry<'py> = (u64, u64, Bound<'py, PyBytes>);

/// The payload of a Python object, used in place.
fn borrowed(object: &Bound<'_, PyBytes>) -> Bytes {
    Bytes::from_owner(PyBackedBytes::from(object.clone()))
}

/// Whether `data` is the memory of `object`, and not merely equal to it.
fn is_memory_of(data: &Bytes, object: &Bound<'_, PyBytes>) -> bool {
    let memory = object.as_bytes();
    std::ptr::eq(data.as_ptr(), memory.as_ptr()) && data.len() == memory.len()
}

fn entries_from(rows: &[PyEntry<'_>]) -> Vec<Entry> {
    rows.iter()
        .map(|(index, term, payload)| Entry {
            index: *index,
            term: *term,
            data: borrowed(payload),
            ..Entry::default()
        })
        .collect()
}

/// A parsed frame.
#[pyclass(name = "FrameInfo", module = "tallystick_core")]
pub struct PyFrame {
    message: Message,
    payloads: Option<Vec<Py<PyBytes>>>,
}

impl PyFrame {
    fn parse(py: Python<'_>, frame: &Bound<'_, PyBytes>) -> PyResult<Self> {
        let message = decode(&borrowed(frame)).map_err(|error| frame_error(py, &error))?;
        Ok(Self {
            message,
            payloads: None,
        })
    }
}

#[pymethods]
impl PyFrame {
    #[getter]
    fn msg_type(&self) -> PyResult<RaftMessageType> {
        RaftMessageType::of(self.message.get_msg_type())
    }

    #[getter]
    fn term(&self) -> u64 {
        self.message.term
    }

    #[getter]
    fn sender(&self) -> u64 {
        self.message.from
    }

    #[getter]
    fn to(&self) -> u64 {
        self.message.to
    }

    #[getter]
    fn index(&self) -> u64 {
        self.message.index
    }

    #[getter]
    fn log_term(&self) -> u64 {
        self.message.log_term
    }

    #[getter]
    fn commit(&self) -> u64 {
        self.message.commit
    }

    #[getter]
    fn reject(&self) -> bool {
        self.message.reject
    }

    #[getter]
    fn entry_count(&self) -> usize {
        self.appended().len()
    }

    /// (index, term, entry type, payload); the payload objects are made once and then reused.
    #[getter]
    fn entries<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        if self.payloads.is_none() {
            let copies = self.appended().iter();
            let copies = copies.map(|entry| PyBytes::new(py, &entry.data).unbind());
            self.payloads = Some(copies.collect());
        }
        let payloads = self.payloads.as_deref().unwrap_or_default();
        let rows = self.appended().iter().zip(payloads);
        let rows: Vec<_> = rows
            .map(|(entry, payload)| {
                let kind = entry.get_entry_type() as u8;
                (entry.index, entry.term, kind, payload.bind(py).clone())
            })
            .collect();
        PyList::new(py, rows)
    }
}

impl PyFrame {
    fn appended(&self) -> &[Entry] {
        match self.message.get_msg_type() {
            raft::eraftpb::MessageType::MsgAppend => &self.message.entries,
            _ => &[],
        }
    }

    /// The message, its payloads in the memory of the objects that Python has already seen.
    fn to_message(&self, py: Python<'_>) -> Message {
        let mut message = self.message.clone();
        let payloads = self.payloads.as_deref().unwrap_or_default();
        for (entry, payload) in message.mut_entries().iter_mut().zip(payloads) {
            entry.data = borrowed(payload.bind(py));
        }
        message
    }
}

/// What `step` takes: the bytes of a frame, or one that was parsed before.
#[derive(FromPyObject)]
enum FrameArgument<'py> {
    Parsed(PyRef<'py, PyFrame>),
    Raw(Bound<'py, PyBytes>),
}

/// The Raft core of one node.
#[pyclass(name = "RaftCore", module = "tallystick_core")]
pub struct PyRaftCore {
    engine: RaftEngine,
    /// The `bytes` object of each entry in memory, where one exists. Valid for an entry only if
    /// the entry's data is the object's memory: an index may have been overwritten.
    payloads: BTreeMap<u64, Py<PyBytes>>,
}

impl PyRaftCore {
    fn payload<'py>(&mut self, py: Python<'py>, entry: &Entry) -> Bound<'py, PyBytes> {
        if let Some(object) = self.payloads.get(&entry.index) {
            let object = object.bind(py);
            if is_memory_of(&entry.data, object) {
                return object.clone();
            }
        }
        let object = PyBytes::new(py, &entry.data);
        if !entry.data.is_empty() {
            let store = self.engine.store_mut();
            store.rehome(entry.index, borrowed(&object));
            self.payloads.insert(entry.index, object.clone().unbind());
        }
        object
    }

    fn rows<'py>(&mut self, py: Python<'py>, entries: &[Entry]) -> PyResult<Bound<'py, PyList>> {
        let rows: Vec<PyEntry<'py>> = entries
            .iter()
            .map(|entry| (entry.index, entry.term, self.payload(py, entry)))
            .collect();
        PyList::new(py, rows)
    }

    /// Remembers the objects of a stepped frame whose entries are now in the log.
    fn adopt(&mut self, py: Python<'_>, frame: &PyFrame) {
        let log = &self.engine.raft().raft_log;
        let kept = log.applied + 1..=log.last_index();
        let payloads = frame.payloads.as_deref().unwrap_or_default();
        for (entry, payload) in frame.appended().iter().zip(payloads) {
            if kept.contains(&entry.index) {
                self.payloads.insert(entry.index, payload.clone_ref(py));
            }
        }
    }

    fn wants(&mut self) -> Vec<(u64, u64, u64, u64)> {
        let wants = self.engine.take_wants().into_iter();
        wants
            .map(|(want, to)| (want.low, want.high, FETCH_BYTES, to))
            .collect()
    }
}

fn frames<'py>(py: Python<'py>, messages: &[Message]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for message in messages {
        let frame = PyBytes::new_with(py, encoded_len(message), |out| {
            encode_into(message, out);
            Ok(())
        })?;
        list.append((message.to, is_bulk(message.get_msg_type()), frame))?;
    }
    Ok(list)
}

#[pymethods]
impl PyRaftCore {
    #[new]
    #[pyo3(signature = (
        id, voters, *, learners = Vec::new(), term, vote, commit, applied, term_runs, last_index,
        tail, election_tick, heartbeat_tick, max_inflight_msgs, max_size_per_msg,
        max_uncommitted_bytes, cache_bytes = 33_554_432, seed = 0, nonce = 0
    ))]
    #[allow(clippy::too_many_arguments)] // keyword arguments in Python
    fn new(
        py: Python<'_>,
        id: u64,
        voters: Vec<u64>,
        learners: Vec<u64>,
        term: u64,
        vote: u64,
        commit: u64,
        applied: u64,
        term_runs: Vec<(u64, u64)>,
        last_index: u64,
        tail: Vec<PyEntry<'_>>,
        election_tick: usize,
        heartbeat_tick: usize,
        max_inflight_msgs: usize,
        max_size_per_msg: u64,
        max_uncommitted_bytes: u64,
        cache_bytes: u64,
        seed: u64,
        nonce: u64,
    ) -> PyResult<Self> {
        let setup = Setup {
            id,
            voters,
            learners,
            term,
            vote,
            commit,
            applied,
            term_runs,
            last_index,
            tail: entries_from(&tail),
            election_tick,
            heartbeat_tick,
            max_inflight_msgs,
            max_size_per_msg,
            max_uncommitted_bytes,
            cache_bytes,
            seed,
            nonce,
        };
        let engine = RaftEngine::new(setup).map_err(|refusal| refused(py, &refusal))?;
        let payloads = tail
            .into_iter()
            .map(|(index, _, payload)| (index, payload.unbind()));
        Ok(Self {
            engine,
            payloads: payloads.collect(),
        })
    }

    #[staticmethod]
    fn peek(py: Python<'_>, frame: &Bound<'_, PyBytes>) -> PyResult<PyFrame> {
        PyFrame::parse(py, frame)
    }

    fn tick(&mut self) {
        self.engine.tick();
    }

    fn step(&mut self, py: Python<'_>, sender: u64, frame: FrameArgument<'_>) -> PyResult<()> {
        let (message, parsed) = match frame {
            FrameArgument::Parsed(parsed) => (parsed.to_message(py), Some(parsed)),
            FrameArgument::Raw(raw) => (PyFrame::parse(py, &raw)?.message, None),
        };
        self.engine
            .step(sender, message)
            .map_err(|error| frame_error(py, &error))?;
        if let Some(parsed) = parsed {
            self.adopt(py, &parsed);
        }
        Ok(())
    }

    fn propose(&mut self, py: Python<'_>, payload: Bound<'_, PyBytes>) -> PyResult<(u64, u64)> {
        let (term, index) = self
            .engine
            .propose(borrowed(&payload))
            .map_err(|refusal| refused(py, &refusal))?;
        self.payloads.insert(index, payload.unbind());
        Ok((term, index))
    }

    fn read_index(&mut self, py: Python<'_>, context: &[u8]) -> PyResult<()> {
        let outcome = self.engine.read_index(context);
        outcome.map_err(|refusal| refused(py, &refusal))
    }

    fn transfer_leader(&mut self, py: Python<'_>, to: u64) -> PyResult<()> {
        let outcome = self.engine.transfer_leader(to);
        outcome.map_err(|refusal| refused(py, &refusal))
    }

    fn step_down(&mut self) {
        self.engine.step_down();
    }

    fn allow_campaigns(&mut self, allowed: bool) {
        self.engine.allow_campaigns(allowed);
    }

    fn campaign(&mut self) {
        self.engine.campaign();
    }

    fn report_unreachable(&mut self, to: u64) {
        self.engine.report_unreachable(to);
    }

    fn has_ready(&self) -> bool {
        self.engine.has_ready()
    }

    fn ready(&mut self, py: Python<'_>) -> PyResult<Option<PyReady>> {
        let Some(ready) = self.engine.ready() else {
            return Ok(None);
        };
        let read_states = ready
            .read_states
            .iter()
            .map(|(index, context)| (*index, PyBytes::new(py, context)));
        Ok(Some(PyReady {
            number: ready.number,
            must_sync: ready.must_sync,
            hard_state: ready
                .hard_state
                .map(|state| (state.term, state.vote, state.commit)),
            entries: self.rows(py, &ready.entries)?.unbind(),
            truncate_from: ready.truncate_from,
            messages_now: frames(py, &ready.messages_now)?.unbind(),
            messages_after_persist: frames(py, &ready.messages_after_persist)?.unbind(),
            committed: self.rows(py, &ready.committed)?.unbind(),
            read_states: PyList::new(py, read_states.collect::<Vec<_>>())?.unbind(),
            soft_state: ready.soft_state.map(|(leader, role)| (leader, role.into())),
            wanted: self.wants(),
        }))
    }

    fn wanted(&mut self) -> Vec<(u64, u64, u64, u64)> {
        self.wants()
    }

    fn on_persist(&mut self, py: Python<'_>, number: u64) -> PyResult<()> {
        let outcome = self.engine.on_persist(number);
        outcome.map_err(|refusal| refused(py, &refusal))
    }

    fn advance_apply(&mut self, py: Python<'_>, index: u64) -> PyResult<()> {
        let outcome = self.engine.advance_apply(index);
        outcome.map_err(|refusal| refused(py, &refusal))
    }

    fn trim(&mut self, index: u64) -> u64 {
        let first = self.engine.trim(index);
        self.payloads = self.payloads.split_off(&first);
        first
    }

    fn fetched(&mut self, py: Python<'_>, low: u64, entries: Vec<PyEntry<'_>>) -> PyResult<()> {
        let outcome = self.engine.fetched(low, entries_from(&entries));
        outcome.map_err(|refusal| refused(py, &refusal))
    }

    fn set_randomized_election_timeout(&mut self, py: Python<'_>, ticks: usize) -> PyResult<()> {
        let outcome = self.engine.set_election_timeout(ticks);
        outcome.map_err(|refusal| refused(py, &refusal))
    }

    fn term_at(&self, py: Python<'_>, index: u64) -> PyResult<u64> {
        self.engine.term_at(index).ok_or_else(|| {
            let last = self.engine.raft().raft_log.last_index();
            refused(
                py,
                &Refusal::Invalid(format!("index {index} beyond the log's end {last}")),
            )
        })
    }

    fn term_runs(&mut self) -> Vec<(u64, u64)> {
        self.engine.store_mut().runs().to_vec()
    }

    fn status(&mut self) -> PyStatus {
        let store = self.engine.store_mut();
        let cache = (store.tail_first(), store.tail_bytes(), store.open_wants());
        let raft = self.engine.raft();
        let mut peers: Vec<PyPeerProgress> = Vec::new();
        if self.engine.is_leader() {
            peers.extend(raft.prs().iter().map(|(id, peer)| PyPeerProgress {
                id: *id,
                matched: peer.matched,
                next: peer.next_idx,
                state: peer.state.into(),
                recent_active: peer.recent_active || *id == raft.id,
                pending: peer.is_paused(),
                inflight: peer.ins.count(),
            }));
            peers.sort_by_key(|peer| peer.id);
        }
        PyStatus {
            id: raft.id,
            role: raft.state.into(),
            term: raft.term,
            vote: raft.vote,
            leader: raft.leader_id,
            commit: raft.raft_log.committed,
            applied: raft.raft_log.applied,
            last_index: raft.raft_log.last_index(),
            persisted: raft.raft_log.persisted,
            transferring_to: raft.lead_transferee.unwrap_or(0),
            uncommitted_bytes: raft.uncommitted_size(),
            cache_first: cache.0,
            cache_bytes: cache.1,
            open_fetches: cache.2,
            pending_reads: raft.pending_read_count(),
            peers,
        }
    }
}

/// Adds the core, the frames and their limits.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyRaftCore>()?;
    m.add_class::<PyFrame>()?;
    m.add("RAFT_MAX_FRAME_BYTES", MAX_FRAME_BYTES)?;
    m.add("RAFT_MAX_PAYLOAD_BYTES", MAX_PAYLOAD_BYTES)?;
    m.add("RAFT_MAX_READ_CONTEXT_BYTES", MAX_READ_CONTEXT_BYTES)?;
    m.add("RAFT_FETCH_BYTES", FETCH_BYTES)
}
