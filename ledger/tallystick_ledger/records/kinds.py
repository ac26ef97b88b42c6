"""The numbers that stand in records: kinds, flags, groups, scopes and the fields' enumerations.

Source: docs/format.md section 6.
"""

from enum import IntEnum, IntFlag
from typing import Final


class Kind(IntEnum):
    """Bytes 0 to 2 of a record."""

    PRINCIPAL = 0x0101
    KEY = 0x0102
    NAME = 0x0103
    LIST = 0x0104
    ACCOUNT = 0x0105
    RECOVER = 0x0106
    VETO = 0x0107
    UNIT = 0x0201
    ISSUE = 0x0202
    BURN = 0x0203
    CREDIT_LIMIT = 0x0204
    TRANSFER = 0x0301
    RESERVE = 0x0401
    EXTEND = 0x0402
    CAPTURE = 0x0403
    RELEASE = 0x0404
    METER = 0x0405
    MANDATE = 0x0406
    MANDATE_END = 0x0407
    PAY_CLAIM = 0x0408
    CHANNEL = 0x0501
    TOP_UP = 0x0502
    VOUCHER = 0x0503
    CHANNEL_CLOSE = 0x0504
    CARD = 0x0601
    PRICE = 0x0602
    CARD_PUBLISH = 0x0603
    GRANT = 0x0701
    CLAW_BACK = 0x0702
    RELATION = 0x0703
    LIMIT = 0x0801
    ZONE = 0x0802
    DELEGATE = 0x0803
    KILL = 0x0804
    REFUND = 0x0901
    DISPUTE = 0x0902
    DISPUTE_ANSWER = 0x0903
    REPRICE = 0x0904
    TICK = 0x0A01
    JOIN = 0x0B01
    WINDOW_CLOSE = 0x0B02
    SETTLE = 0x0B03
    FAIL = 0x0B04
    CONT = 0xFFFF


class Flags(IntFlag):
    """Bytes 2 to 4 of a record. Each kind has its own set, see `ALLOWED_FLAGS`."""

    NONE = 0
    UNIQUE = 1  # of kinds with a reference, which must be new within the window then
    FINAL = 2  # CAPTURE: ends the hold and frees its rest
    FREE = 4  # PRICE: zero is the price
    SAME_AS = 8  # PRICE: the price is that of another meter
    DEFERRED = 16  # UNIT: of obligations, which are netted and paid in another unit


class Group(IntEnum):
    """References are unique per principal and group."""

    REGISTRY = 1
    UNIT = 2
    MONEY = 3
    METERING = 4
    STREAMING = 5
    PRICES = 6
    SUBSIDY = 7
    LIMITS = 8
    CORRECTION = 9
    SYSTEM = 10
    NETTING = 11


class Scope(IntEnum):
    """What a key may sign; see semantics.md section 3."""

    OWNER = 1
    SPEND = 2
    METER = 3
    NODE = 4
    OPERATE = 5
    PRICE = 6
    READ = 7
    AUDIT = 8
    RECOVERY = 9
    CHANNEL = 10


class PrincipalType(IntEnum):
    """What a principal is. The last two stand only in rows that a genesis makes."""

    ORGANISATION = 1
    INDIVIDUAL = 2
    SERVICE = 3
    OPERATOR = 101
    NODE = 102


class KeyOperation(IntEnum):
    """What a KEY record does."""

    ADD = 1
    REVOKE = 2
    ROTATE = 3


class AccountOperation(IntEnum):
    """What an ACCOUNT record does."""

    OPEN = 1
    FREEZE = 2
    UNFREEZE = 3
    CLOSE = 4


class NameKind(IntEnum):
    """What a name is the name of."""

    MODEL = 1
    METER = 2
    PROVIDER = 3
    REGION = 4
    TIER = 5
    SERVICE = 6
    LABEL = 7


class ReserveMode(IntEnum):
    """How a hold is priced."""

    FLAT = 0
    CARD = 1
    QUOTE = 2


class Overrun(IntEnum):
    """What becomes of a charge above the maximum of a priced hold."""

    REJECT = 1
    CAP = 2
    DEBT = 3


class ClaimOperation(IntEnum):
    """What a PAY_CLAIM record does."""

    PAY = 1
    WAIVE = 2


class CaptureSource(IntEnum):
    """Who counted what a CAPTURE or METER bills."""

    PROVIDER_REPORTED = 1
    GATEWAY_COUNTED = 2
    ESTIMATED = 3


class LimitTarget(IntEnum):
    """Whose spending a limit bounds."""

    KEY = 1  # a SPEND key, and all that it delegated to
    ACCOUNT = 2
    PRINCIPAL = 3  # all its accounts of one unit
    PAYEE = 4  # what one payee account keeps on hold of one payer account


class LimitWindow(IntEnum):
    """Over what a limit counts."""

    DAY = 1
    MONTH = 2
    TOTAL = 3  # since the limit was set
    HELD = 4  # what is on hold now: of PAYEE alone


class LimitOperation(IntEnum):
    """What a LIMIT record does."""

    SET = 1
    END = 2


class CorrectionReason(IntEnum):
    """Why something is given back, or asked back."""

    DUPLICATE = 1
    ERROR = 2
    SERVICE = 3
    GOODWILL = 4
    PRICE = 5
    OTHER = 6


class RelationOperation(IntEnum):
    """What a RELATION record does."""

    STATE = 1
    END = 2


ALLOWED_FLAGS: Final[dict[Kind, Flags]] = {
    Kind.UNIT: Flags.DEFERRED,
    Kind.ISSUE: Flags.UNIQUE,
    Kind.BURN: Flags.UNIQUE,
    Kind.TRANSFER: Flags.UNIQUE,
    Kind.RESERVE: Flags.UNIQUE,
    Kind.CAPTURE: Flags.FINAL,
    Kind.METER: Flags.UNIQUE,
    Kind.CHANNEL: Flags.UNIQUE,
    Kind.PRICE: Flags.FREE | Flags.SAME_AS,
    Kind.GRANT: Flags.UNIQUE,
    Kind.REFUND: Flags.UNIQUE,
}

# Kinds whose last 16 bytes belong to their layout, because they hold a signature.
KINDS_WITHOUT_NONCE: Final = frozenset({Kind.PRINCIPAL, Kind.KEY, Kind.RECOVER, Kind.VOUCHER})

REGISTRABLE_TYPES: Final = frozenset(
    {PrincipalType.ORGANISATION, PrincipalType.INDIVIDUAL, PrincipalType.SERVICE}
)
ADDABLE_SCOPES: Final = frozenset(
    {
        Scope.OWNER,
        Scope.SPEND,
        Scope.METER,
        Scope.PRICE,
        Scope.READ,
        Scope.AUDIT,
        Scope.RECOVERY,
        Scope.CHANNEL,
    }
)
