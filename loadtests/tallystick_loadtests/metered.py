"""Makes and signs what settles metered requests: vouchers of channels, holds, priced usage.

| message | what |
|---|---|
| vouchers | one envelope of 8,190 VOUCHERs, signed by a payee; each by its channel's key besides |
| holds | 4,094 RESERVEs, signed by a payer, and the final CAPTURE of each, signed by the payee |
| usage | 2,730 METERs of one payer, each of a request of the trace, under the card of a payee |

Vouchers are cumulative, so a message has to know where the ones before it ended, and messages are
made in several processes at once. Each therefore follows from its number alone: the payees take
turns, and voucher number n of a channel is for n times `MAX_STEP` and something less than that.
"""

import os
import random
import time
from array import array
from functools import cache
from typing import Final

from tallystick_cluster.data import TRACE_ROWS, load_usage
from tallystick_ledger.bulk import captures, reserves, vouchers
from tallystick_ledger.ids import (
    CardId,
    ChannelId,
    EnvelopeId,
    LedgerId,
    NameId,
    PrincipalId,
    object_id,
)
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import (
    COMMITMENT_BYTES,
    ID_BYTES,
    MAX_RECORDS,
    NONCE_BYTES,
    SEED_BYTES,
)
from tallystick_ledger.records import CaptureSource, Meter, ServedUsage
from tallystick_ledger.vouchers import sign_voucher
from tallystick_loadtests.cards import INPUT_PRICE, OUTPUT_PRICE
from tallystick_loadtests.population import Offers, Population, fresh_id, sealed
from tallystick_loadtests.profiles import HELD_RECORDS, METER_RECORDS, PAYEES

MAX_STEP: Final = 1_000
HOLDS_PER_MESSAGE: Final = HELD_RECORDS // 2
MAX_HELD: Final = 2_000
_HOLD_LIFE_NS: Final = 3_600_000_000_000


def voucher_messages(number: int, population: Population) -> list[bytes]:
    """One envelope of 8,190 vouchers of all channels of one payee, in turns.

    Args:
        number: Of the message, from 0: messages have to be sent in this order.
        population: With channels.
    """
    generator = random.Random(number)  # noqa: S311 - a workload, no secret
    payees = population.payees
    payee = payees[number % len(payees)]
    keys = [SigningKey(seed) for seed in _parts(payee.channel_seeds, SEED_BYTES)]
    channels = [ChannelId(each) for each in _parts(payee.channels, ID_BYTES)]
    turns = -(-MAX_RECORDS // len(channels))
    first = number // len(payees) * turns
    cumulatives = array(
        "Q",
        [
            (first + index // len(channels)) * MAX_STEP + generator.randrange(1, MAX_STEP)
            for index in range(MAX_RECORDS)
        ],
    )
    commitments = os.urandom(COMMITMENT_BYTES * MAX_RECORDS)
    named = (channels * turns)[:MAX_RECORDS]
    signatures = [
        sign_voucher(keys[index % len(keys)], population.ledger_id, channel, cumulative, commitment)
        for index, (channel, cumulative, commitment) in enumerate(
            zip(named, cumulatives, _parts(commitments, COMMITMENT_BYTES), strict=True)
        )
    ]
    records = vouchers(b"".join(named), cumulatives, commitments, b"".join(signatures))
    return [sealed(population.ledger_id, SigningKey(payee.seed), fresh_id(), records)]


def hold_messages(seed: int, population: Population) -> list[bytes]:
    """Two envelopes: RESERVEs of one payer, then the final CAPTUREs of one payee."""
    generator = random.Random(seed)  # noqa: S311 - a workload, no secret
    payer = generator.choice(population.parties[:-PAYEES])
    payee = generator.choice(population.parties[-PAYEES:])
    count = HOLDS_PER_MESSAGE
    captured = generator.choices(range(1, MAX_HELD // 2), k=count)
    reserved = reserves(
        b"".join(generator.choices(payer.account_ids, k=count)),
        b"".join(generator.choices(payee.account_ids, k=count)),
        array("Q", [amount + generator.randrange(MAX_HELD // 2) for amount in captured]),
        array("Q", [time.time_ns() + _HOLD_LIFE_NS]) * count,
        os.urandom(NONCE_BYTES * count),
    )
    envelope_id = fresh_id()
    holds = _derived(population.ledger_id, payer.principal, envelope_id, count)
    billed = captures(
        holds,
        array("Q", captured),
        CaptureSource.PROVIDER_REPORTED,
        os.urandom(NONCE_BYTES * count),
        final=True,
    )
    return [
        sealed(population.ledger_id, SigningKey(payer.seed), envelope_id, reserved)
        + sealed(population.ledger_id, SigningKey(payee.seed), fresh_id(), billed)
    ]


def usage_messages(seed: int, population: Population) -> list[bytes]:
    """One envelope of 2,730 METERs, from the accounts of one payer to those of one payee.

    Raises:
        ValueError: The population has no cards.
    """
    offers = population.offers
    if offers is None:
        raise ValueError("nobody has published a card")
    generator = random.Random(seed)  # noqa: S311 - a workload, no secret
    payer = generator.choice(population.parties[:-PAYEES])
    place = generator.randrange(PAYEES)
    payee = population.parties[-PAYEES:][place]
    card = CardId(_parts(offers.cards, ID_BYTES)[place])
    records = b"".join(
        Meter(
            payer_account=generator.choice(payer.account_ids),
            payee_account=payee.account_ids[0],
            amount=INPUT_PRICE * tokens_in + OUTPUT_PRICE * tokens_out,
            card=card,
            model=NameId(offers.model),
            usage=_used(offers, tokens_in, tokens_out),
        ).encode(os.urandom(METER_RECORDS * NONCE_BYTES))
        for tokens_in, tokens_out in generator.choices(_trace(), k=MAX_RECORDS // METER_RECORDS)
    )
    return [sealed(population.ledger_id, SigningKey(payer.seed), fresh_id(), records)]


@cache
def _trace() -> tuple[tuple[int, int], ...]:
    """Tokens in and out of the requests of the trace; each takes some of both."""
    usages = load_usage(TRACE_ROWS)
    return tuple((max(1, each.context_tokens), max(1, each.generated_tokens)) for each in usages)


def _used(offers: Offers, tokens_in: int, tokens_out: int) -> ServedUsage:
    lines = zip(offers.meters, (tokens_in, tokens_out), strict=True)
    return ServedUsage(lines=tuple(sorted((NameId(meter), count) for meter, count in lines)))


def _derived(
    ledger_id: LedgerId, principal: PrincipalId, envelope_id: EnvelopeId, count: int
) -> bytes:
    """The ids of what the first records of an envelope make, back to back."""
    return b"".join(object_id(ledger_id, principal, envelope_id, index) for index in range(count))


def _parts(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]
