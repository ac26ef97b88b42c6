"""The rows of the state: what a ledger knows after a block, and what its digest covers.

Each table has a frozen dataclass with its content's bytes (`encode`, `decode`), its table number
and its key as bytes. `digest` is over rows ordered by table, then key; integer keys compare as
numbers, so `key_bytes` gives those big-endian. Source: docs/format.md section 10.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import Final

from tallystick_ledger.errors import RowError
from tallystick_ledger.ids import LedgerId
from tallystick_ledger.state_rows.base import Row, Table
from tallystick_ledger.state_rows.channel import ChannelRow, ChannelStatus
from tallystick_ledger.state_rows.claim import ClaimRow, ClaimStatus
from tallystick_ledger.state_rows.correction import CorrectionRow, DisputeRow, DisputeStatus
from tallystick_ledger.state_rows.exchange import ExchangeRow
from tallystick_ledger.state_rows.limit import LimitKey, LimitRow, LineRow, MarkRow, ZoneRow
from tallystick_ledger.state_rows.mandate import MandateRow
from tallystick_ledger.state_rows.marks import LiveIdRow, ReferenceRow
from tallystick_ledger.state_rows.money import AccountFlags, AccountRow, HoldRow, HoldStatus
from tallystick_ledger.state_rows.netting import (
    DeferredUnitRow,
    MemberRow,
    MemberStatus,
    PairRow,
    WindowRow,
    WindowStatus,
)
from tallystick_ledger.state_rows.prices import CardRow, CardStatus, PriceLineRow, TermsRow
from tallystick_ledger.state_rows.quote import QuoteRow
from tallystick_ledger.state_rows.recovery import RecoveryRow
from tallystick_ledger.state_rows.registry import (
    KeyRow,
    KeyStatus,
    LedgerRow,
    NameRow,
    PrincipalRow,
    UnitRow,
)
from tallystick_ledger.state_rows.subsidy import (
    GrantRow,
    GrantStatus,
    ListRow,
    RelationRow,
    Share,
    SharesRow,
)

STATE_DOMAIN: Final = b"tallystick/state/v1\0"

_ROW_PREFIX: Final = struct.Struct("<HHI")

ROW_TYPES: Final[dict[Table, type[Row]]] = {
    row.TABLE: row
    for row in (
        LedgerRow,
        PrincipalRow,
        KeyRow,
        NameRow,
        UnitRow,
        AccountRow,
        HoldRow,
        LiveIdRow,
        ReferenceRow,
        ChannelRow,
        CardRow,
        PriceLineRow,
        QuoteRow,
        TermsRow,
        CorrectionRow,
        DisputeRow,
        MandateRow,
        GrantRow,
        SharesRow,
        LimitRow,
        LineRow,
        MarkRow,
        ZoneRow,
        ListRow,
        RelationRow,
        DeferredUnitRow,
        MemberRow,
        WindowRow,
        PairRow,
        ClaimRow,
        RecoveryRow,
        ExchangeRow,
    )
}


def framed(row: Row) -> bytes:
    """Returns a row as it stands in the digest and in a checkpoint: prefix and content."""
    content = row.encode()
    return _ROW_PREFIX.pack(row.TABLE, 0, len(content)) + content


def split_rows(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields table number and content of each row.

    Args:
        data: Rows as `framed` makes them, back to back and whole: what a kernel says of its state.
    """
    at = 0
    while at < len(data):
        table, _, size = _ROW_PREFIX.unpack_from(data, at)
        at += _ROW_PREFIX.size
        yield table, data[at : at + size]
        at += size


def digest(ledger_id: LedgerId, rows: Iterable[Row]) -> bytes:
    """Returns the state digest over rows that come in any order.

    Raises:
        RowError: Two rows have one key.
    """
    ordered = sorted(rows, key=lambda row: (row.TABLE, row.key_bytes()))
    state = hashlib.sha256(STATE_DOMAIN + ledger_id)
    previous: tuple[Table, bytes] | None = None
    for row in ordered:
        place = (row.TABLE, row.key_bytes())
        if place == previous:
            raise RowError(f"two rows of table {row.TABLE.name} have one key")
        previous = place
        state.update(framed(row))
    return state.digest()


__all__ = [
    "ROW_TYPES",
    "STATE_DOMAIN",
    "AccountFlags",
    "AccountRow",
    "CardRow",
    "CardStatus",
    "ChannelRow",
    "ChannelStatus",
    "ClaimRow",
    "ClaimStatus",
    "CorrectionRow",
    "DeferredUnitRow",
    "DisputeRow",
    "DisputeStatus",
    "ExchangeRow",
    "GrantRow",
    "GrantStatus",
    "HoldRow",
    "HoldStatus",
    "KeyRow",
    "KeyStatus",
    "LedgerRow",
    "LimitKey",
    "LimitRow",
    "LineRow",
    "ListRow",
    "LiveIdRow",
    "MandateRow",
    "MarkRow",
    "MemberRow",
    "MemberStatus",
    "NameRow",
    "PairRow",
    "PriceLineRow",
    "PrincipalRow",
    "QuoteRow",
    "RecoveryRow",
    "ReferenceRow",
    "RelationRow",
    "Row",
    "Share",
    "SharesRow",
    "Table",
    "TermsRow",
    "UnitRow",
    "WindowRow",
    "WindowStatus",
    "ZoneRow",
    "digest",
    "framed",
    "split_rows",
]
