"""Node processes that belong to one test: started, frozen, broken, killed, asked, and put away."""

import asyncio
import json
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from grpc import aio

from tallystick import AsyncClient, Signer
from tallystick_cluster.campaign.clients import RawClient, under_load
from tallystick_cluster.campaign.run import settle
from tallystick_cluster.campaign.stores import compare, read_holdings
from tallystick_cluster.campaign.witness import Witness
from tallystick_cluster.layout import ClusterLayout, create_cluster
from tallystick_cluster.manage import LOG_FILE, ask_status, start_node, stop_nodes, wait_ready
from tallystick_cluster.traffic import Traffic
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.keys import SigningKey
from tallystick_loadtests.machine import require_disk
from tallystick_node.identity import (
    DATABASE_DIRECTORY,
    GENESIS_FILE,
    INCARNATION_FILE,
    initialise,
)
from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2

if TYPE_CHECKING:
    import subprocess

WAIT_S = 60.0
POLL_S = 0.05
CALL_TIMEOUT_S = 5.0
PATIENCE_S = 30.0

T = TypeVar("T")


class Nodes:
    """A cluster whose processes are children of this test."""

    def __init__(self, layout: ClusterLayout) -> None:
        self.layout = layout
        self.raft_ids = [node.raft_id for node in layout.nodes]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._log_starts: dict[int, int] = {}

    # -- life and death --------------------------------------------------------------------------

    def start(self, *raft_ids: int, env: dict[str, str] | None = None) -> None:
        """Start these nodes, or all."""
        for raft_id in raft_ids or self.raft_ids:
            path = self.directory(raft_id) / LOG_FILE
            self._log_starts[raft_id] = path.stat().st_size if path.exists() else 0
            self._processes[raft_id] = start_node(self.layout, raft_id, extra_env=env)

    def signal(self, raft_id: int, number: signal.Signals) -> None:
        self._processes[raft_id].send_signal(number)

    def kill(self, *raft_ids: int) -> None:
        """SIGKILL these nodes, or all, and collect them."""
        for raft_id in raft_ids or self.raft_ids:
            self.signal(raft_id, signal.SIGKILL)
        for raft_id in raft_ids or self.raft_ids:
            assert self.exit_code(raft_id) == -signal.SIGKILL

    def stop(self, *raft_ids: int) -> None:
        """Stop these nodes, or all, in good order; each must end with success."""
        for raft_id in raft_ids or self.raft_ids:
            self.signal(raft_id, signal.SIGTERM)
        for raft_id in raft_ids or self.raft_ids:
            assert self.exit_code(raft_id) == 0, self.log(raft_id)

    def exit_code(self, raft_id: int, timeout_s: float = WAIT_S) -> int:
        """Wait until the node's process ends by itself, and return its exit code."""
        return self._processes[raft_id].wait(timeout_s)

    def is_running(self, raft_id: int) -> bool:
        return self._processes[raft_id].poll() is None

    def pid(self, raft_id: int) -> int:
        return self._processes[raft_id].pid

    def put_away(self) -> None:
        """End what still runs and remove the stores; logs stay for whoever looks into it."""
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(WAIT_S)
        stop_nodes(self.layout)
        for raft_id in self.raft_ids:
            shutil.rmtree(self.directory(raft_id) / DATABASE_DIRECTORY, ignore_errors=True)

    # -- what they say ---------------------------------------------------------------------------

    def directory(self, raft_id: int) -> Path:
        return self.layout.node_directory(raft_id)

    def log(self, raft_id: int) -> str:
        """What the node has written since its latest start."""
        content = (self.directory(raft_id) / LOG_FILE).read_bytes()
        return content[self._log_starts[raft_id] :].decode(errors="replace")

    def events(self, raft_id: int, event: str) -> list[dict[str, Any]]:
        """Events of this name in the node's log since its latest start."""
        lines = [line for line in self.log(raft_id).splitlines() if line.startswith("{")]
        return [found for line in lines if (found := json.loads(line))["event"] == event]

    def status(
        self, raft_id: int, *, with_digest: bool = False
    ) -> ledger_pb2.GetStatusResponse | None:
        """What the node says of itself; None if it does not answer."""
        (address,) = [each.client for each in self.layout.nodes if each.raft_id == raft_id]
        return ask_status(self.layout, address, with_digest=with_digest, timeout_s=CALL_TIMEOUT_S)

    def must_say(self, raft_id: int) -> ledger_pb2.GetStatusResponse:
        answer = self.status(raft_id)
        assert answer is not None, f"node {raft_id} does not answer"
        return answer

    def leader(self, *others: int) -> int:
        """Wait until one of the nodes (all by default) leads and the rest of them follow it."""
        asked = others or tuple(self.raft_ids)

        def agreed() -> int | None:
            statuses = [self.status(raft_id) for raft_id in asked]
            leaders = {each.leader.raft_id for each in statuses if each is not None}
            roles = [each.role for each in statuses if each is not None]
            if len(roles) == len(asked) and roles.count("leader") == 1 and len(leaders) == 1:
                return leaders.pop()
            return None

        return until(agreed, "one leader")

    def match_index(self, leader: int, peer: int) -> int:
        """How far the leader knows the peer to have the log on disk."""
        for each in self.must_say(leader).peers:
            if each.raft_id == peer:
                return each.match_index
        raise AssertionError(f"node {leader} knows no node {peer}")

    def ready(self) -> int:
        """Wait for all nodes; return the leader."""
        return wait_ready(self.layout, WAIT_S)

    def settled(self) -> bytes:
        """Wait until all nodes have the same; return their state digest."""
        return settle(self.layout, WAIT_S)

    def submit(self, raft_id: int, message: bytes, timeout_s: float = 10.0) -> wire.SubmitResponse:
        """Submit to this very node, once.

        Raises:
            grpc.RpcError: it did not answer.
        """
        with self.channel(raft_id) as channel:
            call = channel.unary_unary(
                wire.SUBMIT_METHOD,
                request_serializer=wire.encode_submit_request,
                response_deserializer=wire.decode_submit_response,
            )
            answer: wire.SubmitResponse = call(message, timeout=timeout_s)
            return answer

    def client(self, raft_id: int, signer: Signer | SigningKey) -> AsyncClient:
        """The SDK, talking to this node alone; it does not give an answer up while it waits."""
        return AsyncClient(
            [self.address(raft_id)],
            self.layout.genesis,
            tls=self.layout.ca_pem,
            signer=signer,
            valid_for_s=1.0,  # within what any genesis allows
            attempt_timeout_s=PATIENCE_S,
        )

    @contextmanager
    def channel(self, raft_id: int) -> Iterator[grpc.Channel]:
        credentials = grpc.ssl_channel_credentials(self.layout.ca_pem)
        with grpc.secure_channel(self.address(raft_id), credentials) as channel:
            yield channel

    def async_channel(self, raft_id: int) -> aio.Channel:
        credentials = grpc.ssl_channel_credentials(self.layout.ca_pem)
        return aio.secure_channel(self.address(raft_id), credentials)

    def address(self, raft_id: int) -> str:
        return next(each.client for each in self.layout.nodes if each.raft_id == raft_id)

    # -- the usual course of a test --------------------------------------------------------------

    async def acknowledge(
        self,
        traffic: Traffic,
        witness: Witness,
        count: int,
        *,
        workers: int = 16,
        seed: int = 1,
        also: Awaitable[None] | None = None,
    ) -> None:
        """Have `count` more envelopes acknowledged, and none left under way.

        Args:
            traffic: who pays whom.
            witness: hears of all answers.
            count: at least so many more.
            workers: so many at once.
            seed: of the payments.
            also: something that happens meanwhile, and that the load lasts for.
        """
        client = RawClient(self.layout, witness)
        try:
            async with under_load(client, traffic, witness, workers=workers, seed=seed):
                await witness.more(count)
                if also is not None:
                    await also
        finally:
            await client.close()

    def faults(self, witness: Witness) -> list[str]:
        """Settle, stop, read all stores: what is wrong with them; nothing is good."""
        digest = self.settled()
        self.stop()
        found = compare(read_holdings(self.layout), witness, digest) + witness.contradictions
        return found + [f"refused: {code}" for code in witness.refused]


def until(condition: Callable[[], T | None], what: str, timeout_s: float = WAIT_S) -> T:
    """Wait until a condition gives something true, and return that."""
    deadline_s = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline_s, f"in vain: {what}"
        time.sleep(POLL_S)
    return found


async def until_async(condition: Callable[[], T | None], what: str) -> T:
    """`until` beside a running load."""
    return await asyncio.to_thread(until, condition, what)


def renew(layout: ClusterLayout, genesis: Genesis) -> None:
    """Give a cluster that was never started another genesis with the same nodes."""
    content = genesis.encode()
    (layout.directory / GENESIS_FILE).write_bytes(content)
    for node in layout.nodes:
        directory = layout.node_directory(node.raft_id)
        forget(directory)
        initialise(directory, content, node.raft_id)


def forget(directory: Path) -> None:
    """Empty a node's directory but for its keys and settings."""
    for name in (GENESIS_FILE, INCARNATION_FILE):
        (directory / name).unlink()
    shutil.rmtree(directory / DATABASE_DIRECTORY)


@contextmanager
def nodes_in(directory: Path, *, max_lifetime_ns: int | None = None) -> Iterator[Nodes]:
    """A new cluster of three in a directory on a real disk, not started."""
    require_disk(directory)
    layout = create_cluster(directory / "cluster", node_count=3, now_ns=time.time_ns())
    if max_lifetime_ns is not None:
        genesis = replace(Genesis.decode(layout.genesis), max_lifetime_ns=max_lifetime_ns)
        renew(layout, genesis)
    nodes = Nodes(layout)
    try:
        yield nodes
    finally:
        nodes.put_away()
