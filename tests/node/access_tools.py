"""A whole node in this process, some parties on its ledger, and calls made by hand."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
from grpc import aio

from tallystick import AsyncClient, Signer, SigningKey
from tallystick_cluster.layout import ClusterLayout, create_cluster
from tallystick_ledger.ids import AccountId, HoldId, LedgerId, PrincipalId, TimestampNs
from tallystick_ledger.read_token import METADATA_KEY, sign
from tallystick_ledger.records import Scope
from tallystick_node.app import Node
from tallystick_node.config import NodeConfig
from tallystick_node.identity import NodeIdentity
from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2 as pb

PATH: Final = f"/{wire.SERVICE}/"
SECOND_NS: Final = 1_000_000_000
FUNDS: Final = 1_000
PAID: Final = 5
NOBODY: Final = b"\xab" * 16


class Refused(Exception):  # noqa: N818 - what happened
    """A call ended with a status; `code` and `details` say which and why."""

    def __init__(self, error: aio.AioRpcError) -> None:
        self.code = error.code()
        self.details = error.details() or ""
        super().__init__(f"{self.code}: {self.details}")


@dataclass
class Party:
    """A principal: an account, and a key of each scope that it has."""

    owner: Signer
    account: AccountId
    keys: dict[Scope, SigningKey] = field(default_factory=dict)

    @property
    def principal(self) -> PrincipalId:
        return PrincipalId(self.owner.principal)


@dataclass
class World:
    """The node, what is on its ledger, and a channel to it."""

    node: Node
    layout: ClusterLayout
    client: AsyncClient  # signs as the operator
    channel: aio.Channel
    alice: Party
    bob: Party
    stranger: Party  # has nothing to do with the two
    auditor: SigningKey  # of the operator's principal
    hold: HoldId  # alice's, for bob
    payment: bytes  # alice's envelope, which paid bob
    payment_sequence: int

    @property
    def ledger_id(self) -> LedgerId:
        return self.client.ledger_id

    @property
    def operator(self) -> SigningKey:
        return self.layout.operator_key

    def token(
        self,
        key: SigningKey,
        method: str,
        request: bytes,
        *,
        seconds: float = 30,
        ledger_id: LedgerId | None = None,
    ) -> bytes:
        """A token over this call; with `seconds` from now to its expiry."""
        expiry = TimestampNs(time.time_ns() + int(seconds * SECOND_NS))
        return sign(key, ledger_id or self.ledger_id, PATH + method, request, expiry).encode()

    async def call(self, method: str, request: bytes, *tokens: bytes) -> bytes:
        """Calls with these bytes and tokens; returns the answer's bytes.

        Raises:
            Refused: The call ended with a status.
        """
        ask: aio.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(PATH + method)
        metadata = tuple((METADATA_KEY, token) for token in tokens)
        try:
            return await ask(request, timeout=20, metadata=metadata)
        except aio.AioRpcError as error:
            raise Refused(error) from error

    async def read(self, method: str, request: bytes, key: SigningKey) -> bytes:
        """Calls with a good token of `key`."""
        return await self.call(method, request, self.token(key, method, request))

    async def accounts(self, key: SigningKey, *ids: bytes) -> list[bytes]:
        """Rows of accounts as `key` sees them; empty for all-zero ones."""
        request = pb.GetAccountsRequest(ids=b"".join(ids)).SerializeToString()
        answer = pb.GetAccountsResponse.FromString(await self.read("GetAccounts", request, key))
        return _rows(answer.rows, len(ids))

    async def holds(self, key: SigningKey, *ids: bytes) -> list[bytes]:
        """Rows of holds as `key` sees them; empty for all-zero ones."""
        request = pb.GetHoldsRequest(ids=b"".join(ids)).SerializeToString()
        answer = pb.GetHoldsResponse.FromString(await self.read("GetHolds", request, key))
        return _rows(answer.rows, len(ids))

    async def channels(self, key: SigningKey, *ids: bytes) -> list[bytes]:
        """Rows of channels as `key` sees them; empty for all-zero ones."""
        request = pb.GetChannelsRequest(ids=b"".join(ids)).SerializeToString()
        answer = pb.GetChannelsResponse.FromString(await self.read("GetChannels", request, key))
        return _rows(answer.rows, len(ids))

    async def envelope_by_id(
        self, key: SigningKey, principal: bytes, envelope_id: bytes
    ) -> pb.GetEnvelopeResponse:
        by = pb.EnvelopeKey(envelope_id=envelope_id, principal=principal)
        return await self._envelope(key, pb.GetEnvelopeRequest(key=by))

    async def envelope_at(self, key: SigningKey, sequence: int) -> pb.GetEnvelopeResponse:
        return await self._envelope(key, pb.GetEnvelopeRequest(sequence=sequence))

    async def _envelope(
        self, key: SigningKey, request: pb.GetEnvelopeRequest
    ) -> pb.GetEnvelopeResponse:
        answer = await self.read("GetEnvelope", request.SerializeToString(), key)
        return pb.GetEnvelopeResponse.FromString(answer)


def _rows(rows: bytes, count: int) -> list[bytes]:
    size, rest = divmod(len(rows), count)
    assert rest == 0
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [part if any(part) else b"" for part in parts]


@asynccontextmanager
async def running_node(directory: Path) -> AsyncIterator[tuple[Node, ClusterLayout]]:
    """A cluster of one, whose only node runs in this process and leads."""
    layout = create_cluster(directory, node_count=1, now_ns=time.time_ns())
    home = layout.node_directory(1)
    node = Node(NodeConfig.load(home), NodeIdentity.load(home, 1))
    await node.start()
    try:
        yield node, layout
    finally:
        await node.stop()


@asynccontextmanager
async def world_in(directory: Path) -> AsyncIterator[World]:
    """A node with alice, who has paid bob and reserves for him, and a stranger."""
    async with running_node(directory) as (node, layout):
        client = AsyncClient(
            layout.endpoints, layout.genesis, tls=layout.ca_pem, signer=layout.operator_key
        )
        credentials = grpc.ssl_channel_credentials(layout.ca_pem)
        channel = aio.secure_channel(layout.endpoints[0], credentials)
        async with client, channel:
            yield await _populated(node, layout, client, channel)


async def _populated(
    node: Node, layout: ClusterLayout, client: AsyncClient, channel: aio.Channel
) -> World:
    seeds = iter(range(1, 200))

    def new_key() -> SigningKey:
        return SigningKey(bytes([next(seeds)]) * 32)

    owners = []
    for _ in range(3):
        key = new_key()
        owners.append(Signer(key, (await client.register_principal(key)).id))
    unit = (await client.create_unit("TOKEN", 0, owners[0].principal)).id
    parties = []
    for owner in owners:
        party = Party(owner, (await client.open_account(unit, signer=owner)).id)
        party.keys[Scope.OWNER] = owner.key
        for scope in (Scope.SPEND, Scope.METER, Scope.READ, Scope.CHANNEL):
            party.keys[scope] = new_key()
            await client.add_key(party.keys[scope], scope, signer=owner)
        parties.append(party)
    alice, bob, stranger = parties
    auditor = new_key()
    await client.add_key(auditor, Scope.AUDIT)
    await client.issue(unit, alice.account, FUNDS, signer=alice.owner)
    receipt = await client.transfer(alice.account, bob.account, PAID, signer=alice.owner)
    hold = await client.reserve(alice.account, bob.account, 7, signer=alice.owner)
    found = await client.get_envelope(receipt.sequence, signer=alice.owner)
    return World(
        node,
        layout,
        client,
        channel,
        alice,
        bob,
        stranger,
        auditor,
        hold.id,
        found.envelope,
        receipt.sequence,
    )
