"""A ledger with some history on a node with tiny chunks, and the index searched by hand."""

import asyncio
import functools
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from tallystick_core import HistorySearch

from tallystick import AsyncClient, Signer, SigningKey
from tallystick_cluster.layout import ClusterLayout
from tallystick_ledger.ids import AccountId
from tallystick_node import app
from tallystick_node.app import Node
from tallystick_node.config import NodeConfig
from tallystick_node.history import History
from tallystick_node.identity import NodeIdentity

CHUNK_RECORDS: Final = 16
EVERY_TAG: Final = b"\xff" * 32


@dataclass
class Market:
    """Who is on the ledger, and what should be in whose history, ascending."""

    alice: Signer
    bob: Signer
    stranger: Signer
    accounts: dict[str, AccountId]
    histories: dict[str, list[int]] = field(default_factory=dict)

    def note(self, sequence: int, *names: str) -> None:
        for name in names:
            self.histories.setdefault(name, []).append(sequence)


@asynccontextmanager
async def node_at(home: Path) -> AsyncIterator[Node]:
    """The node of a cluster of one, in this process, with chunks of `CHUNK_RECORDS` records."""
    with pytest.MonkeyPatch.context() as patch:
        recover = functools.partial(app.recover, chunk_records=CHUNK_RECORDS)
        patch.setattr(app, "recover", recover)
        # A scrape port would outlive the node and keep the next one from starting.
        config = NodeConfig.load(home).model_copy(update={"listen_metrics": None})
        node = Node(config, NodeIdentity.load(home, 1))
        await node.start()
    try:
        yield node
    finally:
        await node.stop()


def client_of(layout: ClusterLayout) -> AsyncClient:
    """Signs as the operator."""
    return AsyncClient(
        layout.endpoints, layout.genesis, tls=layout.ca_pem, signer=layout.operator_key
    )


async def new_market(client: AsyncClient) -> Market:
    """Three principals with an account each; alice and the stranger have money."""
    signers = []
    for number in range(1, 4):
        key = SigningKey(bytes([number]) * 32)
        signers.append(Signer(key, (await client.register_principal(key)).id))
    alice, bob, stranger = signers
    unit = (await client.create_unit("TOKEN", 0, alice.principal)).id
    market = Market(alice, bob, stranger, {})
    for name, signer in (("alice", alice), ("bob", bob), ("stranger", stranger)):
        opened = await client.open_account(unit, signer=signer)
        market.accounts[name] = opened.id
        market.note(opened.receipt.sequence, name)
    for name in ("alice", "stranger"):
        receipt = await client.issue(unit, market.accounts[name], 1_000, signer=alice)
        market.note(receipt.sequence, name)
    return market


async def pay(client: AsyncClient, market: Market, count: int) -> None:
    """Payments of one step from alice to bob, each its own envelope, most their own block."""
    alice, bob = market.accounts["alice"], market.accounts["bob"]
    for _ in range(count):
        receipt = await client.transfer(alice, bob, 1, signer=market.alice)
        market.note(receipt.sequence, "alice", "bob")


async def pay_oneself(client: AsyncClient, market: Market) -> int:
    """The stranger and bob exchange a step, which is none of alice's business."""
    accounts = market.accounts
    receipt = await client.transfer(
        accounts["stranger"], accounts["bob"], 1, signer=market.stranger
    )
    market.note(receipt.sequence, "stranger", "bob")
    return receipt.sequence


async def until_ended(client: AsyncClient, hold: bytes, signer: Signer) -> None:
    """Returns once the node has swept a hold whose time is over."""
    async with asyncio.timeout(30):
        while True:
            (row,) = await client.get_holds([hold], signer=signer)  # type: ignore[list-item]
            if row is None or row.status != 1:
                return
            await asyncio.sleep(0.05)


def searched(
    history: History,
    account: bytes,
    low: int,
    high: int,
    *,
    newest_first: bool,
    limit: int = 1_000_000,
) -> list[int]:
    """Sequence numbers that the index has for an account."""
    search = HistorySearch(
        account,
        low,
        high,
        newest_first=newest_first,
        limit=limit,
        always=EVERY_TAG,
        if_listed=bytes(32),
        listed=b"",
    )
    history.search(search, account=account, newest_first=newest_first)
    count = len(search.sequences) // 8
    return list(struct.unpack(f"<{count}Q", search.sequences))


def finish_merges(history: History) -> None:
    """Does what a closed index has left for the next start."""
    while (merge := history._next_merge()) is not None:
        for _ in merge:
            pass
