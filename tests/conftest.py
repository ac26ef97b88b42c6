"""Fixtures and settings that all tests share.

Tests are deterministic: Hypothesis draws the same examples each time (`derandomize`), so that a
failure on one machine is a failure on all. To search for new examples, run
`pytest --hypothesis-profile explore`.

`make test` runs two tests at a time, but those that start clusters one after another: they kill
processes and wait for elections, and are not to be in each other's way. Those marked `patient` may
run beside them: they kill nobody and wait most of their time, for a card to come into force.
"""

from functools import cache
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ROOT: Final = Path(__file__).resolve().parent.parent

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,  # a shared machine is slow at times; pytest-timeout catches what hangs
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", parent=settings.get_profile("repeatable"), derandomize=False)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def repository_root() -> Path:
    """The directory that holds pyproject.toml."""
    return ROOT


class _ClustersInTurn(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """A module is run by one worker, in order; so are all modules that start clusters."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if _place(module) else "clusters"


@cache
def _place(module: str) -> int:
    """When a module's turn comes: 0 if it starts clusters, 1 if these are patient, else 2."""
    # The process that hands out the tests knows their names only.
    text = (ROOT / module).read_text(encoding="utf-8")
    if "pytest.mark.patient" in text:
        return 1
    return 0 if "pytest.mark.cluster" in text else 2


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ClustersInTurn:
    """Which worker of `make test` gets which tests."""
    return _ClustersInTurn(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the clusters: they take one worker as long as the rest takes the other."""
    items.sort(key=lambda item: _place(item.nodeid.partition("::")[0]))
