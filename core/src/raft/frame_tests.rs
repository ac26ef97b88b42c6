use bytes::Bytes;
use proptest::prelude::*;
use raft::eraftpb::{Entry, Message, MessageType};

use super::*;

fn encode(message: &Message) -> Bytes {
    let mut out = vec![0; encoded_len(message)];
    encode_into(message, &mut out);
    Bytes::from(out)
}

fn append(term: u64, index: u64, log_term: u64, payloads: &[&[u8]]) -> Message {
    let entries = payloads.iter().enumerate().map(|(i, payload)| Entry {
        index: index + 1 + i as u64,
        term,
        data: Bytes::copy_from_slice(payload),
        ..Entry::default()
    });
    let mut message = Message {
        from: 1,
        to: 2,
        term,
        index,
        log_term,
        ..Message::default()
    };
    message.set_msg_type(MessageType::MsgAppend);
    message.set_entries(entries.collect::<Vec<_>>().into());
    message
}

fn reason(frame: &[u8]) -> &'static str {
    decode(&Bytes::copy_from_slice(frame)).unwrap_err().reason
}

/// A valid frame of an append with two payloads.
fn sample() -> Vec<u8> {
    encode(&append(3, 7, 2, &[b"first", b"second"])).to_vec()
}

/// The sample with one byte replaced.
fn with(at: usize, byte: u8) -> Vec<u8> {
    let mut frame = sample();
    frame[at] = byte;
    frame
}

#[test]
fn an_append_comes_back_as_it_was_without_copying_its_payloads() {
    let message = append(3, 7, 2, &[b"first", b"", b"third"]);
    let frame = encode(&message);
    let back = decode(&frame).unwrap();
    assert_eq!(back, message);
    let inside = frame.as_ptr_range();
    assert!(inside.contains(&back.entries[0].data.as_ptr()));
}

#[test]
fn a_read_keeps_its_context() {
    let mut message = Message {
        from: 1,
        to: 2,
        ..Message::default()
    };
    message.set_msg_type(MessageType::MsgReadIndex);
    message.set_entries(
        vec![Entry {
            data: Bytes::from_static(b"context"),
            ..Entry::default()
        }]
        .into(),
    );
    assert_eq!(decode(&encode(&message)).unwrap(), message);
}

#[test]
fn a_read_without_context_is_refused() {
    let mut frame = sample();
    frame.truncate(80);
    frame[4] = MessageType::MsgReadIndex as u8;
    frame[8] = 0; // no entries
    frame[32] = 0; // no term
    assert_eq!(reason(&frame), "context");
}

#[test]
fn a_rejection_hints_at_or_below_what_it_rejects() {
    let mut frame = sample();
    frame.truncate(80);
    frame[4] = MessageType::MsgAppendResponse as u8;
    frame[5] = 1; // reject
    frame[8] = 0; // no entries
    frame[72] = 7;
    assert!(decode(&Bytes::copy_from_slice(&frame)).is_ok());
    frame[72] = 8; // index is 7
    assert_eq!(reason(&frame), "reject_hint");
}

#[test]
fn every_torn_frame_is_refused() {
    let frame = sample();
    for end in 0..frame.len() {
        assert!(decode(&Bytes::copy_from_slice(&frame[..end])).is_err());
    }
    assert!(decode(&Bytes::from(frame)).is_ok());
}

#[test]
fn each_defect_has_its_reason() {
    let entry = 80; // the entry table follows an empty context
    assert_eq!(reason(&[sample(), vec![0]].concat()), "trailing");
    assert_eq!(reason(&with(0, b'X')), "magic");
    assert_eq!(reason(&with(5, 2)), "reserved");
    assert_eq!(reason(&with(12, 1)), "reserved");
    assert_eq!(reason(&with(16, 2)), "address"); // from equals to
    assert_eq!(reason(&with(24, 0)), "address");
    assert_eq!(reason(&with(32, 0)), "term");
    assert_eq!(reason(&with(40, 0)), "log_term"); // index 7 in term 0
    assert_eq!(reason(&with(55, 0x80)), "range"); // index near 2^63
    assert_eq!(reason(&with(6, 1)), "context");
    assert_eq!(reason(&with(8, 0xff)), "torn"); // 255 entries
    assert_eq!(reason(&with(entry, 1)), "entry_term"); // falls below the log term
    assert_eq!(reason(&with(entry, 4)), "entry_term"); // above the message's term
    assert_eq!(reason(&with(entry + 10, 0x21)), "oversized");
    assert_eq!(reason(&with(entry + 12, 1)), "entry_type"); // a configuration change
    assert_eq!(reason(&with(entry + 13, 1)), "entry_type");
}

#[test]
fn only_network_messages_are_parsed() {
    let local = [0u8, 1, 2, 7, 10, 11, 12, 13, 19, 255];
    for number in local {
        assert_eq!(reason(&with(4, number)), "type", "type {number}");
    }
    let parsed = (0..=255u8).filter(|number| network_type(*number).is_some());
    assert_eq!(parsed.count(), 11);
}

#[test]
fn only_appends_carry_entries() {
    assert_eq!(reason(&with(4, MessageType::MsgHeartbeat as u8)), "entries");
}

#[test]
fn a_vote_knows_one_mark_only() {
    let mut message = append(3, 7, 2, &[]);
    message.set_msg_type(MessageType::MsgRequestVote);
    message.context = Bytes::from_static(b"CampaignTransfer");
    assert!(decode(&encode(&message)).is_ok());
    message.context = Bytes::from_static(b"CampaignTransfex");
    assert_eq!(reason(&encode(&message)), "context");
}

#[test]
fn an_oversized_frame_is_refused_before_it_is_read() {
    assert_eq!(reason(&vec![0; MAX_FRAME_BYTES + 1]), "oversized");
}

#[test]
fn the_largest_append_of_tiny_entries_fits_a_frame() {
    // Raft packs by protobuf size. Without payload, in term 1, entries are as small as they get.
    let mut packed = 0;
    let fitting = (1..).take_while(|index| {
        let smallest = Entry {
            index: *index,
            term: 1,
            ..Entry::default()
        };
        packed += u64::from(protobuf::Message::compute_size(&smallest));
        packed <= crate::raft::limits::MAX_SIZE_PER_MSG
    });
    let count = fitting.count();
    let frame = HEADER_BYTES + count * ENTRY_HEADER_BYTES;
    assert!(frame <= MAX_FRAME_BYTES, "{count} entries, {frame} bytes");
}

fn any_payload() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..40)
}

proptest! {
    #[test]
    fn any_append_round_trips(
        term in 1..1000u64,
        index in 0..1u64 << 50,
        payloads in proptest::collection::vec(any_payload(), 0..8),
    ) {
        let log_term = u64::from(index != 0);
        let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let message = append(term, index, log_term, &payloads);
        prop_assert_eq!(decode(&encode(&message)).unwrap(), message);
    }

    /// Every byte string is either refused or the only encoding of what it decodes to.
    #[test]
    fn the_encoding_is_canonical(
        edits in proptest::collection::vec((0..160usize, any::<u8>()), 1..6),
    ) {
        let mut frame = encode(&append(3, 7, 2, &[b"first", b"second"])).to_vec();
        for (at, byte) in edits {
            let at = at % frame.len();
            frame[at] = byte;
        }
        let frame = Bytes::from(frame);
        if let Ok(message) = decode(&frame) {
            prop_assert_eq!(encode(&message), frame);
        }
    }

    #[test]
    fn random_bytes_never_panic(
        mut frame in proptest::collection::vec(any::<u8>(), 0..300),
        magic: bool,
        kind in 0..20u8,
    ) {
        if magic && frame.len() >= 16 {
            frame[..4].copy_from_slice(MAGIC);
            frame[4] = kind;
            frame[5] &= 1;
            frame[12..16].fill(0);
        }
        let _ = decode(&Bytes::from(frame));
    }
}
