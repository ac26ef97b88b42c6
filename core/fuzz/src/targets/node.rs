//! The Raft core of a live node among peers that may say anything.
//!
//! Input: a script. Steps let time pass, take and persist work, propose, ask for reads; the others
//! are frames of peers, either raw or close to what the node's state makes plausible, and each goes
//! through the wire format. A shadow of the disk is kept from what the core hands out.
//!
//! Properties: no panic; a refused frame changes nothing; term and commit index never fall; one
//! vote a term; committed entries come in order, each once, and are never replaced on disk; the log
//! on disk and in memory is the same; what the core sends, a peer's parser takes.

use bytes::Bytes;
use raft::eraftpb::{Entry, Message, MessageType};
use raft::StateRole;
use tallystick_core::raft::engine::{RaftEngine, Ready};
use tallystick_core::raft::frame::{decode, encode_into, encoded_len};
use tallystick_core::raft::setup::Setup;

use crate::source::Source;

const MAX_STEPS: usize = 120;
const TYPES: [MessageType; 12] = [
    MessageType::MsgAppend,
    MessageType::MsgAppendResponse,
    MessageType::MsgRequestVote,
    MessageType::MsgRequestVoteResponse,
    MessageType::MsgHeartbeat,
    MessageType::MsgHeartbeatResponse,
    MessageType::MsgTimeoutNow,
    MessageType::MsgReadIndex,
    MessageType::MsgReadIndexResp,
    MessageType::MsgRequestPreVote,
    MessageType::MsgRequestPreVoteResponse,
    MessageType::MsgAppend,
];

struct Node {
    engine: RaftEngine,
    /// The log on disk; entry 1 is at 0.
    disk: Vec<Entry>,
    handed_out: u64,
    applied: u64,
    term: u64,
    commit: u64,
    voted: (u64, u64),
    last_number: u64,
}

pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let singleton = source.u8() == 0xff;
    let mut node = Node::new(singleton);
    for _ in 0..MAX_STEPS {
        if source.is_empty() {
            break;
        }
        node.step(&mut source);
        node.check();
    }
    node.work(true);
    node.check();
}

fn setup(singleton: bool) -> Setup {
    Setup {
        id: 1,
        voters: if singleton { vec![1] } else { vec![1, 2, 3] },
        learners: vec![4],
        term: 0,
        vote: 0,
        commit: 0,
        applied: 0,
        term_runs: Vec::new(),
        last_index: 0,
        tail: Vec::new(),
        election_tick: 10,
        heartbeat_tick: 2,
        max_inflight_msgs: 4,
        max_size_per_msg: 1 << 16,
        max_uncommitted_bytes: 1 << 20,
        cache_bytes: 0,
        seed: 7,
        nonce: 1,
    }
}

impl Node {
    fn new(singleton: bool) -> Self {
        Self {
            engine: RaftEngine::new(setup(singleton)).expect("a valid setup"),
            disk: Vec::new(),
            handed_out: 0,
            applied: 0,
            term: 0,
            commit: 0,
            voted: (0, 0),
            last_number: 0,
        }
    }

    fn step(&mut self, source: &mut Source<'_>) {
        match source.u8() % 16 {
            0 => (0..=source.u8() % 24).for_each(|_| self.engine.tick()),
            1 => self.work(true),
            2 => self.work(false),
            3 => {
                self.persist();
            }
            4 => {
                let payload = Bytes::copy_from_slice(source.take(3));
                // Refused by most roles.
                let _ = self.engine.propose(payload);
            }
            5 => {
                let context = source.array::<4>();
                let _ = self.engine.read_index(&context);
            }
            6 => self.apply(),
            7 => self.feed(source.u8() % 4 == 0),
            8 => self.control(source),
            9 => {
                let length = usize::from(source.u8()) + 80;
                let sender = u64::from(source.u8() % 6);
                let raw = source.take(length);
                self.receive(sender, Bytes::copy_from_slice(raw));
            }
            _ => {
                let (sender, message) = self.plausible(source);
                let mut frame = vec![0; encoded_len(&message)];
                encode_into(&message, &mut frame);
                self.receive(sender, frame.into());
            }
        }
    }

    fn control(&mut self, source: &mut Source<'_>) {
        match source.u8() % 6 {
            0 => self.engine.campaign(),
            1 => self.engine.step_down(),
            2 => self.engine.report_unreachable(u64::from(source.u8() % 6)),
            3 => self.engine.allow_campaigns(source.u8() % 2 == 0),
            4 => {
                let _ = self.engine.transfer_leader(u64::from(source.u8() % 6));
            }
            _ => {
                self.engine.trim(self.applied);
            }
        }
    }

    fn receive(&mut self, sender: u64, frame: Bytes) {
        let Ok(message) = decode(&frame) else {
            return;
        };
        let before = self.facts();
        if let Err(error) = self.engine.step(sender, message) {
            if error.reason != "raft" {
                assert_eq!(before, self.facts(), "refused, but not as it was");
            }
        }
    }

    fn facts(&self) -> (u64, u64, u64, u64, StateRole, u64) {
        let raft = self.engine.raft();
        let log = &raft.raft_log;
        let (last, commit) = (log.last_index(), log.committed);
        (
            raft.term,
            raft.vote,
            last,
            commit,
            raft.state,
            raft.leader_id,
        )
    }

    /// A message near to what a peer could send now.
    fn plausible(&self, source: &mut Source<'_>) -> (u64, Message) {
        let raft = self.engine.raft();
        let (last, commit) = (raft.raft_log.last_index(), raft.raft_log.committed);
        let kind = source.one_of(&TYPES);
        let who = source.u8();
        let near = |value: u64, offset: u8| match offset {
            0..=127 => value,
            128..=191 => value.saturating_add(u64::from(offset - 127) % 8),
            192..=247 => value.saturating_sub(u64::from(offset - 191) % 8),
            248..=251 => 0,
            _ => (1 << 62) - u64::from(offset - 251),
        };
        let mut message = Message::default();
        message.set_msg_type(kind);
        message.from = source.one_of(&[2, 3, 4, 2, 3, 5]);
        message.to = if who < 250 { 1 } else { 2 };
        message.term = match kind {
            MessageType::MsgReadIndex => 0,
            _ => near(raft.term, source.u8()).max(1),
        };
        message.index = near(if who % 2 == 0 { last } else { commit }, source.u8());
        let log_term = self.engine.term_at(message.index).unwrap_or(raft.term);
        message.log_term = near(log_term, source.u8());
        message.commit = near(commit, source.u8());
        message.reject = who & 4 != 0;
        message.reject_hint = near(last, source.u8());
        let names_entry = matches!(
            kind,
            MessageType::MsgAppend | MessageType::MsgRequestVote | MessageType::MsgRequestPreVote
        );
        if names_entry && message.index == 0 {
            message.log_term = 0;
        }
        if kind == MessageType::MsgAppend {
            message.set_entries(entries(source, &message).into());
        }
        self.add_context(source, kind, &mut message);
        let sender = if who < 248 { message.from } else { 3 };
        (sender, message)
    }

    fn add_context(&self, source: &mut Source<'_>, kind: MessageType, message: &mut Message) {
        let choice = source.u8();
        match kind {
            MessageType::MsgReadIndex | MessageType::MsgReadIndexResp => {
                let owner = if choice < 200 { message.from } else { 1 };
                let context = [owner, 1, u64::from(choice % 4)]
                    .map(u64::to_le_bytes)
                    .concat();
                let carrier = Entry {
                    data: context.into(),
                    ..Entry::default()
                };
                message.set_entries(vec![carrier].into());
            }
            MessageType::MsgRequestVote if choice > 200 => {
                message.context = Bytes::from_static(b"CampaignTransfer");
            }
            MessageType::MsgHeartbeat | MessageType::MsgHeartbeatResponse if choice > 128 => {
                let context = [1, 1, u64::from(choice % 4)].map(u64::to_le_bytes).concat();
                message.context = context.into();
            }
            _ => {}
        }
    }

    /// Takes all there is to do and, if asked to, says that it is on disk.
    fn work(&mut self, persist: bool) {
        for _ in 0..64 {
            while let Some(ready) = self.engine.ready() {
                self.take(&ready);
            }
            if !persist || !self.persist() {
                return;
            }
        }
    }

    /// Whether there was anything to persist.
    fn persist(&mut self) -> bool {
        let number = std::mem::take(&mut self.last_number);
        if number == 0 {
            return false;
        }
        self.engine
            .on_persist(number)
            .expect("a number that was handed out");
        true
    }

    fn take(&mut self, ready: &Ready) {
        self.last_number = ready.number;
        if let Some(state) = &ready.hard_state {
            assert!(state.term >= self.voted.0, "the term fell");
            let (term, vote) = self.voted;
            assert!(
                term != state.term || vote == 0 || vote == state.vote,
                "two votes in a term"
            );
            self.voted = (state.term, state.vote);
        }
        if let Some(first) = ready.entries.first().map(|entry| entry.index) {
            assert!(first > self.handed_out, "a committed entry is replaced");
            let replaced = (first <= self.disk.len() as u64).then_some(first);
            assert_eq!(ready.truncate_from, replaced);
            self.disk.truncate(first as usize - 1);
        }
        for entry in &ready.entries {
            assert_eq!(entry.index, self.disk.len() as u64 + 1, "a hole in the log");
            self.disk.push(entry.clone());
        }
        for entry in &ready.committed {
            assert_eq!(entry.index, self.handed_out + 1, "committed out of order");
            let on_disk = &self.disk[self.handed_out as usize];
            assert_eq!((entry.term, &entry.data), (on_disk.term, &on_disk.data));
            self.handed_out += 1;
        }
        let messages = ready.messages_now.iter();
        for message in messages.chain(&ready.messages_after_persist) {
            let mut frame = vec![0; encoded_len(message)];
            encode_into(message, &mut frame);
            decode(&frame.into()).expect("what we send, a peer takes");
        }
    }

    fn apply(&mut self) {
        self.engine
            .advance_apply(self.handed_out)
            .expect("it was handed out");
        self.applied = self.handed_out;
    }

    /// Reads for lagging followers what the core asks for, or fails to.
    fn feed(&mut self, fails: bool) {
        for (want, _) in self.engine.take_wants() {
            let range = want.low as usize - 1..(want.high as usize - 1).min(self.disk.len());
            let found = if fails {
                Vec::new()
            } else {
                self.disk[range].to_vec()
            };
            let answered = self.engine.fetched(want.low, found);
            answered.expect("what the core handed out itself");
        }
    }

    fn check(&mut self) {
        let raft = self.engine.raft();
        let (last, commit) = (raft.raft_log.last_index(), raft.raft_log.committed);
        assert!(raft.term >= self.term, "the term fell");
        assert!(commit >= self.commit && commit <= last, "the commit index");
        (self.term, self.commit) = (raft.term, commit);
        assert!(self.engine.term_at(last).is_some());
    }
}

fn entries(source: &mut Source<'_>, message: &Message) -> Vec<Entry> {
    let count = u64::from(source.u8() % 4);
    let mut term = message.log_term.max(1);
    (1..=count)
        .map(|offset| {
            let choice = source.u8();
            if choice >= 128 {
                term = message.term.max(term);
            }
            Entry {
                index: message.index.saturating_add(offset),
                term,
                data: Bytes::copy_from_slice(&[choice]),
                ..Entry::default()
            }
        })
        .collect()
}
