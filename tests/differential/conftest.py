"""Each test that takes `engine` runs on the specification and on the kernel."""

import pytest
from tests.differential.book import Book, MakeEngine
from tests.differential.engines import ENGINES


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> MakeEngine:
    """Makes an engine of a genesis."""
    name: str = request.param
    return ENGINES[name]


@pytest.fixture
def book(engine: MakeEngine) -> Book:
    """A ledger with a bank, Alice and Bob."""
    return Book(engine)
