"""Kills nodes of a loaded cluster at random moments and starts them again."""

import asyncio
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tallystick_cluster.campaign.witness import Witness
from tallystick_cluster.layout import ClusterLayout
from tallystick_cluster.manage import kill_node, node_states, start_node, wait_ready

READY_TIMEOUT_S: Final = 60.0
# A kill comes at a random moment within that time of its cue, so that it hits any phase of a write.
SCATTER_S: Final = 0.2
# A dead node stays away for up to that long: from a restart faster than an election to one slower.
AWAY_S: Final = 1.5
# One restart in so many is killed again while it recovers.
KILL_RECOVERING_ONE_IN: Final = 5
RECOVERING_S: Final = 0.6


@dataclass(slots=True)
class Kills:
    """What the nemesis did.

    Attributes:
        count: Kills by what the node was: leader, follower, recovering, all.
        acknowledged_between: Acknowledgements before each kill since the one before.
        recovery_s: From each kill to the next acknowledgement.
    """

    count: Counter[str] = field(default_factory=Counter)
    acknowledged_between: list[int] = field(default_factory=list)
    recovery_s: list[float] = field(default_factory=list)


class Nemesis:
    """Kills by SIGKILL, one node after the other, at the end all at once."""

    def __init__(
        self, layout: ClusterLayout, witness: Witness, generator: random.Random, *, between: int
    ) -> None:
        """Does nothing yet.

        Args:
            layout: A running cluster.
            witness: Hears of acknowledgements.
            generator: Chooses victims and moments.
            between: Least number of acknowledgements between two kills.
        """
        self._layout = layout
        self._witness = witness
        self._generator = generator
        self._between = between
        self.kills = Kills()

    async def run(self, kills: int) -> None:
        """Kills `kills` nodes one after the other, then all at once.

        Every second victim is the leader. Each is back and has found a leader before the next.

        Raises:
            NotReadyError: The cluster did not come back.
        """
        everybody = [node.raft_id for node in self._layout.nodes]
        for number in range(kills):
            await self._cue()
            leader = await asyncio.to_thread(self._leader)
            victim = leader
            if number % 2 or victim is None:
                victim = self._generator.choice([each for each in everybody if each != leader])
            self.kills.count["leader" if victim == leader else "follower"] += 1
            await self._kill([victim])
        await self._cue()
        self.kills.count["all"] += 1
        await self._kill(everybody)
        await self._witness.more(self._between)

    async def _cue(self) -> None:
        before = self._witness.count
        await self._witness.more(self._between)
        await asyncio.sleep(self._generator.random() * SCATTER_S)
        self.kills.acknowledged_between.append(self._witness.count - before)

    def _leader(self) -> int | None:
        for state in node_states(self._layout):
            if state.status is not None and state.status.role == "leader":
                return state.raft_id
        return None

    async def _kill(self, victims: list[int]) -> None:
        for victim in victims:
            await asyncio.to_thread(kill_node, self._layout, victim, signal.SIGKILL)
        recovered = asyncio.create_task(self._recovery(time.monotonic()))
        await asyncio.sleep(self._generator.random() * AWAY_S)
        for victim in victims:
            await asyncio.to_thread(start_node, self._layout, victim)
        if not self._generator.randrange(KILL_RECOVERING_ONE_IN):
            await asyncio.sleep(self._generator.random() * RECOVERING_S)
            self.kills.count["recovering"] += 1
            await asyncio.to_thread(kill_node, self._layout, victims[0], signal.SIGKILL)
            await asyncio.to_thread(start_node, self._layout, victims[0])
        await asyncio.to_thread(wait_ready, self._layout, READY_TIMEOUT_S)
        await recovered

    async def _recovery(self, killed_s: float) -> None:
        await self._witness.more(1)
        self.kills.recovery_s.append(round(time.monotonic() - killed_s, 2))
