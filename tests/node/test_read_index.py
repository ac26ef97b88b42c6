"""Batching of read indexes."""

import asyncio

import pytest
from tallystick_core import NoLeader

from tallystick_node import read_index as module
from tallystick_node.errors import NoQuorumError
from tallystick_node.read_index import ReadBatcher


async def turn() -> None:
    """Let everything that is ready to run do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_reads_of_one_moment_share_a_request() -> None:
    asked: list[bytes] = []
    reads = ReadBatcher(asked.append)
    waiting = [asyncio.create_task(reads.read_index()) for _ in range(100)]
    await turn()
    assert len(asked) == 1
    reads.answered(asked[0], 7)
    assert await asyncio.gather(*waiting) == [7] * 100


async def test_who_comes_later_waits_for_the_next_request() -> None:
    """The one under way may have been answered before the later read began."""
    asked: list[bytes] = []
    reads = ReadBatcher(asked.append)
    early = asyncio.create_task(reads.read_index())
    await turn()
    late = asyncio.create_task(reads.read_index())
    await turn()
    assert len(asked) == 1
    reads.answered(asked[0], 7)
    await turn()
    assert early.result() == 7
    assert not late.done()
    assert len(asked) == 2
    reads.answered(asked[0], 8)  # an old answer is nobody's
    await turn()
    assert not late.done()
    reads.answered(asked[1], 9)
    assert await late == 9


async def test_a_lost_request_is_asked_again_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_INDEX_RETRY_S", 0.001)
    asked: list[bytes] = []
    again = asyncio.Event()

    def ask(context: bytes) -> None:
        asked.append(context)
        if len(asked) > 1:
            again.set()
            raise NoLeader("no leader is known")

    reads = ReadBatcher(ask)
    waiting = asyncio.create_task(reads.read_index())
    await again.wait()
    reads.answered(asked[-1], 5)
    assert await waiting == 5
    assert len(set(asked)) == len(asked)


async def test_a_change_of_leader_asks_at_once() -> None:
    asked: list[bytes] = []
    reads = ReadBatcher(asked.append)
    waiting = asyncio.create_task(reads.read_index())
    await turn()
    reads.leader_changed()
    assert len(asked) == 2
    reads.answered(asked[1], 5)
    assert await waiting == 5


async def test_without_an_answer_it_fails_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_INDEX_TIMEOUT_S", 0.01)
    reads = ReadBatcher(lambda _: None)
    with pytest.raises(NoQuorumError):
        await reads.read_index()
    reads.close()


async def test_closing_fails_all_who_wait() -> None:
    reads = ReadBatcher(lambda _: None)
    waiting = [asyncio.create_task(reads.read_index()) for _ in range(3)]
    await turn()
    waiting.append(asyncio.create_task(reads.read_index()))
    await turn()
    reads.close()
    for one in waiting:
        with pytest.raises(NoQuorumError):
            await one
