//! One record of 128 bytes (format.md section 6): typed getters, no opinion on its content.

use super::bytes::{all_zero, array_at, array_ref, id16_at, u128_at, u16_at, u32_at, u64_at};
use super::bytes::{Hash32, Id16};
use super::limits::RECORD_BYTES;

/// The kinds of records.
pub mod kind {
    /// Registers a principal with its first key.
    pub const PRINCIPAL: u16 = 0x0101;
    /// Adds, revokes or rotates a key.
    pub const KEY: u16 = 0x0102;
    /// Registers a name.
    pub const NAME: u16 = 0x0103;
    /// Registers a set of ids.
    pub const LIST: u16 = 0x0104;
    /// Opens, freezes, unfreezes or closes an account.
    pub const ACCOUNT: u16 = 0x0105;
    /// Begins a recovery: announces a new OWNER key.
    pub const RECOVER: u16 = 0x0106;
    /// Ends a recovery that is pending.
    pub const VETO: u16 = 0x0107;
    /// Registers a unit.
    pub const UNIT: u16 = 0x0201;
    /// Issues an amount of a unit.
    pub const ISSUE: u16 = 0x0202;
    /// Takes an amount of a unit out of the world.
    pub const BURN: u16 = 0x0203;
    /// Says how far an account may go below zero.
    pub const CREDIT_LIMIT: u16 = 0x0204;
    /// Moves an amount.
    pub const TRANSFER: u16 = 0x0301;
    /// Opens a hold.
    pub const RESERVE: u16 = 0x0401;
    /// Extends a hold.
    pub const EXTEND: u16 = 0x0402;
    /// Captures from a hold, cumulatively.
    pub const CAPTURE: u16 = 0x0403;
    /// Releases a hold.
    pub const RELEASE: u16 = 0x0404;
    /// Prices a usage by a card and pays for it, in one step.
    pub const METER: u16 = 0x0405;
    /// Lets a payee meter against an account.
    pub const MANDATE: u16 = 0x0406;
    /// Ends a mandate.
    pub const MANDATE_END: u16 = 0x0407;
    /// Pays a claim, or waives it.
    pub const PAY_CLAIM: u16 = 0x0408;
    /// Opens a channel.
    pub const CHANNEL: u16 = 0x0501;
    /// Adds to the deposit of a channel.
    pub const TOP_UP: u16 = 0x0502;
    /// Redeems a voucher of a channel.
    pub const VOUCHER: u16 = 0x0503;
    /// Closes a channel.
    pub const CHANNEL_CLOSE: u16 = 0x0504;
    /// Drafts a card.
    pub const CARD: u16 = 0x0601;
    /// Adds a line to a draft.
    pub const PRICE: u16 = 0x0602;
    /// Makes a card binding.
    pub const CARD_PUBLISH: u16 = 0x0603;
    /// Sets money of a pool aside for a principal.
    pub const GRANT: u16 = 0x0701;
    /// Ends a grant.
    pub const CLAW_BACK: u16 = 0x0702;
    /// States that two principals are related, or takes it back.
    pub const RELATION: u16 = 0x0703;
    /// Bounds what is spent.
    pub const LIMIT: u16 = 0x0801;
    /// Publishes the table of a time zone.
    pub const ZONE: u16 = 0x0802;
    /// Puts a key under another.
    pub const DELEGATE: u16 = 0x0803;
    /// Revokes a key with all that is under it.
    pub const KILL: u16 = 0x0804;
    /// Gives back a part of what a record paid.
    pub const REFUND: u16 = 0x0901;
    /// Asks for a part of what a record paid.
    pub const DISPUTE: u16 = 0x0902;
    /// Answers a dispute.
    pub const DISPUTE_ANSWER: u16 = 0x0903;
    /// Gives back what a record cost above its new price.
    pub const REPRICE: u16 = 0x0904;
    /// Moves log time.
    pub const TICK: u16 = 0x0A01;
    /// Makes an account a member of its deferred unit.
    pub const JOIN: u16 = 0x0B01;
    /// Cuts a window of a deferred unit off.
    pub const WINDOW_CLOSE: u16 = 0x0B02;
    /// Pays the net positions of a closed window.
    pub const SETTLE: u16 = 0x0B03;
    /// Takes a member that cannot settle out of a closed window.
    pub const FAIL: u16 = 0x0B04;
    /// Continues the head before it.
    pub const CONT: u16 = 0xFFFF;
}

/// A record. `Copy`: a pointer to its 128 bytes.
#[derive(Debug, Clone, Copy)]
pub struct RecordView<'a>(&'a [u8; RECORD_BYTES]);

impl<'a> RecordView<'a> {
    /// A view of these bytes.
    #[inline]
    pub fn new(bytes: &'a [u8; RECORD_BYTES]) -> Self {
        Self(bytes)
    }

    /// All 128 bytes.
    #[inline]
    pub fn bytes(self) -> &'a [u8; RECORD_BYTES] {
        self.0
    }

    /// Offset 0: the kind.
    #[inline]
    pub fn kind(self) -> u16 {
        self.u16(0)
    }

    /// Offset 2: flags, by kind.
    #[inline]
    pub fn flags(self) -> u16 {
        self.u16(2)
    }

    /// Offset 4: CONT records behind this head.
    #[inline]
    pub fn cont_count(self) -> u16 {
        self.u16(4)
    }

    /// Bytes 80 to 112: hash over the CONT records, in kinds without a signature inside.
    #[inline]
    pub fn cont_hash(self) -> Hash32 {
        array_at(self.0, 80)
    }

    /// Bytes 8 to 112 of a CONT.
    #[inline]
    pub fn cont_payload(self) -> &'a [u8; 104] {
        array_ref(self.0, 8)
    }

    /// Bytes 112 to 128: the nonce, in kinds that have one.
    #[inline]
    pub fn nonce(self) -> Id16 {
        self.id16(112)
    }

    /// Byte at `offset`.
    #[inline]
    pub fn u8(self, offset: usize) -> u8 {
        self.0[offset]
    }

    /// `u16` at `offset`.
    #[inline]
    pub fn u16(self, offset: usize) -> u16 {
        u16_at(self.0, offset)
    }

    /// `u32` at `offset`.
    #[inline]
    pub fn u32(self, offset: usize) -> u32 {
        u32_at(self.0, offset)
    }

    /// `u64` at `offset`.
    #[inline]
    pub fn u64(self, offset: usize) -> u64 {
        u64_at(self.0, offset)
    }

    /// `u128` at `offset`.
    #[inline]
    pub fn u128(self, offset: usize) -> u128 {
        u128_at(self.0, offset)
    }

    /// An id at `offset`.
    #[inline]
    pub fn id16(self, offset: usize) -> Id16 {
        id16_at(self.0, offset)
    }

    /// `N` bytes at `offset`.
    #[inline]
    pub fn array<const N: usize>(self, offset: usize) -> &'a [u8; N] {
        array_ref(self.0, offset)
    }

    /// The bytes from `start` up to `end`.
    #[inline]
    pub fn slice(self, start: usize, end: usize) -> &'a [u8] {
        &self.0[start..end]
    }

    /// Whether the bytes from `start` up to `end` are all zero.
    #[inline]
    pub fn is_zero(self, start: usize, end: usize) -> bool {
        all_zero(&self.0[start..end])
    }
}

/// The records of an envelope, in order.
#[derive(Debug, Clone)]
pub struct Records<'a>(std::slice::ChunksExact<'a, u8>);

impl<'a> Records<'a> {
    /// Over a whole number of records; an odd tail is not yielded.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.chunks_exact(RECORD_BYTES))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = RecordView<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|chunk| RecordView(array_ref(chunk, 0)))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Records<'_> {}
