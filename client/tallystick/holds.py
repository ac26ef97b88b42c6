"""Client methods for holds: money that is pinned for a payee before it is earned.

    async with client.reserve(mine, theirs, 4_000, payee=provider) as hold:
        await hold.capture(1_250)
        await hold.extend(2_000, expires_in_s=60)

A hold ends once: by a final capture, by a release, or by its expiry. What is captured is said as
the sum so far, so that a repeated capture bills nothing twice.
"""

from collections.abc import Generator
from types import TracebackType
from typing import Any, Final

from tallystick.core import ClientCore
from tallystick.draft import build, require_amount
from tallystick.errors import HoldExpired, InvalidArgument
from tallystick.keyfile import Signer
from tallystick.results import Receipt
from tallystick_ledger.ids import AccountId, HoldId, TimestampNs
from tallystick_ledger.records import (
    Capture,
    CaptureSource,
    CardTerms,
    Extend,
    Release,
    Reserve,
    ServedUsage,
)

DEFAULT_HOLD_S: Final = 60.0
_NS_PER_S: Final = 1_000_000_000
_UNKNOWN_TIME = TimestampNs(0)
_SAME_EXPIRY = TimestampNs(0)


class HoldMethods(ClientCore):
    """What pins money and bills it. Amounts are ints in the unit's smallest step.

    All of them raise, besides what they name: `Refused`, `OutcomeUnknown`, `ConnectionFailed`,
    `AccessDenied` and `ProtocolError` as `submit` does, `KeyRefused` when the signing key may not
    do this, `InvalidArgument` for values that no record can hold and `TypeError` for an amount that
    is no int. `signer` is who signs, None for the client's signer; `deadline_s` is when to give up,
    seconds from now, None for the envelope's life and a margin.
    """

    def _time_in(self, seconds: float) -> TimestampNs:
        """So many seconds from now, in nanoseconds since 1970, by this process's clock."""
        return TimestampNs(self._surroundings.now_ns() + int(seconds * _NS_PER_S))

    def reserve(
        self,
        payer_account: AccountId,
        payee_account: AccountId,
        maximum: int,
        *,
        expires_in_s: float = DEFAULT_HOLD_S,
        expires_at_ns: TimestampNs | None = None,
        reference: int = 0,
        unique: bool = False,
        payee: Signer | None = None,
        terms: CardTerms | None = None,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> "Reservation":
        """Pins up to `maximum` of an own account for a payee. Signed by the payer.

        `await` the result for a `Hold`, or use it in `async with`, which ends the hold at the end
        of the block: what was captured stays, the rest goes back at once where `payee` can sign
        for it, else at the expiry.

        Args:
            payer_account: Whose money is pinned; an account of the signer's principal.
            payee_account: Who may capture it.
            maximum: At most so much can be captured, in the unit's smallest step.
            expires_in_s: Seconds until the rest goes back by itself; at least 1.
            expires_at_ns: The same as a time, nanoseconds since 1970; wins over `expires_in_s`.
            reference: The caller's own number, up to 2**128 - 1.
            unique: Refuse it if this principal has used the reference within the ledger's window.
            payee: Who signs captures and the release, where this process holds that key too.
            terms: The card, model, tiers and regions that price it; None for a flat hold, where
                the payee names amounts.
            signer: The payer.
            deadline_s: When to give up.

        Raises:
            AccountNotFound: One of the accounts does not exist, or the first is not the signer's.
            AccountRefused: One is frozen, closed, of another unit, or a unit's issuance account.
            InsufficientFunds: The account never had so much.
            FundsHeld: It has, but on hold.
            HoldRefused: The expiry is too soon or too far (EXPIRY_INVALID).
            CapExceeded: The payer has too many open holds.
            ReferenceUsed: `unique`, and the reference was used.
            CardNotFound: With `terms`: there is no such published card.
            CardRefused: It is not the payee's, or not in force.
            NotPriced: It has no price for the model.
        """
        if expires_at_ns is None:
            expires_at_ns = self._time_in(expires_in_s)
        record = build(
            Reserve,
            payer_account,
            payee_account,
            require_amount(maximum),
            expires_at_ns,
            reference,
            unique,
            terms,
        )
        return Reservation(self, record, payee, signer, deadline_s)

    async def extend(
        self,
        hold: HoldId,
        additional: int = 0,
        *,
        expires_in_s: float | None = None,
        expires_at_ns: TimestampNs | None = None,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Pins more for a hold, puts its expiry off, or both. Signed by the payer.

        Args:
            hold: Which.
            additional: What its maximum grows by, in the unit's smallest step; may be 0.
            expires_in_s: Seconds from now until the rest goes back by itself.
            expires_at_ns: The same as a time, nanoseconds since 1970; wins over `expires_in_s`.
                With neither, the expiry stays.
            signer: The payer.
            deadline_s: When to give up.

        Raises:
            InvalidArgument: Neither an amount nor an expiry.
            HoldNotFound: The signer is on neither side, or the hold is forgotten.
            HoldExpired: Its time was over.
            HoldRefused: It has ended, the signer is the payee, or the expiry is earlier than
                before, too soon or too far from the hold's beginning (EXPIRY_INVALID).
            AccountRefused: One of the accounts is frozen or closed.
            InsufficientFunds: The account never had so much.
            FundsHeld: It has, but on hold.
        """
        if expires_at_ns is None:
            expires_at_ns = _SAME_EXPIRY if expires_in_s is None else self._time_in(expires_in_s)
        draft = self.draft(signer)
        draft.add(build(Extend, hold, require_amount(additional), expires_at_ns))
        return await self._send(draft, deadline_s)

    async def capture(
        self,
        hold: HoldId,
        amount: int,
        *,
        final: bool = False,
        source: CaptureSource = CaptureSource.PROVIDER_REPORTED,
        occurred_at_ns: TimestampNs = _UNKNOWN_TIME,
        usage: ServedUsage | None = None,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> Receipt:
        """Bills a hold. Signed by the payee.

        Args:
            hold: Which.
            amount: The sum *so far*, earlier captures included; the difference is posted.
            final: Whether this ends the hold and frees its rest; only then may `amount` be 0.
            source: Who counted.
            occurred_at_ns: When it was used, nanoseconds since 1970; 0 for unknown.
            usage: Of a hold with `terms`: all that was used so far, which costs exactly `amount`.
            signer: The payee.
            deadline_s: When to give up.

        Raises:
            HoldNotFound: The signer is on neither side, or the hold is forgotten.
            HoldExpired: Its time was over.
            HoldRefused: It has ended, the amount is lower than before or above the maximum, or the
                signer is the payer.
            AccountRefused: The payee's account is frozen or closed.
            PriceRefused: The usage costs another amount, or its tier or region was not agreed.
            NotPriced: The card has no price for a meter that was used.
        """
        draft = self.draft(signer)
        billed = require_amount(amount)
        draft.add(build(Capture, hold, billed, source, final, occurred_at_ns, usage))
        return await self._send(draft, deadline_s)

    async def release(
        self, hold: HoldId, *, signer: Signer | None = None, deadline_s: float | None = None
    ) -> Receipt:
        """Ends a hold: what was captured stays, the rest is freed. Signed by the payee.

        Raises:
            HoldNotFound: The signer is on neither side, or the hold is forgotten.
            HoldExpired: Its time was over.
            HoldRefused: It has ended, or the signer is the payer.
        """
        draft = self.draft(signer)
        draft.add(build(Release, hold))
        return await self._send(draft, deadline_s)


class Hold:
    """An open hold of this process.

    Attributes:
        id: 16 bytes.
        payer_account: Whose money is pinned.
        payee_account: Who may capture it.
        maximum: At most so much, what this process has added included.
        expires_at_ns: When the rest goes back by itself.
        receipt: The RESERVE's.
    """

    def __init__(
        self,
        client: HoldMethods,
        hold: HoldId,
        record: Reserve,
        receipt: Receipt,
        *,
        payer: Signer | None,
        payee: Signer | None,
    ) -> None:
        """Made by `client.reserve`."""
        self.id = hold
        self.payer_account = record.payer_account
        self.payee_account = record.payee_account
        self.maximum = record.maximum
        self.expires_at_ns = record.expires_at_ns
        self.receipt = receipt
        self._client = client
        self._payer = payer
        self._payee = payee
        self._captured = 0
        self._is_open = True

    @property
    def captured(self) -> int:
        """What this process has captured of it."""
        return self._captured

    @property
    def is_open(self) -> bool:
        """Whether this process has not ended it; its time may be over all the same."""
        return self._is_open

    async def extend(self, additional: int = 0, *, expires_in_s: float | None = None) -> Receipt:
        """Pins more, puts the expiry off, or both; as `client.extend`, signed by the payer.

        Args:
            additional: What the maximum grows by, in the unit's smallest step; may be 0.
            expires_in_s: Seconds from now until the rest goes back; None leaves the expiry.
        """
        expires_at_ns = self.expires_at_ns
        if expires_in_s is not None:
            expires_at_ns = self._client._time_in(expires_in_s)  # noqa: SLF001 - its own part
        receipt = await self._client.extend(
            self.id, additional, expires_at_ns=expires_at_ns, signer=self._payer
        )
        self.maximum += additional
        self.expires_at_ns = expires_at_ns
        return receipt

    async def capture(
        self,
        amount: int,
        *,
        final: bool = False,
        usage: ServedUsage | None = None,
        signer: Signer | None = None,
    ) -> Receipt:
        """Bills the hold; as `client.capture`, signed by the payee that `reserve` was given.

        Args:
            amount: The sum *so far*, earlier captures included.
            final: Whether this ends the hold and frees its rest.
            usage: Of a hold with `terms`: all that was used so far.
            signer: The payee, if not the one that `reserve` was given.
        """
        receipt = await self._client.capture(
            self.id, amount, final=final, usage=usage, signer=self._payee_or(signer)
        )
        # With overrun CAP no more than the maximum is billed.
        self._captured = min(amount, self.maximum)
        self._is_open = not final
        return receipt

    async def release(self, *, signer: Signer | None = None) -> Receipt:
        """Ends the hold; what was captured stays."""
        receipt = await self._client.release(self.id, signer=self._payee_or(signer))
        self._is_open = False
        return receipt

    async def end(self) -> None:
        """Releases the hold if it is open and this process can sign for the payee."""
        if self._is_open and self._payee is not None:
            try:
                await self.release()
            except HoldExpired:
                self._is_open = False  # it has gone back by itself: what was wanted

    def _payee_or(self, signer: Signer | None) -> Signer:
        chosen = signer or self._payee
        if chosen is None:
            raise InvalidArgument(
                "Only the payee may do this to a hold.",
                advice="Pass reserve(payee=...) or signer=...; a payer waits for the expiry.",
            )
        return chosen


class Reservation:
    """A RESERVE that is sent when it is awaited or entered, once."""

    def __init__(
        self,
        client: HoldMethods,
        record: Reserve,
        payee: Signer | None,
        signer: Signer | None,
        deadline_s: float | None,
    ) -> None:
        """Made by `client.reserve`."""
        self._client = client
        self._record = record
        self._payee = payee
        self._signer = signer
        self._deadline_s = deadline_s
        self._hold: Hold | None = None

    def __await__(self) -> Generator[Any, None, Hold]:
        """Sends the RESERVE; the result is the hold."""
        return self._send().__await__()

    async def __aenter__(self) -> Hold:
        """Sends the RESERVE; the block gets the hold."""
        return await self._send()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the hold."""
        if self._hold is not None:
            await self._hold.end()

    async def _send(self) -> Hold:
        if self._hold is None:
            client = self._client
            draft = client.draft(self._signer)
            hold = HoldId(draft.add_creating(self._record))
            receipt = await client._send(draft, self._deadline_s)  # noqa: SLF001 - its own part
            self._hold = Hold(
                client, hold, self._record, receipt, payer=self._signer, payee=self._payee
            )
        return self._hold
