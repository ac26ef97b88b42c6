"""What an attempt's answer says about each envelope that was sent with it.

    answer                              meaning                            then
    0, 64                               ordered; results are final         receipt
    65 to 67                            ordered in vain                    refused
    11 OVERLOADED, 12 NOT_LEADER        this attempt ordered nothing       again, later or elsewhere
    14 UNAVAILABLE, RPC failed          this attempt may have ordered it   again; doubt is noted
    no connection                       this attempt sent nothing          again elsewhere
    1 to 7, 13                          the bytes are wrong, for ever      refused
    8 to 10, without doubt              nothing was ordered, nor will be   refused
    8 to 10, with doubt                 only this attempt ordered nothing  look the id up

*Doubt* is what an earlier attempt leaves behind whose answer never came. It ends only with an
answer from the ledger itself: the results of the first ordering, or a lookup through a quorum.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import grpc
import grpc.aio

from tallystick.envelopes import Stored
from tallystick.errors import (
    AccessDenied,
    ConnectionFailed,
    OutcomeUnknown,
    ProtocolError,
    TallystickError,
)
from tallystick.refusals import refused
from tallystick.results import OUTCOME, Receipt, outcome_of
from tallystick_ledger import limits
from tallystick_ledger.codes import FIRST_RESULT_CODE, Code
from tallystick_proto import wire

# "Not here" or "not now": nothing is wrong with the envelope.
ELSEWHERE: Final = frozenset({Code.OVERLOADED, Code.NOT_LEADER, Code.UNAVAILABLE})
# Decided by state or clock at the time of the attempt, not by the bytes alone.
OF_THE_MOMENT: Final = frozenset({Code.ID_IN_FUTURE, Code.UNKNOWN_SIGNER, Code.TOO_LATE})

_UNKNOWN_ADVICE: Final = (
    "Read with a key that is registered and active; check this machine's clock."
)
_NOT_UNDERSTOOD: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.NOT_FOUND,
    }
)


@dataclass(slots=True, eq=False)
class Waiting:
    """An envelope without an outcome yet.

    Attributes:
        stored: The envelope.
        future: Gets the receipt or the error.
        give_up_at: By the event loop's clock.
        doubt: Whether an attempt that is over may have ordered it without our knowing.
        under_way: Whether an attempt has sent it and waits for the answer.
        refusal: Why the last answered attempt ordered nothing.
        cause: What went wrong last, in words.
    """

    stored: Stored
    future: asyncio.Future[Receipt]
    give_up_at: float
    doubt: bool = False
    under_way: bool = False
    refusal: Code = Code.OK
    cause: str = ""

    def succeed(self, receipt: Receipt) -> None:
        """Answers the caller, if it still waits."""
        if not self.future.done():
            self.future.set_result(receipt)

    def fail(self, error: TallystickError) -> None:
        """Answers the caller, if it still waits."""
        if not self.future.done():
            self.future.set_exception(error)

    def give_up(self, reason: str) -> None:
        """Answers the caller with what is known now."""
        stored = self.stored
        cause = f"{reason}; {self.cause}" if self.cause else reason
        if self.doubt or self.under_way:
            self.fail(
                OutcomeUnknown(
                    stored.envelope,
                    stored.envelope_id,
                    stored.principal,
                    stored.valid_until_ns,
                    cause,
                )
            )
        elif self.refusal:
            self.fail(refused(self.refusal, stored.envelope_id))
        else:
            self.fail(connection_error(cause))


@dataclass(slots=True)
class Step:
    """What one attempt means for the next.

    Attributes:
        node_failed: Another node should be asked.
        not_leader: The node said that it does not lead.
        leader: Who does, if it knew.
        retry_after_s: The node's wish.
        in_doubt: Envelopes to be looked up.
    """

    node_failed: bool = False
    not_leader: bool = False
    leader: wire.LeaderHint | None = None
    retry_after_s: float = 0.0
    in_doubt: list[Waiting] = field(default_factory=list)


def settle(batch: list[Waiting], response: wire.SubmitResponse) -> Step:
    """Answers those of the batch that the response decides; tells what to do for the rest."""
    step = Step(retry_after_s=response.retry_after_ms / 1000, leader=response.leader)
    outcomes = response.outcomes
    if len(outcomes) % OUTCOME.size or not outcomes:
        return note_rpc_failure(batch, ConnectionFailed("A node's answer is garbled."))
    rows = list(OUTCOME.iter_unpack(outcomes))
    if len(rows) == 1 and rows[0][0] in ELSEWHERE:
        rows *= len(batch)  # said once for the whole message
    if len(rows) != len(batch) and rows[-1][0] != Code.MALFORMED:
        # After MALFORMED a node reads no further; what stood behind was not ordered.
        return note_rpc_failure(batch, ConnectionFailed("A node's answer is incomplete."))
    results, offset = response.results, 0
    for waiting, (code, _, record_count, sequence, timestamp_ns) in zip(batch, rows, strict=False):
        if code and code < FIRST_RESULT_CODE:
            _not_ordered(waiting, code, step)
            continue
        result_bytes = b""
        if results:
            end = offset + record_count * limits.RESULT_BYTES
            result_bytes, offset = results[offset:end], end
        if record_count != waiting.stored.record_count or offset > len(results):
            _broken_answer(waiting, step)
            continue
        try:
            outcome = outcome_of(
                waiting.stored.envelope_id,
                code,
                record_count,
                (sequence, timestamp_ns),
                result_bytes,
            )
        except ValueError:
            waiting.fail(ProtocolError(f"A node answered with code {code}, unknown here."))
            continue
        if isinstance(outcome, Receipt):
            waiting.succeed(outcome)
        else:
            waiting.fail(outcome)
    return step


def note_rpc_failure(batch: list[Waiting], error: TallystickError) -> Step:
    """Notes that an attempt got no usable answer; what cannot get better is answered."""
    for waiting in batch:
        if isinstance(error, AccessDenied | ProtocolError) and not waiting.doubt:
            waiting.fail(error)
        else:
            waiting.doubt = True
            waiting.cause = error.message
    return Step(node_failed=True)


def rpc_error(error: grpc.aio.AioRpcError, address: str) -> TallystickError:
    """Returns the typed error for a call that failed on the node at `address`."""
    message = f"{address}: {error.code().name} {error.details() or ''}".strip(" .") + "."
    if error.code() is grpc.StatusCode.UNAUTHENTICATED:
        return AccessDenied(message, advice=_UNKNOWN_ADVICE)
    if error.code() is grpc.StatusCode.PERMISSION_DENIED:
        return AccessDenied(message)
    if error.code() in _NOT_UNDERSTOOD:
        return ProtocolError(message)
    return ConnectionFailed(message)


def connection_error(cause: str) -> ConnectionFailed:
    """Returns the error for an envelope or read that never reached a node."""
    return ConnectionFailed(f"No node could be asked: {cause}.")


def _not_ordered(waiting: Waiting, number: int, step: Step) -> None:
    """This attempt ordered nothing: whether there will be another, and where."""
    try:
        code = Code(number)
    except ValueError:
        waiting.fail(ProtocolError(f"A node refused with code {number}, unknown here."))
        return
    if code in ELSEWHERE:
        waiting.refusal = code
        waiting.cause = code.meaning
        if code == Code.UNAVAILABLE:
            waiting.doubt = True
            step.node_failed = True
        elif code == Code.NOT_LEADER:
            step.not_leader = True
    elif waiting.doubt and code in OF_THE_MOMENT:
        waiting.refusal = code
        waiting.cause = code.meaning
        step.in_doubt.append(waiting)
    else:
        waiting.fail(refused(code, waiting.stored.envelope_id))


def _broken_answer(waiting: Waiting, step: Step) -> None:
    waiting.doubt = True
    waiting.cause = "a node's answer does not fit what was sent"
    step.node_failed = True
