"""Fixtures of the tests that run whole clusters."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.nodes import Nodes, nodes_in


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    """Three nodes that run and agree on a leader; all of theirs is gone afterwards."""
    with nodes_in(tmp_path) as made:
        made.start()
        made.ready()
        yield made
