"""What can go wrong with prices, as types; none of them is ever a silent zero.

TallystickError
└── PriceError
    ├── Unpriced         no line prices what was used: refuse, do not bill zero
    ├── UnknownModel     the book has no such provider or model
    ├── LineRefused      this is no price line, or it overlaps another
    ├── UsageRefused     a usage object that contradicts itself or leaves out what matters
    └── BookUnreadable   a file that is no price book of this kind
"""

from enum import Enum

from tallystick.errors import TallystickError


class PriceError(TallystickError):
    """Something about prices; nothing was billed."""

    code = "PRICE"


class UnpricedReason(Enum):
    """Why a meter has no price."""

    NO_LINE = "no line for this model and meter in this tier and region"
    NOT_NOW = "lines exist, but none covers this instant and input length"
    SAME_AS = "its line says SAME_AS another meter that has no price of its own"
    NO_TIER = "the card knows no such service tier"
    NO_REGION = "the card knows no such region"
    AMBIGUOUS = "the card has two names with this text"
    NOT_IN_FORCE = "the card is not in force then"


class Unpriced(PriceError):  # noqa: N818 - says what happened
    """No price line covers a meter that was used.

    Attributes:
        provider: Whose card was asked.
        model: The model that served.
        meter: Name of the meter.
        reason: Why there is no price.
    """

    code = "UNPRICED"
    default_advice = "Add the line to the card, or a SAME_AS or FREE line if that is what is meant."

    def __init__(self, provider: str, model: str, meter: str, reason: UnpricedReason) -> None:
        super().__init__(f"{provider} {model} has no price for {meter}: {reason.value}.")
        self.provider = provider
        self.model = model
        self.meter = meter
        self.reason = reason


class UnknownModel(PriceError):  # noqa: N818 - says what happened
    """The book has no card of this provider, or the card no such model."""

    code = "UNKNOWN_MODEL"
    default_advice = "`Book.providers` and `Card.models` list what there is."


class LineReason(Enum):
    """Why something is no price line."""

    NAME = "a name is empty, too long or holds control characters"
    PRICE_RANGE = "the price is no integer of 64 bits"
    ZERO_WITHOUT_FREE = "the price is zero but the line does not say FREE"
    FREE_WITH_PRICE = "the line says FREE but has a price"
    SAME_AS_SHAPE = "a SAME_AS line names itself, has a price, or is FREE"
    ANY_FLAG = "a field is ANY without the flag, or the flag is set without such a field"
    THRESHOLD = "the threshold of the input length is no integer of 64 bits"
    WINDOW = "the window is empty or outside the week"
    OVERLAP = "two lines price the same meter at the same time and threshold"


class LineRefused(PriceError):  # noqa: N818 - says what happened
    """A price line, or a pair of them, that no card may hold."""

    code = "LINE_REFUSED"
    default_advice = "Correct the line."

    def __init__(self, reason: LineReason, detail: str) -> None:
        super().__init__(f"{detail}: {reason.value}.")
        self.reason = reason


class UsageReason(Enum):
    """Why a usage object is refused."""

    NO_USAGE = "there is no usage object"
    UNKNOWN_SHAPE = "no known API reports usage in this shape"
    NO_INPUT_COUNT = "it does not say how much went in"
    NO_OUTPUT_COUNT = "it does not say how much came out, and no total shows that nothing did"
    NULL_DETAILS = "a detail object is null: how the tokens split is unknown"
    NOT_A_COUNT = "a count is no integer of 0 to 2^64 - 1"
    CACHE_ABOVE_INPUT = "more tokens were cached than went in"
    PART_ABOVE_WHOLE = "a part is larger than the whole it is part of"
    TOTAL_MISMATCH = "its total is not the sum of its parts"
    AMBIGUOUS_OVERLAP = "two parts may overlap and it does not say by how much"
    FOREIGN_COUNTS = "it has counts of another API, which this adapter would lose"


class UsageRefused(PriceError):  # noqa: N818 - says what happened
    """A usage object that cannot be turned into disjoint meters without guessing."""

    code = "USAGE_REFUSED"
    default_advice = "Bill from a count of your own (source GATEWAY_COUNTED), or not at all."

    def __init__(self, reason: UsageReason, detail: str = "") -> None:
        super().__init__(f"{detail or 'The usage object'}: {reason.value}.")
        self.reason = reason


class BookUnreadable(PriceError):  # noqa: N818 - says what happened
    """A file that is not the price book it should be."""

    code = "BOOK_UNREADABLE"
    default_advice = "Check the path, and which of the two books it is."
