"""Makes and signs what is sent, before the clock starts: distinct envelopes, in worker processes.

`Signers` keeps the processes; `prepare` returns messages of a profile. The single functions are
also what a locust process calls to fill its own pool.
"""

import math
import os
import random
from array import array
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import Final, Self

from tallystick_ledger.bulk import transfers
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import ID_BYTES, MAX_RECORDS, NONCE_BYTES
from tallystick_loadtests.metered import hold_messages, usage_messages, voucher_messages
from tallystick_loadtests.population import Population, fresh_id, sealed
from tallystick_loadtests.profiles import PACKED_PER_MESSAGE, Profile

MAX_TRANSFER: Final = 1_000
MAX_PROCESSES: Final = 2
# Unary messages of one job of a worker process.
SINGLES_PER_JOB: Final = 1_000

Job = Callable[[int, Population], list[bytes]]


class Signers:
    """Worker processes that sign; a context manager."""

    def __init__(self) -> None:
        # Not forked: this process has gRPC's threads.
        self._pool = ProcessPoolExecutor(
            min(MAX_PROCESSES, os.cpu_count() or 1), mp_context=get_context("spawn")
        )

    def __enter__(self) -> Self:
        """Processes start when they are needed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the processes."""
        self._pool.shutdown(cancel_futures=True)

    def prepare(
        self,
        profile: Profile,
        population: Population,
        count: int,
        progress: Callable[[int], None] = lambda _: None,
        *,
        first: int = 0,
    ) -> list[bytes]:
        """Makes and signs messages for a timed part.

        Args:
            profile: `BULK`, `PACKED`, `VOUCHERS`, `HOLDS`, `USAGE`; for all others, messages of
                one transfer.
            population: Who pays.
            count: How many messages.
            progress: Called with the number of messages made so far.
            first: Number of the first message. Vouchers grow with it, so it must not be less than
                `first + count` of the call before.

        Returns:
            The messages, each of distinct envelopes.
        """
        job, jobs = _jobs(profile, count)
        seeds = [int.from_bytes(os.urandom(8), "little") for _ in range(jobs)]
        if profile is Profile.VOUCHERS:
            seeds = list(range(first, first + jobs))
        messages: list[bytes] = []
        for made in self._pool.map(job, seeds, [population] * jobs):
            messages += made
            progress(min(len(messages), count))
        del messages[count:]
        return messages


def _jobs(profile: Profile, count: int) -> tuple[Job, int]:
    """The function that makes messages of a profile, and how often it has to be called."""
    whole: dict[Profile, Job] = {
        Profile.BULK: bulk_messages,
        Profile.PACKED: packed_messages,
        Profile.VOUCHERS: voucher_messages,
        Profile.HOLDS: hold_messages,
        Profile.USAGE: usage_messages,
    }
    if profile in whole:
        return whole[profile], count
    return single_messages, math.ceil(count / SINGLES_PER_JOB)


def bulk_messages(seed: int, population: Population) -> list[bytes]:
    """One envelope of 8,190 transfers between random accounts of the first party."""
    generator = random.Random(seed)  # noqa: S311 - a workload, no secret
    party = population.parties[0]
    ids = party.account_ids
    count = len(ids)
    debits = generator.choices(range(count), k=MAX_RECORDS)
    steps = generator.choices(range(1, count), k=MAX_RECORDS)
    records = transfers(
        b"".join([ids[debit] for debit in debits]),
        b"".join([ids[(debit + step) % count] for debit, step in zip(debits, steps, strict=True)]),
        array("Q", generator.choices(range(1, MAX_TRANSFER), k=MAX_RECORDS)),
        os.urandom(NONCE_BYTES * MAX_RECORDS),
    )
    return [sealed(population.ledger_id, SigningKey(party.seed), fresh_id(), records)]


def packed_messages(seed: int, population: Population) -> list[bytes]:
    """As many one-transfer envelopes as fit into 1 MiB, from random parties."""
    return [b"".join(single_messages(seed, population, PACKED_PER_MESSAGE))]


def single_messages(seed: int, population: Population, count: int = SINGLES_PER_JOB) -> list[bytes]:
    """Envelopes of one transfer, from an account of a random party to a random other account."""
    generator = random.Random(seed)  # noqa: S311 - a workload, no secret
    parties = population.parties
    keys = [SigningKey(party.seed) for party in parties]
    accounts = b"".join(party.accounts for party in parties)
    each = len(parties[0].accounts) // ID_BYTES
    total = each * len(parties)
    envelopes = []
    for _ in range(count):
        debit = generator.randrange(total)
        credit = (debit + generator.randrange(1, total)) % total
        record = transfers(
            accounts[debit * ID_BYTES : (debit + 1) * ID_BYTES],
            accounts[credit * ID_BYTES : (credit + 1) * ID_BYTES],
            array("Q", [generator.randrange(1, MAX_TRANSFER)]),
            os.urandom(NONCE_BYTES),
        )
        envelopes.append(sealed(population.ledger_id, keys[debit // each], fresh_id(), record))
    return envelopes
