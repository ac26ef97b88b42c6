"""Client methods for holds: money that is pinned for a payee before it is earned.

    async with client.reserve(mine, theirs, 4_000, payee=provider) as hold:
        await hold.capture(1_250)
        await hold.extend(2_000, expires_in_s=60)

A hold ends once: by a final capture, by a release, or by its expiry. What is captured is said as
the sum so far, so that a repeated capture bills nothing twice.

Where a request's price shows only while it is served, `observe` takes over:

    past = PastCaptures()
    async with client.reserve(
        mine, theirs, worst, sizing=RollingP95(past, label="m-small"), payee=provider
    ) as hold:
        async for chunk in answer:
            used += chunk.cost
            await hold.observe(used)

Who may do what follows from the ledger's rules: the payer (its OWNER or SPEND key) pins and
extends, the payee (OWNER or METER) captures and releases.

| who runs the block | signer | payee | what it does |
|---|---|---|---|
| a gateway with both keys | payer's SPEND | payee's METER | extends, and captures at the end |
| the payer alone | payer | - | extends; the payee captures, or the hold expires |
| the payee alone: `client.serve` | - | payee | asks the payer to extend, looks, captures |
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import TracebackType
from typing import Any, Final, TypeAlias

from tallystick.core import ClientCore
from tallystick.draft import build, require_amount
from tallystick.errors import (
    ConnectionFailed,
    FundsRefused,
    HoldExhausted,
    HoldExpired,
    InsufficientFunds,
    InvalidArgument,
    OutcomeUnknown,
    Refused,
    TallystickError,
)
from tallystick.keyfile import Signer
from tallystick.quotes import Quote
from tallystick.results import Receipt
from tallystick.sizing import Sizing, WorstCase
from tallystick_ledger.ids import AccountId, Amount, HoldId, TimestampNs
from tallystick_ledger.records import (
    Capture,
    CaptureSource,
    CardTerms,
    Extend,
    Release,
    Reserve,
    ServedUsage,
)
from tallystick_ledger.state_rows import HoldRow
from tallystick_proto.v1 import ledger_pb2

DEFAULT_HOLD_S: Final = 60.0
# How a payee has the payer extend a hold, by whatever way the two talk; it may refuse or do less.
AskPayer: TypeAlias = Callable[[HoldId, int], Awaitable[None]]
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
        sizing: Sizing | None = None,
        payee: Signer | None = None,
        terms: CardTerms | None = None,
        quote: Quote | None = None,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> "Reservation":
        """Pins up to `maximum` of an own account for a payee. Signed by the payer.

        `await` the result for a `Hold`, or use it in `async with`, which ends the hold at the end
        of the block, also when an error or a cancellation leaves it: what was observed is captured,
        what was captured stays, the rest goes back at once where `payee` can sign for it, else at
        the expiry.

        Args:
            payer_account: Whose money is pinned; an account of the signer's principal.
            payee_account: Who may capture it.
            maximum: At most so much can be captured, in the unit's smallest step.
            expires_in_s: Seconds until the rest goes back by itself; at least 1.
            expires_at_ns: The same as a time, nanoseconds since 1970; wins over `expires_in_s`.
            reference: The caller's own number, up to 2**128 - 1.
            unique: Refuse it if this principal has used the reference within the ledger's window.
            sizing: Pin less at first and more when it is needed, up to `maximum`; see
                `tallystick.sizing`. None for the whole maximum at once.
            payee: Who signs captures and the release, where this process holds that key too.
            terms: The card, model, tiers and regions that price it; None for a flat hold, where
                the payee names amounts. With a quote: `quote.terms(model)`.
            quote: The quote that the terms name; it travels along, as the ledger asks for the first
                time.
            signer: The payer.
            deadline_s: When to give up.

        Raises:
            AccountNotFound: One of the accounts does not exist, or the first is not the signer's.
            AccountRefused: One is frozen, closed, of another unit, or a unit's issuance account.
            InsufficientFunds: The account never had so much, nor the least that `sizing` tries.
            FundsHeld: It has, but on hold.
            HoldRefused: The expiry is too soon or too far (EXPIRY_INVALID).
            ClaimOpen: The account owes the payee; see `ClaimMethods`.
            CapExceeded: The payer has too many open holds.
            ReferenceUsed: `unique`, and the reference was used.
            CardNotFound: With `terms`: there is no such published card.
            CardRefused: It is not the payee's, or not in force.
            NotPriced: It has no price for the model.
            QuoteNotFound: It is for somebody else, or was not sent along.
            QuoteRefused: It has expired, its provider did not sign it, or its cap is too small.
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
            None if quote is None else quote.signed,
        )
        chosen = sizing or WorstCase()
        return Reservation(partial(self._reserve, record, chosen, payee, signer, deadline_s))

    async def _reserve(
        self,
        worst: Reserve,
        sizing: Sizing,
        payee: Signer | None,
        signer: Signer | None,
        deadline_s: float | None,
    ) -> "Hold":
        """Pins what the sizing says; less and less while the payer never had so much."""
        size = sizing.first(worst.payee_account, worst.maximum)
        while True:
            record = dataclasses.replace(worst, maximum=Amount(size))
            draft = self.draft(signer)
            hold = HoldId(draft.add_creating(record))
            try:
                receipt = await self._send(draft, deadline_s)
            except InsufficientFunds:
                size = sizing.smaller(size)
                if not size:
                    raise
                continue
            made = Hold(self, hold, record, receipt, payer=signer, payee=payee)
            made.sized_by(sizing, worst.maximum)
            return made

    def serve(
        self,
        hold: HoldId,
        ceiling: int,
        *,
        sizing: Sizing,
        ask_payer: AskPayer,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> "Reservation":
        """Takes up a hold that somebody else made for an own account. Captures are by the payee.

        The result is awaited or entered as that of `reserve`. `observe` has the payer asked for
        more; what the ledger then says counts, not what the payer said. The payer keeps the expiry:
        see `hold.expires_at_ns`.

        Args:
            hold: Which; the payer has told.
            ceiling: What the request can come to at most.
            sizing: How much to ask for, and when; its `first` is the payer's matter.
            ask_payer: Asks the payer to extend a hold by an amount, and waits for the answer.
            signer: The payee.
            deadline_s: When to give up reading the hold.

        Raises:
            LookupError: There is no such hold that the payee may see.
            InvalidArgument: It has ended.
            AccessDenied, ConnectionFailed, ProtocolError: Nobody could say.
        """
        payee = self.signer if signer is None else signer
        opened = partial(self._serve, hold, ceiling, sizing, ask_payer, payee, deadline_s)
        return Reservation(opened)

    async def _serve(
        self,
        hold: HoldId,
        ceiling: int,
        sizing: Sizing,
        ask_payer: AskPayer,
        payee: Signer,
        deadline_s: float | None,
    ) -> "Hold":
        row = await self._hold_row(hold, payee, deadline_s)
        if not row.is_open:
            raise InvalidArgument(f"The hold {hold.hex()} has ended.")
        record = build(
            Reserve, row.payer_account, row.payee_account, row.maximum, row.expires_at_ns
        )
        made = Hold(self, hold, record, None, payer=None, payee=payee, ask_payer=ask_payer)
        made.sized_by(sizing, max(ceiling, row.maximum))
        made.captured_before(row.captured)
        return made

    async def _hold_row(self, hold: HoldId, reader: Signer, deadline_s: float | None) -> HoldRow:
        """Reads a hold through a quorum; raises LookupError if there is none."""
        within_s = self._read_deadline_s if deadline_s is None else deadline_s
        options = ledger_pb2.ReadOptions()
        (row,) = await self._reader.holds([hold], options, reader.key, within_s)
        if row is None:
            raise LookupError(f"there is no hold {hold.hex()} that this key may see")
        return row

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
            HoldExpired: Its time was over; with a debt limit: and the grace for a last capture too.
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
    """An open hold of this process. One task at a time may use it.

    Attributes:
        id: 16 bytes.
        payer_account: Whose money is pinned.
        payee_account: Who may capture it.
        maximum: At most so much, what this process has added included.
        expires_at_ns: When the rest goes back by itself.
    """

    def __init__(
        self,
        client: HoldMethods,
        hold: HoldId,
        record: Reserve,
        receipt: Receipt | None,
        *,
        payer: Signer | None,
        payee: Signer | None,
        ask_payer: AskPayer | None = None,
    ) -> None:
        """Made by `client.reserve` and `client.serve`."""
        self.id = hold
        self.payer_account = record.payer_account
        self.payee_account = record.payee_account
        self.maximum = int(record.maximum)
        self.expires_at_ns = record.expires_at_ns
        self._receipt = receipt
        self._client = client
        self._payer = payer
        self._payee = payee
        self._ask_payer = ask_payer
        self._is_priced = record.terms is not None
        self._sizing: Sizing = WorstCase()
        self._ceiling = self.maximum
        self._life_s = (record.expires_at_ns - client._time_in(0)) / _NS_PER_S  # noqa: SLF001
        self._captured = 0
        self._observed = 0
        self._is_open = True
        self._is_cut = False
        self._refusal: TallystickError | None = None

    def sized_by(self, sizing: Sizing, ceiling: int) -> None:
        """Has `observe` pin more by this strategy, up to `ceiling`."""
        self._sizing, self._ceiling = sizing, ceiling

    def captured_before(self, amount: int) -> None:
        """Tells what was captured of it already, by whoever."""
        self._captured = self._observed = amount

    @property
    def receipt(self) -> Receipt:
        """The RESERVE's.

        Raises:
            LookupError: Another process sent that.
        """
        if self._receipt is None:
            raise LookupError("this process did not reserve it")
        return self._receipt

    @property
    def captured(self) -> int:
        """What this process knows to be captured of it."""
        return self._captured

    @property
    def observed(self) -> int:
        """What its end will capture: what was observed so far, as far as it is pinned."""
        return self._observed

    @property
    def room(self) -> int:
        """What may still be used before more has to be pinned."""
        return self.maximum - self._observed

    @property
    def is_open(self) -> bool:
        """Whether this process has not ended it; its time may be over all the same."""
        return self._is_open

    @property
    def is_cut(self) -> bool:
        """Whether more was used than could be pinned: the stream was to end there."""
        return self._is_cut

    async def observe(self, amount: int) -> None:
        """Notes what was used *so far*, and pins more before that exceeds the hold.

        Nothing is captured yet: the end of the block does that, however it is left. When no more
        can be pinned, what is pinned may still be used up. Also puts the expiry off, to as long
        from now as it was at first, once half of that is over.

        Args:
            amount: The sum so far, in the unit's smallest step.

        Raises:
            HoldExhausted: This is more than could be pinned. What is pinned will be charged; what
                goes beyond it must not be handed out: end the stream ("finish_reason": "length").
            InvalidArgument: Less than before, or the hold has ended; or it is priced by a card,
                which bills usage and no amount: see `capture`.
            HoldExpired: Its time was over; nothing can be charged any more.
            HoldRefused: It may not live any longer, or has ended otherwise.
        """
        if self._is_priced:
            raise InvalidArgument("A hold under a card is billed by capture(amount, usage=...).")
        if require_amount(amount) < self._observed or not self._is_open:
            raise InvalidArgument("A hold observes the sum so far, never less, until it has ended.")
        self._observed = min(amount, self.maximum)  # charged even if this is cancelled below
        more = self._sizing.more(amount, self.maximum, self._ceiling)
        try:
            if more and (self._refusal is None or amount > self.maximum):
                self._refusal = None
                await self._grow(more)
            elif self._is_half_over():
                await self._grow(0)
        except (FundsRefused, ConnectionFailed, OutcomeUnknown, Refused) as error:
            self._refusal = error
        self._observed = min(amount, self.maximum)
        if amount > self.maximum:
            self._is_cut = True
            raise HoldExhausted(self.maximum) from self._refusal

    async def _grow(self, additional: int) -> None:
        """Pins more, and puts the expiry off if half of the time is over."""
        if self._ask_payer is None:
            expires_in_s = self._life_s if self._is_half_over() else None
            await self.extend(additional, expires_in_s=expires_in_s)
        else:
            await self._ask_payer(self.id, additional)
            reader = self._payee_or(None)
            row = await self._client._hold_row(self.id, reader, None)  # noqa: SLF001 - its part
            self.maximum, self.expires_at_ns = int(row.maximum), row.expires_at_ns

    def _is_half_over(self) -> bool:
        if self._ask_payer is not None:
            return False  # it is the payer's
        left_ns = self.expires_at_ns - self._client._time_in(0)  # noqa: SLF001 - its own part
        return left_ns < self._life_s * _NS_PER_S / 2

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

    async def end(self, *, is_complete: bool = True) -> None:
        """Charges what was observed and frees the rest, where this process has the payee's key.

        Args:
            is_complete: Whether the request was served to its end, so that the sizing learns of it.

        Raises:
            HoldExpired: Its time was over, and something observed is left to charge.
        """
        if is_complete and not self._is_cut and self._observed:
            self._sizing.learn(self.payee_account, self._observed)
        if not self._is_open or self._payee is None:
            return
        try:
            if self._observed > self._captured:
                await self.capture(self._observed, final=True)
            else:
                await self.release()
        except HoldExpired:
            self._is_open = False  # it has gone back by itself: what was wanted, unless
            if self._observed > self._captured:
                raise

    def _payee_or(self, signer: Signer | None) -> Signer:
        chosen = signer or self._payee
        if chosen is None:
            raise InvalidArgument(
                "Only the payee may do this to a hold.",
                advice="Pass reserve(payee=...) or signer=...; a payer waits for the expiry.",
            )
        return chosen


class Reservation:
    """A hold that is made, or taken up, when this is awaited or entered: once."""

    def __init__(self, opened: Callable[[], Coroutine[Any, Any, Hold]]) -> None:
        """Made by `client.reserve` and `client.serve`."""
        self._opened = opened
        self._hold: Hold | None = None

    def __await__(self) -> Generator[Any, None, Hold]:
        """Sends the RESERVE; the result is the hold."""
        return self._open().__await__()

    async def __aenter__(self) -> Hold:
        """Sends the RESERVE; the block gets the hold."""
        return await self._open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the hold. A task that is cancelled here all the same lets it end by itself."""
        if self._hold is None:
            return
        ending = asyncio.ensure_future(self._hold.end(is_complete=error is None))
        _ENDING.add(ending)
        ending.add_done_callback(_ENDING.discard)
        try:
            await asyncio.shield(ending)
        except TallystickError as problem:
            if error is None:
                raise
            error.add_note(f"The hold {self._hold.id.hex()} was not charged: {problem}")

    async def _open(self) -> Hold:
        if self._hold is None:
            self._hold = await self._opened()
        return self._hold


# What ends behind a task that was cancelled twice; a loop by itself remembers no task.
_ENDING: Final[set[asyncio.Future[None]]] = set()
