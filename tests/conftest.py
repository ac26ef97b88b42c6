"""Fixtures and settings that all tests share.

Tests are deterministic: Hypothesis draws the same examples each time (`derandomize`), so that a
failure on one machine is a failure on all. To search for new examples, run
`pytest --hypothesis-profile explore`.

`make test` runs two tests at a time, but those that start clusters one after another: they kill
processes and wait for elections, and are not to be in each other's way.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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
    return Path(__file__).resolve().parent.parent


@pytest.hookimpl(tryfirst=True)  # before the workers read the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put tests into the groups of which pytest-xdist runs each on one worker, in order."""
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        group = "cluster" if item.get_closest_marker("cluster") else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    # The one that takes longest is first.
    items.sort(key=lambda item: item.get_closest_marker("cluster") is None)
