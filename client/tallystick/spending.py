"""Client methods that bound what is spent: limits, keys under keys, and time zones for both.

A limit is of a key, an account, a principal, or of what one payee keeps on hold; it counts over a
day or a month, in UTC or in a zone of the ledger's, or for good. Agents get keys of their own under
one another: what a key spends counts for it and for all above. See docs/limits.md.
"""

from dataclasses import dataclass
from typing import Self

from tallystick.core import ClientCore
from tallystick.draft import build, require_amount
from tallystick.keyfile import Signer
from tallystick.results import Receipt
from tallystick_ledger.ids import (
    NO_ID,
    NO_KEY,
    AccountId,
    LedgerId,
    PrincipalId,
    PublicKey,
    UnitId,
    ZoneId,
)
from tallystick_ledger.records import (
    Delegate,
    Kill,
    Limit,
    LimitOperation,
    LimitTarget,
    LimitWindow,
    Zone,
)
from tallystick_ledger.zones import ZoneTable, zone_id

UTC = "UTC"


@dataclass(frozen=True, slots=True)
class LimitOf:
    """Whose spending a limit bounds: make one by `key`, `account`, `principal` or `payee`.

    Attributes:
        target: Which of them.
        subject: 32 bytes, as in the record.
    """

    target: LimitTarget
    subject: bytes

    @classmethod
    def key(cls, public_key: PublicKey) -> Self:
        """Of a SPEND key, those that replaced it, and all keys under it."""
        return cls(LimitTarget.KEY, Limit.of_key(public_key))

    @classmethod
    def account(cls, account: AccountId) -> Self:
        """Of all that is spent from an account."""
        return cls(LimitTarget.ACCOUNT, Limit.of_one(account))

    @classmethod
    def principal(cls, principal: PrincipalId) -> Self:
        """Of all that a principal spends in a unit."""
        return cls(LimitTarget.PRINCIPAL, Limit.of_one(principal))

    @classmethod
    def payee(cls, payer_account: AccountId, payee_account: AccountId) -> Self:
        """Of what a payee's account keeps on hold of an account; its window is HELD."""
        return cls(LimitTarget.PAYEE, Limit.of_pair(payer_account, payee_account))


class SpendingMethods(ClientCore):
    """What bounds spending. Who may sign and what is raised besides: `MoneyMethods`."""

    async def set_limit(
        self,
        of: LimitOf,
        unit: UnitId,
        amount: int,
        window: LimitWindow = LimitWindow.DAY,
        *,
        zone: str = UTC,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Sets a limit, or another amount or zone of one. Signed by OWNER; SPEND only narrows.

        A new limit counts from now on. One that is there keeps what it has counted and the end of
        its window.

        Args:
            of: Whose spending.
            unit: What it counts.
            amount: The most in one window, in the unit's smallest step; 0 for nothing at all.
            window: A day, a month, or for good; HELD for a payee.
            zone: Whose days and months, such as Asia/Shanghai, if an operator has published it.
            signer: Who signs.
            deadline_s: When to give up.

        Raises:
            KeyNotFound, AccountNotFound, UnitNotFound: What is named is not there, or not the
                signer's.
            ZoneRefused: No such zone, or its table does not reach to the end of the window.
            LimitWidened: A SPEND key signs, and it would be more than before.
            CapExceeded: The principal has too many limits.
        """
        where = ZoneId(NO_ID) if zone == UTC else self._zone_id(zone)
        record = build(Limit, of.target, window, of.subject, unit, require_amount(amount), where)
        draft = self.draft(signer)
        draft.add(record)
        return await self._send(draft, deadline_s)

    async def end_limit(
        self,
        of: LimitOf,
        unit: UnitId,
        window: LimitWindow = LimitWindow.DAY,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Takes a limit away; nothing happens if there is none. Signed by OWNER.

        Args:
            of: Whose spending.
            unit: What it counts.
            window: As it was set.
            signer: Who signs.
            deadline_s: When to give up.

        Raises:
            KeyNotFound, AccountNotFound, UnitNotFound: As `set_limit`.
            LimitWidened: A SPEND key signs.
        """
        operation = LimitOperation.END
        draft = self.draft(signer)
        draft.add(build(Limit, of.target, window, of.subject, unit, operation=operation))
        return await self._send(draft, deadline_s)

    async def delegate(
        self,
        key: PublicKey,
        parent: PublicKey | None,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Puts a SPEND key under another: what it spends counts for both, and falls with both.

        Signed by OWNER; a SPEND key may move what is under it further down.

        Args:
            key: The agent's key, registered before (`add_key`).
            parent: The key above it; None for none any more.
            signer: Who signs.
            deadline_s: When to give up.

        Raises:
            KeyNotFound: One of them is no SPEND key of the signer's principal.
            DelegationInvalid: It would be above itself, or have more than four above it.
        """
        draft = self.draft(signer)
        draft.add(build(Delegate, key, NO_KEY if parent is None else parent))
        return await self._send(draft, deadline_s)

    async def kill(
        self,
        key: PublicKey,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Revokes a SPEND key and all keys under it, at once. Signed by OWNER, or a key above it.

        Holds that they made go on until they end.

        Args:
            key: The key.
            signer: Who signs.
            deadline_s: When to give up.

        Raises:
            KeyNotFound: It is no SPEND key of the signer's principal.
            KeyRefused: All of them are revoked already.
        """
        draft = self.draft(signer)
        draft.add(build(Kill, key))
        return await self._send(draft, deadline_s)

    async def publish_zone(
        self,
        name: str,
        version: int,
        table: ZoneTable,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Publishes the table of a time zone, or a newer one. Signed by an operator.

        Windows that have begun keep their end; the next go by the new table.

        Args:
            name: Such as Asia/Shanghai.
            version: 1 for a new zone, else one more than that of the table in force.
            table: `tallystick.zone_tables.make` makes it of the time-zone database.
            signer: Who signs.
            deadline_s: When to give up.

        Raises:
            ZoneRefused: Another version is due.
            CapExceeded: There are too many zones.
        """
        draft = self.draft(signer)
        draft.add(build(Zone, name, version, table))
        return await self._send(draft, deadline_s)

    def _zone_id(self, name: str) -> ZoneId:
        """Returns the id of a zone of this ledger."""
        return zone_id(LedgerId(self._ledger_id), name)
