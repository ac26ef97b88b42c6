//! Every bound of the Raft binding, with its reason.

/// Largest payload of one log entry. A block is at most 1 MiB plus its header; the rest is room
/// for later versions of the block.
pub const MAX_PAYLOAD_BYTES: usize = 2 << 20;

/// Largest frame between nodes: gRPC's default message limit. An append of entries that together
/// respect [`MAX_SIZE_PER_MSG`] stays far below it, even if all of them are tiny.
pub const MAX_FRAME_BYTES: usize = 4 << 20;

/// Largest `max_size_per_msg` that may be configured. With the smallest possible entries (about
/// 6 bytes as protobuf, 16 in a frame) such a message is still below [`MAX_FRAME_BYTES`].
pub const MAX_SIZE_PER_MSG: u64 = (1 << 20) + (128 << 10);

/// Longest context in a frame: a wrapped read context, or the mark of a transfer campaign.
pub const MAX_CONTEXT_BYTES: usize = 96;

/// Longest context that the caller of `read_index` may give; its wrapping must fit too.
pub const MAX_READ_CONTEXT_BYTES: usize = 64;

/// Reads that may wait for a quorum at the leader. One batched read per round trip is normal.
pub const MAX_PENDING_READS: usize = 1024;

/// Bytes of one piece of log read back from storage for a lagging peer. Raft asks on for more.
pub const FETCH_BYTES: u64 = 4 << 20;

/// Committed entries in one Ready: bounds what a restart hands out at once.
pub const MAX_COMMITTED_BYTES_PER_READY: u64 = 16 << 20;

/// Indexes and terms above this are refused: no ledger gets there, and sums cannot overflow.
pub const MAX_INDEX: u64 = 1 << 62;

/// Largest number of messages in flight to one follower that may be configured.
pub const MAX_INFLIGHT_MSGS: usize = 1024;

/// Largest election timeout that may be configured, in ticks.
pub const MAX_ELECTION_TICK: usize = 1 << 20;

/// How far a peer's term may be ahead of ours. With PreVote terms rise only by real elections, so
/// no honest gap comes near; without the bound one frame could use up all terms.
pub const MAX_TERM_JUMP: u64 = 1 << 32;
