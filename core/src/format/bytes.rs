//! Little-endian reads at fixed offsets.
//!
//! The callers hold views whose length is known; an offset outside is a bug, not bad input, and
//! panics as any slice index does.

/// An id of 16 bytes; all zero means "none".
pub type Id16 = [u8; 16];
/// A SHA-256 hash.
pub type Hash32 = [u8; 32];
/// An Ed25519 public key.
pub type Key32 = [u8; 32];

/// "None".
pub const ZERO_ID: Id16 = [0; 16];

/// `N` bytes at `offset`.
#[inline]
pub(crate) fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[offset..offset + N]);
    out
}

/// A borrowed array of `N` bytes at `offset`.
#[inline]
pub(crate) fn array_ref<const N: usize>(bytes: &[u8], offset: usize) -> &[u8; N] {
    match bytes[offset..].first_chunk() {
        Some(array) => array,
        None => panic!("offset {offset} + {N} outside of {} bytes", bytes.len()),
    }
}

/// `u16` at `offset`.
#[inline]
pub fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, offset))
}

/// `u32` at `offset`.
#[inline]
pub fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, offset))
}

/// `u64` at `offset`.
#[inline]
pub fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, offset))
}

/// `u128` at `offset`.
#[inline]
pub fn u128_at(bytes: &[u8], offset: usize) -> u128 {
    u128::from_le_bytes(array_at(bytes, offset))
}

/// An id at `offset`.
#[inline]
pub fn id16_at(bytes: &[u8], offset: usize) -> Id16 {
    array_at(bytes, offset)
}

/// Whether all bytes are zero.
#[inline]
pub(crate) fn all_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |acc, byte| acc | byte) == 0
}
