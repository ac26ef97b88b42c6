//! Frames: what one node sends to another.
//!
//! A frame is one Raft message in a fixed layout of our own. Raft's protobuf is not used on the
//! wire: a fixed layout has exactly one encoding for each message, no optional or unknown fields,
//! and its parser is short enough to be read in one sitting. All integers are little-endian.
//!
//! ```text
//! offset size
//!      0    4  magic "TSR1"
//!      4    1  message type (the number in raft's eraftpb.MessageType)
//!      5    1  flags: bit 0 = reject; the others are zero
//!      6    2  context length c, at most 96
//!      8    4  entry count n
//!     12    4  reserved, zero
//!     16    8  from
//!     24    8  to
//!     32    8  term
//!     40    8  log term: term of the entry at `index` (append: the entry before the first one)
//!     48    8  index
//!     56    8  commit
//!     64    8  commit term
//!     72    8  reject hint
//!     80    c  context
//!   80+c  16n  entry table: u64 term, u32 payload length, u8 entry type, 3 bytes zero
//!           …  payloads, back to back, nothing after the last one
//! ```
//!
//! An entry's index is not on the wire: entry `i` of an append has `index + 1 + i`, so a frame
//! with a gap cannot be written down. Only appends carry entries. A ReadIndex and its answer carry
//! the read context in `context`.
//!
//! Decoding never copies payloads: each is a slice of the received [`Bytes`]. It is total: any
//! byte string gives a message or a [`FrameError`]. It checks everything that the bytes alone can
//! tell, including that the type is one that may come from the network; what depends on the
//! node's state is checked by [`super::admit`].

use bytes::Bytes;
use raft::eraftpb::{Entry, EntryType, Message, MessageType};

use super::limits::{MAX_CONTEXT_BYTES, MAX_FRAME_BYTES, MAX_INDEX, MAX_PAYLOAD_BYTES};

const MAGIC: &[u8; 4] = b"TSR1";
const HEADER_BYTES: usize = 80;
const ENTRY_HEADER_BYTES: usize = 16;
const FLAG_REJECT: u8 = 1;

/// Context by which raft marks votes of a leadership transfer; they override the lease check.
const CAMPAIGN_TRANSFER: &[u8] = b"CampaignTransfer";

/// Why a frame was refused. `reason` is stable and meant for counters and alarms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct FrameError {
    /// Short machine-readable reason.
    pub reason: &'static str,
    /// What was found, for people.
    pub detail: String,
}

impl FrameError {
    pub(crate) fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

fn refuse<T>(reason: &'static str, detail: impl Into<String>) -> Result<T, FrameError> {
    Err(FrameError::new(reason, detail))
}

/// The message types that may travel between nodes. Everything else is local to a node
/// (proposals, campaigns, reports), is replaced by something safer (a transfer is requested by an
/// operator, not by a peer), or does not exist here (snapshots).
fn network_type(number: u8) -> Option<MessageType> {
    use MessageType::*;
    [
        MsgAppend,
        MsgAppendResponse,
        MsgRequestVote,
        MsgRequestVoteResponse,
        MsgHeartbeat,
        MsgHeartbeatResponse,
        MsgTimeoutNow,
        MsgReadIndex,
        MsgReadIndexResp,
        MsgRequestPreVote,
        MsgRequestPreVoteResponse,
    ]
    .into_iter()
    .find(|kind| *kind as i32 == i32::from(number))
}

/// Whether messages of this type belong on the bulk stream; all others are for the control
/// stream, so that an append of a megabyte never delays a vote or a heartbeat.
pub fn is_bulk(kind: MessageType) -> bool {
    matches!(
        kind,
        MessageType::MsgAppend | MessageType::MsgAppendResponse
    )
}

fn is_read(kind: MessageType) -> bool {
    matches!(
        kind,
        MessageType::MsgReadIndex | MessageType::MsgReadIndexResp
    )
}

/// The context that goes on the wire: raft keeps that of a read in a pseudo entry.
fn wire_context(message: &Message) -> &[u8] {
    if is_read(message.get_msg_type()) {
        message.entries.first().map_or(&[], |entry| &entry.data)
    } else {
        &message.context
    }
}

fn wire_entries(message: &Message) -> &[Entry] {
    if is_read(message.get_msg_type()) {
        &[]
    } else {
        &message.entries
    }
}

/// Exact size of the frame that [`encode_into`] writes for this message.
pub fn encoded_len(message: &Message) -> usize {
    let entries = wire_entries(message);
    HEADER_BYTES
        + wire_context(message).len()
        + entries.len() * ENTRY_HEADER_BYTES
        + entries.iter().map(|entry| entry.data.len()).sum::<usize>()
}

/// Writes the frame of a message that the Raft core produced.
///
/// # Panics
///
/// If `out` is not exactly [`encoded_len`] bytes, or if that exceeds [`MAX_FRAME_BYTES`]. The
/// limits on payloads and on `max_size_per_msg` exclude the latter.
pub fn encode_into(message: &Message, out: &mut [u8]) {
    assert!(out.len() <= MAX_FRAME_BYTES, "frame of {} bytes", out.len());
    let context = wire_context(message);
    let entries = wire_entries(message);
    let mut writer = Writer { out, at: 0 };
    writer.put(MAGIC);
    writer.put(&[
        message.get_msg_type() as u8,
        if message.reject { FLAG_REJECT } else { 0 },
    ]);
    writer.put(&(context.len() as u16).to_le_bytes());
    writer.put(&(entries.len() as u32).to_le_bytes());
    writer.put(&[0; 4]);
    for word in [
        message.from,
        message.to,
        message.term,
        message.log_term,
        message.index,
        message.commit,
        message.commit_term,
        message.reject_hint,
    ] {
        writer.put(&word.to_le_bytes());
    }
    writer.put(context);
    for entry in entries {
        writer.put(&entry.term.to_le_bytes());
        writer.put(&(entry.data.len() as u32).to_le_bytes());
        writer.put(&[entry.get_entry_type() as u8, 0, 0, 0]);
    }
    for entry in entries {
        writer.put(&entry.data);
    }
    assert_eq!(writer.at, writer.out.len(), "frame length");
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        self.out[self.at..end].copy_from_slice(bytes);
        self.at = end;
    }
}

/// Reads a frame. Payloads are slices of `frame`, not copies.
///
/// # Errors
///
/// [`FrameError`] for every byte string that [`encode_into`] would not write for a message that
/// may come from the network.
pub fn decode(frame: &Bytes) -> Result<Message, FrameError> {
    if frame.len() > MAX_FRAME_BYTES {
        return refuse("oversized", format!("{} bytes", frame.len()));
    }
    if frame.len() < HEADER_BYTES {
        return refuse("torn", format!("{} bytes, no header", frame.len()));
    }
    if &frame[..4] != MAGIC {
        return refuse("magic", "not a Raft frame of this version");
    }
    let Some(kind) = network_type(frame[4]) else {
        return refuse("type", format!("message type {}", frame[4]));
    };
    if frame[5] & !FLAG_REJECT != 0 || frame[12..16] != [0; 4] {
        return refuse("reserved", "unknown flag or reserved byte");
    }
    let context_len = usize::from(u16::from_le_bytes([frame[6], frame[7]]));
    let entry_count = u32_at(frame, 8) as usize;
    let mut message = Message::default();
    message.set_msg_type(kind);
    message.reject = frame[5] & FLAG_REJECT != 0;
    message.from = u64_at(frame, 16);
    message.to = u64_at(frame, 24);
    message.term = u64_at(frame, 32);
    message.log_term = u64_at(frame, 40);
    message.index = u64_at(frame, 48);
    message.commit = u64_at(frame, 56);
    message.commit_term = u64_at(frame, 64);
    message.reject_hint = u64_at(frame, 72);
    check_header(&message, context_len, entry_count)?;
    let context_end = HEADER_BYTES + context_len;
    if context_end > frame.len() {
        return refuse("torn", "inside the context");
    }
    set_context(&mut message, frame.slice(HEADER_BYTES..context_end));
    let entries = decode_entries(frame, context_end, entry_count, &message)?;
    if kind == MessageType::MsgAppend {
        message.set_entries(entries.into());
    }
    Ok(message)
}

fn u32_at(frame: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&frame[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(frame: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&frame[at..at + 8]);
    u64::from_le_bytes(word)
}

fn set_context(message: &mut Message, context: Bytes) {
    if is_read(message.get_msg_type()) {
        let carrier = Entry {
            data: context,
            ..Entry::default()
        };
        message.set_entries(vec![carrier].into());
    } else {
        message.context = context;
    }
}

/// Checks all fields that need no look at the variable part.
fn check_header(
    message: &Message,
    context_len: usize,
    entry_count: usize,
) -> Result<(), FrameError> {
    use MessageType::*;
    let kind = message.get_msg_type();
    let words = [
        message.term,
        message.log_term,
        message.index,
        message.commit,
        message.commit_term,
        message.reject_hint,
    ];
    if words.iter().any(|word| *word > MAX_INDEX) {
        return refuse("range", "term or index beyond the limit");
    }
    if message.from == 0 || message.to == 0 || message.from == message.to {
        return refuse(
            "address",
            format!("from {} to {}", message.from, message.to),
        );
    }
    // Raft treats term 0 as "local message" and would skip every term check. Only a forwarded
    // ReadIndex travels without a term.
    if (message.term == 0) != (kind == MsgReadIndex) {
        return refuse("term", format!("term {} for {kind:?}", message.term));
    }
    if entry_count != 0 && kind != MsgAppend {
        return refuse("entries", format!("{entry_count} entries in {kind:?}"));
    }
    let context_ok = match kind {
        MsgReadIndex | MsgReadIndexResp => (1..=MAX_CONTEXT_BYTES).contains(&context_len),
        MsgHeartbeat | MsgHeartbeatResponse => context_len <= MAX_CONTEXT_BYTES,
        MsgRequestVote => context_len == 0 || context_len == CAMPAIGN_TRANSFER.len(),
        _ => context_len == 0,
    };
    if !context_ok {
        return refuse("context", format!("{context_len} bytes in {kind:?}"));
    }
    let names_entry = matches!(kind, MsgAppend | MsgRequestVote | MsgRequestPreVote);
    if names_entry && (message.index == 0) != (message.log_term == 0) {
        // Raft answers term 0 for indexes beyond its log, so this would match a hole.
        return refuse(
            "log_term",
            format!("index {} log term {}", message.index, message.log_term),
        );
    }
    if kind == MsgAppendResponse && message.reject && message.reject_hint > message.index {
        return refuse("reject_hint", "hint above the rejected index");
    }
    Ok(())
}

fn decode_entries(
    frame: &Bytes,
    table: usize,
    count: usize,
    message: &Message,
) -> Result<Vec<Entry>, FrameError> {
    let context_ok = message.get_msg_type() != MessageType::MsgRequestVote
        || message.context.is_empty()
        || &message.context[..] == CAMPAIGN_TRANSFER;
    if !context_ok {
        return refuse("context", "unknown mark in a vote");
    }
    let Some(mut at) = count
        .checked_mul(ENTRY_HEADER_BYTES)
        .and_then(|bytes| bytes.checked_add(table))
        .filter(|end| *end <= frame.len())
    else {
        return refuse("torn", "inside the entry table");
    };
    let mut entries = Vec::with_capacity(count);
    let mut previous_term = message.log_term;
    for i in 0..count {
        let row = &frame[table + i * ENTRY_HEADER_BYTES..][..ENTRY_HEADER_BYTES];
        let term = u64_at(row, 0);
        let len = u32_at(row, 8) as usize;
        if row[12..] != [EntryType::EntryNormal as u8, 0, 0, 0] {
            return refuse("entry_type", format!("entry {i}"));
        }
        if term == 0 || term < previous_term || term > message.term {
            return refuse("entry_term", format!("entry {i} has term {term}"));
        }
        if len > MAX_PAYLOAD_BYTES {
            return refuse("oversized", format!("entry {i} has {len} bytes"));
        }
        if len > frame.len() - at {
            return refuse("torn", format!("inside entry {i}"));
        }
        previous_term = term;
        entries.push(Entry {
            index: message.index + 1 + i as u64,
            term,
            data: frame.slice(at..at + len),
            ..Entry::default()
        });
        at += len;
    }
    if at != frame.len() {
        return refuse("trailing", format!("{} bytes", frame.len() - at));
    }
    Ok(entries)
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
