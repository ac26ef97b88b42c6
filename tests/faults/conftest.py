"""Fixtures of the tests that break disks. They need libfiu: `pytest tests/faults -m faults`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.nodes import Nodes, nodes_in
from tests.faults import libfiu


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    """Three running nodes whose system calls can be made to fail."""
    with nodes_in(tmp_path) as made:
        libfiu.start(made)
        made.ready()
        yield made
