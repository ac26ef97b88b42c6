//! Block: a 64-byte header and envelopes, back to back (format.md section 8).

use super::bytes::{all_zero, array_ref, u16_at, u32_at, u64_at};
use super::limits::{
    BLOCK_HEADER_BYTES, BLOCK_MAGIC, FORMAT_VERSION, MAX_BLOCK_BYTES, MAX_ENVELOPE_BYTES,
    RULES_VERSION,
};
use super::{EnvelopeView, Refusal};

/// The header of a block. `Copy`: a pointer.
#[derive(Debug, Clone, Copy)]
pub struct BlockHeader<'a>(&'a [u8; BLOCK_HEADER_BYTES]);

impl<'a> BlockHeader<'a> {
    /// The header at the start of `block`, checked by itself and against the block's length.
    ///
    /// # Errors
    /// `MALFORMED`.
    pub fn parse(block: &'a [u8]) -> Result<Self, Refusal> {
        let Some(header) = block.first_chunk::<BLOCK_HEADER_BYTES>() else {
            return Err(Refusal::malformed("shorter than a block header"));
        };
        if &header[..4] != BLOCK_MAGIC {
            return Err(Refusal::malformed("not the magic of a block"));
        }
        if u16_at(header, 4) != FORMAT_VERSION {
            return Err(Refusal::malformed("block version is not 1"));
        }
        if u16_at(header, 6) != RULES_VERSION {
            return Err(Refusal::malformed("rules version is not 1"));
        }
        if !all_zero(&header[36..]) {
            return Err(Refusal::malformed(
                "reserved bytes of the block header are not zero",
            ));
        }
        let view = Self(header);
        let length = view.envelope_bytes() as usize;
        if length > MAX_ENVELOPE_BYTES {
            return Err(Refusal::malformed("more than 1 MiB of envelopes"));
        }
        if block.len() != BLOCK_HEADER_BYTES + length {
            return Err(Refusal::malformed(
                "the block has another length than its header says",
            ));
        }
        if view.envelope_count() == 0 {
            return Err(Refusal::malformed("a block without envelopes"));
        }
        if view.first_sequence() == 0 {
            return Err(Refusal::malformed("sequence numbers start at 1"));
        }
        if view.next_sequence().is_none() || view.min_next_timestamp_ns().is_none() {
            return Err(Refusal::malformed(
                "sequence number or timestamp leaves 64 bits",
            ));
        }
        Ok(view)
    }

    /// Offset 6: the rules that apply it.
    #[inline]
    pub fn rules_version(self) -> u16 {
        u16_at(self.0, 6)
    }

    /// Offset 8: timestamp of the first record, in ns.
    #[inline]
    pub fn timestamp_ns(self) -> u64 {
        u64_at(self.0, 8)
    }

    /// Offset 16: sequence number of the first record.
    #[inline]
    pub fn first_sequence(self) -> u64 {
        u64_at(self.0, 16)
    }

    /// Offset 24: number of envelopes.
    #[inline]
    pub fn envelope_count(self) -> u32 {
        u32_at(self.0, 24)
    }

    /// Offset 28: number of records, CONTs counted.
    #[inline]
    pub fn record_count(self) -> u32 {
        u32_at(self.0, 28)
    }

    /// Offset 32: bytes of envelopes.
    #[inline]
    pub fn envelope_bytes(self) -> u32 {
        u32_at(self.0, 32)
    }

    /// Sequence number that the next block starts with; None if it leaves 64 bits, which
    /// [`Self::parse`] refuses.
    #[inline]
    pub fn next_sequence(self) -> Option<u64> {
        self.first_sequence()
            .checked_add(u64::from(self.record_count()))
    }

    /// Smallest timestamp of the next block; None as [`Self::next_sequence`].
    #[inline]
    pub fn min_next_timestamp_ns(self) -> Option<u64> {
        self.timestamp_ns()
            .checked_add(u64::from(self.record_count()))
    }
}

/// The 64 bytes in front of envelopes.
pub fn write_block_header(
    rules_version: u16,
    timestamp_ns: u64,
    first_sequence: u64,
    envelope_count: u32,
    record_count: u32,
    envelope_bytes: u32,
) -> [u8; BLOCK_HEADER_BYTES] {
    let mut out = [0; BLOCK_HEADER_BYTES];
    out[..4].copy_from_slice(BLOCK_MAGIC);
    out[4..6].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    out[6..8].copy_from_slice(&rules_version.to_le_bytes());
    out[8..16].copy_from_slice(&timestamp_ns.to_le_bytes());
    out[16..24].copy_from_slice(&first_sequence.to_le_bytes());
    out[24..28].copy_from_slice(&envelope_count.to_le_bytes());
    out[28..32].copy_from_slice(&record_count.to_le_bytes());
    out[32..36].copy_from_slice(&envelope_bytes.to_le_bytes());
    out
}

/// A block whose header, counts and envelope boundaries hold.
#[derive(Debug, Clone, Copy)]
pub struct BlockView<'a> {
    bytes: &'a [u8],
}

/// An envelope with its place in its block.
#[derive(Debug, Clone, Copy)]
pub struct BlockEnvelope<'a> {
    /// The envelope.
    pub view: EnvelopeView<'a>,
    /// Bytes from the start of the block.
    pub offset: u32,
    /// Records of the block before it.
    pub first_record: u32,
}

impl<'a> BlockView<'a> {
    /// Checks header, boundaries, header shapes and counts of all envelopes; no grid, no hash.
    ///
    /// # Errors
    /// `MALFORMED`, naming the envelope.
    pub fn parse(block: &'a [u8]) -> Result<Self, Refusal> {
        if block.len() > MAX_BLOCK_BYTES {
            return Err(Refusal::malformed("block above its largest size"));
        }
        let header = BlockHeader::parse(block)?;
        let mut rest = &block[BLOCK_HEADER_BYTES..];
        let (mut envelopes, mut records) = (0_u32, 0_u32);
        while !rest.is_empty() {
            let view = EnvelopeView::frame(rest)
                .and_then(|view| view.check_shape().map(|()| view))
                .map_err(|refusal| {
                    Refusal::malformed(format!("envelope {envelopes}: {}", refusal.detail))
                })?;
            rest = &rest[view.bytes().len()..];
            envelopes += 1;
            records += view.record_count();
        }
        if envelopes != header.envelope_count() || records != header.record_count() {
            return Err(Refusal::malformed(
                "counts in the block header do not match",
            ));
        }
        Ok(Self { bytes: block })
    }

    /// Its header.
    #[inline]
    pub fn header(self) -> BlockHeader<'a> {
        BlockHeader(array_ref(self.bytes, 0))
    }

    /// The whole block.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The envelopes in order.
    #[inline]
    pub fn envelopes(self) -> Envelopes<'a> {
        Envelopes {
            bytes: self.bytes,
            offset: BLOCK_HEADER_BYTES,
            first_record: 0,
        }
    }
}

/// Iterator over the envelopes of a block.
#[derive(Debug, Clone)]
pub struct Envelopes<'a> {
    bytes: &'a [u8],
    offset: usize,
    first_record: u32,
}

impl<'a> Iterator for Envelopes<'a> {
    type Item = BlockEnvelope<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // The boundaries were checked when the view was made: an error here is the end.
        let view = EnvelopeView::frame(&self.bytes[self.offset..]).ok()?;
        let item = BlockEnvelope {
            view,
            // A block is little more than 1 MiB.
            offset: self.offset as u32,
            first_record: self.first_record,
        };
        self.offset += view.bytes().len();
        self.first_record += view.record_count();
        Some(item)
    }
}
