//! A page: postings of some accounts, ascending by account, then by sequence number.
//!
//! All integers little-endian:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 2 | version = 1 |
//! | 2 | 2 | reserved |
//! | 4 | 4 | entry count n, at least 1 |
//! | 8 | 8 | base: no sequence number on the page is below it |
//! | 16 | 20 × n | directory: account (16), u32 offset of its body from the start of the page |
//! | … | … | bodies, back to back, the last one up to the end of the page |
//!
//! Body: varint count (at least 1); one byte 0 and the tag of all, or one byte 1; varint of the
//! first sequence number less the base, then varints of each step to the next one (at least 1);
//! with a 1, as many bytes of tags. Varints are LEB128. A page is the node's own bytes, but disks
//! rot: nothing here trusts an offset or a count.

use crate::format::{id16_at, u16_at, u32_at, u64_at, Id16};

pub const VERSION: u16 = 1;
pub const HEADER_BYTES: usize = 16;
pub const ENTRY_BYTES: usize = 20;
pub const UNIFORM: u8 = 0;
pub const EACH: u8 = 1;

/// A page that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a page of the history index is damaged: {0}")]
pub struct PageError(pub &'static str);

/// Appends a LEB128 varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
fn take_varint(bytes: &mut &[u8]) -> Result<u64, PageError> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let Some((&byte, rest)) = bytes.split_first() else {
            return Err(PageError("a number is cut off"));
        };
        *bytes = rest;
        if shift == 63 && byte > 1 || shift > 63 {
            return Err(PageError("a number leaves 64 bits"));
        }
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
        shift += 7;
    }
}

/// A page whose header and directory were checked.
#[derive(Debug, Clone, Copy)]
pub struct PageView<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> PageView<'a> {
    /// # Errors
    /// [`PageError`]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PageError> {
        if bytes.len() < HEADER_BYTES {
            return Err(PageError("shorter than its header"));
        }
        if u16_at(bytes, 0) != VERSION || u16_at(bytes, 2) != 0 {
            return Err(PageError("unknown version"));
        }
        let count = u32_at(bytes, 4) as usize;
        let directory = count.checked_mul(ENTRY_BYTES);
        let bodies = directory.and_then(|size| size.checked_add(HEADER_BYTES));
        match bodies {
            Some(bodies) if count > 0 && bodies <= bytes.len() => Ok(Self { bytes, count }),
            _ => Err(PageError("its directory does not fit")),
        }
    }

    /// Number of accounts.
    pub fn count(self) -> usize {
        self.count
    }

    fn base(self) -> u64 {
        u64_at(self.bytes, 8)
    }

    /// The account of entry `index`, below `count`.
    #[inline]
    pub fn account(self, index: usize) -> Id16 {
        id16_at(self.bytes, HEADER_BYTES + index * ENTRY_BYTES)
    }

    /// The entry of an account, if it has one here.
    pub fn find(self, account: &Id16) -> Option<usize> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.account(middle) < *account {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low < self.count && self.account(low) == *account).then_some(low)
    }

    fn offset(self, index: usize) -> usize {
        if index == self.count {
            return self.bytes.len();
        }
        u32_at(self.bytes, HEADER_BYTES + index * ENTRY_BYTES + 16) as usize
    }

    /// Calls with (sequence number, tag) of each posting of entry `index`, ascending.
    ///
    /// # Errors
    /// [`PageError`]; some calls may have been made.
    pub fn each(self, index: usize, mut call: impl FnMut(u64, u8)) -> Result<(), PageError> {
        let body = self.bytes.get(self.offset(index)..self.offset(index + 1));
        let mut body = body.ok_or(PageError("an entry leaves the page"))?;
        let count = take_varint(&mut body)? as usize;
        let (&form, rest) = body.split_first().ok_or(PageError("an entry is cut off"))?;
        body = rest;
        if count == 0 || count > body.len() {
            return Err(PageError("an entry has another length than it says"));
        }
        let (uniform, tags) = match form {
            UNIFORM => {
                let tag = body[0];
                body = &body[1..];
                (tag, &[][..])
            }
            EACH => {
                let (deltas, tags) = body.split_at(body.len() - count);
                body = deltas;
                (0, tags)
            }
            _ => return Err(PageError("an entry of unknown form")),
        };
        let mut sequence = self.base();
        for position in 0..count {
            let step = take_varint(&mut body)?;
            if position > 0 && step == 0 {
                return Err(PageError("a sequence number stands twice"));
            }
            sequence = sequence
                .checked_add(step)
                .ok_or(PageError("a sequence number leaves 64 bits"))?;
            call(sequence, tags.get(position).copied().unwrap_or(uniform));
        }
        if body.is_empty() {
            Ok(())
        } else {
            Err(PageError("bytes behind an entry"))
        }
    }
}
