"""Fixtures and settings that all tests share.

Tests are deterministic: Hypothesis draws the same examples each time (`derandomize`), so that a
failure on one machine is a failure on all. To search for new examples, run
`pytest --hypothesis-profile explore`.
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
