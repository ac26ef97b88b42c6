"""Rate cards for a load test: each payee publishes one that prices a model by tokens in and out.

Follows docs/semantics.md: names, then each card with its two lines, published in the envelope that
drafts it. A card prices nothing before its notice is over, so whoever meters has to wait until
`Offers.priced_from_ns`.
"""

import os
import time
from dataclasses import replace
from typing import Final

from tallystick_ledger.ids import CardId, LedgerId, NameId, TimestampNs, object_id
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import MIN_NOTICE_NS, PRICE_UNITS
from tallystick_ledger.merkle import root_of_hashes
from tallystick_ledger.records import Card, CardPublish, Name, NameKind, Price, Record
from tallystick_loadtests.population import Offers, Party, Plan, fresh_id, sealed

# Steps for a token.
INPUT_PRICE: Final = 3
OUTPUT_PRICE: Final = 15
# Beyond the notice: for the time that set-up takes, and for clocks that differ.
_MARGIN_NS: Final = 10_000_000_000
_NAMES: Final = (
    (NameKind.MODEL, "model"),
    (NameKind.METER, "tokens in"),
    (NameKind.METER, "tokens out"),
)


def with_cards(plan: Plan, payees: int) -> Plan:
    """Adds cards to a population whose last parties are the payees.

    Args:
        plan: Whose parties have a unit.
        payees: How many of its last parties sell.

    Returns:
        The plan with the envelopes that register names and publish cards, and its population with
        `offers`.
    """
    population = plan.population
    sellers = population.parties[-payees:]
    starts_ns = TimestampNs(time.time_ns() + MIN_NOTICE_NS + _MARGIN_NS)
    named, (model, first, second) = _names(population.ledger_id, sellers[0])
    made = [
        _published(plan, seller, (NameId(model), NameId(first), NameId(second)), starts_ns)
        for seller in sellers
    ]
    offers = Offers(
        model,
        (first, second),
        b"".join(card for card, _ in made),
        starts_ns,
    )
    groups = (*plan.groups, (named,), tuple(envelope for _, envelope in made))
    return Plan(replace(population, offers=offers), groups, plan.unit)


def _names(ledger_id: LedgerId, owner: Party) -> tuple[bytes, list[bytes]]:
    envelope_id = fresh_id()
    records = [Name(kind, text) for kind, text in _NAMES]
    ids = [
        object_id(ledger_id, owner.principal, envelope_id, index) for index in range(len(records))
    ]
    return sealed(ledger_id, SigningKey(owner.seed), envelope_id, _encoded(records)), ids


def _published(
    plan: Plan, seller: Party, names: tuple[NameId, NameId, NameId], starts_ns: TimestampNs
) -> tuple[CardId, bytes]:
    ledger_id, envelope_id = plan.population.ledger_id, fresh_id()
    card = CardId(object_id(ledger_id, seller.principal, envelope_id, 0))
    model, first, second = names
    lines = [
        Price(card, model, first, INPUT_PRICE * PRICE_UNITS),
        Price(card, model, second, OUTPUT_PRICE * PRICE_UNITS),
    ]
    root = root_of_hashes(line.leaf_hash for line in lines)
    records = [Card(plan.unit, starts_ns, len(lines), root), *lines, CardPublish(card)]
    return card, sealed(ledger_id, SigningKey(seller.seed), envelope_id, _encoded(records))


def _encoded(records: list[Record] | list[Name]) -> bytes:
    return b"".join(record.encode(os.urandom(record.nonce_bytes)) for record in records)
