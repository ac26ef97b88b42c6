"""Sends prepared messages over one SubmitStream and keeps what was answered.

A window of messages is in flight; the next one leaves when an answer arrives. Latency is from the
write of a message to its answer, so it contains the time a message waits for its turn in the
stream. A broken stream is opened again to whoever leads then, and what was unanswered is sent
again, byte for byte.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import grpc
from grpc import aio

from tallystick_ledger.codes import Code
from tallystick_proto import wire

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 4 << 20),
    ("grpc.max_send_message_length", 4 << 20),
    ("grpc.http2.max_frame_size", 1 << 20),
    ("grpc.http2.lookahead_bytes", 16 << 20),
    ("grpc.http2.write_buffer_size", 1 << 20),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
OUTCOME_BYTES: Final = 32
RESULT_BYTES: Final = 16
RECONNECT_S: Final = 0.2
ANSWER_TIMEOUT_S: Final = 60.0

Call: TypeAlias = "aio.StreamStreamCall[bytes, wire.SubmitResponse]"


@dataclass(slots=True)
class Outcome:
    """What became of the messages.

    Attributes:
        acknowledged: Positions of the messages all of whose envelopes were ordered.
        latencies_ms: Of the acknowledged messages.
        ok_records: Records whose result is OK.
        refused_records: Records of ordered envelopes with another result.
        refused_envelopes: Envelopes that were not ordered.
        envelopes: Envelopes that were ordered.
        elapsed_s: From the first message to the last answer.
        reconnects: Broken streams.
    """

    acknowledged: list[int] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    ok_records: int = 0
    refused_records: int = 0
    refused_envelopes: int = 0
    envelopes: int = 0
    elapsed_s: float = 0.0
    reconnects: int = 0


class StreamDriver:
    """Drives one stream; one instance a run."""

    def __init__(
        self,
        *,
        endpoints: list[str],
        ca_pem: bytes,
        window: int,
        progress: Callable[[Outcome], None],
    ) -> None:
        self._endpoints = endpoints
        self._credentials = grpc.ssl_channel_credentials(ca_pem)
        self._window = window
        self._progress = progress
        self._hint: str | None = None

    async def run(self, messages: list[bytes], seconds: float) -> Outcome:
        """Sends messages for ``seconds``, or until there are no more; waits for all answers."""
        outcome = Outcome()
        pending = deque(range(len(messages)))
        started_s = time.perf_counter()
        deadline_s = started_s + seconds
        attempt = 0
        while pending and time.perf_counter() < deadline_s:
            address = self._hint or self._endpoints[attempt % len(self._endpoints)]
            self._hint = None
            attempt += 1
            unanswered = await self._one_stream(address, messages, pending, deadline_s, outcome)
            pending.extendleft(reversed(unanswered))
            if unanswered:
                outcome.reconnects += 1
                await asyncio.sleep(self._pause_s())
        outcome.elapsed_s = time.perf_counter() - started_s
        return outcome

    def _pause_s(self) -> float:
        """None when somebody said who leads."""
        return 0.0 if self._hint else RECONNECT_S

    async def _one_stream(
        self,
        address: str,
        messages: list[bytes],
        pending: deque[int],
        deadline_s: float,
        outcome: Outcome,
    ) -> list[int]:
        """Sends until the deadline or until the stream breaks; returns what was not answered."""
        in_flight: deque[tuple[int, float]] = deque()
        async with aio.secure_channel(
            address, self._credentials, options=CHANNEL_OPTIONS
        ) as channel:
            call: Call = channel.stream_stream(
                wire.SUBMIT_STREAM_METHOD,
                request_serializer=wire.encode_submit_request,
                response_deserializer=wire.decode_submit_response,
            )()
            try:
                while True:
                    while (
                        pending
                        and len(in_flight) < self._window
                        and time.perf_counter() < deadline_s
                    ):
                        position = pending.popleft()
                        in_flight.append((position, time.perf_counter()))
                        await call.write(messages[position])
                    if not in_flight:
                        await call.done_writing()
                        return []
                    answer = await asyncio.wait_for(call.read(), ANSWER_TIMEOUT_S)
                    if not isinstance(answer, wire.SubmitResponse):
                        return [position for position, _ in in_flight]
                    if not self._take(answer, *in_flight[0], outcome):
                        return [position for position, _ in in_flight]
                    in_flight.popleft()
            except (aio.AioRpcError, aio.UsageError, asyncio.InvalidStateError, TimeoutError):
                return [position for position, _ in in_flight]

    def _take(
        self, answer: wire.SubmitResponse, position: int, sent_s: float, outcome: Outcome
    ) -> bool:
        """Counts an answer; False if the message has to be sent again, to another node maybe."""
        words = memoryview(answer.outcomes).cast("I")
        # The first word of each outcome is the code (u16) and a reserved zero, the second a count.
        codes = words[0 :: OUTCOME_BYTES // 4].tolist()
        if codes[0] in (Code.NOT_LEADER, Code.UNAVAILABLE, Code.OVERLOADED):
            self._hint = answer.leader.address if answer.leader else None
            return False
        ordered = codes.count(Code.OK) + codes.count(Code.DUPLICATE)
        records = sum(words[1 :: OUTCOME_BYTES // 4].tolist())
        zero = bytes(RESULT_BYTES)
        refused = sum(
            answer.results[at : at + RESULT_BYTES] != zero
            for at in range(0, len(answer.results), RESULT_BYTES)
        )
        outcome.ok_records += records - refused
        outcome.refused_records += refused
        outcome.envelopes += ordered
        outcome.refused_envelopes += len(codes) - ordered
        if ordered == len(codes):
            outcome.acknowledged.append(position)
            outcome.latencies_ms.append((time.perf_counter() - sent_s) * 1000)
        self._progress(outcome)
        return True
