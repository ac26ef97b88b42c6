"""The client for asyncio programs: all methods in one class, reads and raw submission here.

    async with AsyncClient(endpoints, genesis, tls=ca, signer=alice) as client:
        receipt = await client.transfer(mine, theirs, 1_500)

A client belongs to the event loop in which it is first used. It is safe to share among all tasks of
that loop, and better than one for each: concurrent calls travel in common messages.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tallystick import limits, open_holds
from tallystick.cards import CardMethods
from tallystick.channels import ChannelMethods
from tallystick.claims import ClaimMethods
from tallystick.corrections import CorrectionMethods
from tallystick.envelopes import Stored
from tallystick.errors import OutcomeUnknown, TallystickError
from tallystick.grants import GrantMethods
from tallystick.history_methods import HistoryMethods
from tallystick.holds import HoldMethods
from tallystick.keyfile import Signer
from tallystick.meters import MeterMethods
from tallystick.money import MoneyMethods
from tallystick.netting import NettingMethods
from tallystick.reads import EnvelopeInfo, NodeStatus, envelope_request
from tallystick.recovery import RecoveryMethods
from tallystick.registry import RegistryMethods
from tallystick.results import Receipt
from tallystick.spending import SpendingMethods
from tallystick.stream import SubmitStream
from tallystick_ledger.ids import (
    AccountId,
    ChannelId,
    EnvelopeId,
    HoldId,
    PrincipalId,
    SequenceNumber,
)
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.state_rows import (
    AccountRow,
    ChannelRow,
    HoldRow,
    LimitRow,
    RecoveryRow,
    ZoneRow,
)
from tallystick_proto.v1 import ledger_pb2

# By how much this process's clock may be ahead of log time when it says how old a hold can be.
_CLOCK_MARGIN_NS: Final = 600_000_000_000


class AsyncClient(
    RegistryMethods,
    RecoveryMethods,
    MoneyMethods,
    CardMethods,
    HoldMethods,
    MeterMethods,
    ChannelMethods,
    ClaimMethods,
    CorrectionMethods,
    NettingMethods,
    SpendingMethods,
    GrantMethods,
    HistoryMethods,
):
    """A client of one ledger."""

    @classmethod
    def from_profile(
        cls, profile: Path | str | None = None, *, key: Path | str | Signer | None = None
    ) -> Self:
        """Makes a client from a profile file, a cluster's directory, or the environment.

        Args:
            profile: A `tallystick.toml`, a directory that holds one or was made by
                `tallystick cluster up`, or None to look in the usual places; see
                `tallystick.profile`.
            key: Who signs and reads, instead of the profile's key and read_key: a signer, a key
                file, or the name of one in the directory `keys` beside the profile.

        Raises:
            ConfigurationError: Something is missing or wrong.
        """
        from tallystick.profile import find_key, load_profile  # noqa: PLC0415 - pydantic is slow

        settings = load_profile(profile)
        if isinstance(key, Signer):
            signer: Signer | None = key
        else:
            signer = settings.read_signer(None if key is None else find_key(key, profile))
        return cls(
            settings.endpoints,
            settings.read_genesis() or settings.read_ledger_id(),
            tls=settings.trusted(),
            signer=signer,
            read_key=settings.load_read_key() if key is None else None,
            valid_for_s=settings.valid_for_s,
            attempt_timeout_s=settings.attempt_timeout_s,
        )

    async def __aenter__(self) -> Self:
        """Returns the client itself; connections are made when they are needed."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the client."""
        await self.close()

    async def close(self) -> None:
        """Closes all connections. Calls under way raise `OutcomeUnknown` or `ConnectionFailed`."""
        await self._submitter.close()
        await self._pool.close()

    async def submit(
        self,
        envelope: Stored | bytes,
        *,
        principal: PrincipalId | None = None,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Sends a sealed envelope, again and again if need be, until its outcome is known.

        Concurrent calls of one client travel in common messages of up to 1 MiB. It is always safe
        to submit the same bytes again, in any process and at any time.

        Args:
            envelope: From `draft.seal()`, or the bytes of one that was stored.
            principal: Whose key signed it; needed for bytes that another client's signer signed, so
                that a lost answer can be looked up (with an AUDIT key as this client's read key).
            signer: The same with the key, which may look it up itself.
            deadline_s: When to give up, seconds from now; None for the envelope's life and a
                margin.

        Returns:
            Its receipt, whether its records were done or refused: see `Receipt.require_ok`.

        Raises:
            Refused: It was not executed, and will not be; the subclass says why.
            OutcomeUnknown: The deadline passed, and it may have been ordered.
            ConnectionFailed: The deadline passed, and no node was reached.
            AccessDenied, ProtocolError: A node refused the call as such.
            InvalidArgument: The bytes are no envelope of this ledger.
        """
        stored = self._stored(envelope, principal, signer)
        return await self._submitter.submit(stored, deadline_s)

    async def submit_many(
        self,
        envelopes: Iterable[Stored | bytes],
        *,
        principal: PrincipalId | None = None,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> list[Receipt | TallystickError]:
        """Sends sealed envelopes, packed into as few messages as they fit in.

        Args:
            envelopes: As for `submit`, any number; read as fast as they are sent.
            principal: Whose key signed those given as bytes.
            signer: The same with the key; see `submit`.
            deadline_s: When to give up, seconds from each one's turn.

        Returns:
            What `submit` would return or raise for each, in order. Nothing of that is raised.

        Raises:
            InvalidArgument: One of them is no envelope of this ledger; those before it were sent.
        """
        waiting: list[asyncio.Future[Receipt]] = []
        for each in envelopes:
            stored = self._stored(each, principal, signer)
            await self._submitter.room()
            give_up_at = self._submitter.give_up_at(stored, deadline_s)
            waiting.append(self._submitter.enqueue(stored, give_up_at))
        outcomes: list[Receipt | TallystickError] = []
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            if not isinstance(outcome, Receipt | TallystickError):
                raise outcome
            outcomes.append(outcome)
        return outcomes

    def stream(self) -> SubmitStream:
        """Returns a stream for bulk: messages of up to 1 MiB, three under way, answers in order.

        async with client.stream() as stream:
            answer = await stream.send(message)     # a future
            outcome = await answer
        """
        return SubmitStream(self._pool, self._surroundings, self._attempt_timeout_s)

    async def resolve(
        self,
        envelope: OutcomeUnknown | Stored | EnvelopeId,
        *,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> EnvelopeInfo:
        """Finds out what became of an envelope whose outcome was unknown.

        Args:
            envelope: The error, the stored envelope, or the id of one that this client's signer
                signed.
            signer: Whose key signs the question; None for one of that principal.
            deadline_s: When to give up, seconds from now.

        Returns:
            FOUND with its receipt; NOT_YET: ask again after `valid_until_ns`; NEVER: it has changed
            nothing and never will, so paying again is safe.

        Raises:
            ConnectionFailed, AccessDenied, ProtocolError: Nobody could say.
        """
        if isinstance(envelope, OutcomeUnknown | Stored):
            return await self.get_envelope(
                envelope.envelope_id,
                principal=envelope.principal,
                signer=signer,
                deadline_s=deadline_s,
            )
        return await self.get_envelope(envelope, signer=signer, deadline_s=deadline_s)

    async def get_envelope(
        self,
        by: EnvelopeId | SequenceNumber,
        *,
        principal: PrincipalId | None = None,
        stale: bool = False,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> EnvelopeInfo:
        """Reads an envelope with its results and effects. For keys of its signer's principal.

        Args:
            by: Its id, or the sequence number of any record in it.
            principal: Whose key signed it, for an id; None for that of who reads.
            stale: Take one node's word, which may lag behind.
            signer: Whose key signs the question; None for one of that principal.
            deadline_s: When to give up, seconds from now.

        Returns:
            NOT_YET also for a sequence number whose envelope is somebody else's.

        Raises:
            AccessDenied: The id of somebody else's envelope was named.
            ConnectionFailed, AccessDenied, ProtocolError: Nobody could say.
        """
        if principal is None and not isinstance(by, int):
            reads = signer.principal if isinstance(signer, Signer) else self._read_principal
            principal = reads or self.principal
        request = envelope_request(by, principal)
        request.options.stale = stale
        key = self._key_to_read(signer, principal)
        return await self._reader.envelope(request, key, self._deadline(deadline_s))

    async def get_accounts(
        self,
        accounts: Sequence[AccountId],
        *,
        stale: bool = False,
        at_least_sequence: int = 0,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[AccountRow | None]:
        """Reads accounts: those of the principal whose key signs the question, or all (AUDIT).

        Args:
            accounts: Any number of ids.
            stale: Take one node's word, which may lag behind.
            at_least_sequence: With `stale`: wait until this sequence number is in the state.
            signer: Whose key signs the question; None for the client's read key or signer.
            deadline_s: When to give up, seconds from now.

        Returns:
            Their rows in this order, None where there is no such account, or not for this key.

        Raises:
            AccessDenied: The key is not registered, not active, or reads no accounts at all.
            ConnectionFailed, ProtocolError: Nobody could say.
        """
        options = ledger_pb2.ReadOptions(stale=stale, at_least_sequence=at_least_sequence)
        key = self._key_to_read(signer)
        return await self._reader.accounts(accounts, options, key, self._deadline(deadline_s))

    async def get_account(
        self,
        account: AccountId,
        *,
        stale: bool = False,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> AccountRow | None:
        """Reads one account: `available` is what it can spend; as `get_accounts`."""
        (row,) = await self.get_accounts(
            [account], stale=stale, signer=signer, deadline_s=deadline_s
        )
        return row

    async def balance(
        self,
        account: AccountId,
        *,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> int:
        """Returns what an account can spend now, in the unit's smallest step; holds count as spent.

        Raises:
            LookupError: There is no such account, or not for this key.
            ConnectionFailed, AccessDenied, ProtocolError: Nobody could say.
        """
        row = await self.get_account(account, signer=signer, deadline_s=deadline_s)
        if row is None:
            raise LookupError(
                f"there is no account {account.hex()} that this key may see; "
                "name its owner with signer=..."
            )
        return row.available

    async def get_holds(
        self,
        holds: Sequence[HoldId],
        *,
        stale: bool = False,
        at_least_sequence: int = 0,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[HoldRow | None]:
        """Reads holds, of payer or payee; as `get_accounts`. Ended ones are forgotten in time."""
        options = ledger_pb2.ReadOptions(stale=stale, at_least_sequence=at_least_sequence)
        key = self._key_to_read(signer)
        return await self._reader.holds(holds, options, key, self._deadline(deadline_s))

    async def open_holds(
        self,
        account: AccountId,
        *,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[HoldRow]:
        """Lists the holds that pin money of an account, the oldest first. For its owner's keys.

        A hold whose time is over stands there as open until log time has passed it.

        Args:
            account: The payer's.
            signer: Whose key signs the questions; None for the client's read key or signer.
            deadline_s: When to give up each of them, seconds from now.

        Raises:
            LookupError: There is no such account, or not for this key.
            ConnectionFailed, AccessDenied, ProtocolError: Nobody could say.
        """
        payer = await self.get_account(account, signer=signer, deadline_s=deadline_s)
        if payer is None:
            raise LookupError(f"there is no account {account.hex()} that this key may see")
        since_ns = 0
        if self.genesis is not None:
            longest_ns = self.genesis.hold_max_lifetime_ns + _CLOCK_MARGIN_NS
            since_ns = max(0, self._surroundings.now_ns() - longest_ns)
        records = self.history(
            account,
            wanted=replace(open_holds.RESERVES, since_ns=since_ns),
            page_size=limits.MAX_PAGE_RECORDS,
            signer=signer,
        )

        async def read(holds: list[HoldId]) -> list[HoldRow | None]:
            return await self.get_holds(holds, signer=signer, deadline_s=deadline_s)

        async with aclosing(records):
            return await open_holds.find(records, payer, self.ledger_id, read)

    async def get_channels(
        self,
        channels: Sequence[ChannelId],
        *,
        stale: bool = False,
        at_least_sequence: int = 0,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[ChannelRow | None]:
        """Reads channels, of payer or payee; as `get_accounts`. Closed ones are forgotten in time.

        A payee looks here before it serves: a row has the channel's key, which account it pays,
        what is left of the deposit, and how much notice the payer has to give.
        """
        options = ledger_pb2.ReadOptions(stale=stale, at_least_sequence=at_least_sequence)
        key = self._key_to_read(signer)
        return await self._reader.channels(channels, options, key, self._deadline(deadline_s))

    async def limits(
        self,
        principal: PrincipalId | None = None,
        *,
        stale: bool = False,
        at_least_sequence: int = 0,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[LimitRow]:
        """Reads what bounds the spending of a principal, its keys and accounts; as `get_accounts`.

        A row whose window is over counts nothing any more: see `LimitRow.used_at`.

        Args:
            principal: Whose; None for the reading key's.
            stale: As `get_accounts`, and so are the others.
            at_least_sequence: Wait for this record first.
            signer: Whose key signs the question; None for the client's read key or signer.
            deadline_s: When to give up, seconds from now.

        Raises:
            ConfigurationError: No principal is named, and none is known of the key.
            ConnectionFailed, AccessDenied, ProtocolError: Nobody could say.
        """
        options = ledger_pb2.ReadOptions(stale=stale, at_least_sequence=at_least_sequence)
        whose = self._principal_to_read(signer) if principal is None else principal
        request = ledger_pb2.GetLimitsRequest(principal=whose, options=options)
        key = self._key_to_read(signer)
        answer = await self._reader.limits(request, key, self._deadline(deadline_s))
        return answer.limits

    async def pending_recovery(
        self,
        principal: PrincipalId | None = None,
        *,
        stale: bool = False,
        at_least_sequence: int = 0,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> RecoveryRow | None:
        """Reads which key is to replace a principal's OWNER keys, and when; None for none.

        Who holds an OWNER key looks here more often than the least delay, and vetoes what it
        does not know. Arguments and errors: as `limits`.

        Args:
            principal: Whose; None for the reading key's.
            stale: As `get_accounts`, and so are the others.
            at_least_sequence: Wait for this record first.
            signer: Whose key signs the question; None for the client's read key or signer.
            deadline_s: When to give up, seconds from now.

        Raises:
            ConfigurationError: No principal is named, and none is known of the key.
            ConnectionFailed, AccessDenied, ProtocolError: Nobody could say.
        """
        options = ledger_pb2.ReadOptions(stale=stale, at_least_sequence=at_least_sequence)
        whose = self._principal_to_read(signer) if principal is None else principal
        request = ledger_pb2.GetLimitsRequest(principal=whose, options=options)
        key = self._key_to_read(signer)
        answer = await self._reader.limits(request, key, self._deadline(deadline_s))
        return next(iter(answer.recoveries), None)

    async def zones(
        self,
        names: Sequence[str],
        *,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> list[ZoneRow | None]:
        """Reads the tables of time zones, None for one that nobody has published. For any key.

        Args:
            names: Such as Asia/Shanghai.
            signer: Whose key signs the questions; None for the client's read key or signer.
            deadline_s: When to give up each of them, seconds from now.

        Raises:
            ConnectionFailed, AccessDenied, ProtocolError: Nobody could say.
        """
        key = self._key_to_read(signer)
        found: dict[str, ZoneRow] = {}
        for start in range(0, len(names), limits.MAX_ZONES_PER_READ):
            part = names[start : start + limits.MAX_ZONES_PER_READ]
            ids = b"".join(self._zone_id(name) for name in part)
            request = ledger_pb2.GetLimitsRequest(zones=ids)
            answer = await self._reader.limits(request, key, self._deadline(deadline_s))
            found |= {zone.name: zone for zone in answer.zones}
        return [found.get(name) for name in names]

    async def status(
        self,
        endpoint: str | None = None,
        *,
        with_state_digest: bool = False,
        linearizable: bool = False,
        signer: Signer | SigningKey | None = None,
        deadline_s: float | None = None,
    ) -> NodeStatus:
        """Asks a node how it is.

        Args:
            endpoint: Which; None for the one believed to lead.
            with_state_digest: Have it hash its whole state; needs a key. Else anybody may ask.
            linearizable: Have it confirm with a quorum first.
            signer: Whose key asks for the digest, any that is registered; None for the client's.
            deadline_s: When to give up, seconds from now.

        Raises:
            ConnectionFailed, AccessDenied, ProtocolError: It did not say.
        """
        request = ledger_pb2.GetStatusRequest(
            with_state_digest=with_state_digest, linearizable=linearizable
        )
        key = self._key_to_read(signer) if with_state_digest else None
        return await self._reader.status(request, key, self._deadline(deadline_s), endpoint)

    def _deadline(self, deadline_s: float | None) -> float:
        return self._read_deadline_s if deadline_s is None else deadline_s
