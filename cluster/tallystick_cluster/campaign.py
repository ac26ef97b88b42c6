"""A kill campaign: nodes of a loaded cluster die by SIGKILL, and nothing acknowledged is lost.

    python -m tallystick_cluster.campaign --kills 30

Theory of operation. Workers submit envelopes of one transfer each and send the same bytes again, to
whichever node, until they are decided. What each was told is kept here, outside all nodes, and some
decided envelopes are sent once more on purpose. Meanwhile the nemesis waits for a number of
acknowledgements, kills a node (every second time the leader, at the end all at once) and starts it
again. Afterwards all nodes are stopped and their own stores are read:

1. every acknowledged envelope stands exactly once in every node's log, at the sequence number that
   the client was told;
2. all nodes have the same log, and replaying each gives the same state digest;
3. nobody was ever told two different outcomes for one id.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
from grpc import aio
from tallystick_core import Kernel

from tallystick_cluster.layout import ClusterLayout, create_cluster
from tallystick_cluster.manage import (
    kill_node,
    node_states,
    process_of,
    start_node,
    stop_nodes,
    wait_ready,
)
from tallystick_cluster.traffic import Traffic, setup_traffic
from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Genesis
from tallystick_node.config import NodeConfig
from tallystick_node.identity import DATABASE_DIRECTORY, NodeIdentity
from tallystick_node.storage import Store
from tallystick_proto import wire

OUTCOME_BYTES: Final = 32
WORKERS: Final = 48
ATTEMPT_TIMEOUT_S: Final = 5.0
PAUSE_S: Final = 0.05
RESEND_ONE_IN: Final = 20
UNDECIDED: Final = frozenset({Code.NOT_LEADER, Code.UNAVAILABLE, Code.OVERLOADED})
BLOCK_HEADER_BYTES: Final = 64
HEADER_BYTES: Final = 192


@dataclass(frozen=True, slots=True)
class Told:
    """What a client was told of one envelope."""

    first_sequence: int
    timestamp_ns: int
    results: bytes


@dataclass(slots=True)
class Findings:
    """What the campaign saw; empty lists are good.

    Attributes:
        told: By header digest, what the client was told first.
        contradictions: Envelopes about which two different things were told.
        refused: Refusals before ordering by code; a late one has no other outcome either.
        kills: Kills by what the node was.
        acknowledged_between: Acknowledgements before each kill, since the one before.
        recovery_s: From a kill to the next acknowledgement.
        faults: What is wrong with the stores.
    """

    told: dict[bytes, Told] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    acknowledged_between: list[int] = field(default_factory=list)
    recovery_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    resends: int = 0


class Client:
    """Submits envelopes until they are decided, from outside all nodes."""

    def __init__(self, layout: ClusterLayout, traffic: Traffic, findings: Findings) -> None:
        self._traffic = traffic
        self._findings = findings
        credentials = grpc.ssl_channel_credentials(layout.ca_pem)
        options = (
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 200),
        )
        self._channels = [
            aio.secure_channel(address, credentials, options=options)
            for address in layout.endpoints
        ]
        self._submit = [
            channel.unary_unary(
                wire.SUBMIT_METHOD,
                request_serializer=wire.encode_submit_request,
                response_deserializer=wire.decode_submit_response,
            )
            for channel in self._channels
        ]
        self._addresses = layout.endpoints
        self._believed_leader = 0
        self.running = True

    async def work(self, generator: random.Random) -> None:
        """One worker: envelope after envelope, for as long as the campaign runs."""
        while self.running:
            envelope = self._traffic.envelope(generator)
            if await self._decide(envelope) and generator.randrange(RESEND_ONE_IN) == 0:
                self._findings.resends += 1
                await self._decide(envelope)

    async def _decide(self, envelope: bytes) -> bool:
        """Sends the same bytes until their outcome is known; True when they were ordered."""
        while True:
            node = self._believed_leader
            try:
                answer = await self._submit[node](envelope, timeout=ATTEMPT_TIMEOUT_S)
            except (aio.AioRpcError, asyncio.InvalidStateError):
                await self._look_elsewhere(node, None)
                continue
            code = int.from_bytes(answer.outcomes[:2], "little")
            if code in UNDECIDED:
                await self._look_elsewhere(node, answer.leader)
                continue
            if code in (Code.OK, Code.DUPLICATE):
                self._note(envelope, answer)
                return True
            self._refused(envelope, Code(code))
            return False

    async def _look_elsewhere(self, asked: int, hint: wire.LeaderHint | None) -> None:
        if self._believed_leader == asked:
            if hint is not None and hint.address in self._addresses:
                self._believed_leader = self._addresses.index(hint.address)
            else:
                self._believed_leader = (asked + 1) % len(self._submit)
        await asyncio.sleep(PAUSE_S)

    def _note(self, envelope: bytes, answer: wire.SubmitResponse) -> None:
        count = int.from_bytes(answer.outcomes[4:8], "little")
        told = Told(
            int.from_bytes(answer.outcomes[8:16], "little"),
            int.from_bytes(answer.outcomes[16:24], "little"),
            answer.results or bytes(16 * count),
        )
        digest = hashlib.sha256(envelope[:HEADER_BYTES]).digest()
        before = self._findings.told.setdefault(digest, told)
        if before != told:
            self._findings.contradictions.append(f"{digest.hex()[:16]}: {before} then {told}")

    def _refused(self, envelope: bytes, code: Code) -> None:
        self._findings.refused[code.name] += 1
        digest = hashlib.sha256(envelope[:HEADER_BYTES]).digest()
        if digest in self._findings.told:
            self._findings.contradictions.append(f"{digest.hex()[:16]}: ordered, then {code.name}")

    async def close(self) -> None:
        """Closes all channels."""
        for channel in self._channels:
            await channel.close()


class Nemesis:
    """Kills nodes of a loaded cluster and starts them again."""

    def __init__(
        self, layout: ClusterLayout, findings: Findings, generator: random.Random, between: int
    ) -> None:
        self._layout = layout
        self._findings = findings
        self._generator = generator
        self._between = between

    async def run(self, kills: int) -> None:
        """Kills ``kills`` nodes one after the other, then all at once."""
        for number in range(kills):
            await self._acknowledgements(self._between)
            await asyncio.sleep(self._generator.random() * 0.2)
            leader = await asyncio.to_thread(self._leader)
            victim = leader
            if number % 2 or victim is None:
                followers = [n.raft_id for n in self._layout.nodes if n.raft_id != leader]
                victim = self._generator.choice(followers)
            self._findings.kills["leader" if victim == leader else "follower"] += 1
            await self._kill([victim])
        await self._acknowledgements(self._between)
        self._findings.kills["all"] += 1
        await self._kill([node.raft_id for node in self._layout.nodes])
        await self._acknowledgements(self._between)

    def _leader(self) -> int | None:
        for state in node_states(self._layout):
            if state.status is not None and state.status.role == "leader":
                return state.raft_id
        return None

    async def _kill(self, victims: list[int]) -> None:
        for victim in victims:
            await asyncio.to_thread(kill_node, self._layout, victim, signal.SIGKILL)
        killed_s = time.monotonic()
        before = len(self._findings.told)
        for victim in victims:
            await asyncio.to_thread(start_node, self._layout, victim)
        while len(self._findings.told) == before:
            await asyncio.sleep(PAUSE_S / 5)
        self._findings.recovery_s.append(round(time.monotonic() - killed_s, 2))
        await asyncio.to_thread(wait_ready, self._layout, 60.0)

    async def _acknowledgements(self, count: int) -> None:
        before = len(self._findings.told)
        while len(self._findings.told) < before + count:
            await asyncio.sleep(PAUSE_S)
        self._findings.acknowledged_between.append(len(self._findings.told) - before)


async def load_and_kill(
    layout: ClusterLayout, findings: Findings, *, kills: int, between: int, seed: int
) -> None:
    """The part of the campaign in which the cluster lives."""
    traffic = await asyncio.to_thread(setup_traffic, layout)
    client = Client(layout, traffic, findings)
    workers = [
        asyncio.create_task(client.work(random.Random(seed * 1_000 + number)))  # noqa: S311
        for number in range(WORKERS)
    ]
    nemesis = Nemesis(layout, findings, random.Random(seed), between)  # noqa: S311
    try:
        await nemesis.run(kills)
    finally:
        client.running = False
        await asyncio.gather(*workers)
        await client.close()


def examine(layout: ClusterLayout, findings: Findings) -> dict[str, str]:
    """Reads the stores of all stopped nodes; adds faults to the findings.

    Returns:
        The state digest that replaying each node's own log gives.
    """
    digests: dict[str, str] = {}
    for node in layout.nodes:
        name = f"node-{node.raft_id}"
        stored, kernel = replay(layout.node_directory(node.raft_id), layout.genesis)
        for digest, told in findings.told.items():
            if stored.get(digest) != [told.first_sequence]:
                findings.faults.append(
                    f"{name}: {digest.hex()[:16]} told {told.first_sequence}, "
                    f"stored {stored.get(digest)}"
                )
        findings.faults += [f"{name}: {fault}" for fault in kernel.verify_invariants()]
        digests[name] = kernel.state_digest().hex()
    if len(set(digests.values())) != 1:
        findings.faults.append(f"state digests differ: {digests}")
    return digests


def replay(node_directory: Path, genesis: bytes) -> tuple[dict[bytes, list[int]], Kernel]:
    """Replays a stopped node's own log from the start.

    Returns:
        By header digest the sequence numbers under which it was executed, and the state. A header
        that was ordered again and answered DUPLICATE counts once.
    """
    config = NodeConfig.load(node_directory)
    identity = NodeIdentity.load(node_directory, config.raft_id)
    store = Store.open(node_directory / DATABASE_DIRECTORY, identity)
    kernel = Kernel(genesis)
    executed: dict[bytes, list[int]] = {}
    try:
        for _, payload in store.payloads(1, store.commit_index + 1):
            if not payload:
                continue
            applied = kernel.apply(payload)
            at = BLOCK_HEADER_BYTES
            for row in range(0, len(applied.outcomes), OUTCOME_BYTES):
                outcome = applied.outcomes[row : row + OUTCOME_BYTES]
                count = int.from_bytes(outcome[4:8], "little")
                if int.from_bytes(outcome[:2], "little") == Code.OK:
                    digest = hashlib.sha256(payload[at : at + HEADER_BYTES]).digest()
                    executed.setdefault(digest, []).append(int.from_bytes(outcome[8:16], "little"))
                at += 256 + 128 * count
    finally:
        store.close()
    return executed, kernel


def run_campaign(
    directory: Path, *, kills: int, between: int = 500, seed: int = 1, nodes: int = 3
) -> Findings:
    """Makes a cluster in ``directory`` and runs a whole campaign on it.

    Args:
        directory: Empty or not there yet.
        kills: Nodes killed one by one; all are killed at once after that.
        between: Least number of acknowledgements between two kills.
        seed: Of every choice made here.
        nodes: Nodes of the cluster.
    """
    layout = create_cluster(directory, node_count=nodes, now_ns=time.time_ns())
    Genesis.decode(layout.genesis)
    findings = Findings()
    for node in layout.nodes:
        start_node(layout, node.raft_id)
    try:
        wait_ready(layout)
        asyncio.run(load_and_kill(layout, findings, kills=kills, between=between, seed=seed))
    finally:
        stop_nodes(layout)
        for node in layout.nodes:
            if process_of(layout, node.raft_id) is not None:
                kill_node(layout, node.raft_id)
    examine(layout, findings)
    return findings


def summary(findings: Findings) -> dict[str, object]:
    """The figures of a campaign."""
    return {
        "acknowledged": len(findings.told),
        "resent_after_decision": findings.resends,
        "kills": dict(findings.kills),
        "least_acknowledged_between_kills": min(findings.acknowledged_between, default=0),
        "recovery_s": {
            "median": sorted(findings.recovery_s)[len(findings.recovery_s) // 2],
            "max": max(findings.recovery_s),
        },
        "refused_before_ordering": dict(findings.refused),
        "contradictions": findings.contradictions[:10],
        "faults": findings.faults[:10],
    }


def main() -> int:
    """Runs a campaign and prints its figures; exit code 1 if anything is off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--between", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", type=Path, default=None)
    arguments = parser.parse_args()
    directory = arguments.dir or Path(tempfile.mkdtemp(prefix="tallystick-kill-", dir=Path.cwd()))
    findings = run_campaign(
        directory, kills=arguments.kills, between=arguments.between, seed=arguments.seed
    )
    sys.stdout.write(json.dumps(summary(findings), indent=2) + os.linesep)
    return 1 if findings.contradictions or findings.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
