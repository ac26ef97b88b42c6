"""TOO_LATE is for ever: it is not said while a copy that came before may still be ordered."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tallystick_core import build_block
from tests.node.access_tools import running_node
from tests.node.pipeline_world import World, make_world
from tests.node.store_tools import new_store

from tallystick import AsyncClient, errors
from tallystick.retry import Surroundings
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import seal
from tallystick_ledger.ids import TimestampNs, new_envelope_id
from tallystick_ledger.records import Tick
from tallystick_node.originals import Originals

SECOND_NS = 1_000_000_000


@dataclass
class Past:
    """A ledger, and what looks into its past."""

    world: World
    originals: Originals

    @property
    def log_time_ns(self) -> int:
        return self.world.kernel.status().min_next_timestamp_ns

    def envelope(self, number: int, valid_until_ns: int) -> bytes:
        """One of a party's, with a record that needs nothing."""
        milliseconds = (valid_until_ns - 5 * SECOND_NS) // 1_000_000
        traffic = self.world.traffic
        return seal(
            traffic.parties[0].key,
            ledger_id=traffic.ledger_id,
            envelope_id=new_envelope_id(milliseconds, number.to_bytes(10, "big")),
            valid_until_ns=TimestampNs(valid_until_ns),
            records=Tick().encode(number.to_bytes(16, "big")),
        )

    def order(self, envelope: bytes, timestamp_ns: int) -> None:
        status = self.world.kernel.status()
        block = build_block(
            [envelope],
            timestamp_ns=timestamp_ns,
            first_sequence=status.next_sequence,
            rules_version=1,
            envelope_count=1,
            record_count=1,
        )
        self.world.kernel.apply(block)


async def _wait(sequence: int, timeout_s: float) -> None:
    raise AssertionError(f"waits for {sequence} for {timeout_s} s")


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    world, store = make_world(), new_store(tmp_path)
    originals = Originals(kernel=world.kernel, store=store, wait=_wait)
    yield Past(world, originals)
    originals.close()
    store.close()


async def test_too_late_is_said_once_log_time_has_passed_and_not_before(past: Past) -> None:
    until_ns = past.log_time_ns + SECOND_NS
    late = past.envelope(1, until_ns)
    assert await past.originals.by_header([late]) == [Code.OVERLOADED]
    assert past.originals.undecided_until_ns == until_ns
    past.order(past.envelope(2, until_ns + 60 * SECOND_NS), until_ns - 1)
    assert past.log_time_ns == until_ns  # a block of that very moment would still execute it
    assert await past.originals.by_header([late]) == [Code.OVERLOADED]
    past.order(past.envelope(3, until_ns + 60 * SECOND_NS), until_ns)
    assert await past.originals.by_header([late]) == [Code.TOO_LATE]


async def test_a_copy_that_was_in_flight_is_not_denied(past: Past) -> None:
    """Ordered after its resend was admitted, and not in the index of ids yet."""
    until_ns = past.log_time_ns + SECOND_NS
    late = past.envelope(1, until_ns)
    past.order(late, until_ns)
    assert past.log_time_ns > until_ns
    assert await past.originals.by_header([late]) == [Code.OVERLOADED]


async def test_who_does_not_hold_the_key_makes_nobody_wait(past: Past) -> None:
    late = bytearray(past.envelope(1, past.log_time_ns + SECOND_NS))
    late[130] ^= 1  # in the signature's place or before it: it does not hold any more
    assert await past.originals.by_header([bytes(late)]) == [Code.BAD_SIGNATURE]
    assert past.originals.undecided_until_ns == 0


async def test_an_idle_ledger_ticks_so_that_a_late_client_gets_its_answer(tmp_path: Path) -> None:
    async with running_node(tmp_path / "cluster") as (node, layout):
        slow_clock = Surroundings(lambda: time.time_ns() - 60 * SECOND_NS)
        client = AsyncClient(
            layout.endpoints,
            layout.genesis,
            tls=layout.ca_pem,
            signer=layout.operator_key,
            surroundings=slow_clock,
        )
        async with client:
            draft = client.draft(valid_for_s=5)
            draft.add(Tick())
            late = draft.seal()
            async with asyncio.timeout(20):
                while not node.ticker._leading:  # noqa: ASYNC110 - nobody tells the test
                    await asyncio.sleep(0.01)
            status = node.kernel.status()
            assert not node.ticker.due(time.time_ns())  # for nobody it does not
            assert status.next_sequence == 1
            assert status.min_next_timestamp_ns <= late.valid_until_ns
            with pytest.raises(errors.TooLate):
                await client.submit(late, deadline_s=20)
            assert node.kernel.status().min_next_timestamp_ns > late.valid_until_ns
            assert node.originals.undecided_until_ns == late.valid_until_ns
