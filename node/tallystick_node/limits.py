"""Every bound of a node, each with its reason.

Bounds of the format are in tallystick_ledger.limits.
"""

from typing import Final

_KIB: Final = 1024
_MIB: Final = 1024 * 1024

# --- between nodes ------------------------------------------------------------------------------

# Largest frame that is sent or taken: gRPC's default limit, and the core's own.
MAX_FRAME_BYTES: Final = 4 * _MIB
# What waits to be sent to one peer. Raft bounds what is in flight by messages (16 of about 1 MiB);
# a queue that is full drops, and Raft sends again.
MAX_BULK_QUEUE_BYTES: Final = 32 * _MIB
MAX_CONTROL_QUEUE_BYTES: Final = 1 * _MIB
# What one peer may have waiting here for its check or step; its stream is not read above that.
MAX_UNSTEPPED_BYTES: Final = 16 * _MIB
# The first reconnect comes soon, because most breaks are restarts; then ever slower.
RECONNECT_FIRST_S: Final = 0.05
RECONNECT_LONGEST_S: Final = 1.0
# A peer that neither accepts nor refuses a stream within that is dialled again.
STREAM_OPEN_TIMEOUT_S: Final = 5.0
# What both sides do with a silent connection; Raft notices long before.
KEEPALIVE_MS: Final = 10_000
KEEPALIVE_TIMEOUT_MS: Final = 5_000

# --- consensus ------------------------------------------------------------------------------------

# Appends in flight to one peer; a message is about 1 MiB and there is no bound in bytes.
MAX_SIZE_PER_MESSAGE: Final = 1 * _MIB
# A read that no quorum confirmed in that time is answered with an error; a leader change is over.
READ_INDEX_TIMEOUT_S: Final = 3.0
# One that was lost with a message or a leader is asked for again after that.
READ_INDEX_RETRY_S: Final = 0.2
# Leading without a commit for that long while something waits: step down and let another try.
STALLED_LEADER_S: Final = 10.0
# A node that lost leadership that way, or whose clock is off, stands for no election for that long.
NO_CAMPAIGN_S: Final = 30.0
# Logged at most that often for each kind of alarm and peer; the counters count all.
ALARM_LOG_INTERVAL_S: Final = 1.0
# Evidence files of blocks that failed their check; more of them prove nothing more.
MAX_EVIDENCE_FILES: Final = 16
# How long a stopping leader waits for its successor.
TRANSFER_TIMEOUT_S: Final = 2.0

# --- storage --------------------------------------------------------------------------------------

# Measured: larger write buffers cost page faults, smaller ones more flushes.
LOG_WRITE_BUFFER_BYTES: Final = 64 * _MIB
TABLE_WRITE_BUFFER_BYTES: Final = 16 * _MIB
# Old WAL files are released once all families are flushed; this forces the small ones along.
MAX_WAL_BYTES: Final = 512 * _MIB
# One piece of log read at a time.
READ_CHUNK_BYTES: Final = 4 * _MIB
# One group of writes under a single sync; bounds the memory of a batch.
MAX_GROUP_BYTES: Final = 16 * _MIB
# A checkpoint is written in pieces so that hashing and writing overlap with other threads.
CHECKPOINT_CHUNK_BYTES: Final = 4 * _MIB
# The newest and the one before it, should the newest turn out damaged.
CHECKPOINTS_KEPT: Final = 2
# The power-of-two span of envelope id times (ms) that one row of the id index may cover. A lookup
# reads the keys of one span.
ID_SPAN_BITS: Final = 13

# --- the leader's write path ----------------------------------------------------------------------

# Half an entry waits for nobody; up to three such are uncommitted at once (window of bulk load).
BULK_BLOCK_BYTES: Final = 512 * _KIB
BULK_ENTRIES_IN_FLIGHT: Final = 3
# After a group of more messages than that, the next one waits that long for company.
GROUP_WAIT_ABOVE: Final = 3
GROUP_WAIT_S: Final = 0.005
# What one block holds besides its header.
MAX_BLOCK_BODY_BYTES: Final = 1 * _MIB
# Messages between arrival and answer, in bytes and in number; above, clients are told to come back.
MAX_IN_FLIGHT_BYTES: Final = 64 * _MIB
MAX_WAITING_MESSAGES: Final = 16_384
RETRY_AFTER_MS: Final = 50
# One verification batch; a small one is verified on the loop, since a thread hop costs more.
MAX_VERIFY_BATCH_BYTES: Final = 2 * _MIB
SMALL_VERIFY_BYTES: Final = 1024

# --- clients --------------------------------------------------------------------------------------

# The message of a Submit, its overhead and room: gRPC's own limit is the last line of defence.
CLIENT_SERVER_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_BLOCK_BODY_BYTES + 4 * _KIB),
    ("grpc.max_send_message_length", 16 * _MIB),
    ("grpc.http2.max_frame_size", 1 * _MIB),
    ("grpc.http2.lookahead_bytes", 16 * _MIB),
    ("grpc.http2.write_buffer_size", 1 * _MIB),
    ("grpc.http2.bdp_probe", 0),
)
# Messages of one stream between arrival and answer; beyond, the stream is not read.
STREAM_WINDOW: Final = 8
# Rows of one read; a response stays near 1 MiB.
MAX_READ_IDS: Final = 8_192
# How long a read waits for a quorum and for this node to catch up.
READ_TIMEOUT_S: Final = 5.0
# How long a stopping node lets calls in progress end.
STOP_GRACE_S: Final = 1.0

# --- log time and checkpoints ---------------------------------------------------------------------

# An idle leader looks that often whether log time has to move on.
TICK_CHECK_S: Final = 0.5
# `valid_until` of a tick's envelope; what was not ordered by then is not needed any more.
TICK_LIFETIME_NS: Final = 60_000_000_000
# Log applied between two checkpoints of state: replaying that much takes about ten seconds.
CHECKPOINT_EVERY_BYTES: Final = 256 * _MIB
# ... and at least so many times the size of the last one, so that writing them stays a small share.
CHECKPOINT_SIZE_FACTOR: Final = 4

# --- fairness -------------------------------------------------------------------------------------

# What a party may send in one round while others wait too: small messages go several at a time,
# one of 1 MiB waits for sixteen rounds.
FAIR_QUANTUM_BYTES: Final = 64 * _KIB
# Of one connection between arrival and answer, before anything of it is verified.
MAX_CONNECTION_BYTES: Final = 16 * _MIB
# Of one signer between verification and ordering: it gets no more of the node by more connections.
MAX_SIGNER_BYTES: Final = 24 * _MIB
# Messages with bad signatures after which nothing more is taken from a connection.
MAX_STRIKES: Final = 8
# Connections with something in flight or a strike; beyond, the oldest strikes are forgotten.
MAX_TRACKED_CONNECTIONS: Final = 65_536
# Calls in progress on the client port; further ones are told RESOURCE_EXHAUSTED by gRPC.
MAX_CONCURRENT_CALLS: Final = 8_192
# A client that takes no answer for that long is cut off.
ANSWER_WRITE_TIMEOUT_S: Final = 20.0
# A connection without a call for that long is closed.
IDLE_CONNECTION_MS: Final = 15 * 60 * 1000
