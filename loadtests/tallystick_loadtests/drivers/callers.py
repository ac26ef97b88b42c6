"""Calls of the SDK: `await client.transfer(…)`, many tasks sharing one client of one process.

Everything that such a program pays is inside the timed part: making the record, hashing, signing,
packing, the network, and the wake-up of the caller.
"""

import asyncio
import random
import time

from tallystick import AsyncClient, Signer, SigningKey, TallystickError
from tallystick.errors import Refused
from tallystick_loadtests.connection import Target
from tallystick_loadtests.outcome import Outcome
from tallystick_loadtests.pacing import Pacer
from tallystick_loadtests.population import Party


class CallerDriver:
    """Drives one client of the SDK."""

    def __init__(self, target: Target, party: Party, callers: int, seed: int) -> None:
        """Opens nothing yet.

        Args:
            target: The ledger.
            party: Who pays, and whose accounts are paid.
            callers: Tasks that each wait for their own transfer.
            seed: Of the choice of accounts and amounts.
        """
        self.outcome = Outcome()
        self._target = target
        self._party = party
        self._callers = callers
        self._generator = random.Random(seed)  # noqa: S311 - a workload, no secret

    async def run(self, pacer: Pacer) -> None:
        """Calls until the pacer ends it; waits for all answers."""
        target, party = self._target, self._party
        signer = Signer(SigningKey(party.seed), party.principal)
        async with AsyncClient(
            target.endpoints, target.genesis, tls=target.ca_pem, signer=signer
        ) as client:
            await client.status()  # connects
            pacer.start()
            await asyncio.gather(*(self._work(client, pacer) for _ in range(self._callers)))
            self.outcome.elapsed_s = pacer.elapsed_s

    async def _work(self, client: AsyncClient, pacer: Pacer) -> None:
        outcome, generator = self.outcome, self._generator
        accounts = self._party.account_ids
        while (turn := await pacer.next()) is not None:
            debit, credit = generator.sample(accounts, 2)
            try:
                receipt = await client.transfer(debit, credit, 1 + int(generator.random() * 999))
            except Refused:
                outcome.refused_envelopes += 1
            except TallystickError:
                outcome.refused_envelopes += 1
                outcome.interruptions += 1
            else:
                outcome.ok_records += 1
                outcome.envelopes += 1
                outcome.ids.append(receipt.envelope_id)
                outcome.latencies_ms.append((time.perf_counter() - turn[1]) * 1000)
