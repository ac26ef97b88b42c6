use proptest::prelude::*;
use raft::eraftpb::Entry;

use super::super::store::Want;
use super::*;

fn setup(id: u64) -> Setup {
    Setup {
        id,
        voters: vec![1, 2, 3],
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
        max_inflight_msgs: 8,
        max_size_per_msg: 1 << 20,
        max_uncommitted_bytes: 4 << 20,
        cache_bytes: 0,
        seed: 7,
        nonce: 1,
    }
}

fn entry(index: u64, term: u64) -> Entry {
    Entry {
        index,
        term,
        data: Bytes::from(format!("{index}@{term}")),
        ..Entry::default()
    }
}

fn message(kind: MessageType, from: u64, term: u64) -> Message {
    let mut message = Message {
        from,
        to: 1,
        term,
        ..Message::default()
    };
    message.set_msg_type(kind);
    message
}

fn append(from: u64, term: u64, previous: (u64, u64), entries: Vec<Entry>, commit: u64) -> Message {
    let mut append = message(MessageType::MsgAppend, from, term);
    (append.index, append.log_term) = previous;
    append.commit = commit;
    append.set_entries(entries.into());
    append
}

/// Takes all Readies; returns the number of the last and whether messages wait for it.
fn drain(engine: &mut RaftEngine) -> (u64, Vec<Message>, Vec<Entry>) {
    let (mut number, mut waiting, mut committed) = (0, Vec::new(), Vec::new());
    while let Some(ready) = engine.ready() {
        number = ready.number;
        waiting.extend(ready.messages_after_persist);
        committed.extend(ready.committed);
    }
    (number, waiting, committed)
}

fn persist_all(engine: &mut RaftEngine) {
    let (number, ..) = drain(engine);
    if number > 0 {
        engine.on_persist(number).unwrap();
        drain(engine);
    }
}

fn leader() -> RaftEngine {
    let mut engine = RaftEngine::new(setup(1)).unwrap();
    engine.campaign();
    persist_all(&mut engine);
    engine
        .step(2, message(MessageType::MsgRequestPreVoteResponse, 2, 1))
        .unwrap();
    persist_all(&mut engine);
    engine
        .step(2, message(MessageType::MsgRequestVoteResponse, 2, 1))
        .unwrap();
    assert!(engine.is_leader());
    engine
}

fn reason(engine: &mut RaftEngine, sender: u64, message: Message) -> &'static str {
    engine.step(sender, message).unwrap_err().reason
}

#[test]
fn an_overwritten_write_that_comes_back_counts_only_when_it_is_back_on_disk() {
    let mut engine = RaftEngine::new(setup(1)).unwrap();
    engine
        .step(2, append(2, 1, (0, 0), vec![entry(1, 1)], 1))
        .unwrap();
    persist_all(&mut engine);
    assert_eq!(engine.raft().raft_log.persisted, 1);

    // A: (2, term 1) is on its way to disk; B: (2, term 2) replaces it; A comes back, committed.
    engine
        .step(2, append(2, 1, (1, 1), vec![entry(2, 1)], 1))
        .unwrap();
    let a = engine.ready().unwrap();
    engine
        .step(3, append(3, 2, (1, 1), vec![entry(2, 2)], 1))
        .unwrap();
    let b = engine.ready().unwrap();
    assert_eq!((a.truncate_from, b.truncate_from), (None, Some(2)));
    engine
        .step(2, append(2, 3, (1, 1), vec![entry(2, 1), entry(3, 3)], 3))
        .unwrap();
    let again = engine.ready().unwrap();
    assert_eq!(again.truncate_from, Some(2));

    for (number, persisted) in [(a.number, 1), (b.number, 1), (again.number, 3)] {
        engine.on_persist(number).unwrap();
        assert_eq!(engine.raft().raft_log.persisted, persisted);
        let (_, _, committed) = drain(&mut engine);
        assert_eq!(committed.len(), if persisted == 1 { 0 } else { 2 });
    }
}

#[test]
fn a_vote_that_nobody_asked_for_elects_nobody() {
    let mut engine = RaftEngine::new(setup(1)).unwrap();
    engine.campaign();
    persist_all(&mut engine);
    engine
        .step(2, message(MessageType::MsgRequestPreVoteResponse, 2, 1))
        .unwrap();
    let vote = message(MessageType::MsgRequestVoteResponse, 2, 1);
    assert_eq!(reason(&mut engine, 2, vote.clone()), "unasked_vote");
    let (number, waiting, _) = drain(&mut engine);
    assert_eq!(waiting.len(), 2); // the requests, not released yet
    assert_eq!(reason(&mut engine, 2, vote.clone()), "unasked_vote");
    engine.on_persist(number).unwrap();
    engine.step(2, vote).unwrap();
    assert!(engine.is_leader());
}

#[test]
fn frames_that_would_stop_the_core_are_refused() {
    let mut follower = RaftEngine::new(setup(1)).unwrap();
    follower
        .step(2, append(2, 2, (0, 0), vec![entry(1, 1), entry(2, 2)], 2))
        .unwrap();
    persist_all(&mut follower);

    let mut heartbeat = message(MessageType::MsgHeartbeat, 2, 2);
    heartbeat.commit = 3;
    assert_eq!(reason(&mut follower, 2, heartbeat), "commit");
    let rewrite = append(2, 2, (0, 0), vec![entry(1, 2)], 0);
    assert_eq!(reason(&mut follower, 2, rewrite), "committed_conflict");
    let gone = append(3, 3, (2, 1), vec![], 0);
    assert_eq!(reason(&mut follower, 3, gone), "committed_conflict");
    let older = append(3, 3, (9, 1), vec![], 0);
    assert_eq!(reason(&mut follower, 3, older), "committed_conflict");
    let second = append(3, 2, (2, 2), vec![], 2);
    assert_eq!(reason(&mut follower, 3, second), "two_leaders");
    let far = append(2, 1 << 40, (2, 2), vec![], 2);
    assert_eq!(reason(&mut follower, 2, far), "term_jump");

    let mut leader = leader();
    let mut ack = message(MessageType::MsgAppendResponse, 2, 1);
    ack.index = 1 << 60;
    assert_eq!(reason(&mut leader, 2, ack), "ack");
    let rival = append(3, 1, (0, 0), vec![], 0);
    assert_eq!(reason(&mut leader, 3, rival), "two_leaders");
}

#[test]
fn the_sender_must_be_who_it_says_and_may_say_only_what_it_is() {
    let mut engine = RaftEngine::new(setup(1)).unwrap();
    let heartbeat = |from| message(MessageType::MsgHeartbeat, from, 5);
    assert_eq!(reason(&mut engine, 3, heartbeat(2)), "forged");
    assert_eq!(reason(&mut engine, 9, heartbeat(9)), "unknown_peer");
    assert_eq!(reason(&mut engine, 4, heartbeat(4)), "not_voter");
    let mut stray = heartbeat(2);
    stray.to = 3;
    assert_eq!(reason(&mut engine, 2, stray), "misdirected");
    assert_eq!((engine.raft().term, engine.raft().leader_id), (0, 0));
}

/// A leader in term 1 whose follower 2 has acknowledged `acked` of `count` proposals.
fn leader_with(count: u64, acked: u64) -> RaftEngine {
    let mut engine = leader();
    for _ in 0..count {
        engine.propose(Bytes::from_static(b"payload")).unwrap();
    }
    persist_all(&mut engine);
    let mut ack = message(MessageType::MsgAppendResponse, 2, 1);
    ack.index = 1 + acked; // the leader's own first entry is at 1
    engine.step(2, ack).unwrap();
    persist_all(&mut engine);
    engine
}

fn rejection(index: u64, hint: u64, hint_term: u64) -> Message {
    let mut rejection = message(MessageType::MsgAppendResponse, 2, 1);
    rejection.reject = true;
    rejection.index = index;
    rejection.reject_hint = hint;
    rejection.log_term = hint_term;
    rejection
}

#[test]
fn a_rejection_never_moves_a_follower_below_what_it_acknowledged() {
    let mut engine = leader_with(5, 3);
    let next = |engine: &RaftEngine| engine.raft().prs().get(2).unwrap().next_idx;
    engine.report_unreachable(2); // back to probing, where raft trusts every rejection
    assert_eq!(next(&engine), 5);
    engine.step(2, rejection(4, 2, 1)).unwrap();
    assert_eq!(next(&engine), 5); // stale: 4 was acknowledged
    engine.raw.raft.mut_prs().get_mut(2).unwrap().next_idx = 7;
    engine.step(2, rejection(6, 2, 1)).unwrap();
    assert_eq!(next(&engine), 5); // the hint is older than the acknowledgement
}

#[test]
fn a_follower_below_memory_is_fed_from_disk_and_a_failed_read_is_asked_again() {
    let mut engine = leader_with(6, 6);
    engine.advance_apply(7).unwrap();
    assert_eq!(engine.trim(7), 8);
    let mut nudge = message(MessageType::MsgHeartbeatResponse, 3, 1);
    nudge.from = 3;
    let ask = |engine: &mut RaftEngine| {
        engine.step(3, nudge.clone()).unwrap();
        engine.take_wants()
    };
    engine.raw.raft.mut_prs().get_mut(3).unwrap().next_idx = 1;
    let first = ask(&mut engine);
    assert_eq!(first, [(Want { low: 1, high: 8 }, 3)]);
    assert_eq!(ask(&mut engine), []); // open
    engine.fetched(1, Vec::new()).unwrap(); // the disk could not read it
    assert_eq!(ask(&mut engine), first);

    let wrong = vec![entry(1, 2)];
    assert!(engine.fetched(1, wrong).is_err());
    assert_eq!(ask(&mut engine), first);
    let history = (1..=7).map(|index| entry(index, 1)).collect();
    engine.fetched(1, history).unwrap();
    let sent = engine.ready().unwrap().messages_now;
    let append = sent.iter().find(|m| !m.entries.is_empty()).unwrap();
    assert_eq!((append.to, append.entries.len()), (3, 7));
}

#[test]
fn read_contexts_never_repeat() {
    let mut contexts = ReadContexts::new(3, 1);
    let (first, second) = (contexts.wrap(b"same"), contexts.wrap(b"same"));
    assert_ne!(first, second);
    let restarted = ReadContexts::new(3, 2);
    assert_eq!(restarted.unwrap(first.clone()), None);
    assert_eq!(contexts.unwrap(first).as_deref(), Some(&b"same"[..]));
}

#[test]
fn a_lone_voter_waits_for_its_disk_before_it_elects_itself() {
    let mut alone = RaftEngine::new(Setup {
        voters: vec![1],
        learners: vec![2],
        ..setup(1)
    })
    .unwrap();
    alone.campaign();
    assert!(alone.is_leader());
    let (number, ..) = drain(&mut alone);
    let mut newer = message(MessageType::MsgAppendResponse, 2, 5);
    newer.reject = true;
    alone.step(2, newer).unwrap();
    assert!(!alone.is_leader());
    for _ in 0..50 {
        alone.tick(); // would panic inside raft
    }
    assert!(!alone.is_leader());
    alone.on_persist(number).unwrap();
    (0..50).for_each(|_| alone.tick());
    assert!(alone.is_leader());
}

#[test]
fn the_same_inputs_give_the_same_timeouts() {
    let run = |seed| {
        let mut engine = RaftEngine::new(Setup { seed, ..setup(1) }).unwrap();
        let mut timeouts = Vec::new();
        for term in 1..30 {
            engine
                .step(2, message(MessageType::MsgHeartbeat, 2, term))
                .unwrap();
            timeouts.push(engine.raft().randomized_election_timeout());
        }
        assert!(timeouts.iter().all(|ticks| (10..20).contains(ticks)));
        timeouts
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn setups_that_contradict_themselves_are_refused() {
    let broken: [fn(&mut Setup); 9] = [
        |s| s.id = 0,
        |s| s.id = 5,
        |s| s.voters = vec![],
        |s| s.learners = vec![3],
        |s| s.applied = 1,
        |s| s.max_size_per_msg = 4 << 20,
        |s| s.heartbeat_tick = 10,
        |s| (s.term_runs, s.last_index, s.applied) = (vec![(1, 1)], 1, 1), // term forgotten
        |s| (s.term, s.term_runs, s.last_index) = (1, vec![(1, 1)], 1),    // no tail
    ];
    for (case, breaks) in broken.iter().enumerate() {
        let mut bad = setup(1);
        breaks(&mut bad);
        assert!(RaftEngine::new(bad).is_err(), "case {case}");
    }
}

const KINDS: [MessageType; 11] = [
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
];

/// A frame with small, plausible numbers: far more dangerous than random bytes.
fn hostile_frame() -> impl Strategy<Value = Message> {
    let words = (0..8u64, 0..8u64, 0..8u64, 0..8u64, 0..8u64, 0..8u64);
    let entries = proptest::collection::vec((1..8u64, 0..3u8), 0..4);
    let shape = (0..11usize, 1..6u64, any::<bool>(), 0..3u8, any::<bool>());
    (shape, words, entries).prop_map(|((kind, from, reject, context, huge), words, entries)| {
        let mut frame = message(KINDS[kind], from, words.0);
        frame.log_term = words.1;
        frame.index = if huge { MAX_INDEX - words.2 } else { words.2 };
        frame.commit = words.3;
        frame.commit_term = words.4;
        frame.reject_hint = words.5;
        frame.reject = reject;
        let context = match context {
            0 => Vec::new(),
            1 => b"CampaignTransfer".to_vec(),
            _ => ReadContexts::new(from % 4, 1).wrap(b""),
        };
        let reads = [MessageType::MsgReadIndex, MessageType::MsgReadIndexResp];
        if reads.contains(&KINDS[kind]) {
            frame.set_entries(
                vec![Entry {
                    data: context.into(),
                    ..Entry::default()
                }]
                .into(),
            );
        } else {
            frame.context = context.into();
            let first = frame.index + 1;
            let entries = (first..).zip(entries).map(|(i, (term, _))| entry(i, term));
            frame.set_entries(entries.collect::<Vec<_>>().into());
        }
        frame
    })
}

#[derive(Debug, Clone)]
enum Event {
    Frame(Message),
    Ticks(u8),
    Campaign,
    AllowCampaigns(bool),
    StepDown,
    Propose,
    Read,
    Transfer(u64),
    Unreachable(u64),
    Ready,
    Persist(u8),
    Apply(u8),
    Trim,
    Fetch,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => hostile_frame().prop_map(Event::Frame),
        2 => (1..25u8).prop_map(Event::Ticks),
        2 => Just(Event::Campaign),
        1 => any::<bool>().prop_map(Event::AllowCampaigns),
        1 => Just(Event::StepDown),
        2 => Just(Event::Propose),
        1 => Just(Event::Read),
        1 => (0..5u64).prop_map(Event::Transfer),
        1 => (0..5u64).prop_map(Event::Unreachable),
        4 => Just(Event::Ready),
        3 => (0..4u8).prop_map(Event::Persist),
        2 => (0..4u8).prop_map(Event::Apply),
        1 => Just(Event::Trim),
        1 => Just(Event::Fetch),
    ]
}

/// A node as its shell sees it: what was handed out and what of it is done.
struct Host {
    engine: RaftEngine,
    handed_out: u64,
    persisted: u64,
    committed: Vec<Entry>,
    applied: u64,
}

impl Host {
    fn run(&mut self, event: Event) {
        match event {
            Event::Frame(frame) => {
                // Over the wire, as a real peer would have to do it.
                let mut bytes = vec![0; super::super::frame::encoded_len(&frame)];
                super::super::frame::encode_into(&frame, &mut bytes);
                if let Ok(parsed) = super::super::frame::decode(&bytes.into()) {
                    let _ = self.engine.step(frame.from, parsed);
                }
            }
            Event::Ticks(count) => (0..count).for_each(|_| self.engine.tick()),
            Event::Campaign => self.engine.campaign(),
            Event::AllowCampaigns(allowed) => self.engine.allow_campaigns(allowed),
            Event::StepDown => self.engine.step_down(),
            Event::Propose => drop(self.engine.propose(Bytes::from_static(b"payload"))),
            Event::Read => drop(self.engine.read_index(b"read")),
            Event::Transfer(to) => drop(self.engine.transfer_leader(to)),
            Event::Unreachable(to) => self.engine.report_unreachable(to),
            Event::Ready => self.ready(),
            Event::Persist(count) => {
                self.persisted = self.handed_out.min(self.persisted + u64::from(count));
                self.engine.on_persist(self.persisted).unwrap();
            }
            Event::Apply(count) => {
                let most = self.committed.last().map_or(0, |entry| entry.index);
                self.applied = most.min(self.applied + u64::from(count));
                self.engine.advance_apply(self.applied).unwrap();
            }
            Event::Trim => drop(self.engine.trim(u64::MAX)),
            Event::Fetch => self.fetch(),
        }
    }

    fn ready(&mut self) {
        while let Some(ready) = self.engine.ready() {
            assert_eq!(ready.number, self.handed_out + 1);
            self.handed_out = ready.number;
            for entry in ready.committed {
                assert_eq!(entry.index, self.committed.len() as u64 + 1);
                self.committed.push(entry);
            }
        }
    }

    fn fetch(&mut self) {
        for (want, _) in self.engine.take_wants() {
            let range = want.low as usize - 1..want.high as usize - 1;
            let entries = self.committed[range].to_vec();
            self.engine.fetched(want.low, entries).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8 * ProptestConfig::default().cases))]

    /// Whatever peers send, and however slow the disk is, nothing panics, and what has been handed
    /// out as committed never changes.
    #[test]
    fn no_sequence_of_frames_stops_the_core(
        leads in proptest::option::of(0..5u64),
        voters in prop_oneof![Just(vec![1, 2, 3]), Just(vec![1]), Just(vec![1, 2, 3, 5])],
        events in proptest::collection::vec(event(), 1..60),
    ) {
        let engine = match leads {
            Some(acked) => leader_with(4, acked),
            None => RaftEngine::new(Setup { voters, ..setup(1) }).unwrap(),
        };
        let done = engine.ready_number;
        let applied = engine.raft().raft_log.committed;
        let mut host = Host {
            engine,
            handed_out: done,
            persisted: done,
            committed: (1..=applied).map(|index| entry(index, 1)).collect(),
            applied: 0,
        };
        for event in events {
            host.run(event);
        }
        host.ready();
        for entry in &host.committed {
            prop_assert_eq!(host.engine.term_at(entry.index), Some(entry.term));
        }
    }
}
