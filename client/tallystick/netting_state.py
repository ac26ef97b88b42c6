"""What a node tells of the netting of a deferred unit, decoded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from tallystick.errors import ProtocolError
from tallystick_ledger.errors import LedgerError
from tallystick_ledger.ids import AccountId, Amount, SequenceNumber
from tallystick_ledger.limits import ID_BYTES
from tallystick_ledger.netting import Position
from tallystick_ledger.state_rows import (
    DeferredUnitRow,
    MemberRow,
    PairRow,
    Row,
    WindowRow,
    WindowStatus,
)
from tallystick_proto.v1 import ledger_pb2

_POSITION_BYTES: Final = 3 * ID_BYTES
_FIGURES: Final = 4
_Row = TypeVar("_Row", bound=Row)


@dataclass(frozen=True, slots=True)
class NettingState:
    """A deferred unit, as far as the asking key may see it.

    Attributes:
        unit: What it is settled in, and its open window.
        windows: Settled ones that are still remembered, and the one that waits for settlement.
        members: Who takes part.
        closed: Net positions of the window that waits for settlement, ascending by account.
        open: Net positions of the open window, as things stand.
        pairs: Who paid the asked account how much in the two windows, and whom it paid.
        closed_gross: What the pairs of the window that waits add up to; 0 without one.
        closed_moved: What settling it pays.
        open_gross: What the pairs of the open window add up to.
        open_moved: What settling it now would pay.
        next_sequence: The state read is that before this sequence number.
    """

    unit: DeferredUnitRow
    windows: tuple[WindowRow, ...]
    members: tuple[MemberRow, ...]
    closed: tuple[Position, ...]
    open: tuple[Position, ...]
    pairs: tuple[PairRow, ...]
    closed_gross: int
    closed_moved: int
    open_gross: int
    open_moved: int
    next_sequence: SequenceNumber

    @property
    def waiting(self) -> WindowRow | None:
        """The window that waits for settlement."""
        closed = (row for row in self.windows if row.status is WindowStatus.CLOSED)
        return next(closed, None)


def decode_netting(answer: ledger_pb2.GetNettingResponse) -> NettingState | None:
    """Reads an answer; None where there is no such deferred unit.

    Raises:
        ProtocolError: It is none.
    """
    if not answer.unit:
        return None
    try:
        gross_and_moved = [_u128(part) for part in _parts(answer.figures, ID_BYTES)]
        figures = gross_and_moved or [0] * _FIGURES
        closed_gross, closed_moved, open_gross, open_moved = figures
        return NettingState(
            DeferredUnitRow.decode(answer.unit),
            _rows(WindowRow, answer.windows),
            _rows(MemberRow, answer.members),
            tuple(map(_position, _parts(answer.closed, _POSITION_BYTES))),
            tuple(map(_position, _parts(answer.open, _POSITION_BYTES))),
            _rows(PairRow, answer.pairs),
            closed_gross,
            closed_moved,
            open_gross,
            open_moved,
            SequenceNumber(answer.next_sequence),
        )
    except (LedgerError, ValueError) as error:
        raise ProtocolError(f"A node's answer about netting is unusable: {error}") from error


def _rows(row_type: type[_Row], data: bytes) -> tuple[_Row, ...]:
    return tuple(row_type.decode(part) for part in _parts(data, row_type.LAYOUT.size))


def _position(data: bytes) -> Position:
    account, owes, due = _parts(data, ID_BYTES)
    return Position(AccountId(account), Amount(_u128(owes)), Amount(_u128(due)))


def _parts(data: bytes, size: int) -> Iterator[bytes]:
    if len(data) % size:
        raise ValueError(f"{len(data)} bytes are no multiple of {size}")
    return (data[start : start + size] for start in range(0, len(data), size))


def _u128(data: bytes) -> int:
    return int.from_bytes(data, "little")


def position_of(positions: Sequence[Position], account: AccountId) -> Position:
    """Returns the position of an account, or one of nothing."""
    found = (position for position in positions if position.account == account)
    return next(found, Position(account, Amount(0), Amount(0)))
