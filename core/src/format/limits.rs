//! Sizes and bounds of the format (`docs/format.md`), all in one place.

/// One record, in bytes.
pub const RECORD_BYTES: usize = 128;
/// The signed part of an envelope.
pub const HEADER_BYTES: usize = 192;
/// An Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;
/// Header and signature: where the records of an envelope start.
pub const RECORDS_OFFSET: usize = HEADER_BYTES + SIGNATURE_BYTES;
/// Records of one envelope: it then is exactly 1 MiB.
pub const MAX_RECORDS: usize = 8_190;
/// An envelope, or all envelopes of a block, at most.
pub const MAX_ENVELOPE_BYTES: usize = 1 << 20;
/// Smallest envelope: one record.
pub const MIN_ENVELOPE_BYTES: usize = RECORDS_OFFSET + RECORD_BYTES;
/// Most envelopes that fit in a block or message.
pub const MAX_BLOCK_ENVELOPES: usize = MAX_ENVELOPE_BYTES / MIN_ENVELOPE_BYTES;
/// The header of a block.
pub const BLOCK_HEADER_BYTES: usize = 64;
/// A block with its header, at most.
pub const MAX_BLOCK_BYTES: usize = BLOCK_HEADER_BYTES + MAX_ENVELOPE_BYTES;
/// CONT records behind one head.
pub const MAX_CONTS: usize = 64;
/// Bytes of payload in a CONT record (8 to 112).
pub const CONT_PAYLOAD_BYTES: usize = 104;
/// A leaf of the log tree.
pub const LEAF_BYTES: usize = 344;
/// A result.
pub const RESULT_BYTES: usize = 16;
/// An effect.
pub const EFFECT_BYTES: usize = 128;
/// What an earlier record moved, for a block that cites it.
pub const CITATION_BYTES: usize = 208;
/// Records that are looked up for one block.
pub const MAX_CITED: usize = 256;
/// What stands before the signed bytes of a quote, and before those that make its id.
pub const QUOTE_PREFIX: &[u8] = b"tallystick/quote/v1\0";
/// Lines of a quote.
pub const MAX_QUOTE_LINES: usize = 16;
/// Quotes for one principal that were redeemed and are remembered.
pub const MAX_QUOTES: u32 = 64;
/// The longest time until the end of a quote, when it is redeemed.
pub const MAX_QUOTE_NS: u64 = 400 * 86_400_000_000_000;
/// How long a recovery can be vetoed: 72 hours to 30 days.
pub const RECOVERY_RANGE_NS: std::ops::RangeInclusive<u64> =
    72 * 3_600 * SECOND_NS..=30 * 86_400 * SECOND_NS;
/// What stands before the signed bytes of an exchange quote, and before those that make its id.
pub const EXCHANGE_PREFIX: &[u8] = b"tallystick/exchange/v1\0";
/// Exchange quotes of one maker that were taken and are not over.
pub const MAX_EXCHANGES: u32 = 1_024;
/// The longest time until the end of an exchange quote, when it is taken.
pub const MAX_EXCHANGE_NS: u64 = 400 * 86_400_000_000_000;
/// The longest life of a mandate.
pub const MAX_MANDATE_NS: u64 = 400 * 86_400_000_000_000;
/// Mandates against the accounts of one principal that are remembered.
pub const MAX_MANDATES: u32 = 1_024;
/// How long a record can be corrected: 90 days.
pub const CORRECTION_WINDOW_NS: u64 = 90 * 86_400 * SECOND_NS;
/// Highest maximum debit of a member: no column nears 128 bits by netting.
pub const MAX_DEBIT: u128 = 1 << 80;
/// Members of a deferred unit.
pub const MAX_MEMBERS: usize = 256;
/// Settled windows of a deferred unit whose figures are kept.
pub const MAX_SETTLED_WINDOWS: usize = 32;
/// How far an envelope id's time of making may lie ahead of log time.
pub const ID_FUTURE_TOLERANCE_NS: u64 = 5_000_000_000;

/// Fixed part of the genesis.
pub const GENESIS_FIXED_BYTES: usize = 320;
/// One node of the genesis.
pub const GENESIS_NODE_BYTES: usize = 128;
/// Operators of a genesis.
pub const MAX_OPERATORS: usize = 16;
/// Nodes of a genesis.
pub const MAX_NODES: usize = 9;
/// Longest origin; the field has one byte more.
pub const MAX_ORIGIN_BYTES: usize = 63;
/// Largest Raft id of a node.
pub const MAX_RAFT_ID: u64 = 65_535;

const SECOND_NS: u64 = 1_000_000_000;
/// How long after its expiry a hold with a debt limit takes its last CAPTURE.
pub const LATE_CAPTURE_NS: u64 = 600 * SECOND_NS;
/// Bounds of the genesis' `max_lifetime_ns`: one second to one hour.
pub const MAX_LIFETIME_RANGE_NS: std::ops::RangeInclusive<u64> = SECOND_NS..=3_600 * SECOND_NS;
/// Bounds of the genesis' `reference_window_ns`: one second to 400 days.
pub const REFERENCE_WINDOW_RANGE_NS: std::ops::RangeInclusive<u64> =
    SECOND_NS..=400 * 86_400 * SECOND_NS;
/// The genesis' `hold_max_lifetime_ns` is at least a second.
pub const MIN_HOLD_MAX_LIFETIME_NS: u64 = SECOND_NS;

/// Version of genesis, envelope, block and leaf.
pub const FORMAT_VERSION: u16 = 1;
/// The only rules there are so far.
pub const RULES_VERSION: u16 = 1;
/// Ed25519 by section 2.
pub const ALGORITHM_ED25519: u16 = 1;
/// Envelope flag: all records or none.
pub const FLAG_ATOMIC: u16 = 1;

/// Magic of a genesis.
pub const GENESIS_MAGIC: &[u8; 4] = b"TSG1";
/// Magic of an envelope.
pub const ENVELOPE_MAGIC: &[u8; 4] = b"TSE1";
/// Magic of a block.
pub const BLOCK_MAGIC: &[u8; 4] = b"TSB1";
/// What stands before the header in the signed bytes of an envelope.
pub const ENVELOPE_PREFIX: &[u8] = b"tallystick/envelope/v1\0";
/// What stands before derived ids.
pub const OBJECT_PREFIX: &[u8] = b"tallystick/object/v1\0";
/// What stands before the ledger id and a zone's name in its id.
pub const ZONE_PREFIX: &[u8] = b"tallystick/zone/v1\0";
/// What stands before the CONT records in the hash of a head.
pub const CONT_PREFIX: &[u8] = b"tallystick/cont/v1\0";
/// What stands before the net positions in the hash of a SETTLE.
pub const POSITIONS_PREFIX: &[u8] = b"tallystick/positions/v1\0";
/// What stands before the rows in the state digest.
pub const STATE_PREFIX: &[u8] = b"tallystick/state/v1\0";
