"""How much of which meter an entry of an account's history was for: a pure function.

A METER says what it is for. A CAPTURE of a priced hold says what all of the hold is for so far:
what it adds is the difference to the capture before, below zero where the payee corrected a meter
downwards. Of a hold that has ended, by FINAL or its expiry, a CAPTURE counts if it still charged
something; what merely repeats the last one changes nothing, and nobody has looked at its usage.

These are quantities. What one meter alone costs is not defined: a charge is priced as a whole, and
rounded once. A refund gives money back and takes no usage back.

Source: docs/semantics.md section 3, docs/format.md section 6.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tallystick.history import HistoryRecord
from tallystick.statements.posting import Origin, Posting, Side
from tallystick_ledger.ids import AccountId, NameId, SequenceNumber, TimestampNs
from tallystick_ledger.limits import ID_BYTES
from tallystick_ledger.records import Capture, Kind, Meter, ServedUsage
from tallystick_ledger.results import Cause

_USING: Final = frozenset({Kind.CAPTURE, Kind.METER})
_CHARGES: Final = frozenset({Cause.CAPTURE.name, Cause.CLAIM.name, Cause.METER.name})
_NOTHING: Final = bytes(ID_BYTES)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a charge was for, of one meter.

    Attributes:
        sequence: Sequence number of the record that says so.
        part: That of the posting of the charge, of the first if there are two; None if it added
            nothing to pay.
        timestamp_ns: The record's: when it was booked.
        side: DEBIT where the account pays, CREDIT where it is paid.
        origin: The hold, or the mandate of a METER; empty for none.
        model: A NAME; empty where it is not known.
        tier: The NAME of the tier that was served; empty for none.
        region: Likewise.
        meter: A NAME.
        quantity: How much of it; below zero for a correction of what was said before.
    """

    sequence: SequenceNumber
    part: int | None
    timestamp_ns: TimestampNs
    side: Side
    origin: bytes
    model: bytes
    tier: bytes
    region: bytes
    meter: bytes
    quantity: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What the captures of a priced hold have said so far.

    Attributes:
        lines: Meter, and quantity in all; ascending by meter.
        is_over: Whether one of them was FINAL.
    """

    lines: tuple[tuple[NameId, int], ...] = ()
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Used:
    """What an entry says of usage.

    Attributes:
        usages: Ascending by meter; none with a quantity of zero.
        counted: What is known of the entry's hold now; None if it is about no priced one.
    """

    usages: tuple[Usage, ...] = ()
    counted: Counted | None = None


def is_using(entry: HistoryRecord) -> bool:
    """Whether the entry can be for a usage at all."""
    return entry.ok and entry.kind in _USING and bool(entry.conts)


def usage_of(
    entry: HistoryRecord,
    postings: Sequence[Posting],
    known: Origin | None,
    before: Counted | None,
) -> Used:
    """Returns what an entry was for.

    Args:
        entry: As the ledger gives it, with its CONTs.
        postings: What it moved.
        known: What is known of the hold that it names; None for one of which no posting told yet.
        before: What the captures before it have told of that hold.

    Raises:
        LedgerError: The record cannot be read.
    """
    record = entry.record if is_using(entry) else None
    # A payer knows its own holds.
    known = known or Origin(Side.CREDIT, AccountId(b""))
    if isinstance(record, Meter):
        of = Origin(known.side, known.counterparty, record.model)
        lines = dict(record.usage.lines)
        return Used(_usages(entry, postings, of, _id_or_empty(record.mandate), record.usage, lines))
    if not isinstance(record, Capture) or record.usage is None:
        return Used()
    before = before or Counted()
    has_ended = before.is_over or known.has_expired
    if has_ended and not any(each.cause in _CHARGES for each in postings):
        return Used((), before)
    lines = _difference(dict(before.lines), dict(record.usage.lines))
    return Used(
        _usages(entry, postings, known, record.hold, record.usage, lines),
        Counted(tuple(record.usage.lines), before.is_over or record.final),
    )


def _difference(before: Mapping[NameId, int], now: Mapping[NameId, int]) -> dict[NameId, int]:
    meters = sorted({*before, *now})
    changes = {meter: now.get(meter, 0) - before.get(meter, 0) for meter in meters}
    return {meter: change for meter, change in changes.items() if change}


def _usages(
    entry: HistoryRecord,
    postings: Sequence[Posting],
    of: Origin,
    origin: bytes,
    served: ServedUsage,
    quantities: Mapping[NameId, int],
) -> tuple[Usage, ...]:
    charge = next((each for each in postings if each.cause in _CHARGES), None)
    return tuple(
        Usage(
            entry.sequence,
            None if charge is None else charge.part,
            entry.timestamp_ns,
            of.side if charge is None else charge.side,
            origin,
            of.model,
            _id_or_empty(served.tier),
            _id_or_empty(served.region),
            meter,
            quantity,
        )
        for meter, quantity in quantities.items()
    )


def _id_or_empty(data: bytes) -> bytes:
    return b"" if data == _NOTHING else data
