"""One cluster for all attacks of a run: whatever they did to it, in the end nothing is lost."""

from collections.abc import Iterator

import pytest
from tests.cluster.nodes import nodes_in
from tests.hostile.arena import Arena, same_leader

from tallystick_cluster.campaign.witness import Witness
from tallystick_cluster.traffic import setup_traffic


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Three nodes that run; at the end their stores are read and compared with all answers."""
    with nodes_in(tmp_path_factory.mktemp("hostile")) as nodes:
        nodes.start()
        nodes.ready()
        arena = Arena(nodes, setup_traffic(nodes.layout), Witness())
        yield arena
        assert nodes.faults(arena.witness) == []
        print(f"\nread back from three stores: {arena.witness.count:,} acknowledged, none lost")


@pytest.fixture
def arena(cluster: Arena) -> Iterator[Arena]:
    """The cluster, which must lead and order as before when the attack is over."""
    with same_leader(cluster):
        yield cluster
