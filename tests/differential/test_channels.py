"""The life of a channel: opened, topped up, redeemed voucher by voucher; who may do what."""

import pytest
from tests.differential import raw
from tests.differential.book import (
    MAX_U128,
    SECOND_NS,
    START_AMOUNT,
    Book,
)
from tests.differential.test_holds import columns

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import Amount, ChannelId
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records import Scope
from tallystick_ledger.results import Cause, Effect
from tallystick_ledger.state_rows import ChannelStatus, KeyStatus
from tallystick_ledger.vouchers import commitment_to, sign_voucher

CHALLENGE_NS = 10 * SECOND_NS
IDENTITY = b"\x01" + bytes(31)  # the point of order 1


def opened(book: Book, deposit: int = 400) -> tuple[bytes, SigningKey]:
    """A channel of Alice's for Bob."""
    key = book.channel_key(book.alice)
    return book.channel(book.alice, book.bob, deposit, key, CHALLENGE_NS), key


def effect(book: Book, cause: Cause, amount: int, channel: bytes, index: int = 0) -> Effect:
    row = book.channel_row(channel)
    return Effect(cause, index, row.payer_account, row.payee_account, Amount(amount), row.channel)


def test_a_channel_pins_its_deposit(book: Book) -> None:
    channel, key = opened(book)
    row = book.channel_row(channel)
    assert (row.deposit, row.paid, row.highest) == (400, 0, 0)
    assert (row.status, row.closes_at_ns, row.ended_at_ns) == (ChannelStatus.OPEN, 0, 0)
    assert (row.key, row.challenge_ns) == (key.public_key, CHALLENGE_NS)
    assert columns(book, book.alice) == (400, 0, 0, START_AMOUNT)
    assert columns(book, book.bob) == (0, 0, 400, START_AMOUNT)


def test_vouchers_are_cumulative(book: Book) -> None:
    channel, key = opened(book)
    first = book.ok(book.bob.key, book.voucher(key, channel, 150))
    assert first.effects == [effect(book, Cause.VOUCHER, 150, channel)]
    second = book.ok(book.bob.key, book.voucher(key, channel, 250))
    assert second.effects == [effect(book, Cause.VOUCHER, 100, channel)]
    again = book.ok(book.bob.key, book.voucher(key, channel, 250, b"another" + bytes(17)))
    assert again.effects == []
    lower = book.voucher(key, channel, 249)
    assert book.codes(book.bob.key, lower) == [Code.VOUCHER_LOWERED]
    assert columns(book, book.alice) == (150, 250, 0, START_AMOUNT)
    assert columns(book, book.bob) == (0, 0, 150, START_AMOUNT + 250)


def test_a_voucher_above_the_deposit_is_paid_in_two_parts(book: Book) -> None:
    channel, key = opened(book, 100)
    large = book.voucher(key, channel, 130)
    assert book.ok(book.bob.key, large).effects == [effect(book, Cause.VOUCHER, 100, channel)]
    assert (book.channel_row(channel).paid, book.channel_row(channel).highest) == (100, 130)
    assert book.ok(book.bob.key, large).effects == []
    larger = book.voucher(key, channel, 131)
    assert book.codes(book.bob.key, larger) == [Code.CHANNEL_EXHAUSTED]
    assert book.channel_row(channel).highest == 130
    book.ok(book.alice.key, raw.top_up(channel, 50))
    assert book.ok(book.bob.key, large).effects == [effect(book, Cause.VOUCHER, 30, channel)]
    assert book.channel_row(channel).rest == 20


def test_replays_need_a_good_signature_too(book: Book) -> None:
    channel, key = opened(book)
    book.ok(book.bob.key, book.voucher(key, channel, 150))
    forged = raw.voucher(channel, 150, b"c" * 24, bytes(63) + b"\x01")
    assert book.codes(book.bob.key, forged) == [Code.BAD_VOUCHER]
    assert book.codes(book.bob.key, book.voucher(key, channel, 150)) == [Code.OK]


def test_what_a_voucher_signs(book: Book) -> None:
    channel, key = opened(book)
    other, _ = opened(book)
    ledger_id, commitment = book.genesis.ledger_id, commitment_to(b"1,204 tokens")

    def attempt(signature: bytes, amount: int = 9, to: bytes = channel) -> list[Code]:
        return book.codes(book.bob.key, raw.voucher(to, amount, commitment, signature))

    good = sign_voucher(key, ledger_id, ChannelId(channel), 9, commitment)
    assert attempt(good, amount=10) == [Code.BAD_VOUCHER]
    assert attempt(good, to=other) == [Code.BAD_VOUCHER]
    assert attempt(sign_voucher(key, ledger_id, ChannelId(channel), 9, b"?" * 24)) == [
        Code.BAD_VOUCHER
    ]
    stranger = SigningKey(b"s" * 32)
    assert attempt(sign_voucher(stranger, ledger_id, ChannelId(channel), 9, commitment)) == [
        Code.BAD_VOUCHER
    ]
    assert attempt(good) == [Code.OK]


def test_every_bit_of_a_signature_counts(book: Book) -> None:
    channel, key = opened(book)
    good = book.voucher(key, channel, 1)
    spoilt = [
        raw.patched(good, 64 + place, bytes((good[64 + place] ^ 1 << place % 8,)))
        for place in range(64)
    ]
    codes = book.codes(book.bob.key, *spoilt, good)
    assert codes == [Code.BAD_VOUCHER] * 64 + [Code.OK]


def test_vouchers_of_one_block_are_judged_one_by_one(book: Book) -> None:
    """Good and bad ones of many channels, one made in the same block."""
    key = book.channel_key(book.alice)
    channels = [book.channel(book.alice, book.bob, 100, key) for _ in range(3)]
    envelope_id = book.new_id()
    new = book.derived(book.alice.principal, envelope_id, 0)
    accounts = (book.alice.account, book.bob.account)
    made = book.envelope(
        book.alice.key,
        raw.channel(*accounts, 100, key.public_key, CHALLENGE_NS),
        envelope_id=envelope_id,
    )
    vouchers = [book.voucher(key, channel, amount) for channel in channels for amount in (1, 2)]
    vouchers[1] = raw.patched(vouchers[1], 40, b"?")
    vouchers[4] = raw.patched(vouchers[4], 64, bytes(64))
    fresh = [book.voucher(key, new, 7), raw.patched(book.voucher(key, new, 8), 127, b"\xff")]
    early = book.envelope(book.bob.key, fresh[0])
    late = book.envelope(book.bob.key, *vouchers, *fresh)
    before, _, after = book.apply(early, made, late)
    assert before.codes == [Code.CHANNEL_NOT_FOUND]
    bad = Code.BAD_VOUCHER
    assert after.codes == [Code.OK, bad, Code.OK, Code.OK, bad, Code.OK, Code.OK, bad]
    assert [item.amount for item in after.effects] == [1, 1, 1, 2, 7]


def test_a_key_that_no_one_holds_signs_what_anybody_writes(book: Book) -> None:
    """No honest block registers it; the equation is the same for both implementations."""
    record = raw.key(raw.ADD, IDENTITY, book.alice.principal, scope=raw.CHANNEL_SCOPE)
    book.ok(book.alice.key, record)
    accounts = (book.alice.account, book.bob.account)
    made = raw.channel(*accounts, 100, IDENTITY, CHALLENGE_NS)
    channel = book.ok(book.alice.key, made).ids[0]
    trivial = raw.voucher(channel, 5, bytes(24), IDENTITY + bytes(32))
    assert book.codes(book.bob.key, trivial) == [Code.OK]
    noise = raw.voucher(channel, 6, bytes(24), b"\x07" * 63 + b"\x00")
    assert book.codes(book.bob.key, noise) == [Code.BAD_VOUCHER]


def test_a_key_that_is_no_point_signs_nothing(book: Book) -> None:
    no_point = (2).to_bytes(32, "little")
    record = raw.key(raw.ADD, no_point, book.alice.principal, scope=raw.CHANNEL_SCOPE)
    book.ok(book.alice.key, record)
    accounts = (book.alice.account, book.bob.account)
    made = raw.channel(*accounts, 100, no_point, CHALLENGE_NS)
    channel = book.ok(book.alice.key, made).ids[0]
    trivial = raw.voucher(channel, 5, bytes(24), IDENTITY + bytes(32))
    assert book.codes(book.bob.key, trivial) == [Code.BAD_VOUCHER]


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_channel_outlives_its_key(book: Book, end: str) -> None:
    key = book.channel_key(book.alice, book.now_ns + 5 * SECOND_NS if end == "expired" else 0)
    channel = book.channel(book.alice, book.bob, 100, key)
    if end == "revoked":
        book.revoke_key(book.alice, key.public_key)
    book.now_ns += 20 * SECOND_NS
    assert book.codes(book.bob.key, book.voucher(key, channel, 60)) == [Code.OK]
    accounts = (book.alice.account, book.bob.account)
    made = raw.channel(*accounts, 1, key.public_key, CHALLENGE_NS)
    assert book.codes(book.alice.key, made) == [Code.KEY_STATE]


def test_freezes(book: Book) -> None:
    """A payer's freeze stops top-ups and nothing else; a payee's stops all but the close."""
    channel, key = opened(book)
    freeze = raw.account(raw.FREEZE, account_id=book.alice.account)
    book.ok(book.alice.key, freeze)
    assert book.codes(book.alice.key, raw.top_up(channel, 1)) == [Code.ACCOUNT_FROZEN]
    assert book.codes(book.bob.key, book.voucher(key, channel, 9)) == [Code.OK]
    book.ok(book.bob.key, raw.account(raw.FREEZE, account_id=book.bob.account))
    records = (book.voucher(key, channel, 10), raw.channel_close(channel))
    assert book.codes(book.bob.key, *records) == [Code.ACCOUNT_FROZEN, Code.OK]


def test_scopes_of_channels(book: Book) -> None:
    """SPEND opens, tops up and closes as the payer; METER redeems and closes as the payee."""
    key = book.channel_key(book.alice)
    spend = book.add_key(book.alice, raw.SPEND)
    bobs = {scope: book.add_key(book.bob, scope) for scope in (raw.SPEND, raw.METER_SCOPE)}
    accounts = (book.alice.account, book.bob.account)
    made = raw.channel(*accounts, 100, key.public_key, CHALLENGE_NS)
    channel = book.ok(spend, made).ids[0]
    book.ok(spend, raw.top_up(channel, 5))
    voucher = book.voucher(key, channel, 10)
    assert book.codes(bobs[raw.SPEND], voucher) == [Code.SCOPE_DENIED]
    assert book.codes(bobs[raw.METER_SCOPE], voucher) == [Code.OK]
    close = raw.channel_close(channel)
    assert book.codes(bobs[raw.SPEND], close) == [Code.SCOPE_DENIED]
    stranger = book.customer()
    meter = book.add_key(stranger, raw.METER_SCOPE)
    assert book.codes(meter, close) == [Code.CHANNEL_NOT_FOUND]
    assert book.codes(spend, close) == [Code.OK]
    assert book.channel_row(channel).status is ChannelStatus.CLOSING
    assert book.codes(bobs[raw.METER_SCOPE], close) == [Code.OK]
    assert book.channel_row(channel).status is ChannelStatus.CLOSED


def test_whoever_is_both_sides_closes_as_the_payee(book: Book) -> None:
    key, second = book.channel_key(book.alice), book.account(book.alice)
    record = raw.channel(book.alice.account, second, 100, key.public_key, CHALLENGE_NS)
    channel = book.ok(book.alice.key, record).ids[0]
    assert book.codes(book.alice.key, book.voucher(key, channel, 40)) == [Code.OK]
    spend = book.add_key(book.alice, raw.SPEND)
    receipt = book.ok(spend, raw.channel_close(channel))
    assert receipt.effects == [effect(book, Cause.CHANNEL_CLOSE, 60, channel)]
    assert book.row(second).credits_posted == 40


def test_a_reference_of_a_channel_is_of_its_own_group(book: Book) -> None:
    key = book.channel_key(book.alice)
    accounts = (book.alice.account, book.bob.account)
    pay = raw.transfer(*accounts, 1, 7, flags=raw.UNIQUE)
    hold = raw.reserve(*accounts, 1, book.now_ns + 99 * SECOND_NS, 7, flags=raw.UNIQUE)
    made = raw.channel(*accounts, 1, key.public_key, CHALLENGE_NS, 7, flags=raw.UNIQUE)
    codes = book.codes(book.alice.key, pay, hold, made, made)
    assert codes == [Code.OK, Code.OK, Code.OK, Code.REFERENCE_USED]


@pytest.mark.parametrize(
    ("challenge_ns", "code"),
    [
        (SECOND_NS - 1, Code.BAD_FIELD),
        (SECOND_NS, Code.OK),
        (1_000 * SECOND_NS, Code.OK),
        (1_000 * SECOND_NS + 1, Code.BAD_FIELD),
    ],
)
def test_bounds_of_the_challenge(book: Book, challenge_ns: int, code: Code) -> None:
    key = book.channel_key(book.alice)
    accounts = (book.alice.account, book.bob.account)
    record = raw.channel(*accounts, 1, key.public_key, challenge_ns)
    assert book.codes(book.alice.key, record) == [code]


def test_the_largest_voucher(book: Book) -> None:
    channel, key = opened(book)
    receipt = book.ok(book.bob.key, book.voucher(key, channel, MAX_U128))
    assert receipt.effects == [effect(book, Cause.VOUCHER, 400, channel)]
    assert book.channel_row(channel).highest == MAX_U128


def test_operators_keep_the_keys_of_auditors(book: Book) -> None:
    first, second = book.audit_key(), book.audit_key()
    row = book.engine.key(first)
    assert row is not None
    assert (row.scope, row.principal) == (Scope.AUDIT, book.operator.principal)
    book.revoke_key(book.operator, first)
    row = book.engine.key(first)
    assert row is not None
    assert row.status is KeyStatus.REVOKED
    # The other one replaces itself, and the new one ends itself.
    third = book.rotate_key(second)
    row = book.engine.key(third)
    assert row is not None
    assert row.scope is Scope.AUDIT
    revoke = raw.key(raw.REVOKE, third, book.operator.principal)
    assert book.codes(third, revoke, revoke) == [Code.OK, Code.KEY_REVOKED]
    itself = raw.key(raw.REVOKE, book.operator.key, book.operator.principal)
    assert book.codes(book.operator.key, itself) == [Code.SCOPE_DENIED]


@pytest.mark.parametrize("scope", [raw.READ, raw.CHANNEL_SCOPE])
def test_keys_that_sign_nothing_but_their_own_end(book: Book, scope: int) -> None:
    key = book.add_key(book.alice, scope)
    other = book.add_key(book.alice, raw.SPEND)
    pay = raw.transfer(book.alice.account, book.bob.account, 1)
    revoke_other = raw.key(raw.REVOKE, other, book.alice.principal)
    assert book.codes(key, pay, revoke_other) == [Code.SCOPE_DENIED] * 2
    new = book.rotate_key(key)
    itself = raw.key(raw.REVOKE, new, book.alice.principal)
    assert book.codes(new, pay, itself, pay) == [
        Code.SCOPE_DENIED,
        Code.OK,
        Code.KEY_REVOKED,
    ]
