"""The consensus shell under Hypothesis: whatever the machines and the network do, one history.

The checks are those of `consensus_world.py`, and after each step those below. A run ends with
everything healed; then a new proposal must commit on all three nodes.
"""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tallystick_core import Ready
from tests import stateful
from tests.node.consensus_tools import NODES
from tests.node.consensus_world import Member, World

from tallystick_node import consensus
from tallystick_node.consensus import Consensus
from tallystick_node.consensus_actions import ReadReady
from tallystick_node.consensus_chain import Chain, ChainTip
from tallystick_node.storage import HardState

NODE = st.sampled_from(NODES)
LINK = st.integers(0, 5)  # of those that have frames
PARTS = st.sampled_from(["disk", "checks", "kernel", "reader"])


class ConsensusMachine(RuleBasedStateMachine):
    """Three nodes."""

    world_type: ClassVar[type[World]] = World
    totals: ClassVar[Counter[str]] = Counter()

    @initialize(seed=st.integers(0, 999), elected=st.booleans())
    def start(self, seed: int, elected: bool) -> None:
        self.world = self.world_type(seed)
        if elected:
            self.world.pass_time(30)

    # -- what goes well ----------------------------------------------------------------------------

    @rule(node=NODE, ticks=st.integers(1, 25))
    def tick_one(self, node: int, ticks: int) -> None:
        member = self.world[node]
        for _ in range(ticks):
            if member.shell is not None:
                member.shell.tick()
                member.carry_out()

    @rule(ticks=st.integers(1, 25))
    def pass_time(self, ticks: int) -> None:
        self.world.pass_time(ticks)

    @rule(records=st.integers(1, 3), count=st.integers(1, 3))
    def propose(self, records: int, count: int) -> None:
        """At whoever takes it: also at two that both believe to lead."""
        for member in self.world.members.values():
            for _ in range(count):
                self.world.seen["proposals"] += member.propose(records)

    @rule(node=NODE)
    def read(self, node: int) -> None:
        self.world[node].read()

    @rule(node=NODE)
    def hand_over(self, node: int) -> None:
        member = self.world[node]
        if member.shell is not None:
            self.world.seen["handed over"] += bool(member.shell.hand_over())
            member.carry_out()

    @rule(frames=st.integers(1, 30))
    def settle(self, frames: int) -> None:
        self.world.settle(frames)

    @rule(absent=NODE)
    def campaign_together(self, absent: int) -> None:
        """Two nodes that have not heard of a leader for long stand for election at once."""
        for node in NODES:
            self.tick_one(node, 9 if node == absent else 22)

    @rule(count=st.integers(1, 3), returns=st.booleans())
    def lead_alone(self, count: int, returns: bool) -> None:
        """A leader goes on while nobody hears it, until the others have another."""
        world = self.world
        for member in world.members.values():
            if member.shell is not None and member.shell.may_propose:
                world.cut_off = {member.raft_id}
                for _ in range(count):
                    member.propose(1)
                world.pass_time(25)
                world.cut_off = set()
                if returns:
                    world.pass_time(3)
                    self.lead_again(member)
                return

    def lead_again(self, member: Member) -> None:
        """The others leave the lead to a node, one after the other."""
        for other in self.world.members.values():
            if other is not member:
                self.hand_over(other.raft_id)
                self.world.settle()
        self.world.pass_time(2)
        self.propose(1, 2)

    # -- the network -------------------------------------------------------------------------------

    @rule(link=LINK, position=st.sampled_from([0, 0, 1, 2, 5]), count=st.integers(1, 3))
    def deliver(self, link: int, position: int, count: int) -> None:
        for _ in range(count):
            self.world.deliver(*self.world.busy_link(link), position)

    @rule(link=LINK, is_noticed=st.booleans())
    def drop(self, link: int, is_noticed: bool) -> None:
        """A connection breaks with all that is on it."""
        sender, to = self.world.busy_link(link)
        self.world.seen["dropped"] += len(self.world.links[sender, to])
        self.world.links[sender, to].clear()
        member = self.world[sender]
        if is_noticed and member.shell is not None:
            member.shell.unreachable(to)
            member.carry_out()

    @rule(link=LINK, position=st.integers(0, 3))
    def duplicate(self, link: int, position: int) -> None:
        frames = self.world.links[self.world.busy_link(link)]
        if frames:
            self.world.seen["doubled"] += 1
            frames.append(frames[min(position, len(frames) - 1)])

    @rule(node=NODE)
    def cut_off(self, node: int) -> None:
        self.world.cut_off = {node}

    @rule()
    def heal_the_network(self) -> None:
        self.world.cut_off = set()

    # -- the machines ------------------------------------------------------------------------------

    @rule(node=NODE, parts=st.sets(PARTS, min_size=1))
    def become_slow(self, node: int, parts: set[str]) -> None:
        self.world[node].slow |= parts

    @rule(node=NODE, writes=st.integers(1, 3))
    def sync_late(self, node: int, writes: int) -> None:
        member = self.world[node]
        member.sync(writes)
        member.carry_out()

    @rule(node=NODE)
    def work_late(self, node: int) -> None:
        member = self.world[node]
        for work in (member.check, member.fetch, member.apply):
            work()
        member.carry_out()

    @rule(node=NODE)
    def catch_up(self, node: int) -> None:
        self.world[node].catch_up()

    @rule(node=NODE, survived=st.integers(0, 2), keeps_frames=st.booleans())
    def crash(self, node: int, survived: int, keeps_frames: bool) -> None:
        """What was sent before may still arrive; what was on the way to it does not."""
        world = self.world
        if world[node].shell is None:
            return
        world.seen["crashes"] += 1
        world[node].crash(survived)
        for (sender, to), frames in world.links.items():
            if to == node or (sender == node and not keeps_frames):
                frames.clear()

    @rule(node=NODE, frames=st.integers(0, 9), survived=st.integers(0, 2))
    def reboot(self, node: int, frames: int, survived: int) -> None:
        """Between two frames, and so fast that nobody notices."""
        self.world.settle(frames)
        if self.world[node].shell is not None:
            self.world[node].crash(survived)
            self.world.seen["crashes"] += 1
        self.restart(node)

    @rule(node=NODE)
    def restart(self, node: int) -> None:
        if self.world[node].shell is None:
            self.world[node].start()

    # -- checks ------------------------------------------------------------------------------------

    @invariant()
    def committed_entries_stay_on_a_majority_of_disks(self) -> None:
        for index in range(1, len(self.world.history) + 1):
            self.world.require_on_majority(index)

    @invariant()
    def what_was_acknowledged_is_committed(self) -> None:
        world = self.world
        assert all(index <= len(world.history) for index in world.acknowledged)

    @invariant()
    def indexes_of_a_node_are_in_order(self) -> None:
        for member in self.world.members.values():
            shell = member.shell
            if shell is not None:
                assert shell.applied_index <= shell.commit_index <= shell.last_index
                assert shell.commit_index == member.handed
                assert shell.commit_index <= len(self.world.history)

    def teardown(self) -> None:
        world = self.world
        if world.failed:
            return
        world.heal()
        world.seen["committed"] += len(world.history)
        world.seen["terms"] += len(world.leaders)
        world.seen["acknowledged"] += len(world.acknowledged)
        for member in world.members.values():
            kept = [entry.payload for entry in member.disk.log]
            for index, payload in world.acknowledged.items():
                assert kept[index - 1] == payload, f"entry {index} was acknowledged and is lost"
        self.totals.update(world.seen)


def test_there_is_one_history() -> None:
    totals = ConsensusMachine.totals
    totals.clear()
    stateful.run_machine(ConsensusMachine, examples=800, steps=60)
    # The examples do what they are meant to do.
    rare = {name: totals[name] for name in WANTED if totals[name] < 5}
    assert not rare, totals
    assert totals["acknowledged"] > 1000


WANTED = (
    "crashes",
    "doubled",
    "dropped",
    "fetches",
    "handed over",
    "proposals dropped",
    "reads",
    "reordered",
    "suffixes replaced",
    "terms",
    "writes lost",
)


# -- faults that the checks must notice ------------------------------------------------------------


class Eager(Consensus):
    """Promises before the disk has it."""

    def _write(self, ready: Ready) -> None:
        super()._write(ready)
        self._send(ready.messages_after_persist)


class Leaky(Consensus):
    """Forgets a committed entry when several come at once."""

    def _commit(self, committed: Sequence[tuple[int, int, bytes]]) -> None:
        super()._commit(committed[-1:])


class Hasty(Consensus):
    """Answers reads from what it has, and asks nobody whether it still leads."""

    def read_index(self, context: bytes) -> None:
        self._actions.append(ReadReady(self._commit_index, context))


class Forgetful(Member):
    """Starts without the vote that it has given."""

    def start(self) -> None:
        old = self.disk.hard_state
        self.disk.hard_state = HardState(old.term, 0, old.commit)
        super().start()


class Lossy(Member):
    """Starts without the last entry that it has acknowledged."""

    def start(self) -> None:
        if len(self.disk.log) > self.disk.hard_state.commit:
            self.disk.log.pop()
        super().start()


class Stubborn(Chain):
    """Does not go back when a suffix is replaced."""

    _highest = ChainTip(1, 0)

    @property
    def tip(self) -> ChainTip:
        tip = super().tip
        if tip.next_sequence > self._highest.next_sequence:
            self._highest = tip
        return self._highest


def machine_of(
    shell: type[Consensus] = Consensus, node: type[Member] = Member
) -> type[ConsensusMachine]:
    class Broken(World):
        make = shell
        member = node

    class BrokenMachine(ConsensusMachine):
        world_type = Broken

    return BrokenMachine


@pytest.mark.parametrize(
    ("shell", "match"),
    [
        (Eager, "promised what its disk has not"),
        (Leaky, "was handed"),
        (Hasty, "a read got"),
    ],
)
def test_a_broken_shell_is_noticed(shell: type[Consensus], match: str) -> None:
    stateful.require_caught(machine_of(shell=shell), examples=2000, steps=60, match=match)


@pytest.mark.parametrize(
    ("member", "match"),
    [
        (Forgetful, "voted twice|lead term"),
        (Lossy, "is committed and on 1 disks|accuses an honest one"),
    ],
)
def test_a_disk_that_forgets_is_noticed(member: type[Member], match: str) -> None:
    stateful.require_caught(machine_of(node=member), examples=2000, steps=60, match=match)


def test_a_chain_that_does_not_go_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consensus, "Chain", Stubborn)
    stateful.require_caught(
        ConsensusMachine, examples=2000, steps=60, match="accuses an honest one"
    )
