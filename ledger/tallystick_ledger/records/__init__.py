"""Records: one frozen dataclass per kind, and `decode`, which picks the right one.

Source: docs/format.md section 6. `base` explains what is checked where.
"""

from dataclasses import dataclass
from typing import Final

from tallystick_ledger import limits
from tallystick_ledger.errors import FieldError
from tallystick_ledger.records.base import HEAD, BytesLike, Record
from tallystick_ledger.records.channel import Channel, ChannelClose, TopUp, Voucher
from tallystick_ledger.records.claim import PayClaim
from tallystick_ledger.records.correction import Dispute, DisputeAnswer, Refund, Reprice
from tallystick_ledger.records.delegation import Delegate, Kill
from tallystick_ledger.records.exchange import Exchange, SignedExchange
from tallystick_ledger.records.kinds import (
    AccountOperation,
    CaptureSource,
    ClaimOperation,
    CorrectionReason,
    Flags,
    Group,
    KeyOperation,
    Kind,
    LimitOperation,
    LimitTarget,
    LimitWindow,
    NameKind,
    Overrun,
    PrincipalType,
    RelationOperation,
    ReserveMode,
    Scope,
)
from tallystick_ledger.records.limit import Limit
from tallystick_ledger.records.lists import List
from tallystick_ledger.records.mandate import Mandate, MandateEnd
from tallystick_ledger.records.meter import Meter
from tallystick_ledger.records.metering import Capture, Extend, Release, Reserve, without_conts
from tallystick_ledger.records.money import Burn, Issue, Transfer
from tallystick_ledger.records.name import Name
from tallystick_ledger.records.netting import Fail, Join, Settle, WindowClose
from tallystick_ledger.records.prices import Card, CardPublish, Price
from tallystick_ledger.records.quote import QuoteLine, SignedQuote
from tallystick_ledger.records.recovery import Recover, Veto
from tallystick_ledger.records.registry import Account, Key, Principal
from tallystick_ledger.records.subsidy import ClawBack, Grant, Relation
from tallystick_ledger.records.system import Tick
from tallystick_ledger.records.terms import CardTerms, ServedUsage
from tallystick_ledger.records.unit import CreditLimit, Unit
from tallystick_ledger.records.zone import Zone

RECORD_TYPES: Final[dict[int, type[Record]]] = {
    record.KIND: record
    for record in (
        Principal,
        Key,
        Name,
        List,
        Account,
        Recover,
        Veto,
        Unit,
        Issue,
        Burn,
        CreditLimit,
        Transfer,
        Reserve,
        Extend,
        Capture,
        Release,
        Meter,
        Mandate,
        MandateEnd,
        PayClaim,
        Channel,
        TopUp,
        Voucher,
        ChannelClose,
        Card,
        Price,
        CardPublish,
        Grant,
        ClawBack,
        Relation,
        Limit,
        Zone,
        Delegate,
        Kill,
        Refund,
        Dispute,
        DisputeAnswer,
        Reprice,
        Tick,
        Join,
        WindowClose,
        Settle,
        Fail,
    )
}


@dataclass(frozen=True, slots=True)
class Raw:
    """A head of a kind that this version does not know: it is ordered, and refused.

    Attributes:
        data: The head's 128 bytes, and 128 more for each CONT.
    """

    data: bytes

    @property
    def kind(self) -> int:
        """Bytes 0 to 2."""
        return head_fields(self.data)[0]

    @property
    def record_count(self) -> int:
        """The head and its CONTs."""
        return len(self.data) // limits.RECORD_BYTES


def decode(data: BytesLike) -> Record | Raw:
    """Reads a head with its CONTs.

    Args:
        data: 128 bytes, and 128 more for each CONT; the grid of format.md section 6 holds.

    Raises:
        RecordError: The kernel would refuse it by its shape; `code` says how.
        FieldError: The length is not what the head says.
    """
    if len(data) < limits.RECORD_BYTES or len(data) % limits.RECORD_BYTES:
        raise FieldError(f"{len(data)} bytes are no records")
    kind, _, cont_count = head_fields(data)
    if len(data) != (1 + cont_count) * limits.RECORD_BYTES:
        raise FieldError(f"the head names {cont_count} CONTs, {len(data)} bytes are given")
    record_type = RECORD_TYPES.get(kind)
    if record_type is None:
        return Raw(bytes(data))
    return record_type.decode(data)


def decode_head(data: BytesLike) -> Record | Raw:
    """Reads what a head says, where its CONTs are not at hand.

    Of a RESERVE the `terms` are None, of a CAPTURE the `usage`, of a TRANSFER the `exchange`, of a
    METER and REPRICE card, model and mandate are zero and the usage is empty; heads of other kinds
    say little without their CONTs and are returned as they are.

    Args:
        data: 128 bytes.

    Raises:
        RecordError: As `decode`.
        FieldError: As `decode`.
    """
    kind, _, cont_count = head_fields(data)
    if cont_count == 0:
        return decode(data)
    if kind in {Kind.RESERVE, Kind.CAPTURE, Kind.TRANSFER}:
        return decode(without_conts(data))
    if kind == Kind.METER:
        return Meter.of_head(data)
    if kind == Kind.REPRICE:
        return Reprice.of_head(data)
    return Raw(bytes(data))


def head_fields(data: BytesLike, offset: int = 0) -> tuple[int, int, int]:
    """Returns kind, flags and cont_count of the record at `offset`."""
    kind, flags, cont_count = HEAD.unpack_from(data, offset)
    return kind, flags, cont_count


__all__ = [
    "RECORD_TYPES",
    "Account",
    "AccountOperation",
    "Burn",
    "Capture",
    "CaptureSource",
    "Card",
    "CardPublish",
    "CardTerms",
    "Channel",
    "ChannelClose",
    "ClaimOperation",
    "ClawBack",
    "CorrectionReason",
    "CreditLimit",
    "Delegate",
    "Dispute",
    "DisputeAnswer",
    "Exchange",
    "Extend",
    "Fail",
    "Flags",
    "Grant",
    "Group",
    "Issue",
    "Join",
    "Key",
    "KeyOperation",
    "Kill",
    "Kind",
    "Limit",
    "LimitOperation",
    "LimitTarget",
    "LimitWindow",
    "List",
    "Mandate",
    "MandateEnd",
    "Meter",
    "Name",
    "NameKind",
    "Overrun",
    "PayClaim",
    "Price",
    "Principal",
    "PrincipalType",
    "QuoteLine",
    "Raw",
    "Record",
    "Recover",
    "Refund",
    "Relation",
    "RelationOperation",
    "Release",
    "Reprice",
    "Reserve",
    "ReserveMode",
    "Scope",
    "ServedUsage",
    "Settle",
    "SignedExchange",
    "SignedQuote",
    "Tick",
    "TopUp",
    "Transfer",
    "Unit",
    "Veto",
    "Voucher",
    "WindowClose",
    "Zone",
    "decode",
    "decode_head",
    "head_fields",
]
