//! Envelope: header, signature, records (format.md section 5).
//!
//! Parsing has two steps, because a stream of envelopes can survive one bad envelope but not a
//! lost boundary. [`EnvelopeView::frame`] finds where the envelope ends (magic, version, record
//! count, length); [`EnvelopeView::check_shape`] judges the rest of the fixed header fields.

use sha2::{Digest, Sha256};

use super::bytes::{all_zero, array_ref, id16_at, u128_at, u16_at, u32_at, u64_at};
use super::bytes::{Hash32, Id16, Key32};
use super::limits::{
    ALGORITHM_ED25519, ENVELOPE_MAGIC, FLAG_ATOMIC, FORMAT_VERSION, HEADER_BYTES, MAX_RECORDS,
    RECORDS_OFFSET, RECORD_BYTES, SIGNATURE_BYTES,
};
use super::record::{RecordView, Records};
use super::{Code, Refusal};

const NS_PER_MS: u64 = 1_000_000;

/// The 192 signed bytes. `Copy`: a pointer.
#[derive(Debug, Clone, Copy)]
pub struct EnvelopeHeader<'a>(&'a [u8; HEADER_BYTES]);

impl<'a> EnvelopeHeader<'a> {
    /// A view of these bytes, unchecked.
    #[inline]
    pub fn new(bytes: &'a [u8; HEADER_BYTES]) -> Self {
        Self(bytes)
    }

    /// All 192 bytes.
    #[inline]
    pub fn bytes(self) -> &'a [u8; HEADER_BYTES] {
        self.0
    }

    /// Offset 6: flags.
    #[inline]
    pub fn flags(self) -> u16 {
        u16_at(self.0, 6)
    }

    /// Flag bit 0: all records or none.
    #[inline]
    pub fn is_atomic(self) -> bool {
        self.flags() & FLAG_ATOMIC != 0
    }

    /// Offset 8: signature algorithm.
    #[inline]
    pub fn algorithm(self) -> u16 {
        u16_at(self.0, 8)
    }

    /// Offset 12: number of records.
    #[inline]
    pub fn record_count(self) -> u32 {
        u32_at(self.0, 12)
    }

    /// Bytes 16 to 48: the ledger.
    #[inline]
    pub fn ledger_id(self) -> &'a Hash32 {
        array_ref(self.0, 16)
    }

    /// Bytes 48 to 80: the signer's public key.
    #[inline]
    pub fn signer(self) -> &'a Key32 {
        array_ref(self.0, 48)
    }

    /// Bytes 80 to 96: the envelope id.
    #[inline]
    pub fn envelope_id(self) -> Id16 {
        id16_at(self.0, 80)
    }

    /// The envelope id as the integer that it is.
    #[inline]
    pub fn envelope_id_u128(self) -> u128 {
        u128_at(self.0, 80)
    }

    /// When the id was made, in ns (section 4). At most 2^48 ms, so it may leave 64 bits:
    /// `u64::MAX` then, which no `valid_until` and no block timestamp can meet.
    #[inline]
    pub fn id_time_ns(self) -> u64 {
        // The shift leaves 48 bits.
        let milliseconds = (self.envelope_id_u128() >> 80) as u64;
        milliseconds.saturating_mul(NS_PER_MS)
    }

    /// Offset 96: last moment at which it may be ordered, in ns.
    #[inline]
    pub fn valid_until_ns(self) -> u64 {
        u64_at(self.0, 96)
    }

    /// Bytes 104 to 136: tree hash of the records.
    #[inline]
    pub fn records_root(self) -> &'a Hash32 {
        array_ref(self.0, 104)
    }

    /// What tells "the same envelope": `H(header)`.
    pub fn digest(self) -> Hash32 {
        Sha256::digest(self.0).into()
    }

    /// Section 4: `id_time_ns <= valid_until <= id_time_ns + max_lifetime_ns`.
    #[inline]
    pub fn id_time_fits(self, max_lifetime_ns: u64) -> bool {
        let made = self.id_time_ns();
        let until = self.valid_until_ns();
        // Overflowing makers are u64::MAX and only fit an equal valid_until: refuse them too.
        made != u64::MAX && made <= until && until - made <= max_lifetime_ns
    }
}

/// A whole envelope whose boundary is known.
#[derive(Debug, Clone, Copy)]
pub struct EnvelopeView<'a> {
    bytes: &'a [u8],
}

impl<'a> EnvelopeView<'a> {
    /// The envelope at the start of `bytes`, which may go on behind it.
    ///
    /// # Errors
    /// `MALFORMED` when its end cannot be told: too short, another magic or version, a record
    /// count outside 1 to 8,190.
    pub fn frame(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(Refusal::malformed("shorter than an envelope header"));
        };
        if &header[..4] != ENVELOPE_MAGIC {
            return Err(Refusal::malformed("not the magic of an envelope"));
        }
        if u16_at(header, 4) != FORMAT_VERSION {
            return Err(Refusal::malformed("envelope version is not 1"));
        }
        let records = EnvelopeHeader(header).record_count() as usize;
        if records == 0 || records > MAX_RECORDS {
            return Err(Refusal::malformed("record count outside 1 to 8190"));
        }
        match bytes.get(..RECORDS_OFFSET + records * RECORD_BYTES) {
            Some(bytes) => Ok(Self { bytes }),
            None => Err(Refusal::malformed("records are cut off")),
        }
    }

    /// An envelope that is exactly `bytes`.
    ///
    /// # Errors
    /// `MALFORMED` as [`Self::frame`] and [`Self::check_shape`], or when bytes follow it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let view = Self::frame(bytes)?;
        if view.bytes.len() != bytes.len() {
            return Err(Refusal::malformed("bytes behind the last record"));
        }
        view.check_shape()?;
        Ok(view)
    }

    /// The header fields that do not bear on the boundary: flags, algorithm, reserved bytes.
    ///
    /// # Errors
    /// `MALFORMED`.
    pub fn check_shape(self) -> Result<(), Refusal> {
        let header = self.header();
        if header.flags() & !FLAG_ATOMIC != 0 {
            return Err(Refusal::malformed("unknown envelope flags"));
        }
        if header.algorithm() != ALGORITHM_ED25519 {
            return Err(Refusal::malformed("unknown signature algorithm"));
        }
        if u16_at(self.bytes, 10) != 0 || !all_zero(&self.bytes[136..HEADER_BYTES]) {
            return Err(Refusal::malformed(
                "reserved bytes of the envelope header are not zero",
            ));
        }
        Ok(())
    }

    /// Section 4, both rules on ledger id and id time.
    ///
    /// # Errors
    /// `WRONG_LEDGER`, `BAD_ID_TIME`.
    pub fn check_binding(self, ledger_id: &Hash32, max_lifetime_ns: u64) -> Result<(), Refusal> {
        if self.header().ledger_id() != ledger_id {
            return Err(Refusal::new(
                Code::WrongLedger,
                "envelope of another ledger",
            ));
        }
        if !self.header().id_time_fits(max_lifetime_ns) {
            return Err(Refusal::new(
                Code::BadIdTime,
                "valid_until is before the id's time or too long after it",
            ));
        }
        Ok(())
    }

    /// The whole envelope.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The signed header.
    #[inline]
    pub fn header(self) -> EnvelopeHeader<'a> {
        EnvelopeHeader(array_ref(self.bytes, 0))
    }

    /// The signature over prefix and header.
    #[inline]
    pub fn signature(self) -> &'a [u8; SIGNATURE_BYTES] {
        array_ref(self.bytes, HEADER_BYTES)
    }

    /// All records, back to back.
    #[inline]
    pub fn records_bytes(self) -> &'a [u8] {
        &self.bytes[RECORDS_OFFSET..]
    }

    /// Number of records.
    #[inline]
    pub fn record_count(self) -> u32 {
        self.header().record_count()
    }

    /// The records in order.
    #[inline]
    pub fn records(self) -> Records<'a> {
        Records::new(self.records_bytes())
    }

    /// The record at `index`, below `record_count`.
    #[inline]
    pub fn record(self, index: usize) -> RecordView<'a> {
        RecordView::new(array_ref(self.records_bytes(), index * RECORD_BYTES))
    }
}
