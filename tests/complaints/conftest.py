"""Each complaint is first shown on a naive model, then tried on what is here.

Numbers are those of docs/complaints.md. Tests of the rules take `book` and run on the specification
and on the kernel; those of the SDK take `market`, nodes with real gRPC that misbehave on order.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.client.conftest import Market, populate
from tests.client.fake_node import FakeCluster
from tests.differential.book import Book
from tests.differential.engines import ENGINES


@pytest.fixture(params=sorted(ENGINES))
def book(request: pytest.FixtureRequest) -> Book:
    """A ledger with a bank, and Alice and Bob with 1,000 each."""
    return Book(ENGINES[request.param])


@pytest_asyncio.fixture
async def market() -> AsyncIterator[Market]:
    """A payer with a million, a payee, and nodes between them."""
    async with FakeCluster() as cluster:
        made = await populate(cluster)
        async with made.client:
            yield made
