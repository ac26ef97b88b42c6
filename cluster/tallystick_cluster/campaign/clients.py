"""Clients that do not give up: each envelope is sent until it is decided, through every failure.

Two kinds. `RawClient` speaks the wire format and does by hand what an SDK has to do: it knows no
more than the interface promises, so what it finds is the nodes' doing. `SdkClient` is the SDK
itself, whose retries and receipts are put to the test with it.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

import grpc
from grpc import aio

from tallystick.async_client import AsyncClient
from tallystick.errors import Refused
from tallystick.results import OUTCOME, Receipt
from tallystick_cluster.campaign.witness import Told, Witness
from tallystick_cluster.layout import ClusterLayout
from tallystick_cluster.traffic import Traffic
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import Envelope
from tallystick_proto import wire

ATTEMPT_TIMEOUT_S: Final = 5.0
# Between two attempts of one worker.
PAUSE_S: Final = 0.05
# Of the decided envelopes, one in so many is sent again, to compare what is told then.
RESEND_ONE_IN: Final = 20
UNDECIDED: Final = frozenset({Code.NOT_LEADER, Code.UNAVAILABLE, Code.OVERLOADED})
CHANNEL_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
)
SDK_DEADLINE_S: Final = 120.0


class PersistentClient(Protocol):
    """What workers send through."""

    async def decide(self, envelope: bytes, sent_after: int) -> bool:
        """Sends the same bytes until the outcome is known and told; True when it was ordered.

        Args:
            envelope: The bytes.
            sent_after: `Witness.newest` before the first time.
        """

    async def close(self) -> None:
        """Closes its connections."""


class RawClient:
    """Sends one envelope a message by the wire format alone."""

    def __init__(self, layout: ClusterLayout, witness: Witness) -> None:
        self._witness = witness
        self._addresses = layout.endpoints
        credentials = grpc.ssl_channel_credentials(layout.ca_pem)
        self._channels = [
            aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS)
            for address in self._addresses
        ]
        self._submit = [
            channel.unary_unary(
                wire.SUBMIT_METHOD,
                request_serializer=wire.encode_submit_request,
                response_deserializer=wire.decode_submit_response,
            )
            for channel in self._channels
        ]
        self._target = 0

    async def decide(self, envelope: bytes, sent_after: int) -> bool:
        """As `PersistentClient.decide`."""
        while True:
            node = self._target
            try:
                answer = await self._submit[node](envelope, timeout=ATTEMPT_TIMEOUT_S)
            except (aio.AioRpcError, asyncio.InvalidStateError):
                await self._look_elsewhere(node, None)
                continue
            code, _, _, first_sequence, timestamp_ns = OUTCOME.unpack_from(answer.outcomes)
            if code in UNDECIDED:
                await self._look_elsewhere(node, answer.leader)
                continue
            if code not in (Code.OK, Code.DUPLICATE):
                self._witness.refuse(envelope, Code(code))
                return False
            results = answer.results if any(answer.results) else b""
            self._witness.tell(envelope, Told(first_sequence, timestamp_ns, results), sent_after)
            return True

    async def _look_elsewhere(self, asked: int, hint: wire.LeaderHint | None) -> None:
        if self._target == asked:
            if hint is not None and hint.address in self._addresses:
                self._target = self._addresses.index(hint.address)
            else:
                self._target = (asked + 1) % len(self._submit)
        await asyncio.sleep(PAUSE_S)

    async def close(self) -> None:
        """Closes all channels."""
        for channel in self._channels:
            await channel.close()


class SdkClient:
    """Sends through the SDK's `AsyncClient`, and afterwards asks for every envelope by its id.

    Attributes:
        looked_up: Envelopes whose receipts were compared with GetEnvelope.
    """

    def __init__(self, layout: ClusterLayout, traffic: Traffic, witness: Witness) -> None:
        self._witness = witness
        self._traffic = traffic
        self._client = AsyncClient(layout.endpoints, layout.genesis, tls=layout.ca_pem)
        self._receipts: list[tuple[bytes, Receipt]] = []
        self.looked_up = 0

    async def decide(self, envelope: bytes, sent_after: int) -> bool:
        """As `PersistentClient.decide`.

        Raises:
            TallystickError: What the SDK does not survive is a finding.
        """
        signer = self._traffic.signer_of(envelope)
        try:
            receipt = await self._client.submit(envelope, signer=signer, deadline_s=SDK_DEADLINE_S)
        except Refused as refusal:
            self._witness.refuse(envelope, Code[refusal.code])
            return False
        self._witness.tell(envelope, _told(receipt), sent_after)
        self._receipts.append((envelope, receipt))
        return True

    async def look_up(self) -> None:
        """Compares every receipt with what the ledger holds under the envelope's id.

        Raises:
            TallystickError: The ledger could not be asked.
        """
        for start in range(0, len(self._receipts), 64):
            part = self._receipts[start : start + 64]
            await asyncio.gather(*(self._look_up(*each) for each in part))

    async def _look_up(self, envelope: bytes, receipt: Receipt) -> None:
        found = await self._client.get_envelope(
            Envelope.parse(envelope).header.envelope_id, signer=self._traffic.signer_of(envelope)
        )
        self.looked_up += 1
        if found.receipt is None or found.envelope != envelope:
            self._witness.contradictions.append(f"told {receipt}, found {found}")
        elif _told(found.receipt) != _told(receipt):
            self._witness.contradictions.append(f"told {receipt}, found {found.receipt}")

    async def close(self) -> None:
        """Closes the SDK's client."""
        await self._client.close()


def _told(receipt: Receipt) -> Told:
    return Told(receipt.sequence, receipt.timestamp_ns, receipt.result_bytes)


@asynccontextmanager
async def under_load(
    client: PersistentClient, traffic: Traffic, witness: Witness, *, workers: int, seed: int
) -> AsyncIterator[None]:
    """Keeps `workers` workers busy; at the end, each envelope they have begun is decided first.

    If the body fails, what is under way is given up.

    Raises:
        ExceptionGroup: A worker failed, or the body did.
    """
    running = True

    async def work(generator: random.Random) -> None:
        while running:
            envelope, sent_after = traffic.envelope(generator), witness.newest
            if await client.decide(envelope, sent_after) and not generator.randrange(RESEND_ONE_IN):
                await client.decide(envelope, sent_after)

    async with asyncio.TaskGroup() as group:
        for number in range(workers):
            group.create_task(work(random.Random(seed * 1_000 + number)))  # noqa: S311
        yield
        running = False
