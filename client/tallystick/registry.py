"""Client methods that register things: principals, keys, names, units and accounts."""

from tallystick.core import ClientCore
from tallystick.draft import build
from tallystick.errors import InvalidArgument
from tallystick.keyfile import Signer
from tallystick.results import Created, Receipt
from tallystick_ledger.ids import AccountId, NameId, PrincipalId, PublicKey, TimestampNs, UnitId
from tallystick_ledger.keys import SigningKey, prove_possession
from tallystick_ledger.limits import MAX_RECORDS
from tallystick_ledger.records import (
    Account,
    AccountOperation,
    Key,
    KeyOperation,
    Name,
    NameKind,
    Principal,
    PrincipalType,
    Scope,
    Unit,
)

_NEVER = TimestampNs(0)


class RegistryMethods(ClientCore):
    """What changes who and what the ledger knows. Each method is one envelope.

    All of them raise, besides what they name: `Refused`, `OutcomeUnknown`, `ConnectionFailed`,
    `AccessDenied` and `ProtocolError` as `submit` does, `KeyRefused` when the signing key may not
    do this, `InvalidArgument` for values that no record can hold. `signer` is who signs, None for
    the client's signer; `deadline_s` is when to give up, seconds from now, None for the envelope's
    life and a margin.
    """

    async def register_principal(
        self,
        key: SigningKey,
        principal_type: PrincipalType = PrincipalType.ORGANISATION,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Created[PrincipalId]:
        """Registers a principal with `key` as its first OWNER key. Signed by an operator.

        Args:
            key: The new principal's key; it proves here that it is possessed.
            principal_type: Organisation, individual or service.
            signer: An operator.
            deadline_s: When to give up.

        Returns:
            The principal's id.

        Raises:
            AlreadyExists: The key is registered.
        """
        draft = self.draft(signer)
        principal = PrincipalId(draft.next_id())
        possession = prove_possession(key, self._ledger_id, principal)
        draft.add(build(Principal, principal_type, key.public_key, possession, principal))
        return Created(principal, await self._send(draft, deadline_s))

    async def add_key(
        self,
        key: SigningKey,
        scope: Scope,
        *,
        until_ns: TimestampNs = _NEVER,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Gives the signer's principal one more key. Signed by an OWNER key (AUDIT: by OPERATE).

        Args:
            key: The new key; it proves here that it is possessed.
            scope: OWNER, SPEND or METER; READ for one that only sees what is its principal's,
                AUDIT for one that sees everything and that only an operator can add; RECOVERY for
                one that is kept for the day on which the OWNER key is lost.
            until_ns: When its time ends, nanoseconds since 1970; 0 for never.
            signer: Whose principal gets it.
            deadline_s: When to give up.

        Raises:
            AlreadyExists: The key is registered.
            HoldRefused: `until_ns` has passed (EXPIRY_INVALID).
            CapExceeded: The principal has too many keys.
        """
        draft = self.draft(signer)
        principal = draft.signer.principal
        possession = prove_possession(key, self._ledger_id, principal)
        draft.add(
            build(Key, KeyOperation.ADD, key.public_key, principal, scope, possession, until_ns)
        )
        return await self._send(draft, deadline_s)

    async def rotate_key(
        self,
        key: SigningKey,
        *,
        overlap_until_ns: TimestampNs = _NEVER,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Replaces the signing key by `key`, which gets its scope.

        The client signs with the new key from then on, if the old one was its signer's.

        Args:
            key: The key that takes over; it proves here that it is possessed.
            overlap_until_ns: Until when the old key may sign too, nanoseconds since 1970; 0 revokes
                it at once.
            signer: Whose key is replaced.
            deadline_s: When to give up.

        Raises:
            AlreadyExists: The key is registered.
            HoldRefused: `overlap_until_ns` has passed (EXPIRY_INVALID).
            CapExceeded: The principal has too many keys.
        """
        draft = self.draft(signer)
        old = draft.signer
        possession = prove_possession(key, self._ledger_id, old.principal)
        record = build(
            Key,
            KeyOperation.ROTATE,
            key.public_key,
            old.principal,
            None,
            possession,
            overlap_until_ns,
        )
        draft.add(record)
        receipt = await self._send(draft, deadline_s)
        if self._signer is not None and old.public_key == self._signer.public_key:
            self._signer = self._as_signer(Signer(key, old.principal, old.name))
        return receipt

    async def revoke_key(
        self,
        public_key: PublicKey,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Revokes a key of the signer's principal, from the next record of the ledger on.

        Args:
            public_key: 32 bytes.
            signer: An OWNER key of the principal, or the key itself.
            deadline_s: When to give up.

        Raises:
            KeyNotFound: The principal has no such key.
            KeyRefused: It is revoked already, or the last OWNER key.
            RecoveryRefused: It began a recovery that is pending, which only `veto` ends.
        """
        draft = self.draft(signer)
        draft.add(build(Key, KeyOperation.REVOKE, public_key, draft.signer.principal))
        return await self._send(draft, deadline_s)

    async def register_name(
        self,
        kind: NameKind,
        text: str,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Created[NameId]:
        """Registers a name; records refer to it by its id. Names hold no personal data.

        Args:
            kind: What it is the name of.
            text: 1 to 256 bytes of UTF-8 without control characters.
            signer: Who will own it.
            deadline_s: When to give up.

        Returns:
            The name's id.

        Raises:
            AlreadyExists: This owner has registered it.
            CapExceeded: The principal has too many names.
        """
        draft = self.draft(signer)
        name = NameId(draft.add_creating(build(Name, kind, text)))
        return Created(name, await self._send(draft, deadline_s))

    async def create_unit(
        self,
        symbol: str,
        exponent: int,
        issuer: PrincipalId,
        *,
        settlement_unit: UnitId | None = None,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Created[UnitId]:
        """Registers what amounts are counted in. Signed by an operator.

        Args:
            symbol: 1 to 16 characters of `A-Z 0-9 . - _`.
            exponent: Decimal places, 0 to 18: with 9 the smallest step is a billionth.
            issuer: The principal that may issue it; of a deferred unit the operator of its netting.
            settlement_unit: Makes it a deferred unit, of debts that are netted and paid in this
                one, which has as many decimals. See `netting`.
            signer: An operator.
            deadline_s: When to give up.

        Returns:
            The unit's id, which is also its issuance account's.

        Raises:
            PrincipalNotFound: There is no such issuer.
            UnitNotFound: There is no such settlement unit.
            NettingRefused: The settlement unit is deferred itself.
            AccountRefused: It has other decimals.
            AlreadyExists: The symbol is taken.
            CapExceeded: The issuer has too many accounts.
        """
        draft = self.draft(signer)
        unit = UnitId(draft.add_creating(build(Unit, symbol, exponent, issuer, settlement_unit)))
        return Created(unit, await self._send(draft, deadline_s))

    async def open_account(
        self, unit: UnitId, *, signer: Signer | None = None, deadline_s: float | None = None
    ) -> Created[AccountId]:
        """Opens an account of the signer's principal. Signed by an OWNER key.

        Args:
            unit: What it holds.
            signer: Who will own it.
            deadline_s: When to give up.

        Returns:
            The account's id.

        Raises:
            UnitNotFound: There is no such unit.
            CapExceeded: The principal has too many accounts.
        """
        (created,) = await self.open_accounts(unit, 1, signer=signer, deadline_s=deadline_s)
        return created

    async def open_accounts(
        self,
        unit: UnitId,
        count: int,
        *,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> list[Created[AccountId]]:
        """Opens `count` accounts, 1 to 8,190, in one envelope; else as `open_account`.

        The envelope is ATOMIC: either all are opened or none.
        """
        if not 1 <= count <= MAX_RECORDS:
            raise InvalidArgument(f"{count} accounts do not fit into one envelope.")
        draft = self.draft(signer)
        record = build(Account, AccountOperation.OPEN, unit)
        ids = [AccountId(draft.add_creating(record)) for _ in range(count)]
        receipt = await self._submitter.submit(draft.seal(atomic=True), deadline_s)
        receipt.require_ok()
        return [Created(account, receipt) for account in ids]

    async def freeze_account(
        self, account: AccountId, *, signer: Signer | None = None, deadline_s: float | None = None
    ) -> Receipt:
        """Stops an own account from paying and being paid; its open holds stay.

        Raises:
            AccountNotFound: The signer has no such account.
            AccountRefused: It is frozen or closed already.
        """
        return await self._account(AccountOperation.FREEZE, account, signer, deadline_s)

    async def unfreeze_account(
        self, account: AccountId, *, signer: Signer | None = None, deadline_s: float | None = None
    ) -> Receipt:
        """Lets an own frozen account pay and be paid again.

        Raises:
            AccountNotFound: The signer has no such account.
            AccountRefused: It is not frozen, or closed.
        """
        return await self._account(AccountOperation.UNFREEZE, account, signer, deadline_s)

    async def close_account(
        self, account: AccountId, *, signer: Signer | None = None, deadline_s: float | None = None
    ) -> Receipt:
        """Closes an own empty account, for good.

        Raises:
            AccountNotFound: The signer has no such account.
            AccountRefused: It is closed already, or not empty.
        """
        return await self._account(AccountOperation.CLOSE, account, signer, deadline_s)

    async def _account(
        self,
        operation: AccountOperation,
        account: AccountId,
        signer: Signer | None,
        deadline_s: float | None,
    ) -> Receipt:
        draft = self.draft(signer)
        draft.add(build(Account, operation, account=account))
        return await self._send(draft, deadline_s)
