"""The consensus shell without I/O: verify before step, durability, clocks, silence."""

import random
from collections.abc import Sequence

import pytest
from tests.node.consensus_tools import BAD, NODES, START_NS, Net, Shell, accept, after, block

from tallystick_node.consensus_actions import AlarmKind, MayPropose, Role
from tallystick_node.consensus_chain import Chain, ChainTip
from tallystick_node.errors import NotLeaderError


@pytest.fixture
def net() -> Net:
    return Net()


def same_everywhere(net: Net, blocks: list[bytes]) -> bool:
    return all(shell.blocks == blocks for shell in net.shells.values())


# -- the ordinary way ------------------------------------------------------------------------------


def test_blocks_commit_everywhere_in_order(net: Net) -> None:
    leader = net.elect()
    blocks = [leader.propose(records=number) for number in (1, 5, 2)]
    assert leader.shell.uncommitted_entries == 3
    assert leader.shell.uncommitted_bytes == 3 * 64
    net.settle()
    net.tick(3)  # heartbeats carry the commit index to the followers
    assert same_everywhere(net, blocks)
    assert leader.shell.uncommitted_bytes == 0
    assert {shell.shell.tip for shell in net.shells.values()} == {after(blocks[-1])}
    assert leader.shell.tip.next_sequence == 9


def test_a_leader_may_propose_only_after_applying_its_own_first_entry(net: Net) -> None:
    first = net.elect()
    net.cut_off = {first.raft_id}
    for shell in net.others(first):
        shell.hold_syncs = True
    candidates = net.others(first)

    def leading() -> list[Shell]:
        return [shell for shell in candidates if shell.shell.role is Role.LEADER]

    while not leading():  # votes have to be durable before they count
        net.tick()
        for shell in candidates:
            if shell.shell.role is not Role.LEADER:
                shell.sync()
        net.settle()
    (leader,) = leading()
    before = leader.shell.may_propose
    with pytest.raises(NotLeaderError):
        leader.propose()
    for shell in candidates:
        shell.sync()
        net.settle()
    assert (before, leader.shell.may_propose) == (False, True)
    assert [change for change in leader.changes if isinstance(change, MayPropose)]


def test_applying_an_older_entry_does_not_allow_proposals(net: Net) -> None:
    leader = net.elect()
    heir, other = net.others(leader)
    heir.hold_applies = True
    leader.propose()
    net.settle()
    net.tick(3)
    net.cut_off = {leader.raft_id}
    while heir.shell.role is not Role.LEADER:
        heir.shell.tick()
        other.shell.tick()
        net.settle()
    last = heir.committed[-1].index
    allowed = []
    for index in range(1, last + 1):
        heir.shell.applied(index)
        allowed.append(heir.shell.may_propose)
    assert allowed == [False] * (last - 1) + [True]


def test_a_proposal_that_does_not_continue_the_log_is_a_defect(net: Net) -> None:
    leader = net.elect()
    made = block(ChainTip(7, 0))
    with pytest.raises(ValueError, match="does not continue"):
        leader.shell.propose(made, after(made))
    made = block(leader.shell.tip)
    with pytest.raises(ValueError, match="does not continue"):
        leader.shell.propose(made, ChainTip(99, 99))
    assert leader.shell.uncommitted_entries == 0


def test_nothing_is_acknowledged_before_it_is_durable(net: Net) -> None:
    leader = net.elect()
    followers = net.others(leader)
    for shell in followers:
        shell.hold_syncs = True
    made = leader.propose()
    net.settle()
    net.tick(5)
    assert leader.blocks == []
    followers[0].sync()
    net.settle()
    assert leader.blocks == [made]


def test_a_commit_index_alone_is_not_written(net: Net) -> None:
    leader = net.elect()
    leader.propose()
    net.settle()
    follower = net.others(leader)[0]
    follower.hold_syncs = True
    net.tick(4)
    assert follower.shell.commit_index == follower.shell.last_index
    assert not follower.unsynced
    leader.propose()
    net.settle()
    assert len(follower.unsynced) == 1
    state = follower.unsynced[0].hard_state
    assert state is not None
    assert state.commit >= 2


def test_reads_are_answered_with_an_index_that_covers_what_was_committed(net: Net) -> None:
    leader = net.elect()
    leader.propose()
    net.settle()
    for shell in net.shells.values():
        shell.shell.read_index(b"ctx")
        net.settle()
        assert [read.context for read in shell.reads] == [b"ctx"]
        assert shell.reads[0].index >= leader.shell.commit_index


# -- verify before step ----------------------------------------------------------------------------


def test_an_unchecked_block_is_neither_written_nor_acknowledged(net: Net) -> None:
    leader = net.elect()
    followers = net.others(leader)
    for shell in followers:
        shell.hold_checks = True
    made = leader.propose()
    net.settle()
    last = followers[0].shell.last_index
    assert all(len(shell.checks) == 1 for shell in followers)
    assert leader.blocks == []
    assert followers[0].shell.backlog_bytes(leader.raft_id) > 64
    followers[0].answer_check()
    net.settle()
    assert followers[0].shell.last_index == last + 1
    assert followers[0].shell.backlog_bytes(leader.raft_id) == 0
    assert leader.blocks == [made]


def test_appends_are_checked_ahead_but_stepped_in_order(net: Net) -> None:
    leader = net.elect()
    follower, other = net.others(leader)
    net.cut_off = {other.raft_id}
    follower.hold_checks = True
    blocks = [leader.propose() for _ in range(4)]
    net.settle()
    assert len(follower.checks) == 4
    befores = [check.jobs[0].before for check in follower.checks]
    assert befores[1:] == [after(made) for made in blocks[:3]]
    last = follower.shell.last_index
    newest = follower.checks.pop()
    follower.shell.checked(newest.ticket, None)
    assert follower.shell.last_index == last
    for _ in range(3):
        follower.answer_check()
    net.settle()
    assert follower.shell.last_index == last + 4
    assert leader.blocks == blocks


def test_a_bad_block_leaves_evidence_and_ends_trust_for_the_term(net: Net) -> None:
    leader = net.elect()
    term = leader.shell.term
    leader.force(block(leader.shell.tip, filler=BAD))
    leader.force(block(leader.shell.tip))
    net.settle()
    for shell in net.others(leader):
        assert [alarm.kind for alarm in shell.alarms] == [AlarmKind.BAD_BLOCK]
        alarm = shell.alarms[0]
        assert (alarm.peer, alarm.term) == (leader.raft_id, term)
        assert alarm.evidence is not None
        assert alarm.evidence.code == 4
    assert leader.blocks == []
    # Sooner than the liar would fall silent of itself: its heartbeats do not count any more.
    honest = net.elect(among=tuple(s.raft_id for s in net.others(leader)), ticks=40)
    assert honest.shell.term > term
    blocks = [honest.propose(), honest.propose()]
    net.settle()
    net.tick(3)
    assert same_everywhere(net, blocks)


def test_entries_that_are_in_the_log_are_not_checked_again(net: Net) -> None:
    leader = net.elect()
    follower, other = net.others(leader)
    net.cut_off = {other.raft_id}
    made = leader.propose()
    net.settle()
    follower.hold_checks = True
    # The acknowledgement was lost as far as the leader knows: it probes and sends again.
    leader.shell.unreachable(follower.raft_id)
    net.tick(4)
    assert not follower.checks
    assert leader.blocks == [made]


def test_two_appends_for_one_place_are_both_checked(net: Net) -> None:
    """A lying leader sends another block for an index that is under check already."""
    leader = net.elect()
    follower, other = net.others(leader)
    net.cut_off = {other.raft_id}
    follower.hold_checks = True
    tip = leader.shell.tip
    # The same frame with another payload: index and term the same, the content not.
    frames = _append_frames(leader, follower, block(tip, filler=7), block(tip, filler=BAD))
    for frame in frames:
        follower.shell.receive(leader.raft_id, frame, net.now_ns)
    follower.carry_out()
    assert len(follower.checks) >= 2
    while follower.checks:
        follower.answer_check()
        follower.carry_out()
    assert follower.shell.last_index == 2
    assert follower.log[2].payload == block(tip, filler=7)


def test_what_was_checked_against_another_log_is_checked_again(net: Net) -> None:
    """Two blocks promise different tips for one place; what continues the loser must not pass."""
    leader = net.elect()
    follower, other = net.others(leader)
    net.cut_off = {other.raft_id}
    follower.hold_checks = True
    tip = leader.shell.tip
    one, two = block(tip, records=1), block(tip, records=5)
    behind_two = block(after(two))
    frames = _append_frames(leader, follower, one, two, behind=behind_two)
    for frame in frames:
        follower.shell.receive(leader.raft_id, frame, net.now_ns)
    follower.carry_out()
    while follower.checks:
        follower.answer_check()
        follower.carry_out()
    # `one` came first and stands; `behind_two` does not continue it and was found out.
    assert follower.log[2].payload == one
    assert 3 not in follower.log
    assert [alarm.kind for alarm in follower.alarms] == [AlarmKind.BAD_BLOCK]


def test_what_was_in_the_log_and_is_not_any_more_is_checked(net: Net) -> None:
    """An entry passed as known; then another leader replaced the one that was known."""
    leader = net.elect()
    follower, other = net.others(leader)
    net.cut_off = set(NODES)
    tip, term = follower.shell.tip, leader.shell.term
    follower.hold_checks = True

    def receive(sender: Shell, its_term: int, *entries: tuple[int, bytes]) -> None:
        frame = _frame(sender, follower, its_term, (1, term), entries)
        follower.shell.receive(sender.raft_id, frame, net.now_ns)
        follower.carry_out()

    lie, behind = block(tip, filler=BAD), block(tip)
    receive(other, term + 1, (term + 1, b""))
    receive(leader, term + 3, (term + 1, lie), (term + 1, behind))
    assert [job.block for job in follower.checks[0].jobs] == [behind]
    receive(other, term + 2, (term + 2, b""))
    assert follower.log[2].term == term + 2
    while follower.checks:
        follower.answer_check()
        follower.carry_out()
    assert lie not in [entry.payload for entry in follower.log.values()]
    assert [alarm.kind for alarm in follower.alarms] == [AlarmKind.BAD_BLOCK]


def test_an_empty_append_does_not_overtake_the_ones_under_check(net: Net) -> None:
    """It would be rejected, and the leader would fall back to probing."""
    leader = net.elect()
    slow = net.others(leader)[0]
    slow.hold_checks = True
    made = leader.propose()
    net.settle()
    net.tick(3)
    assert leader.blocks == [made]  # committed by the other two; the news travels as an append
    assert net.rejections == 0
    slow.answer_check()
    net.settle()
    assert slow.blocks == [made]
    assert net.rejections == 0


def _frame(
    sender: Shell,
    to: Shell,
    term: int,
    previous: tuple[int, int],
    entries: Sequence[tuple[int, bytes]],
) -> bytes:
    """An append of (term, payload) entries behind `previous` (layout: core/src/raft/frame.rs)."""
    words = (sender.raft_id, to.raft_id, term, previous[1], previous[0], 0, 0, 0)
    return b"".join(
        (
            b"TSR1" + bytes((3, 0, 0, 0)) + len(entries).to_bytes(4, "little") + bytes(4),
            *(word.to_bytes(8, "little") for word in words),
            *(
                entry_term.to_bytes(8, "little") + len(payload).to_bytes(4, "little") + bytes(4)
                for entry_term, payload in entries
            ),
            *(payload for _, payload in entries),
        )
    )


def _append_frames(
    leader: Shell, follower: Shell, *payloads: bytes, behind: bytes | None = None
) -> list[bytes]:
    """Appends that each put one payload at index 2, and one that continues it."""
    term = leader.shell.term
    frames = [_frame(leader, follower, term, (1, term), [(term, payload)]) for payload in payloads]
    if behind is not None:
        frames.append(_frame(leader, follower, term, (2, term), [(term, behind)]))
    return frames


def test_a_frame_in_anothers_name_is_refused(net: Net) -> None:
    leader = net.elect()
    follower, other = net.others(leader)
    frame = _append_frames(leader, follower, block(leader.shell.tip))[0]
    follower.shell.receive(other.raft_id, frame, net.now_ns)
    follower.carry_out()
    assert [refused.reason for refused in follower.refused] == ["forged"]
    assert not follower.checks


def test_random_frames_are_refused(net: Net) -> None:
    leader = net.elect()
    follower = net.others(leader)[0]
    rng = random.Random(3)
    for size in range(300):
        follower.shell.receive(leader.raft_id, rng.randbytes(size), net.now_ns)
    follower.carry_out()
    assert len(follower.refused) == 300


# -- clocks ----------------------------------------------------------------------------------------


def test_a_block_from_the_future_is_dropped_and_its_leader_replaced(net: Net) -> None:
    leader = net.elect()
    leader.propose(timestamp_ns=START_NS + 501_000_000)
    net.settle()
    for shell in net.others(leader):
        assert [alarm.kind for alarm in shell.alarms] == [AlarmKind.BLOCK_FROM_THE_FUTURE]
    net.tick(60)
    assert AlarmKind.STALLED_LEADER in [alarm.kind for alarm in leader.alarms]
    assert leader.shell.role is Role.FOLLOWER
    assert not leader.shell.may_propose
    other = net.elect(among=tuple(shell.raft_id for shell in net.others(leader)))
    blocks = [other.propose(timestamp_ns=START_NS)]
    net.settle()
    net.tick(3)
    assert same_everywhere(net, blocks)


def test_a_block_a_little_ahead_is_taken(net: Net) -> None:
    leader = net.elect()
    made = leader.propose(timestamp_ns=START_NS + 499_000_000)
    net.settle()
    assert leader.blocks == [made]
    assert not any(shell.alarms for shell in net.shells.values())


def test_a_committed_block_is_taken_whatever_the_clock_says(net: Net) -> None:
    leader = net.elect()
    slow = net.others(leader)[0]
    net.cut_off = {slow.raft_id}
    made = leader.propose(timestamp_ns=START_NS)
    net.settle()
    assert leader.blocks == [made]
    net.cut_off = set()
    net.now_ns = START_NS - 10**12
    net.tick(6)
    assert slow.blocks == [made]


def test_a_silent_leader_speaks_again_when_nobody_takes_over(net: Net) -> None:
    leader = net.elect()
    for shell in net.others(leader):
        shell.hold_checks = True
    made = leader.propose()
    for _ in range(55):  # the followers hear heartbeats, but check nothing
        leader.shell.tick()
        net.settle()
    roles = [leader.shell.role]
    for _ in range(110):  # only the leader's time passes: no election
        leader.shell.tick()
        net.settle()
    roles.append(leader.shell.role)
    assert roles == [Role.FOLLOWER, Role.LEADER]
    for shell in net.others(leader):
        shell.hold_checks = False
        while shell.checks:
            shell.answer_check()
    net.tick(5)
    assert leader.blocks == [made]
    assert leader.shell.may_propose


# -- changes of leader -----------------------------------------------------------------------------


def test_an_uncommitted_suffix_is_replaced_and_the_tip_goes_back(net: Net) -> None:
    leader = net.elect()
    common = leader.propose()
    net.settle()
    net.tick(3)
    net.cut_off = {leader.raft_id}
    for _ in range(3):
        leader.propose(records=9)
    net.settle()
    other = net.elect(among=tuple(shell.raft_id for shell in net.others(leader)))
    made = other.propose()
    net.settle()
    net.cut_off = set()
    net.tick(20)
    assert same_everywhere(net, [common, made])
    assert leader.shell.tip == after(made)
    assert leader.shell.uncommitted_bytes == 0


def test_leadership_is_handed_to_the_longest_log(net: Net) -> None:
    leader = net.elect()
    leader.propose()
    net.settle()
    successor = leader.shell.hand_over()
    net.settle()
    net.tick(2)
    assert net[successor].shell.may_propose
    assert leader.shell.role is Role.FOLLOWER
    assert net.others(net[successor])[0].shell.hand_over() == 0


def test_random_schedules_never_commit_two_blocks_for_one_place() -> None:
    """Cuts, held checks and syncs, lying leaders: all nodes commit prefixes of one history."""
    lies = committed = 0
    for seed in range(100):
        rng = random.Random(seed)
        net = Net()
        bad: set[bytes] = set()
        for _ in range(300):
            _disturb(rng, net, bad)
            net.tick()
        _heal(net)
        histories = [[entry.payload for entry in s.committed] for s in net.shells.values()]
        longest = max(histories, key=len)
        assert all(history == longest[: len(history)] for history in histories), f"seed {seed}"
        assert len({len(history) for history in histories}) == 1, f"seed {seed}"
        assert not bad.intersection(longest), f"seed {seed}"
        tip = ChainTip(1, 0)
        for payload in filter(None, longest):
            assert payload[16:24] == tip.next_sequence.to_bytes(8, "little"), f"seed {seed}"
            tip = after(payload)
        lies += len(bad)
        committed += len(longest)
    # The schedules do what they are meant to do.
    assert lies > 100
    assert committed > 1000


def _disturb(rng: random.Random, net: Net, bad: set[bytes]) -> None:
    shell = net[rng.choice(NODES)]
    match rng.randrange(9):
        case 0:
            net.cut_off = {rng.choice(NODES)}
        case 1:
            net.cut_off = set()
        case 2:
            shell.hold_checks = not shell.hold_checks
        case 3:
            shell.hold_syncs = not shell.hold_syncs
        case 4 if shell.checks:
            shell.answer_check()
        case 5:
            shell.sync()
        case 6 if shell.shell.may_propose and rng.random() < 0.5:
            lie = block(shell.shell.tip, filler=BAD, timestamp_ns=rng.getrandbits(30))
            bad.add(lie)
            shell.force(lie)
        case _:
            if shell.shell.may_propose and shell.shell.uncommitted_bytes < 2000:
                shell.propose(records=rng.randrange(1, 4), filler=rng.randrange(100))


def _heal(net: Net) -> None:
    net.cut_off = set()
    for shell in net.shells.values():
        shell.hold_checks = shell.hold_syncs = False
        shell.sync()
        while shell.checks:
            shell.answer_check(accept)
    net.tick(150)


# -- the chain -------------------------------------------------------------------------------------


def test_the_chain_refuses_gaps_and_replacing_what_is_applied() -> None:
    chain = Chain(5, 1, ChainTip(10, 100))
    made = block(ChainTip(10, 100), records=3)
    assert chain.extend([(6, 1, made), (7, 2, b"")]) == 0
    assert chain.tip == ChainTip(13, 103)
    with pytest.raises(ValueError, match="does not follow"):
        chain.extend([(9, 2, b"")])
    with pytest.raises(ValueError, match="does not follow"):
        chain.extend([(5, 2, b"")])
    assert chain.extend([(6, 3, b"")]) == 64
    assert (chain.last, chain.tip) == (6, ChainTip(10, 100))
    chain.raise_floor(6)
    assert chain.link(5) is None
    assert chain.floor == 6
