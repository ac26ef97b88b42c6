"""Every size and bound of the format, each with its reason.

Bounds that a genesis chooses (lifetimes, windows, caps) stand in `genesis.Genesis`; what stands
here is the same for every ledger. Source: docs/format.md; section numbers in the comments.
"""

from typing import Final

# Sizes of the fixed parts.
RECORD_BYTES: Final = 128  # 6: two cache lines
NONCE_BYTES: Final = 16
ID_BYTES: Final = 16
HASH_BYTES: Final = 32
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
SEED_BYTES: Final = 32

ENVELOPE_HEADER_BYTES: Final = 192  # 5
ENVELOPE_PREFIX_BYTES: Final = ENVELOPE_HEADER_BYTES + SIGNATURE_BYTES
BLOCK_HEADER_BYTES: Final = 64  # 8
LEAF_BYTES: Final = 344  # 9
RESULT_BYTES: Final = 16  # 7
EFFECT_BYTES: Final = 128  # 7
GENESIS_HEADER_BYTES: Final = 320  # 3
GENESIS_NODE_BYTES: Final = 128
READ_TOKEN_BYTES: Final = 112  # 12

# One message, one envelope and one block share a bound: measured, 1 MiB is where gRPC is fastest.
MAX_ENVELOPE_BYTES: Final = 1 << 20
MAX_BLOCK_BODY_BYTES: Final = 1 << 20
# What fits: 256 + 8,190 x 128 = 1,048,576.
MAX_RECORDS: Final = (MAX_ENVELOPE_BYTES - ENVELOPE_PREFIX_BYTES) // RECORD_BYTES

# 6: enough for the largest declared payload; keeps a head and its CONTs within 8 KiB.
MAX_CONT_COUNT: Final = 64
VOUCHER_BYTES: Final = 160  # as it is handed over
COMMITMENT_BYTES: Final = 24  # of a VOUCHER: what 128 bytes leave beside its signature
CONT_PAYLOAD_BYTES: Final = 104
NAME_HEAD_TEXT_BYTES: Final = 64
MAX_NAME_BYTES: Final = 256
MAX_SYMBOL_BYTES: Final = 16
MAX_UNIT_EXPONENT: Final = 18  # 10**18 steps still leave 2**68 units in a u128

MAX_U16: Final = (1 << 16) - 1
MAX_U32: Final = (1 << 32) - 1
MAX_U64: Final = (1 << 64) - 1
MAX_U128: Final = (1 << 128) - 1
MAX_AMOUNT: Final = MAX_U128

# 4 and 8: how far a client's clock may be ahead of log time.
MAX_ID_AHEAD_NS: Final = 5_000_000_000
MAX_ID_TIME_MS: Final = (1 << 48) - 1
ID_RANDOM_BYTES: Final = 10

# 3: the genesis.
MIN_LIFETIME_NS: Final = 1_000_000_000
MAX_LIFETIME_NS: Final = 3_600_000_000_000
MIN_REFERENCE_WINDOW_NS: Final = 1_000_000_000
MAX_REFERENCE_WINDOW_NS: Final = 400 * 86_400_000_000_000
MIN_HOLD_LIFETIME_NS: Final = 1_000_000_000
MAX_ORIGIN_BYTES: Final = 63  # a zero always ends the field
MAX_OPERATORS: Final = 16
MAX_NODES: Final = 9
MAX_RAFT_ID: Final = 65_535
GENESIS_NODE_PRINCIPAL_BASE: Final = 65_536  # above every operator's position

# semantics.md 1 and RESERVE: bounds of the work that one block can cause.
MAX_PRUNED_ROWS: Final = 10_000
MAX_SWEPT: Final = 10_000  # holds, channels, grants and recoveries together
MIN_HOLD_NS: Final = 1_000_000_000  # a hold that ends sooner could not be captured in time
LATE_CAPTURE_NS: Final = 600 * 1_000_000_000  # CAPTURE of a DEBT hold: a provider comes back up
MIN_CHALLENGE_NS: Final = 1_000_000_000  # likewise: the payee needs time to redeem

# 6 and semantics.md, CARD: cards and what bounds them.
MAX_CARD_LINES: Final = 4_096  # a whole provider of the public price books has some thousands
MAX_LENGTH_METERS: Final = 16  # every meter of tokens that go in
MAX_CARDS: Final = 64  # of one principal: drafts, published and not yet forgotten
MAX_PRICE_LINES: Final = 16_384  # of all cards of one principal
MAX_LINES_OF_PLACE: Final = 64  # bands times windows of one meter, so that a look-up is short
MIN_NOTICE_NS: Final = 60_000_000_000  # so that no price changes under a request on its way
DRAFT_LIFETIME_NS: Final = 86_400_000_000_000  # a day to send all lines of a card
PRICE_UNITS: Final = 1_000_000  # a price is for so many of a meter
MAX_USAGE_LINES: Final = 32  # of one charge
MAX_PERMITTED: Final = 4  # tiers, and regions, of one hold
MINUTES_PER_DAY: Final = 1_440
ALL_DAYS: Final = 0x7F
# 6 and 14: quotes.
MAX_QUOTE_LINES: Final = 16  # some models, each with its meters, in a few CONTs
QUOTE_LINE_BYTES: Final = 80
QUOTE_BYTES: Final = 208  # as it is handed over, without its lines
MAX_QUOTES: Final = 64  # for one principal: redeemed and not yet forgotten
MAX_QUOTE_NS: Final = 400 * 86_400_000_000_000  # until its end, when it is redeemed
# 6 and 15: exchange quotes.
EXCHANGE_BYTES: Final = 256  # as it is handed over
MAX_EXCHANGES: Final = 1_024  # of one maker: taken and not yet over; a row has 72 bytes
MAX_EXCHANGE_NS: Final = 400 * 86_400_000_000_000  # until its end, when it is taken
# semantics.md, RECOVER: time for an owner who is away over a weekend to object.
MIN_RECOVERY_NS: Final = 72 * 3_600_000_000_000
MAX_RECOVERY_NS: Final = 30 * 86_400_000_000_000
# semantics.md, MANDATE: a year and some weeks, so that a yearly one can be renewed in time.
MAX_MANDATE_NS: Final = 400 * 86_400_000_000_000
MIN_MANDATE_NS: Final = 1_000_000_000  # a shorter one could not be used in time
MAX_MANDATES: Final = 1_024  # against the accounts of one principal, over or not
# 6 and semantics.md, LIMIT and ZONE: what bounds them.
MAX_LIMITS: Final = 4_096  # of one principal: some for each of a thousand keys
MAX_MARKS: Final = 64  # limits that one hold or channel counts against: three kinds for each key
MAX_ANCESTORS: Final = 4  # keys above a delegated key, so that a spending looks at few limits
MAX_ZONES: Final = 1_024  # tzdata has about 600 names
MAX_TRANSITIONS: Final = 64  # of one zone: two a year for 32 years
ZONE_NAME_BYTES: Final = 32  # the longest of tzdata
MAX_OFFSET_S: Final = 86_400  # either way; clocks on earth keep within 14 hours

# semantics.md, LIST and GRANT: subsidies and what bounds them.
MAX_LIST_IDS: Final = 256  # the providers of a programme, the models of a family
MAX_LISTS: Final = 64  # of one principal, for good: 256 KiB
MAX_LIVE_GRANTS: Final = 64  # to one principal; each of its holds looks at all of them
MAX_SHARES: Final = 4  # grants that pay one charge: as many effects more, and legs of a refund
RATIO_UNITS: Final = 1_000_000  # a match ratio is in parts per million
MIN_GRANT_NS: Final = 1_000_000_000  # as a hold
MAX_GRANT_NS: Final = 1_100 * 86_400_000_000_000  # three years: programmes end
# semantics.md, REFUND and DISPUTE: a quarter, since bills are looked at month by month.
CORRECTION_WINDOW_NS: Final = 90 * 86_400_000_000_000
MIN_DISPUTE_NS: Final = 1_000_000_000  # an earlier deadline could not be met
# semantics.md, JOIN: what a deferred unit may come to.
MAX_DEBIT: Final = 1 << 80  # so that no column nears 128 bits by netting
MAX_MEMBERS: Final = 256  # of one unit: at most its square of pairs in a window
MAX_SETTLED_WINDOWS: Final = 32  # of one unit; their figures stay in the log
# 8: records that are looked up for one block. Each may mean reading 1 MiB of log.
MAX_CITED_RECORDS: Final = 256
# What a record moved, the parts of grants in it, and what priced it.
CITATION_BYTES: Final = 64 + 32 * MAX_SHARES + 16

# 12: a recorded token is of use for no longer than that.
MAX_READ_TOKEN_LIFETIME_NS: Final = 60_000_000_000
# 12: how far the asker's clock may be ahead of the node's, whole lifetime or not.
READ_TOKEN_SKEW_NS: Final = 5_000_000_000
