"""What settles metered requests: vouchers that grow by message, holds and captures, usage."""

from collections.abc import Iterator

import pytest

from tallystick_ledger.envelope import split_envelopes
from tallystick_ledger.ids import LedgerId, object_id
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import ID_BYTES, MAX_ENVELOPE_BYTES, MAX_RECORDS, RECORD_BYTES
from tallystick_ledger.records import Capture, Meter, Reserve, Voucher
from tallystick_ledger.vouchers import is_valid_voucher
from tallystick_loadtests.cards import INPUT_PRICE, OUTPUT_PRICE, with_cards
from tallystick_loadtests.channels import with_channels
from tallystick_loadtests.metered import hold_messages, usage_messages, voucher_messages
from tallystick_loadtests.population import Population, plan_population
from tallystick_loadtests.profiles import PAYEES

PAYERS = 3


@pytest.fixture(scope="module")
def population() -> Population:
    plan = plan_population(
        LedgerId(bytes(range(32))),
        SigningKey(b"\x01" * 32),
        parties=PAYERS + PAYEES,
        accounts_each=PAYEES,
    )
    return with_channels(with_cards(plan, PAYEES), PAYEES, 1 << 50).population


def _records(envelope: bytes) -> Iterator[bytes]:
    for at in range(256, len(envelope), RECORD_BYTES):
        yield envelope[at : at + RECORD_BYTES]


def test_no_voucher_is_used_twice_and_each_is_for_more(population: Population) -> None:
    highest: dict[bytes, int] = {}
    for number in range(PAYEES + 2):
        (message,) = voucher_messages(number, population)
        assert len(message) == MAX_ENVELOPE_BYTES
        vouchers = [Voucher.decode(record) for record in _records(message)]
        assert len(vouchers) == MAX_RECORDS
        for voucher in vouchers:
            assert voucher.cumulative > highest.get(voucher.channel, 0)
            highest[voucher.channel] = voucher.cumulative
    assert len(highest) == PAYERS * PAYEES
    assert max(highest.values()) < 1 << 50  # what a channel pins


def test_each_voucher_is_signed_by_the_key_of_its_channel(population: Population) -> None:
    payee = population.payees[1]
    keys = {
        payee.channels[at * ID_BYTES : (at + 1) * ID_BYTES]: SigningKey(
            payee.channel_seeds[at * 32 : (at + 1) * 32]
        ).public_key
        for at in range(PAYERS)
    }
    assert len(set(keys.values())) == PAYERS
    (message,) = voucher_messages(1, population)
    for record in list(_records(message))[:50]:
        voucher = Voucher.decode(record)
        parts = (voucher.channel, voucher.cumulative, voucher.commitment, voucher.signature)
        assert is_valid_voucher(keys[voucher.channel], population.ledger_id, *parts)


def test_each_hold_is_captured_in_its_own_message(population: Population) -> None:
    (message,) = hold_messages(7, population)
    assert len(message) <= MAX_ENVELOPE_BYTES
    reserving, capturing = split_envelopes(message)
    header = reserving.header
    (payer,) = (
        party.principal
        for party in population.parties[:-PAYEES]
        if SigningKey(party.seed).public_key == header.signer
    )
    reserved = [Reserve.decode(record) for record in _records(bytes(reserving.data))]
    captured = [Capture.decode(record) for record in _records(bytes(capturing.data))]
    assert len(reserved) == len(captured) == 4_094
    for index, (hold, capture) in enumerate(zip(reserved, captured, strict=True)):
        made = object_id(population.ledger_id, payer, header.envelope_id, index)
        assert capture.hold == made
        assert capture.final
        assert 0 < capture.amount <= hold.maximum


def test_each_usage_is_of_the_trace_and_at_the_price_of_a_card(population: Population) -> None:
    (message,) = usage_messages(7, population)
    assert len(message) == MAX_ENVELOPE_BYTES
    heads = range(256, len(message), 3 * RECORD_BYTES)
    metered = [Meter.decode(message[at : at + 3 * RECORD_BYTES]) for at in heads]
    assert len(metered) == MAX_RECORDS // 3
    offers = population.offers
    assert offers is not None
    cards = [offers.cards[at : at + ID_BYTES] for at in range(0, len(offers.cards), ID_BYTES)]
    prices = dict(zip(offers.meters, (INPUT_PRICE, OUTPUT_PRICE), strict=True))
    for each in metered:
        owner = population.parties[-PAYEES:][cards.index(each.card)]
        assert each.payee_account in owner.account_ids
        assert each.amount == sum(prices[meter] * count for meter, count in each.usage.lines)
    assert len({each.amount for each in metered}) > 1_000
