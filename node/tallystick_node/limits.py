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
# For TLS and HTTP/2 to be agreed on; nobody who is not a peer keeps a connection for longer.
PEER_HANDSHAKE_TIMEOUT_MS: Final = 5_000
# A peer opens one on each of its connections; a former one may not have ended yet.
MAX_PEER_STREAMS: Final = 4

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
# Messages between arrival and answer; above, clients are told to come back. Each is charged for
# what it costs besides its bytes, so that many small ones are bounded, too.
MAX_IN_FLIGHT_BYTES: Final = 64 * _MIB
MESSAGE_OVERHEAD_BYTES: Final = 2 * _KIB
RETRY_AFTER_MS: Final = 50
# One verification batch; a small one is verified on the loop, since a thread hop costs more.
MAX_VERIFY_BATCH_BYTES: Final = 2 * _MIB
SMALL_VERIFY_BYTES: Final = 1024
# Of a message of a stranger so many signatures are checked first, each alone: half a millisecond.
STRANGER_SAMPLE: Final = 8
# A message of a stranger above that is verified in a batch of its own.
STRANGER_ALONE_BYTES: Final = 4 * _KIB
# What is read to tell one message how its envelopes were answered before, and for how long ids are
# looked up for it; a block counts for at least the smaller figure. The rest is told to come back.
MAX_ORIGINAL_BYTES: Final = 16 * _MIB
MIN_BLOCK_COST_BYTES: Final = 64 * _KIB
MAX_ID_LOOKUP_S: Final = 0.05
# The kernel may know an envelope a moment before its rows can be read.
ORIGINAL_WAIT_S: Final = 10.0

# --- the history index ----------------------------------------------------------------------------

# Records whose postings are gathered in memory before they are packed: 8 bytes a posting, two or so
# a record. More makes runs that need less merging, and a longer piece of memory to search.
HISTORY_CHUNK_RECORDS: Final = 1 << 19
# Chunks on their way to disk. Above, applying waits: so far may the index be behind.
HISTORY_CHUNKS_WAITING: Final = 4
# So many runs of a level become one of the next. Above the highest level (with 2^19 and 8 that is
# 268 million records) they stay as they are, so that no merge takes for ever.
HISTORY_FANOUT: Final = 8
MAX_HISTORY_LEVEL: Final = 4
# Pages (of about 32 KiB) in one write. A write holds the GIL, and may wait for a sync under way:
# fewer and larger ones cost the event loop less.
HISTORY_PAGES_A_WRITE: Final = 64
# Of one answer: records, and the bytes after which no further record is added. One record may bring
# the effects of 10,000 swept holds along, so an answer stays below 2.5 MiB.
MAX_PAGE_RECORDS: Final = 1_000
DEFAULT_PAGE_RECORDS: Final = 100
MAX_PAGE_BYTES: Final = 1 * _MIB
# Log read for one answer, and records looked at for one that are filtered: then it says where to go
# on, however little was found.
MAX_PAGE_BLOCK_BYTES: Final = 32 * _MIB
MAX_PAGE_CANDIDATES: Final = 4_096
# Searches at the same time; the others wait.
HISTORY_READERS: Final = 2
# Watches at the same time, how long one waits after an answer for more to gather, and how often it
# hears that nothing has come.
MAX_WATCHES: Final = 256
WATCH_INTERVAL_S: Final = 0.1
WATCH_PROGRESS_S: Final = 5.0

# --- clients --------------------------------------------------------------------------------------

# Connections to the client port; further ones are closed as they come. Fewer where the system does
# not allow the process so many files beside its own: those of the store, peers, metrics.
MAX_CONNECTIONS: Final = 8_192
OWN_FILES: Final = 768
# Of one connection; the client queues the rest. Enough for a process full of lone callers.
MAX_CONNECTION_STREAMS: Final = 100
# A connection that has not said hello by then is closed.
HANDSHAKE_TIMEOUT_MS: Final = 10_000
# A connection without a call for that long is closed.
IDLE_CONNECTION_MS: Final = 15 * 60 * 1000
# No connection is older: it is told to go, and closed with what is still open on it after the
# grace. That ends what nothing else can: a call whose client takes no answer and stays.
MAX_CONNECTION_AGE_MS: Final = 60 * 60 * 1000
CONNECTION_GRACE_MS: Final = 60_000
# A silent connection is asked whether it is still there, and closed without an answer.
CLIENT_KEEPALIVE_MS: Final = 60_000
CLIENT_KEEPALIVE_TIMEOUT_MS: Final = 20_000
# Clients may ask as often, also between calls; those who ask more often are sent away.
CLIENT_PING_INTERVAL_MS: Final = 10_000
# Call metadata: a read token has some hundred bytes.
MAX_METADATA_BYTES: Final = 8 * _KIB
# What a stream may have sent without being read. While a message is read, gRPC widens the window
# to that message by itself; more would only be memory that clients fill (measured: 16 MiB here let
# 60 streams hold 940 MiB, and moved 1.2 GiB/s; this moves 2 GiB/s).
UNREAD_STREAM_BYTES: Final = 64 * _KIB
CLIENT_SERVER_OPTIONS: Final = (
    # The message of a Submit, its overhead and room: gRPC's own limit is the last line of defence.
    ("grpc.max_receive_message_length", MAX_BLOCK_BODY_BYTES + 4 * _KIB),
    ("grpc.max_send_message_length", 16 * _MIB),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", 2 * MAX_METADATA_BYTES),
    ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
    ("grpc.max_concurrent_streams", MAX_CONNECTION_STREAMS),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_MS),
    ("grpc.max_connection_idle_ms", IDLE_CONNECTION_MS),
    ("grpc.max_connection_age_ms", MAX_CONNECTION_AGE_MS),
    ("grpc.max_connection_age_grace_ms", CONNECTION_GRACE_MS),
    ("grpc.keepalive_time_ms", CLIENT_KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", CLIENT_KEEPALIVE_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", CLIENT_PING_INTERVAL_MS),
    ("grpc.http2.max_frame_size", 1 * _MIB),
    ("grpc.http2.lookahead_bytes", UNREAD_STREAM_BYTES),
    ("grpc.http2.write_buffer_size", 1 * _MIB),
    ("grpc.http2.bdp_probe", 0),
    # Two processes on one port would each get half of the clients.
    ("grpc.so_reuseport", 0),
)
# A call whose request has not arrived by then is ended: 1 MiB in that time is a slow line.
REQUEST_TIMEOUT_S: Final = 20.0
# A stream without a message for that long is ended; its client opens another when it needs one.
STREAM_IDLE_S: Final = 300.0
# Calls of a barred connection are answered only after that, which slows down who does not care.
BARRED_DELAY_S: Final = 1.0
# Messages of one stream between arrival and answer; beyond, the stream is not read.
STREAM_WINDOW: Final = 8
# Rows of one read. The largest answers are of GetCards, 3.1 MiB, and GetHolds with terms, 2.7 MiB:
# within the 4 MiB that a client takes.
MAX_READ_IDS: Final = 8_192
# Zones of one read, 848 bytes each.
MAX_READ_ZONES: Final = 64
# Lines of one answer: all that a card may have, 736 KiB.
MAX_READ_LINES: Final = 4_096
# Names of one answer, each up to 292 bytes and looked up for itself.
MAX_READ_NAMES: Final = 1_024
# Rows of mandates, claims or disputes in one answer, up to 136 bytes each: half a message.
MAX_READ_ROWS: Final = 4_096
# Grants in one answer, 336 bytes each with their accounts.
MAX_READ_GRANTS: Final = 1_024
# A read's request: so many ids and a little. More is refused before it is hashed.
MAX_READ_REQUEST_BYTES: Final = MAX_READ_IDS * 16 + 1 * _KIB
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
# Messages with bad signatures, or so many of those, after which nothing more is taken from a
# connection: a gateway may pass on some of others' mistakes.
MAX_STRIKES: Final = 8
MAX_BAD_SIGNATURES: Final = 256
STRIKES_FORGOTTEN_S: Final = 60.0
# Connections of which is known what they have shown; beyond, the oldest are forgotten.
MAX_TRACKED_CONNECTIONS: Final = 65_536
# Calls in progress on the client port, shared by its connections: each may hold a message that has
# partly arrived. Above, and above the share, calls are turned away: see there.
MAX_OPEN_CALLS: Final = 2_048
# So many of them are read first, to be answered in full: at most as many MiB.
MAX_TURNED_AWAY: Final = 64
# The same, of gRPC itself, with room for those that are about to be refused.
MAX_CONCURRENT_CALLS: Final = 8_192
# A client that took an answer of a stream later than that is cut off.
ANSWER_WRITE_TIMEOUT_S: Final = 20.0
