"""A real cluster under attack: who pays on it, what its processes weigh, whether all is still well.

Attacks go to the leader, which does the most for strangers. Honest payers are `Payer`s: they send
until each envelope is decided and time every answer. A witness hears of all acknowledgements; what
it heard is compared with the stores of all nodes at the very end.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import grpc
import psutil
from grpc import aio
from tests.cluster.nodes import Nodes

from tallystick.results import OUTCOME
from tallystick_cluster.campaign.witness import Told, Witness
from tallystick_cluster.traffic import Party, Traffic, fresh_envelope_id, sealed
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import Amount, EnvelopeId
from tallystick_ledger.limits import NONCE_BYTES
from tallystick_ledger.records import Transfer
from tallystick_proto import wire

MIB: Final = 1 << 20
UNDECIDED: Final = frozenset({Code.OVERLOADED, Code.UNAVAILABLE, Code.NOT_LEADER})
ANSWER_TIMEOUT_S: Final = 30.0
OPTIONS: Final = (
    # Each channel is a connection of its own.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_send_message_length", 64 * MIB),
    ("grpc.max_receive_message_length", 64 * MIB),
)


@dataclass(frozen=True, slots=True)
class Arena:
    """A running cluster, its parties, and what its clients were told."""

    nodes: Nodes
    traffic: Traffic
    witness: Witness

    @property
    def leader(self) -> int:
        """The leader's Raft id; no attack may make it another."""
        return self.nodes.leader()

    def address(self, raft_id: int) -> str:
        """Where a node answers clients."""
        return next(each.client for each in self.nodes.layout.nodes if each.raft_id == raft_id)

    @property
    def target(self) -> str:
        """Where attacks go: the leader's client port."""
        return self.address(self.leader)

    @property
    def ca_pem(self) -> bytes:
        return self.nodes.layout.ca_pem

    def rss_mib(self) -> dict[int, float]:
        """Resident memory of each node's process, MiB."""
        return {
            raft_id: psutil.Process(self.nodes.pid(raft_id)).memory_info().rss / MIB
            for raft_id in self.nodes.raft_ids
        }

    def payment(self, payer: Party | None = None, envelope_id: EnvelopeId | None = None) -> bytes:
        """One transfer between the first two parties, sealed."""
        first, second = self.traffic.parties[:2]
        payer = payer or first
        payee = second if payer is first else first
        record = Transfer(payer.account, payee.account, Amount(1)).encode(os.urandom(NONCE_BYTES))
        made = envelope_id or fresh_envelope_id()
        return sealed(self.traffic.ledger_id, payer.key, made, record)

    def submit(self, message: bytes) -> wire.SubmitResponse:
        """Submits to the leader on a connection of its own."""
        return self.nodes.submit(self.leader, message, ANSWER_TIMEOUT_S)

    def must_be_well(self) -> None:
        """All processes run, the same node leads, and it orders.

        Raises:
            AssertionError: Something is wrong.
        """
        for raft_id in self.nodes.raft_ids:
            assert self.nodes.is_running(raft_id), self.nodes.log(raft_id)[-2_000:]
        envelope = self.payment()
        sent_after = self.witness.newest
        answer = self.submit(envelope)
        assert codes(answer) == [Code.OK]
        self.tell(envelope, answer, sent_after)

    def tell(self, envelope: bytes, answer: wire.SubmitResponse, sent_after: int) -> None:
        """The witness hears of an acknowledged envelope."""
        code, _, _, first_sequence, timestamp_ns = OUTCOME.unpack_from(answer.outcomes)
        assert code in (Code.OK, Code.DUPLICATE)
        results = answer.results if any(answer.results) else b""
        self.witness.tell(envelope, Told(first_sequence, timestamp_ns, results), sent_after)


def codes(answer: wire.SubmitResponse) -> list[int]:
    """Code of each envelope of an answer."""
    return [row[0] for row in OUTCOME.iter_unpack(answer.outcomes)]


def status_of(error: BaseException) -> grpc.StatusCode:
    """The status that a call ended with."""
    assert isinstance(error, grpc.Call)
    return error.code()


@contextmanager
def same_leader(arena: Arena) -> Iterator[None]:
    """No election happens meanwhile, and all is well afterwards."""
    before = arena.nodes.must_say(arena.leader)
    yield
    arena.must_be_well()
    after = arena.nodes.must_say(arena.leader)
    assert (after.raft_id, after.term) == (before.raft_id, before.term)


def channel(address: str, ca_pem: bytes) -> aio.Channel:
    """A connection of its own."""
    return aio.secure_channel(address, grpc.ssl_channel_credentials(ca_pem), options=OPTIONS)


def submitter(
    through: aio.Channel,
) -> "aio.UnaryUnaryMultiCallable[bytes, wire.SubmitResponse]":
    """Submit on a channel."""
    return through.unary_unary(
        wire.SUBMIT_METHOD,
        request_serializer=wire.encode_submit_request,
        response_deserializer=wire.decode_submit_response,
    )


@dataclass(slots=True)
class Served:
    """How an honest payer was served.

    Attributes:
        seconds: How long it paid.
        latencies_s: From the first sending of an envelope until it was decided.
        come_back: Answers that told it to come back.
    """

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    come_back: int = 0

    @property
    def per_second(self) -> float:
        return len(self.latencies_s) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        ordered = sorted(self.latencies_s)
        return 1_000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

    def __str__(self) -> str:
        return (
            f"{self.per_second:,.0f}/s, p50 {self.percentile_ms(50):.1f} ms, "
            f"p99 {self.percentile_ms(99):.1f} ms, told to come back {self.come_back} times"
        )


async def pay(
    arena: Arena, until: Callable[[], bool] | float, *, workers: int = 4, payer: Party | None = None
) -> Served:
    """Pays by single transfers on one connection, as fast as answers come.

    Args:
        arena: Where.
        until: For so many seconds, or until it says so.
        workers: So many calls at once.
        payer: Who pays; the first party if nobody is named.
    """
    served = Served()
    started_s = time.monotonic()

    def over() -> bool:
        return until() if callable(until) else time.monotonic() - started_s > until

    async with channel(arena.target, arena.ca_pem) as through:
        submit = submitter(through)

        async def work() -> None:
            while not over():
                envelope, sent_after = arena.payment(payer), arena.witness.newest
                sent_s = time.monotonic()
                while codes(answer := await submit(envelope, timeout=ANSWER_TIMEOUT_S))[0] in (
                    UNDECIDED
                ):
                    served.come_back += 1
                    await asyncio.sleep(answer.retry_after_ms / 1_000)
                served.latencies_s.append(time.monotonic() - sent_s)
                arena.tell(envelope, answer, sent_after)

        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
    served.seconds = time.monotonic() - started_s
    return served


def report(title: str, lines: Sequence[str]) -> None:
    """Prints figures so that `pytest -s` or `-rP` shows them."""
    print(f"\n{title}")
    for line in lines:
        print(f"  {line}")
