"""Every bound, size and default of the SDK, each with its reason."""

from typing import Final

# One Submit message. What the format and the interface allow; measured as gRPC's best size.
MAX_MESSAGE_BYTES: Final = 1 << 20
# gRPC's own limits on one message, ours plus the protobuf frame and the largest answer: a message
# of 8,190 refusals carries 131,040 bytes of results, GetEnvelope an envelope with its effects.
MAX_GRPC_MESSAGE_BYTES: Final = 4 << 20

# Messages on their way to a node at once. Three keep it busy while answers travel back; more only
# wait in its queue (measured: 1, 3, 8 in flight give 0.65, 1.1, 1.1 M transfers a second).
MESSAGES_IN_FLIGHT: Final = 3
STREAM_WINDOW: Final = 3
# Envelopes that wait in the SDK for their turn. A caller that is faster than the ledger waits.
MAX_QUEUED_BYTES: Final = 64 << 20

# How long an envelope may be ordered, from its making. Long enough for an election and some
# retries, short enough that an unknown outcome is decided within about a minute.
DEFAULT_VALID_FOR_S: Final = 60.0
# After `valid_until` a resend cannot be ordered any more, but finds out what became of the first:
# log time follows within the clocks' allowance and a tick.
DECISION_MARGIN_S: Final = 10.0
# One attempt on one node; a node that answers no sooner is given up for another.
DEFAULT_ATTEMPT_TIMEOUT_S: Final = 5.0
# Reads have no bytes to resolve: after this long they fail.
DEFAULT_READ_DEADLINE_S: Final = 15.0
CONNECT_TIMEOUT_S: Final = 2.0
# A read token's life. The longest that nodes take is 60 s; half of it bears with clocks that are
# half a minute apart, whichever is ahead. Each attempt signs anew, so none runs out on the way.
READ_TOKEN_LIFETIME_S: Final = 30

# Between attempts: full jitter over the upper half of a delay that doubles up to the bound.
BACKOFF_FIRST_S: Final = 0.02
BACKOFF_MAX_S: Final = 1.0
# A leader hint is followed at once this often in a row; then nodes contradict one another: wait.
MAX_HINTS_IN_A_ROW: Final = 2
# Nodes that hints may add to those configured; a ledger has at most 9.
MAX_ENDPOINTS: Final = 32

# Ids in one GetAccounts, GetHolds, GetChannels or GetCards request (ledger.proto).
MAX_IDS_PER_READ: Final = 8_192
# Ids in one GetNames request (ledger.proto), whose texts are of any length.
MAX_NAMES_PER_READ: Final = 1_024
# More texts than this are looked for in the list of all names instead of each for itself.
MAX_NAMES_ASKED_ALONE: Final = 16
# Cards, each with the lines of one model, that a client keeps to bill by.
MAX_CARDS_KEPT: Final = 64
# Rows of mandates, claims or disputes that are asked for at a time (ledger.proto).
ROWS_PER_PAGE: Final = 4_096
# Grants, likewise.
GRANTS_PER_PAGE: Final = 1_024
# Records on one page of a history (ledger.proto), and as many as are asked for unless said.
MAX_PAGE_RECORDS: Final = 1_000
DEFAULT_PAGE_RECORDS: Final = 100
# A node says every 5 s how far a watch is; a silent one is given up for another.
WATCH_SILENCE_S: Final = 15.0
# Zones in one GetLimits request (ledger.proto).
MAX_ZONES_PER_READ: Final = 64
