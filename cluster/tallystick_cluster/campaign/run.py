"""A whole campaign: from an empty directory to its findings."""

import asyncio
import json
import random
import statistics
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from tallystick_cluster.campaign.clients import RawClient, SdkClient, under_load
from tallystick_cluster.campaign.nemesis import Kills, Nemesis
from tallystick_cluster.campaign.stores import compare, read_holdings
from tallystick_cluster.campaign.witness import Witness
from tallystick_cluster.errors import NotReadyError
from tallystick_cluster.layout import ClusterLayout, create_cluster
from tallystick_cluster.manage import (
    kill_node,
    node_states,
    process_of,
    start_node,
    stop_nodes,
    wait_ready,
)
from tallystick_cluster.traffic import setup_traffic

SETTLE_TIMEOUT_S: Final = 60.0
SETTLE_POLL_S: Final = 0.1
SHOWN: Final = 10


class ClientKind(StrEnum):
    """Who sends."""

    RAW = "raw"
    SDK = "sdk"


WORKERS: Final = {ClientKind.RAW: 48, ClientKind.SDK: 32}


@dataclass(frozen=True, slots=True)
class Findings:
    """What a campaign saw.

    Attributes:
        witness: What clients were told.
        kills: What was killed.
        executed: Envelopes in the log of the first node.
        looked_up: Receipts that were compared with GetEnvelope (SDK only).
        state_digest: Hexadecimal, of all nodes.
        faults: What is wrong, in sentences; nothing is good.
    """

    witness: Witness
    kills: Kills
    executed: int
    looked_up: int
    state_digest: str
    faults: list[str]

    def as_json(self) -> str:
        """The figures, for people and machines."""
        recovery_s = self.kills.recovery_s
        return json.dumps(
            {
                "acknowledged": self.witness.count,
                "told_again": self.witness.repeats,
                "looked_up": self.looked_up,
                "kills": dict(self.kills.count),
                "least_acknowledged_between_kills": min(self.kills.acknowledged_between),
                "recovery_s": {"median": statistics.median(recovery_s), "max": max(recovery_s)},
                "executed": self.executed,
                "state_digest": self.state_digest,
                "faults": self.faults[:SHOWN],
                "fault_count": len(self.faults),
            },
            indent=2,
        )


def run_campaign(
    directory: Path,
    *,
    kills: int,
    between: int = 500,
    seed: int = 1,
    nodes: int = 3,
    client: ClientKind = ClientKind.RAW,
) -> Findings:
    """Makes a cluster in `directory` and runs a whole campaign on it.

    Args:
        directory: Empty or not there yet.
        kills: Nodes killed one by one; all are killed at once after that.
        between: Least number of acknowledgements between two kills.
        seed: Of every choice made here.
        nodes: Nodes of the cluster.
        client: Who sends.

    Raises:
        ClusterError: The cluster did not come up, or not back.
        StartRefusedError: A node's directory is not whole at the end.
    """
    layout = create_cluster(directory, node_count=nodes, now_ns=time.time_ns())
    witness = Witness()
    try:
        for node in layout.nodes:
            start_node(layout, node.raft_id)
        wait_ready(layout)
        kill_count, looked_up = asyncio.run(
            _load_and_kill(layout, witness, kills=kills, between=between, seed=seed, client=client)
        )
        told_digest = settle(layout)
    finally:
        stop_all(layout)
    holdings = read_holdings(layout)
    faults = compare(holdings, witness, told_digest) + witness.contradictions
    faults += [f"{count} were refused: {code}" for code, count in witness.refused.items()]
    return Findings(
        witness, kill_count, len(holdings[0].executed), looked_up, told_digest.hex(), faults
    )


async def _load_and_kill(
    layout: ClusterLayout,
    witness: Witness,
    *,
    kills: int,
    between: int,
    seed: int,
    client: ClientKind,
) -> tuple[Kills, int]:
    """The part of the campaign in which nodes die; returns the kills and what was looked up."""
    traffic = await asyncio.to_thread(setup_traffic, layout)
    generator = random.Random(seed)  # noqa: S311 - choices to repeat, no secret
    nemesis = Nemesis(layout, witness, generator, between=between)
    sender = (
        RawClient(layout, witness)
        if client is ClientKind.RAW
        else SdkClient(layout, traffic, witness)
    )
    try:
        async with under_load(sender, traffic, witness, workers=WORKERS[client], seed=seed):
            await nemesis.run(kills)
        if isinstance(sender, SdkClient):
            await sender.look_up()
    finally:
        await sender.close()
    return nemesis.kills, sender.looked_up if isinstance(sender, SdkClient) else 0


def settle(layout: ClusterLayout, timeout_s: float = SETTLE_TIMEOUT_S) -> bytes:
    """Waits until all nodes of an idle cluster have applied the same and tell one state digest.

    Returns:
        The digest.

    Raises:
        NotReadyError: They did not within `timeout_s` seconds.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        states = node_states(layout, with_digest=True)
        statuses = [state.status for state in states if state.status is not None]
        if len(statuses) == len(layout.nodes):
            applied = {(each.applied_index, each.last_index) for each in statuses}
            digests = {each.state_digest for each in statuses}
            if len(applied) == len(digests) == 1:
                return bytes(digests.pop())
        if time.monotonic() > deadline_s:
            places = [(each.raft_id, each.applied_index, each.last_index) for each in statuses]
            raise NotReadyError(f"nodes do not agree: (id, applied, last) {places}")
        time.sleep(SETTLE_POLL_S)


def stop_all(layout: ClusterLayout) -> None:
    """Stops all nodes, also those that do not obey."""
    stop_nodes(layout)
    for node in layout.nodes:
        if process_of(layout, node.raft_id) is not None:
            kill_node(layout, node.raft_id)
