"""A fake cluster with some parties in it, and clients for them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio
from tests.client.fake_node import OPERATOR, FakeCluster

from tallystick import AsyncClient, Signer
from tallystick.retry import Surroundings
from tallystick_ledger.ids import AccountId, UnitId
from tallystick_ledger.keys import SigningKey


@dataclass
class Market:
    """A cluster, a unit, a payer with money and a payee."""

    cluster: FakeCluster
    client: AsyncClient  # signs as the payer
    unit: UnitId
    payer: Signer
    payee: Signer
    payer_account: AccountId
    payee_account: AccountId
    surroundings: Surroundings

    def new_client(
        self, signer: Signer | None = None, attempt_timeout_s: float = 5.0
    ) -> AsyncClient:
        return AsyncClient(
            self.cluster.endpoints,
            self.cluster.genesis,
            tls=None,
            signer=signer or self.payer,
            attempt_timeout_s=attempt_timeout_s,
            surroundings=self.surroundings,
        )


def surroundings(cluster: FakeCluster) -> Surroundings:
    """The cluster's clock, numbered random bytes, and no jitter: every run is the same."""
    counter = iter(range(1, 1 << 62))

    def random_bytes(count: int) -> bytes:
        parts = (next(counter).to_bytes(16, "little") for _ in range(-(-count // 16)))
        return b"".join(parts)[:count]

    return Surroundings(cluster.clock, random_bytes, lambda: 0.0)


async def populate(cluster: FakeCluster) -> Market:
    around = surroundings(cluster)
    operator = AsyncClient(
        cluster.endpoints, cluster.genesis, tls=None, signer=OPERATOR, surroundings=around
    )
    async with operator:
        payer_key, payee_key = SigningKey(b"\x31" * 32), SigningKey(b"\x32" * 32)
        payer = Signer(payer_key, (await operator.register_principal(payer_key)).id, "payer")
        payee = Signer(payee_key, (await operator.register_principal(payee_key)).id, "payee")
        unit = (await operator.create_unit("TOKEN", 3, payer.principal)).id
    client = AsyncClient(
        cluster.endpoints, cluster.genesis, tls=None, signer=payer, surroundings=around
    )
    payer_account = (await client.open_account(unit)).id
    payee_account = (await client.open_account(unit, signer=payee)).id
    await client.issue(unit, payer_account, 1_000_000)
    for node in cluster.nodes:
        node.messages.clear()
    return Market(cluster, client, unit, payer, payee, payer_account, payee_account, around)


@pytest_asyncio.fixture
async def market() -> AsyncIterator[Market]:
    async with FakeCluster() as cluster:
        made = await populate(cluster)
        async with made.client:
            yield made
