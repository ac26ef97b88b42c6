//! Admission: which of the envelopes that clients sent may be ordered.
//!
//! Two steps, so that junk costs little. [`Admission::new`] is cheap and needs the state: shape,
//! ledger, signer known, id not seen, times, room for another live id, grid. What it refuses is
//! never hashed. [`Admission::verify`] is costly and needs no state, so that it can run on a
//! thread of its own: signatures of all messages in common batches, roots, possessions.
//!
//! A message is envelopes back to back, at most 1 MiB. One bad envelope does not harm its
//! neighbours, unless its boundary is lost: then the envelopes before it stand, and the rest of
//! the message counts as one more envelope with code `MALFORMED`. The messages are kept as they
//! came; the envelopes that may be ordered are handed out as slices of them.
//!
//! The answer is about *this attempt*. Two envelopes with one id in one call are both let
//! through; the kernel gives the second its `DUPLICATE` when it is applied.

#[cfg(feature = "python")]
mod python;
mod screen;

#[cfg(feature = "python")]
pub use python::{register, PyAdmission};
pub use screen::{AdmissionState, Seen};

use crate::format::limits::MAX_ENVELOPE_BYTES;
use crate::format::{Code, EnvelopeView, Genesis, Hash32, Refusal};
use crate::verify::verify_envelopes;
use screen::Screen;

/// One envelope of a message, or the rest of a message behind a lost boundary.
#[derive(Debug, Clone)]
struct Entry {
    offset: usize,
    bytes: usize,
    /// 0 where the boundary was lost.
    record_count: u32,
    code: Code,
    /// First sequence number of the envelope that consumed the id; 0 if none did.
    original_sequence: u64,
    valid_until_ns: u64,
    /// For a person; empty while the code is OK.
    detail: std::borrow::Cow<'static, str>,
}

/// A message and its entries.
struct Message<M> {
    bytes: M,
    entries: Vec<Entry>,
}

/// Messages with a code for each envelope.
pub struct Admission<M> {
    messages: Vec<Message<M>>,
    ledger_id: Hash32,
    signatures: u64,
}

impl<M: AsRef<[u8]>> Admission<M> {
    /// Screens messages against the state at the moment `now_ns`.
    pub fn new(
        messages: Vec<M>,
        now_ns: u64,
        genesis: &Genesis,
        state: &impl AdmissionState,
    ) -> Self {
        let mut screen = Screen::new(now_ns, genesis, state);
        let messages = messages
            .into_iter()
            .map(|bytes| {
                let entries = screen_message(bytes.as_ref(), &mut screen);
                Message { bytes, entries }
            })
            .collect();
        Self {
            messages,
            ledger_id: genesis.ledger_id,
            signatures: 0,
        }
    }

    /// Checks all that the bytes of the envelopes still OK must prove, and sets the codes of
    /// those that fail. Returns the number of signatures checked.
    ///
    /// `secret`: 32 random bytes for the batches, unknown outside and new for each call.
    pub fn verify(&mut self, secret: &[u8; 32], threads: usize) -> u64 {
        let mut places = Vec::new();
        let mut envelopes = Vec::new();
        for (m, message) in self.messages.iter().enumerate() {
            for (e, entry) in message.entries.iter().enumerate() {
                // A boundary that was found once is found again.
                if let (Code::Ok, Ok(envelope)) = (entry.code, message.envelope(entry)) {
                    places.push((m, e));
                    envelopes.push(envelope);
                }
            }
        }
        let verdicts = verify_envelopes(&envelopes, &self.ledger_id, secret, threads);
        for ((m, e), refusal) in places.into_iter().zip(verdicts.refusals) {
            if let Some(refusal) = refusal {
                self.messages[m].entries[e].refuse(refusal);
            }
        }
        self.signatures += verdicts.signatures;
        verdicts.signatures
    }

    /// Signatures checked so far, headers and possessions.
    pub fn signatures(&self) -> u64 {
        self.signatures
    }

    /// Messages.
    pub fn message_count(&self) -> usize {
        self.messages.len()
    }

    /// Envelopes of message `m`, a lost rest counted as one.
    pub fn envelope_count(&self, m: usize) -> usize {
        self.messages[m].entries.len()
    }

    /// Code of each envelope of message `m`.
    pub fn codes(&self, m: usize) -> impl Iterator<Item = Code> + '_ {
        self.messages[m].entries.iter().map(|entry| entry.code)
    }

    /// What is wrong with envelope `e` of message `m`, for a person.
    pub fn detail(&self, m: usize, e: usize) -> &str {
        &self.messages[m].entries[e].detail
    }

    /// Records of each envelope of message `m`; 0 for a lost rest.
    pub fn record_counts(&self, m: usize) -> impl Iterator<Item = u32> + '_ {
        self.messages[m]
            .entries
            .iter()
            .map(|entry| entry.record_count)
    }

    /// First sequence number of the envelope that consumed the id, for each envelope of message
    /// `m` that is DUPLICATE or ID_CONFLICT; else 0.
    pub fn original_sequences(&self, m: usize) -> impl Iterator<Item = u64> + '_ {
        self.messages[m]
            .entries
            .iter()
            .map(|entry| entry.original_sequence)
    }

    /// Envelopes of message `m` that are OK so far.
    pub fn ok_count(&self, m: usize) -> usize {
        self.ok_entries(m).count()
    }

    /// Their records.
    pub fn ok_records(&self, m: usize) -> u32 {
        self.ok_entries(m).map(|entry| entry.record_count).sum()
    }

    /// Records of all envelopes of message `m`.
    pub fn records(&self, m: usize) -> u32 {
        self.record_counts(m).sum()
    }

    /// Smallest `valid_until` of those that are OK.
    pub fn min_valid_until_ns(&self, m: usize) -> Option<u64> {
        self.ok_entries(m).map(|entry| entry.valid_until_ns).min()
    }

    /// Largest `valid_until` of those that are OK.
    pub fn max_valid_until_ns(&self, m: usize) -> Option<u64> {
        self.ok_entries(m).map(|entry| entry.valid_until_ns).max()
    }

    /// The bytes of envelope `e` of message `m`, whatever its code.
    pub fn envelope_bytes(&self, m: usize, e: usize) -> &[u8] {
        let message = &self.messages[m];
        let entry = &message.entries[e];
        &message.bytes.as_ref()[entry.offset..entry.offset + entry.bytes]
    }

    /// The message as it came.
    pub fn message(&self, m: usize) -> &M {
        &self.messages[m].bytes
    }

    /// Whether all of message `m` is OK, so that it can be ordered as it came.
    pub fn is_whole(&self, m: usize) -> bool {
        self.codes(m).all(|code| code == Code::Ok)
    }

    /// The bytes of those envelopes of message `m` that are OK, in order.
    pub fn ok_slices(&self, m: usize) -> impl Iterator<Item = &[u8]> {
        let bytes = self.messages[m].bytes.as_ref();
        self.ok_entries(m)
            .map(move |entry| &bytes[entry.offset..entry.offset + entry.bytes])
    }

    fn ok_entries(&self, m: usize) -> impl Iterator<Item = &Entry> {
        self.messages[m]
            .entries
            .iter()
            .filter(|entry| entry.code == Code::Ok)
    }
}

impl<M: AsRef<[u8]>> Message<M> {
    fn envelope(&self, entry: &Entry) -> Result<EnvelopeView<'_>, Refusal> {
        EnvelopeView::frame(&self.bytes.as_ref()[entry.offset..entry.offset + entry.bytes])
    }
}

impl Entry {
    fn refuse(&mut self, refusal: Refusal) {
        self.code = refusal.code;
        self.detail = refusal.detail;
    }

    /// What is left of a message when a boundary is lost, or a message that is refused whole.
    fn rest(offset: usize, bytes: usize, refusal: Refusal) -> Self {
        Self {
            offset,
            bytes,
            record_count: 0,
            code: refusal.code,
            original_sequence: 0,
            valid_until_ns: 0,
            detail: refusal.detail,
        }
    }
}

fn screen_message<S: AdmissionState>(message: &[u8], screen: &mut Screen<'_, S>) -> Vec<Entry> {
    if message.len() > MAX_ENVELOPE_BYTES {
        let refusal = Refusal::new(Code::TooLarge, "a message above 1 MiB");
        return vec![Entry::rest(0, message.len(), refusal)];
    }
    if message.is_empty() {
        let refusal = Refusal::malformed("a message without envelopes");
        return vec![Entry::rest(0, 0, refusal)];
    }
    let mut entries = Vec::new();
    let mut offset = 0;
    while offset < message.len() {
        let rest = &message[offset..];
        match EnvelopeView::frame(rest) {
            Ok(envelope) => {
                entries.push(screen_envelope(envelope, offset, screen));
                offset += envelope.bytes().len();
            }
            Err(refusal) => {
                entries.push(Entry::rest(offset, rest.len(), refusal));
                break;
            }
        }
    }
    entries
}

fn screen_envelope<S: AdmissionState>(
    envelope: EnvelopeView<'_>,
    offset: usize,
    screen: &mut Screen<'_, S>,
) -> Entry {
    let mut entry = Entry {
        offset,
        bytes: envelope.bytes().len(),
        record_count: envelope.record_count(),
        code: Code::Ok,
        original_sequence: 0,
        valid_until_ns: envelope.header().valid_until_ns(),
        detail: "".into(),
    };
    match screen.check(envelope) {
        Ok(Seen::No) => {}
        Ok(Seen::Duplicate { first_sequence }) => {
            entry.code = Code::Duplicate;
            entry.original_sequence = first_sequence;
        }
        Ok(Seen::Conflict { first_sequence }) => {
            entry.code = Code::IdConflict;
            entry.original_sequence = first_sequence;
        }
        Err(refusal) => entry.refuse(refusal),
    }
    entry
}
