"""Rows of subsidies: grants, the shares that they pay of holds, lists of ids, relations.

The money of a grant stands in the account with the grant's id; its row says whom and what it is
for. Rows of table 24 are as long as their lists, all others of one length.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, Self

from tallystick_ledger import limits
from tallystick_ledger.errors import RowError
from tallystick_ledger.ids import (
    AccountId,
    Amount,
    GrantId,
    HoldId,
    ListId,
    PrincipalId,
    TimestampNs,
)
from tallystick_ledger.records.base import u128, u128_bytes
from tallystick_ledger.state_rows.base import Row, Table

# grant; pool; grantee; providers; models; regions; registrar; exclusivity; amount; cap;
# expires_at, created_at, ended_at, settled_at; ratio; priority, status
_GRANT: Final = struct.Struct("<16s16s16s16s16s16s16s16s16s16sQQQQIHH")
_SHARES: Final = struct.Struct(f"<16s16sH6x{48 * limits.MAX_SHARES}s")
_SHARE: Final = struct.Struct("<16s16s16s")  # grant; maximum; paid
_LIST_HEAD: Final = struct.Struct("<16s16sH6x")
_RELATION: Final = struct.Struct("<16s16s16sQ")


class GrantStatus(IntEnum):
    """Whether a grant goes on. One that is not open pays what holds pin, and no more."""

    OPEN = 1
    EXPIRED = 2
    CLAWED_BACK = 3


@dataclass(frozen=True, slots=True)
class GrantRow(Row):
    """A sponsor's money for a principal; how much of it is left says its account.

    Attributes:
        grant: Its id, and that of its account.
        pool_account: Where it came from, and goes back to.
        grantee: Whose holds it pays for.
        providers: LIST of principals; zero for any. So the next two, of NAMEs.
        models: LIST of models.
        regions: LIST of regions.
        registrar: Whose relations count; zero for none.
        exclusivity: Zero for none.
        amount: What was set aside.
        cap: What it pays of one charge at most; 0 for no cap.
        expires_at_ns: When what is left goes back.
        created_at_ns: Timestamp of its GRANT: the last word in the order in which grants pay.
        ended_at_ns: When it expired or was clawed back; 0 while open.
        settled_at_ns: When it had ended and no hold pinned any of it any more; 0 before.
        ratio: Share of each charge, in parts per million.
        priority: Lower pays first.
        status: Open, or how it ended.
    """

    TABLE: ClassVar[Table] = Table.GRANT
    LAYOUT: ClassVar[struct.Struct] = _GRANT

    grant: GrantId
    pool_account: AccountId
    grantee: PrincipalId
    providers: ListId
    models: ListId
    regions: ListId
    registrar: PrincipalId
    exclusivity: bytes
    amount: Amount
    cap: Amount
    expires_at_ns: TimestampNs
    created_at_ns: TimestampNs
    ended_at_ns: TimestampNs
    settled_at_ns: TimestampNs
    ratio: int
    priority: int
    status: GrantStatus

    @property
    def is_open(self) -> bool:
        """Whether it has not ended, as far as its status says."""
        return self.status is GrantStatus.OPEN

    @property
    def burn_order(self) -> tuple[int, int, int]:
        """Grants pay in this order; no two are alike, since no two records have one timestamp."""
        return self.priority, self.expires_at_ns, self.created_at_ns

    def is_live(self, timestamp_ns: int) -> bool:
        """Whether new holds can pin some of it."""
        return self.is_open and timestamp_ns < self.expires_at_ns

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.grant

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _GRANT.pack(
            self.grant,
            self.pool_account,
            self.grantee,
            self.providers,
            self.models,
            self.regions,
            self.registrar,
            self.exclusivity,
            u128_bytes(self.amount),
            u128_bytes(self.cap),
            self.expires_at_ns,
            self.created_at_ns,
            self.ended_at_ns,
            self.settled_at_ns,
            self.ratio,
            self.priority,
            self.status,
        )

    @classmethod
    def _read(cls, data: bytes) -> Self:
        grant, pool, grantee, providers, models, regions, registrar, *rest = _GRANT.unpack(data)
        exclusivity, amount, cap, *times, ratio, priority, status = rest
        expires_at, created_at, ended_at, settled_at = map(TimestampNs, times)
        return cls(
            GrantId(grant),
            AccountId(pool),
            PrincipalId(grantee),
            ListId(providers),
            ListId(models),
            ListId(regions),
            PrincipalId(registrar),
            exclusivity,
            Amount(u128(amount)),
            Amount(u128(cap)),
            expires_at,
            created_at,
            ended_at,
            settled_at,
            ratio,
            priority,
            GrantStatus(status),
        )


@dataclass(frozen=True, slots=True)
class Share:
    """What a grant pays of a hold.

    Attributes:
        grant: The grant.
        maximum: What it pins in all, at least 1.
        paid: What of it was captured.
    """

    grant: GrantId
    maximum: Amount
    paid: Amount = Amount(0)  # noqa: RUF009 - a number

    @property
    def rest(self) -> int:
        """What it still pins while the hold is open."""
        return self.maximum - self.paid


@dataclass(frozen=True, slots=True)
class SharesRow(Row):
    """Which grants pay a hold, beside its payer: fixed by its RESERVE.

    Attributes:
        hold: The hold.
        whole: Its maximum at that time, of which the shares are parts.
        shares: 1 to 4, in the order in which grants pay.
    """

    TABLE: ClassVar[Table] = Table.SHARES
    LAYOUT: ClassVar[struct.Struct] = _SHARES

    hold: HoldId
    whole: Amount
    shares: tuple[Share, ...]

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.hold

    def encode(self) -> bytes:
        """See `Row.encode`."""
        packed = b"".join(
            _SHARE.pack(share.grant, u128_bytes(share.maximum), u128_bytes(share.paid))
            for share in self.shares
        )
        return _SHARES.pack(self.hold, u128_bytes(self.whole), len(self.shares), packed)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        hold, whole, count, packed = _SHARES.unpack(data)
        if not 1 <= count <= limits.MAX_SHARES:
            raise RowError(f"{count} shares")
        parts = list(_SHARE.iter_unpack(packed))[:count]
        shares = tuple(
            Share(GrantId(grant), Amount(u128(maximum)), Amount(u128(paid)))
            for grant, maximum, paid in parts
        )
        return cls(HoldId(hold), Amount(u128(whole)), shares)


@dataclass(frozen=True, slots=True)
class ListRow(Row):
    """An immutable set of ids.

    Attributes:
        list_id: Its id.
        owner: Who made it.
        ids: 1 to 256, ascending.
    """

    TABLE: ClassVar[Table] = Table.LIST
    LAYOUT: ClassVar[struct.Struct] = _LIST_HEAD  # the ids follow

    list_id: ListId
    owner: PrincipalId
    ids: tuple[bytes, ...]

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return self.list_id

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _LIST_HEAD.pack(self.list_id, self.owner, len(self.ids)) + b"".join(self.ids)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """See `Row.decode`."""
        head = _LIST_HEAD.size
        count = (len(data) - head) // limits.ID_BYTES
        if len(data) != head + limits.ID_BYTES * count or not 1 <= count <= limits.MAX_LIST_IDS:
            raise RowError(f"a list row of {len(data)} bytes")
        row = cls._read(data)
        if row.encode() != data or list(row.ids) != sorted(set(row.ids)):
            raise RowError("no list: count, order or reserved bytes are wrong")
        return row

    @classmethod
    def _read(cls, data: bytes) -> Self:
        head, size = _LIST_HEAD.size, limits.ID_BYTES
        list_id, owner, _ = _LIST_HEAD.unpack_from(data)
        ids = tuple(data[at : at + size] for at in range(head, len(data), size))
        return cls(ListId(list_id), PrincipalId(owner), ids)


@dataclass(frozen=True, slots=True)
class RelationRow(Row):
    """A registrar's statement that two principals are related.

    Attributes:
        registrar: Whose statement it is.
        first: A principal.
        second: Another one, with a higher id.
        stated_at_ns: Timestamp of its RELATION.
    """

    TABLE: ClassVar[Table] = Table.RELATION
    LAYOUT: ClassVar[struct.Struct] = _RELATION

    registrar: PrincipalId
    first: PrincipalId
    second: PrincipalId
    stated_at_ns: TimestampNs

    @property
    def key(self) -> tuple[PrincipalId, PrincipalId, PrincipalId]:
        """Registrar and both principals."""
        return self.registrar, self.first, self.second

    def key_bytes(self) -> bytes:
        """See `Row.key_bytes`."""
        return b"".join(self.key)

    def encode(self) -> bytes:
        """See `Row.encode`."""
        return _RELATION.pack(*self.key, self.stated_at_ns)

    @classmethod
    def _read(cls, data: bytes) -> Self:
        registrar, first, second, stated_at = _RELATION.unpack(data)
        parties = PrincipalId(registrar), PrincipalId(first), PrincipalId(second)
        return cls(*parties, TimestampNs(stated_at))
