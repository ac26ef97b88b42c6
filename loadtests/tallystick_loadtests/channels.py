"""Payment channels for a load test: each payer opens one to each payee, with a key of its own.

Follows docs/semantics.md: the payer's owner key first adds a key of scope CHANNEL, then pins the
deposit. Whoever has the keys can then sign vouchers, in any process.
"""

import os
from dataclasses import replace
from typing import Final

from tallystick_ledger.ids import AccountId, ChannelId, LedgerId, object_id
from tallystick_ledger.keys import SigningKey, prove_possession
from tallystick_ledger.limits import NONCE_BYTES, SEED_BYTES
from tallystick_ledger.records import Channel, Key, KeyOperation, Scope
from tallystick_loadtests.population import Party, Payee, Plan, fresh_id, sealed

CHALLENGE_NS: Final = 3_600_000_000_000


def with_channels(plan: Plan, payees: int, deposit: int) -> Plan:
    """Adds channels to a population whose last parties are the payees.

    Args:
        plan: Each of its parties has as many accounts as there are payees, or more.
        payees: How many of its last parties are paid; all before them pay.
        deposit: What each channel pins.

    Returns:
        The plan with the envelopes that add keys and open channels, and its population with
        `payees`. Payer *i*'s channel to payee *j* pays from its account *j*.
    """
    population = plan.population
    parties = population.parties
    paid = [party.account_ids[0] for party in parties[-payees:]]
    keys: list[bytes] = []
    openings: list[bytes] = []
    opened: list[list[tuple[ChannelId, bytes]]] = [[] for _ in paid]
    for payer in parties[:-payees]:
        signers = [SigningKey(os.urandom(SEED_BYTES)) for _ in paid]
        keys.append(_add_keys(population.ledger_id, payer, signers))
        channels, envelope = _open(population.ledger_id, payer, signers, paid, deposit)
        openings.append(envelope)
        for row, channel, signer in zip(opened, channels, signers, strict=True):
            row.append((channel, signer.seed))
    made = tuple(
        Payee(party.seed, b"".join(each for each, _ in row), b"".join(seed for _, seed in row))
        for party, row in zip(parties[-payees:], opened, strict=True)
    )
    groups = (*plan.groups, tuple(keys), tuple(openings))
    return Plan(replace(population, payees=made), groups, plan.unit)


def _add_keys(ledger_id: LedgerId, payer: Party, signers: list[SigningKey]) -> bytes:
    records = b"".join(
        Key(
            operation=KeyOperation.ADD,
            key=signer.public_key,
            principal=payer.principal,
            scope=Scope.CHANNEL,
            possession=prove_possession(signer, ledger_id, payer.principal),
        ).encode(b"")
        for signer in signers
    )
    return sealed(ledger_id, SigningKey(payer.seed), fresh_id(), records)


def _open(
    ledger_id: LedgerId,
    payer: Party,
    signers: list[SigningKey],
    paid: list[AccountId],
    deposit: int,
) -> tuple[list[ChannelId], bytes]:
    envelope_id = fresh_id()
    accounts = payer.account_ids[: len(paid)]
    records = b"".join(
        Channel(own, payee, deposit, CHALLENGE_NS, signer.public_key).encode(
            os.urandom(NONCE_BYTES)
        )
        for own, payee, signer in zip(accounts, paid, signers, strict=True)
    )
    channels = [
        ChannelId(object_id(ledger_id, payer.principal, envelope_id, index))
        for index in range(len(paid))
    ]
    return channels, sealed(ledger_id, SigningKey(payer.seed), envelope_id, records)
