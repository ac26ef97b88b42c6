"""A node as a process: when it must not run, it says so in one line and ends."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.node.replica_tools import Cluster, Node

from tallystick_cluster.layout import free_addresses
from tallystick_node.failure import ExitCode
from tallystick_node.identity import initialise
from tallystick_node.launch import launch_environment


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    await made.stop()


def write_settings(node: Node, *more: str) -> None:
    """node.toml, as `node init` writes it."""
    (client,) = free_addresses(1)
    lines = [
        f"raft_id = {node.raft_id}",
        f'listen_client = "{client}"',
        f'listen_peer = "{node.cluster.addresses[node.raft_id].peer}"',
    ]
    for raft_id, address in node.cluster.addresses.items():
        lines += [f"[nodes.{raft_id}]", f'peer = "{address.peer}"', 'client = "127.0.0.1:1"']
    (node.directory / "node.toml").write_text("\n".join([*lines, *more]) + "\n")


async def run(node: Node, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run the node's process until it ends by itself."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tallystick_node", str(node.directory)],
        check=False,
        capture_output=True,
        text=True,
        timeout=seconds,
        env=launch_environment(os.environ),
    )


async def test_a_node_made_anew_under_its_old_id_ends(cluster: Cluster) -> None:
    await cluster.start()
    blocks = await cluster.commit(2)
    await cluster.until_all_have(blocks)
    node = cluster.followers()[0]
    await node.stop()
    cluster.wipe(node.raft_id)
    initialise(node.directory, cluster.genesis.encode(), node.raft_id)
    write_settings(node)
    done = await run(node)
    assert done.returncode == ExitCode.REFUSED, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("tallystick node stops: peers: RefusedByPeerError")
    assert "another incarnation" in last
    await cluster.commit(1)


@pytest.mark.parametrize("gone", ["db", "db/rocks", "db/SYNCED", "INCARNATION", "genesis.bin"])
async def test_an_emptied_directory_does_not_start(cluster: Cluster, gone: str) -> None:
    node = cluster.nodes[1]
    write_settings(node)
    (node.directory / gone).rename(node.directory / "gone")
    done = await run(node)
    assert done.returncode == ExitCode.REFUSED
    assert "Traceback" not in done.stderr
    assert "missing" in done.stderr or "no store" in done.stderr


@pytest.mark.parametrize("setting", ["listen_client", "listen_peer", "listen_metrics"])
async def test_a_taken_port_is_said_by_its_name(cluster: Cluster, setting: str) -> None:
    node = cluster.nodes[1]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = node.directory / "node.toml"
        write_settings(node)
        lines = [line for line in settings.read_text().splitlines() if setting not in line]
        settings.write_text("\n".join([f'{setting} = "{address}"', *lines]) + "\n")
        done = await run(node)
    assert done.returncode == ExitCode.REFUSED, done.stderr
    assert "Traceback" not in done.stderr
    assert f"cannot listen on {address} ({setting})" in done.stderr.splitlines()[-1]
