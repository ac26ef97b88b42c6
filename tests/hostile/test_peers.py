"""Votes, heartbeats and blocks from somebody who is not that peer: no term moves, nobody votes."""

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import replace

import grpc
import pytest
from grpc import aio
from tests.cluster.nodes import until
from tests.hostile.arena import Arena, report
from tests.hostile.peers import credentials_of, hello_of, peer_channel

from tallystick_cluster import pki
from tallystick_node.peer_wire import BULK, CONTROL, REFUSAL_KEY, SERVICE, Hello

pytestmark = pytest.mark.cluster

# Raft's message types in a frame (core/src/raft/frame.rs).
PROPOSE, APPEND, VOTE, HEARTBEAT, TRANSFER, TIMEOUT_NOW = 2, 3, 5, 8, 13, 14
# More often than that in a row the true peer does not win the race.
_PUSHED_ASIDE_TIMES = 20


def frame(kind: int, sender: int, to: int, term: int) -> bytes:
    """A well-formed frame without entries."""
    words = (sender, to, term, 0, 0, 0, 0, 0)
    return b"TSR1" + bytes((kind,)) + bytes(11) + b"".join(w.to_bytes(8, "little") for w in words)


async def send(
    arena: Arena,
    target: int,
    frames: list[bytes],
    *,
    credentials: pki.NodeCredentials | None,
    hello: Hello | None,
    lane: str = CONTROL,
) -> tuple[grpc.StatusCode, str]:
    """Opens a stream to a peer port; how it ended: status and, if there is one, refusal.

    The true peer dials again as soon as it is pushed aside, and may push this stream aside before
    its frames are read: that says nothing of the frames, so they are sent again.
    """
    for _ in range(_PUSHED_ASIDE_TIMES):
        told = await _send_once(arena, target, frames, credentials, hello, lane)
        if told[0] != grpc.StatusCode.ABORTED:
            break
    return told


async def _send_once(
    arena: Arena,
    target: int,
    frames: list[bytes],
    credentials: pki.NodeCredentials | None,
    hello: Hello | None,
    lane: str,
) -> tuple[grpc.StatusCode, str]:
    async with peer_channel(arena, target, as_node=credentials) as through:
        call: aio.StreamUnaryCall[bytes, bytes] = through.stream_unary(f"/{SERVICE}/{lane}")(
            metadata=hello.metadata() if hello else (), timeout=10
        )
        try:
            for each in frames:
                await call.write(each)
            await call
        except (aio.AioRpcError, asyncio.InvalidStateError):
            pass
        trailing = dict(await call.trailing_metadata() or ())
        return await call.code(), str(trailing.get(REFUSAL_KEY, ""))


@pytest.fixture
def places(arena: Arena) -> Iterator[tuple[int, int, int]]:
    """Leader, a follower that is attacked, and the one that is impersonated.

    In the end the true ones talk to each other as before: what is ordered then reaches all.
    """
    leader = arena.leader
    first, second = (each for each in arena.nodes.raft_ids if each != leader)
    yield leader, first, second
    arena.must_be_well()
    index = arena.nodes.must_say(leader).last_index
    until(
        lambda: all(arena.nodes.must_say(each).applied_index >= index for each in (first, second)),
        "all follow",
    )


@pytest.mark.parametrize("kind", [PROPOSE, APPEND, VOTE, HEARTBEAT, TRANSFER, TIMEOUT_NOW])
async def test_a_certificate_of_another_authority(
    arena: Arena, places: tuple[int, int, int], kind: int
) -> None:
    leader, target, other = places
    term = arena.nodes.must_say(target).term
    foreign = pki.issue_node_certificate(
        pki.make_ca(now_ns=time.time_ns()), leader, now_ns=time.time_ns()
    )
    code, _ = await send(
        arena,
        target,
        [frame(kind, leader, target, term + 5)],
        credentials=foreign,
        hello=hello_of(arena, leader),
    )
    assert code == grpc.StatusCode.UNAVAILABLE
    assert arena.nodes.must_say(target).term == term
    assert arena.nodes.must_say(other).term == term


async def test_no_certificate(arena: Arena, places: tuple[int, int, int]) -> None:
    leader, target, _ = places
    code, _ = await send(
        arena, target, [os.urandom(500)], credentials=None, hello=hello_of(arena, leader)
    )
    assert code == grpc.StatusCode.UNAVAILABLE


async def test_the_certificate_of_one_node_and_the_name_of_another(
    arena: Arena, places: tuple[int, int, int]
) -> None:
    leader, target, other = places
    said = replace(hello_of(arena, other), raft_id=leader)
    for hello in (hello_of(arena, leader), said, None):
        told = await send(arena, target, [], credentials=credentials_of(arena, other), hello=hello)
        assert told == (grpc.StatusCode.FAILED_PRECONDITION, "wrong_node")


async def test_another_incarnation_and_another_ledger(
    arena: Arena, places: tuple[int, int, int]
) -> None:
    _, target, other = places
    true = hello_of(arena, other)
    for hello, refusal in (
        (replace(true, incarnation=os.urandom(len(true.incarnation))), "incarnation"),
        (replace(true, ledger_id=os.urandom(32)), "wrong_ledger"),
    ):
        told = await send(arena, target, [], credentials=credentials_of(arena, other), hello=hello)
        assert told == (grpc.StatusCode.FAILED_PRECONDITION, refusal)


@pytest.mark.parametrize("kind", [PROPOSE, APPEND, VOTE, HEARTBEAT, TRANSFER, TIMEOUT_NOW])
async def test_frames_in_the_leaders_name_from_a_real_peer(
    arena: Arena, places: tuple[int, int, int], kind: int
) -> None:
    """The worst case: node 3 itself has turned, and says it is the leader of a later term."""
    leader, target, other = places
    term = arena.nodes.must_say(target).term
    for lane in (BULK, CONTROL):
        told = await send(
            arena,
            target,
            [frame(kind, leader, target, term + 5)],
            credentials=credentials_of(arena, other),
            hello=hello_of(arena, other),
            lane=lane,
        )
        assert told == (grpc.StatusCode.FAILED_PRECONDITION, "bad_frame")
    assert arena.nodes.must_say(target).term == term


async def test_what_no_peer_may_send_in_its_own_name(
    arena: Arena, places: tuple[int, int, int]
) -> None:
    """A proposal from a peer would be appended without a look at its signatures."""
    leader, _, other = places
    term = arena.nodes.must_say(leader).term
    for kind in (0, 1, PROPOSE, TRANSFER, 99):
        told = await send(
            arena,
            leader,
            [frame(kind, other, leader, term)],
            credentials=credentials_of(arena, other),
            hello=hello_of(arena, other),
        )
        assert told == (grpc.StatusCode.FAILED_PRECONDITION, "bad_frame"), kind


async def test_noise_from_a_real_peer(arena: Arena, places: tuple[int, int, int]) -> None:
    leader, target, other = places
    for size in (0, 1, 79, 80, 81, 5_000, 1_000_000):
        for to in (leader, target):
            told = await send(
                arena,
                to,
                [os.urandom(size)],
                credentials=credentials_of(arena, other),
                hello=hello_of(arena, other),
                lane=BULK,
            )
            assert told == (grpc.StatusCode.FAILED_PRECONDITION, "bad_frame"), size
    report("noise from a real peer", ["seven sizes to two nodes, each refused: bad_frame"])
