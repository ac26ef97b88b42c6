"""Random schedules of everything that can go wrong, then a healed cluster that must converge.

The invariants are those of `raft_sim`, checked after every step. Each schedule is one seed: to
repeat a failure, run its parameter alone.
"""

import random

import pytest
from tallystick_core import NotLeader, ProposalDropped, RaftRole
from tests.core.raft_sim import ELECTION_TICK, Cluster, CoreOptions, SimNode

SCHEDULES = 200
STEPS = 2000


class Chaos:
    """One seeded schedule."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        size = self.rng.choice((3, 3, 5))
        options = CoreOptions(
            max_inflight_msgs=self.rng.choice((2, 16)),
            max_size_per_msg=self.rng.choice((1, 200, 1 << 20)),
            max_uncommitted_bytes=self.rng.choice((1 << 20, 8 << 20)),
            cache_bytes=self.rng.choice((0, 500)),
        )
        self.cluster = Cluster(size, options=options, seed=seed)
        self.proposed = 0
        self.acknowledged: dict[tuple[int, int], bytes] = {}
        self.weights = {
            self.tick: 30,
            self.deliver: 60,
            self.duplicate: 3,
            self.drop: 3,
            self.propose: 20,
            self.read: 3,
            self.flush: 12,
            self.slow: 3,
            self.crash: 1,
            self.restart: 3,
            self.cut: 2,
            self.heal: 3,
            self.save: 4,
            self.transfer: 1,
            self.unreachable: 1,
            self.step_down: 1,
            self.fetch_toggle: 1,
        }

    def node(self) -> SimNode | None:
        running = self.cluster.running()
        return self.rng.choice(running) if running else None

    def step(self) -> None:
        action = self.rng.choices(list(self.weights), list(self.weights.values()))[0]
        action()

    def tick(self) -> None:
        if self.rng.random() < 0.5:
            self.cluster.tick(settle=False)
            return
        node = self.node()
        if node is not None:
            self.cluster.tick(node.id, times=self.rng.randrange(1, 4), settle=False)

    def deliver(self) -> None:
        packets = self.cluster.packets
        for _ in range(self.rng.randrange(1, 8)):
            if not packets:
                return
            first_come = self.rng.random() < 0.8
            self.cluster.deliver(packets.pop(0 if first_come else self.rng.randrange(len(packets))))

    def duplicate(self) -> None:
        if self.cluster.packets:
            self.cluster.packets.append(self.rng.choice(self.cluster.packets))

    def drop(self) -> None:
        if self.cluster.packets:
            self.cluster.packets.pop(self.rng.randrange(len(self.cluster.packets)))

    def propose(self) -> None:
        leaders = [node for node in self.cluster.running() if node.role == RaftRole.LEADER]
        node = self.rng.choice(leaders) if leaders else self.node()  # a deposed one, too
        if node is None:
            return
        self.proposed += 1
        payload = self.proposed.to_bytes(4, "little") * self.rng.choice((1, 10, 100))
        try:
            place = self.cluster.propose(node.id, payload, settle=False)
        except (NotLeader, ProposalDropped):
            return
        self.acknowledged[place] = payload

    def read(self) -> None:
        node = self.node()
        if node is not None and node.status.leader and node.role != RaftRole.LEADER:
            node.core.read_index(b"read")
            self.cluster.pump(node.id)

    def flush(self) -> None:
        node = self.node()
        if node is not None:
            self.cluster.flush(node.id, self.rng.randrange(1, 4))

    def slow(self) -> None:
        node = self.node()
        if node is not None:
            self.cluster.slow_disks ^= {node.id}
            self.cluster.flush(node.id)

    def crash(self) -> None:
        node = self.node()
        if node is not None:
            self.cluster.crash(node.id)

    def restart(self) -> None:
        down = [node.id for node in self.cluster.nodes.values() if not node.running]
        if down:
            self.cluster.restart(self.rng.choice(down))

    def cut(self) -> None:
        node = self.node()
        if node is not None:
            other = self.rng.choice(list(self.cluster.nodes))
            self.cluster.blocked.add((node.id, other))  # one way
            if self.rng.random() < 0.5:
                self.cluster.cut(node.id)

    def heal(self) -> None:
        self.cluster.heal()

    def save(self) -> None:
        node = self.node()
        if node is not None:
            node.save_state()

    def transfer(self) -> None:
        leader = self.cluster.leader()
        if leader is not None:
            others = [voter for voter in self.cluster.voters if voter != leader.id]
            leader.core.transfer_leader(self.rng.choice(others))
            self.cluster.pump(leader.id)

    def step_down(self) -> None:
        leader = self.cluster.leader()
        if leader is not None:
            leader.core.step_down()
            self.cluster.pump(leader.id)

    def unreachable(self) -> None:
        node = self.node()
        if node is not None:
            node.core.report_unreachable(self.rng.choice(list(self.cluster.nodes)))
            self.cluster.pump(node.id)

    def fetch_toggle(self) -> None:
        self.cluster.fetching = not self.cluster.fetching

    def converge(self) -> None:
        """After all faults end, a leader must emerge and everybody must have the same log."""
        cluster = self.cluster
        cluster.heal()
        cluster.slow_disks.clear()
        cluster.fetching = True
        for node in cluster.nodes.values():
            if not node.running:
                cluster.restart(node.id)
            cluster.flush(node.id)
            for low, *_ in cluster.fetches:
                node.core.fetched(low, [])  # reads that the faulty disk never answered
        cluster.settle()
        cluster.tick(times=20 * ELECTION_TICK)
        leader = cluster.leader()
        assert leader is not None, "no leader after all faults ended"
        cluster.propose(leader.id, b"the end")
        cluster.tick(times=6)
        for node in cluster.nodes.values():
            assert node.committed == leader.committed
            assert node.committed[-1].payload == b"the end"
            assert node.status.persisted == node.status.last_index == len(node.committed)


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_any_schedule_is_safe_and_its_end_is_agreement(seed: int) -> None:
    chaos = Chaos(seed)
    for _ in range(STEPS):
        chaos.step()
    chaos.converge()
    entries = {(entry.term, entry.at): entry.payload for entry in chaos.cluster[1].committed}
    for place, payload in chaos.acknowledged.items():
        # propose told where the entry would be: there it is, or nowhere.
        assert entries.get(place, payload) == payload


def test_schedules_reach_the_hard_cases() -> None:
    """Chaos that never loses a leader or overwrites a log would prove nothing."""
    terms, committed, fetched, replaced = 0, 0, 0, 0
    for seed in range(30):
        chaos = Chaos(seed)
        for _ in range(STEPS):
            chaos.step()
        chaos.converge()
        terms += chaos.cluster[1].status.term
        committed += len(chaos.cluster[1].committed)
        fetched += len(chaos.cluster.fetches)
        replaced += sum(node.disk.replacements for node in chaos.cluster.nodes.values())
    assert terms > 5 * 30
    assert replaced > 20
    assert committed > 50 * 30
    assert fetched > 10 * 30
