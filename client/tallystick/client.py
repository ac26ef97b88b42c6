"""The client for programs without an event loop.

    with Client(endpoints, genesis, tls=ca, signer=alice) as client:
        receipt = client.transfer(mine, theirs, 1_500)
        with client.reserve(mine, theirs, 4_000, payee=provider) as hold:
            hold.capture(1_250)

A `Client` may be used by many threads at once; their envelopes travel in common messages. Nothing
is implemented twice: every method runs its namesake of `AsyncClient` in a background loop.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from tallystick import blocking, holds, limits, stream
from tallystick.async_client import AsyncClient
from tallystick.draft import Draft
from tallystick.errors import TallystickError
from tallystick.history import HistoryFilter, HistoryRecord
from tallystick.keyfile import Signer
from tallystick.quotes import Quote
from tallystick.results import Receipt
from tallystick.retry import Surroundings
from tallystick.sizing import Sizing
from tallystick.sync_client import BlockingMethods
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.ids import AccountId, HoldId, LedgerId, PrincipalId, TimestampNs
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records import CardTerms, ServedUsage

if TYPE_CHECKING:
    from concurrent.futures import Future

_T = TypeVar("_T")


class Client(BlockingMethods):
    """A client of one ledger, whose methods wait for their results."""

    def __init__(
        self,
        endpoints: Sequence[str],
        ledger: Genesis | bytes,
        *,
        tls: bytes | None,
        signer: Signer | SigningKey | None = None,
        read_key: Signer | SigningKey | None = None,
        valid_for_s: float = limits.DEFAULT_VALID_FOR_S,
        attempt_timeout_s: float = limits.DEFAULT_ATTEMPT_TIMEOUT_S,
        read_deadline_s: float = limits.DEFAULT_READ_DEADLINE_S,
        surroundings: Surroundings | None = None,
    ) -> None:
        """Opens nothing yet. Arguments and errors are those of `AsyncClient`."""
        self._client = AsyncClient(
            endpoints,
            ledger,
            tls=tls,
            signer=signer,
            read_key=read_key,
            valid_for_s=valid_for_s,
            attempt_timeout_s=attempt_timeout_s,
            read_deadline_s=read_deadline_s,
            surroundings=surroundings,
        )

    @classmethod
    def from_profile(
        cls, profile: Path | str | None = None, *, key: Path | str | Signer | None = None
    ) -> Self:
        """Makes a client from a profile file, a cluster's directory, or the environment.

        Arguments and errors are those of `AsyncClient.from_profile`.
        """
        client = cls.__new__(cls)
        client._client = AsyncClient.from_profile(profile, key=key)  # noqa: SLF001 - cls's own
        return client

    def __enter__(self) -> Self:
        """Returns the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the client."""
        self.close()

    @property
    def ledger_id(self) -> LedgerId:
        """The ledger's id, 32 bytes."""
        return self._client.ledger_id

    @property
    def genesis(self) -> Genesis | None:
        """The ledger's genesis, where the client was given it."""
        return self._client.genesis

    @property
    def endpoints(self) -> tuple[str, ...]:
        """`host:port` of each node known."""
        return self._client.endpoints

    @property
    def signer(self) -> Signer:
        """Who signs unless a call names somebody else; raises ConfigurationError if nobody."""
        return self._client.signer

    @property
    def principal(self) -> PrincipalId:
        """The signer's principal, 16 bytes; raises ConfigurationError if nobody signs."""
        return self._client.principal

    def draft(
        self, signer: Signer | SigningKey | None = None, valid_for_s: float | None = None
    ) -> Draft:
        """Starts an envelope of several records; as `AsyncClient.draft`."""
        return self._client.draft(signer, valid_for_s)

    def reserve(
        self,
        payer_account: AccountId,
        payee_account: AccountId,
        maximum: int,
        *,
        expires_in_s: float = holds.DEFAULT_HOLD_S,
        expires_at_ns: TimestampNs | None = None,
        reference: int = 0,
        unique: bool = False,
        sizing: Sizing | None = None,
        payee: Signer | None = None,
        terms: CardTerms | None = None,
        quote: Quote | None = None,
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> "BlockingHold":
        """Pins up to `maximum` of an own account for a payee; as `AsyncClient.reserve`.

        The hold is there when this returns. In a `with` statement it is ended at the end of the
        block.
        """
        reservation = self._client.reserve(
            payer_account,
            payee_account,
            maximum,
            expires_in_s=expires_in_s,
            expires_at_ns=expires_at_ns,
            reference=reference,
            unique=unique,
            sizing=sizing,
            payee=payee,
            terms=terms,
            quote=quote,
            signer=signer,
            deadline_s=deadline_s,
        )
        return BlockingHold(blocking.run(_await(reservation)))

    def serve(
        self,
        hold: HoldId,
        ceiling: int,
        *,
        sizing: Sizing,
        ask_payer: Callable[[HoldId, int], None],
        signer: Signer | None = None,
        deadline_s: float | None = None,
    ) -> "BlockingHold":
        """Takes up a hold that a payer made for an own account; as `AsyncClient.serve`.

        `ask_payer` is called in a thread of its own.
        """
        taken_up = self._client.serve(
            hold,
            ceiling,
            sizing=sizing,
            ask_payer=partial(_asked, ask_payer),
            signer=signer,
            deadline_s=deadline_s,
        )
        return BlockingHold(blocking.run(_await(taken_up)))

    def history(
        self,
        account: AccountId,
        *,
        wanted: HistoryFilter | None = None,
        oldest_first: bool = False,
        page_size: int = limits.DEFAULT_PAGE_RECORDS,
        with_conts: bool = False,
        signer: Signer | SigningKey | None = None,
    ) -> Iterator[HistoryRecord]:
        """Iterates over an account's history; as `AsyncClient.history`."""
        return _each(
            self._client.history(
                account,
                wanted=wanted,
                oldest_first=oldest_first,
                page_size=page_size,
                with_conts=with_conts,
                signer=signer,
            )
        )

    def watch(
        self,
        account: AccountId,
        *,
        wanted: HistoryFilter | None = None,
        from_sequence: int = 0,
        with_conts: bool = False,
        signer: Signer | SigningKey | None = None,
    ) -> Iterator[HistoryRecord]:
        """Iterates over an account's history as it grows; as `AsyncClient.watch`."""
        return _each(
            self._client.watch(
                account,
                wanted=wanted,
                from_sequence=from_sequence,
                with_conts=with_conts,
                signer=signer,
            )
        )

    def stream(self) -> "BlockingStream":
        """Returns a stream for bulk, to be used in `with`; as `AsyncClient.stream`."""
        return BlockingStream(self._client.stream())


class BlockingHold:
    """An open hold of this process; see `tallystick.holds.Hold`."""

    def __init__(self, hold: holds.Hold) -> None:
        """Made by `client.reserve`."""
        self._hold = hold

    @property
    def id(self) -> HoldId:
        """16 bytes."""
        return self._hold.id

    @property
    def receipt(self) -> Receipt:
        """The RESERVE's; raises LookupError if another process sent that."""
        return self._hold.receipt

    @property
    def maximum(self) -> int:
        """At most so much can be captured."""
        return self._hold.maximum

    @property
    def expires_at_ns(self) -> TimestampNs:
        """When the rest goes back by itself."""
        return self._hold.expires_at_ns

    @property
    def captured(self) -> int:
        """What this process has captured of it."""
        return self._hold.captured

    @property
    def is_open(self) -> bool:
        """Whether this process has not ended it; its time may be over all the same."""
        return self._hold.is_open

    @property
    def observed(self) -> int:
        """What its end will capture: what was observed so far, as far as it is pinned."""
        return self._hold.observed

    @property
    def room(self) -> int:
        """What may still be used before more has to be pinned."""
        return self._hold.room

    @property
    def is_cut(self) -> bool:
        """Whether more was used than could be pinned: the stream was to end there."""
        return self._hold.is_cut

    def observe(self, amount: int) -> None:
        """Notes what was used *so far*, and pins more before that exceeds the hold.

        Raises:
            HoldExhausted: This is more than could be pinned: end the stream.
        """
        blocking.run(self._hold.observe(amount))

    def extend(self, additional: int = 0, *, expires_in_s: float | None = None) -> Receipt:
        """Pins more, puts the expiry off to so many seconds from now, or both."""
        return blocking.run(self._hold.extend(additional, expires_in_s=expires_in_s))

    def capture(
        self,
        amount: int,
        *,
        final: bool = False,
        usage: ServedUsage | None = None,
        signer: Signer | None = None,
    ) -> Receipt:
        """Bills the hold; `amount` is the sum so far, earlier captures included."""
        capture = self._hold.capture(amount, final=final, usage=usage, signer=signer)
        return blocking.run(capture)

    def release(self, *, signer: Signer | None = None) -> Receipt:
        """Ends the hold; what was captured stays."""
        return blocking.run(self._hold.release(signer=signer))

    def __enter__(self) -> Self:
        """Returns the hold itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Charges what was observed and frees the rest, where this process has the payee's key."""
        try:
            blocking.run(self._hold.end(is_complete=error is None))
        except TallystickError as problem:
            if error is None:
                raise
            error.add_note(f"The hold {self.id.hex()} was not charged: {problem}")


class BlockingStream:
    """A stream of messages; see `tallystick.stream.SubmitStream`."""

    def __init__(self, inner: stream.SubmitStream) -> None:
        """Made by `client.stream`."""
        self._stream = inner

    def __enter__(self) -> Self:
        """Starts the stream."""
        blocking.run(self._stream.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Waits for all answers, unless the block failed; then ends the stream."""
        blocking.run(self._stream.__aexit__(kind, error, traceback))

    def send(self, message: bytes) -> "Future[stream.MessageOutcome]":
        """Sends one message once there is room in the window; returns a future of its outcome."""
        answer = blocking.run(_sent(self._stream, message))
        return blocking.start(_await(answer.future))

    def drain(self) -> None:
        """Returns once every message sent so far has its outcome, whatever that is."""
        blocking.run(self._stream.drain())


class _Answer:
    """A future that passes through `blocking.run` without being awaited there."""

    def __init__(self, future: "asyncio.Future[stream.MessageOutcome]") -> None:
        self.future = future


def _each(items: AsyncGenerator[_T, None]) -> Iterator[_T]:
    """Iterates in the background loop."""
    try:
        while True:
            try:
                item = blocking.run(_await(anext(items)))
            except StopAsyncIteration:
                return
            yield item
    finally:
        blocking.run(items.aclose())


async def _asked(ask_payer: Callable[[HoldId, int], None], hold: HoldId, amount: int) -> None:
    await asyncio.to_thread(ask_payer, hold, amount)


async def _sent(inner: stream.SubmitStream, message: bytes) -> _Answer:
    return _Answer(await inner.send(message))


async def _await(awaitable: Awaitable[_T]) -> _T:
    return await awaitable
