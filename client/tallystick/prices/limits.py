"""Every bound of the price books, each with its reason."""

from typing import Final

# Prices, counts and thresholds are u64 in a ledger record.
MAX_U64: Final = (1 << 64) - 1
# Prices are nano-units per this many of a meter: fine enough for the cheapest token on the market.
PRICE_UNITS: Final = 1_000_000
NANO: Final = 1_000_000_000
# A name's UTF-8 bytes. The longest model name of either public book has 97.
MAX_NAME_BYTES: Final = 200

MINUTES_PER_DAY: Final = 1_440
MINUTES_PER_WEEK: Final = 7 * MINUTES_PER_DAY
NS_PER_MINUTE: Final = 60 * NANO

# A price book on disk, unpacked. The larger of the two has 2.6 MB; what is a hundred times that
# is no price book.
MAX_BOOK_BYTES: Final = 256 << 20
# The largest decimal exponent that a unit of account can be registered with.
MAX_UNIT_EXPONENT: Final = 18
# A number in a price book: nobody quotes more digits, and an exponent of a million would only
# make a number that fills the memory.
MAX_LITERAL_CHARACTERS: Final = 64
MAX_EXPONENT: Final = 64
# Regular expressions come out of the price book. Without groups, with one open repetition and on a
# short text their time is at most quadratic, so that a hostile book cannot stall its reader.
MAX_PATTERN_CHARACTERS: Final = 200
MAX_PATTERN_REPETITIONS: Final = 1
MAX_MODEL_CHARACTERS: Final = 200
# Rules inside rules (`or`, `and`). Real ones nest three deep.
MAX_RULE_DEPTH: Final = 16

# Above this a token price is an obvious error of a thousandfold or so: the dearest real one on the
# market is 600 USD per million tokens.
OUTLIER_NANO_PER_MILLION: Final = 1_000 * NANO
