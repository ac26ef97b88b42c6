"""The end of a channel: by the payee, by the payer and the sweep; what is undone and forgotten."""

import pytest
from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT, Book, MakeEngine, genesis_for_tests
from tests.differential.test_channels import CHALLENGE_NS, effect, opened
from tests.differential.test_holds import columns

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps
from tallystick_ledger.limits import MAX_SWEPT
from tallystick_ledger.results import Cause
from tallystick_ledger.state_rows import ChannelStatus

RETENTION_NS = 50 * SECOND_NS


def test_the_payee_closes_at_once(book: Book) -> None:
    channel, key = opened(book)
    book.ok(book.bob.key, book.voucher(key, channel, 150))
    receipt = book.ok(book.bob.key, raw.channel_close(channel))
    assert receipt.effects == [effect(book, Cause.CHANNEL_CLOSE, 250, channel)]
    row = book.channel_row(channel)
    assert (row.status, row.ended_at_ns) == (ChannelStatus.CLOSED, receipt.timestamp_ns)
    assert columns(book, book.alice) == (0, 150, 0, START_AMOUNT)
    replay = book.voucher(key, channel, 150)
    assert book.codes(book.bob.key, replay, raw.channel_close(channel)) == [Code.CHANNEL_ENDED] * 2


def test_close_of_a_channel_that_has_paid_all_has_no_effect(book: Book) -> None:
    channel, key = opened(book)
    book.ok(book.bob.key, book.voucher(key, channel, 400))
    assert book.ok(book.bob.key, raw.channel_close(channel)).effects == []


def test_the_payer_closes_after_the_challenge(book: Book) -> None:
    """While it is closing it pays, up to the nanosecond; then the sweep takes the rest."""
    channel, key = opened(book)
    announced = book.ok(book.alice.key, raw.channel_close(channel))
    assert announced.effects == []
    row = book.channel_row(channel)
    closes_at_ns = announced.timestamp_ns + CHALLENGE_NS
    assert (row.status, row.closes_at_ns) == (ChannelStatus.CLOSING, closes_at_ns)
    again = (raw.channel_close(channel), raw.top_up(channel, 1))
    assert book.codes(book.alice.key, *again) == [Code.CHANNEL_CLOSING] * 2
    vouchers = (book.voucher(key, channel, 1), book.voucher(key, channel, 2))
    receipt = book.send(book.bob.key, *vouchers, at_ns=closes_at_ns - 1)
    assert receipt.codes == [Code.OK, Code.CHANNEL_ENDED]
    assert receipt.effects[1:] == [effect(book, Cause.CHANNEL_CLOSE, 399, channel, index=1)]
    row = book.channel_row(channel)
    assert (row.status, row.closes_at_ns, row.ended_at_ns) == (
        ChannelStatus.CLOSED,
        0,
        closes_at_ns,
    )


def test_the_payee_may_close_what_the_payer_is_closing(book: Book) -> None:
    channel, _ = opened(book)
    book.ok(book.alice.key, raw.channel_close(channel))
    receipt = book.ok(book.bob.key, raw.channel_close(channel))
    assert receipt.effects == [effect(book, Cause.CHANNEL_CLOSE, 400, channel)]
    late = book.send(book.node.key, raw.tick(), at_ns=book.now_ns + 2 * CHALLENGE_NS)
    assert late.effects == []


def test_the_sweep_tells_of_a_rest_of_zero(book: Book) -> None:
    channel, key = opened(book)
    book.ok(book.bob.key, book.voucher(key, channel, 400))
    book.ok(book.alice.key, raw.channel_close(channel))
    receipt = book.send(book.node.key, raw.tick(), at_ns=book.now_ns + CHALLENGE_NS)
    assert receipt.effects == [effect(book, Cause.CHANNEL_CLOSE, 0, channel)]


def test_sweeps_take_holds_first_then_channels_by_time_and_id(book: Book) -> None:
    key = book.channel_key(book.alice)
    challenges = [SECOND_NS * seconds for seconds in (12, 10, 10, 11, 10)]
    accounts = (book.alice.account, book.bob.account)
    made = book.ok(
        book.alice.key,
        *[raw.channel(*accounts, 10, key.public_key, challenge) for challenge in challenges],
    ).ids
    hold = book.reserve(book.alice, book.bob, 5, 15 * SECOND_NS)
    closing = book.ok(book.alice.key, *map(raw.channel_close, made))
    due = [
        (closing.timestamp_ns + index + challenge, channel)
        for index, (challenge, channel) in enumerate(zip(challenges, made, strict=True))
    ]
    receipt = book.send(book.node.key, raw.tick(), at_ns=book.now_ns + 20 * SECOND_NS)
    origins = [item.origin for item in receipt.effects]
    assert origins == [hold, *[channel for _, channel in sorted(due)]]


def test_channels_due_at_once_go_by_id(book: Book) -> None:
    """The same nanosecond: the first record closes a nanosecond before, with one more to wait."""
    key = book.channel_key(book.alice)
    accounts = (book.alice.account, book.bob.account)
    made = book.ok(
        book.alice.key,
        *[raw.channel(*accounts, 10, key.public_key, CHALLENGE_NS - index) for index in range(6)],
    ).ids
    book.ok(book.alice.key, *map(raw.channel_close, made))
    assert len({book.channel_row(channel).closes_at_ns for channel in made}) == 1
    receipt = book.send(book.node.key, raw.tick(), at_ns=book.now_ns + CHALLENGE_NS)
    assert [item.origin for item in receipt.effects] == sorted(made)


def test_an_undone_close_leaves_no_trace(book: Book) -> None:
    """Also not in the order of the sweep, when the payer closes again, later."""
    first, key = opened(book, 100)
    second = book.channel(book.alice, book.bob, 100, key, 20 * SECOND_NS)
    bad = raw.top_up(raw.ZERO_ID, 1)
    undone = book.send(book.alice.key, raw.channel_close(first), bad, atomic=True)
    assert undone.codes == [Code.ATOMIC_ABORTED, Code.CHANNEL_NOT_FOUND]
    assert book.channel_row(first).status is ChannelStatus.OPEN
    book.ok(book.alice.key, raw.channel_close(second))
    book.now_ns += 15 * SECOND_NS
    book.ok(book.alice.key, raw.channel_close(first))
    due_ns = book.channel_row(second).closes_at_ns
    assert due_ns < book.channel_row(first).closes_at_ns
    receipt = book.send(book.node.key, raw.tick(), at_ns=due_ns)
    assert [item.origin for item in receipt.effects] == [second]


def test_all_of_a_channel_is_undone(book: Book) -> None:
    channel, key = opened(book, 100)
    book.ok(book.bob.key, book.voucher(key, channel, 10))
    before = book.channel_row(channel), columns(book, book.alice), columns(book, book.bob)
    records = (book.voucher(key, channel, 60), raw.channel_close(channel))
    receipt = book.send(book.bob.key, *records, book.voucher(key, channel, 70), atomic=True)
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.ATOMIC_ABORTED, Code.CHANNEL_ENDED]
    assert receipt.effects == []
    after = book.channel_row(channel), columns(book, book.alice), columns(book, book.bob)
    assert after == before


def test_a_channel_that_is_due_in_an_atomic_envelope_is_over(book: Book) -> None:
    """There is no sweep inside: the money stays pinned until the next envelope."""
    channel, key = opened(book, START_AMOUNT)
    book.ok(book.alice.key, raw.channel_close(channel))
    closes_at_ns = book.channel_row(channel).closes_at_ns
    records = (raw.name(b"before"), book.voucher(key, channel, 1))
    receipt = book.send(book.bob.key, *records, atomic=True, at_ns=closes_at_ns - 1)
    assert receipt.codes == [Code.ATOMIC_ABORTED, Code.CHANNEL_ENDED]
    assert book.channel_row(channel).status is ChannelStatus.CLOSING


def test_holds_and_channels_share_a_cap(engine: MakeEngine) -> None:
    book = Book(engine, genesis_for_tests(Caps(open_holds=2)))
    channel, key = opened(book, 1)
    hold = book.reserve(book.alice, book.bob, 1)
    accounts = (book.alice.account, book.bob.account)
    records = (
        raw.reserve(*accounts, 1, book.now_ns + 99 * SECOND_NS),
        raw.channel(*accounts, 1, key.public_key, CHALLENGE_NS),
    )
    assert book.codes(book.alice.key, *records) == [Code.CAP_EXCEEDED] * 2
    book.ok(book.alice.key, raw.channel_close(channel))  # closing still counts
    assert book.codes(book.alice.key, *records) == [Code.CAP_EXCEEDED] * 2
    book.ok(book.bob.key, raw.channel_close(channel))
    assert book.codes(book.alice.key, records[1], records[0]) == [Code.OK, Code.CAP_EXCEEDED]
    book.ok(book.bob.key, raw.release(hold))
    assert book.codes(book.alice.key, records[0]) == [Code.OK]


def test_one_limit_for_holds_and_channels(engine: MakeEngine) -> None:
    """10,000 a block: holds first, and what is left of the channels comes in the next."""
    book = Book(engine, genesis_for_tests(hold_retention_ns=SECOND_NS))
    book.issue(book.alice.account, 20_000)
    key = book.channel_key(book.alice)
    accounts = (book.alice.account, book.bob.account)
    expires_at_ns = book.now_ns + 100 * SECOND_NS
    half = MAX_SWEPT // 2
    record = raw.reserve(*accounts, 1, expires_at_ns)
    book.ok(book.alice.key, *[record] * half)
    one = raw.channel(*accounts, 1, key.public_key, CHALLENGE_NS)
    channels = book.ok(book.alice.key, *[one] * (half + 3)).ids
    book.ok(book.alice.key, *map(raw.channel_close, channels))
    first = book.send(book.node.key, raw.tick(), raw.tick(), at_ns=expires_at_ns)
    assert len(first.effects) == MAX_SWEPT
    assert {item.cause for item in first.effects[:half]} == {Cause.EXPIRY}
    assert [item.origin for item in first.effects[half:]] == channels[:half]
    # What is over but not swept is over all the same, still counts, and stays pinned.
    left = channels[half:]
    assert book.row(book.alice.account).debits_pending == len(left)
    assert {book.channel_row(channel).status for channel in left} == {ChannelStatus.CLOSING}
    second = book.send(book.bob.key, book.voucher(key, left[0], 1))
    assert second.codes == [Code.CHANNEL_ENDED]
    assert [item.origin for item in second.effects] == left
    # Forgetting goes by (ended_at_ns, id), as many a block as holds.
    book.send(book.node.key, raw.tick(), at_ns=book.now_ns + 10 * SECOND_NS)
    assert all(book.engine.channel(channel) is None for channel in channels)


@pytest.mark.parametrize("end", ["payee", "sweep"])
def test_closed_channels_are_forgotten_after_the_retention(book: Book, end: str) -> None:
    channel, _ = opened(book)
    if end == "payee":
        book.ok(book.bob.key, raw.channel_close(channel))
    else:
        book.ok(book.alice.key, raw.channel_close(channel))
        book.send(book.node.key, raw.tick(), at_ns=book.now_ns + 2 * CHALLENGE_NS)
    last_ns = book.channel_row(channel).ended_at_ns + RETENTION_NS
    book.send(book.node.key, raw.tick(), at_ns=last_ns)
    assert book.engine.channel(channel) is not None
    late = book.send(book.bob.key, raw.channel_close(channel), at_ns=last_ns + 2_000_000)
    assert late.codes == [Code.CHANNEL_NOT_FOUND]
    assert book.engine.channel(channel) is None


def test_open_and_closing_channels_are_never_forgotten(engine: MakeEngine) -> None:
    book = Book(engine, genesis_for_tests(hold_retention_ns=0))
    key = book.channel_key(book.alice)
    channels = [book.channel(book.alice, book.bob, 1, key, 1_000 * SECOND_NS) for _ in range(2)]
    book.ok(book.alice.key, raw.channel_close(channels[0]))
    book.send(book.node.key, raw.tick(), at_ns=book.now_ns + 900 * SECOND_NS)
    assert [book.channel_row(channel).status for channel in channels] == [
        ChannelStatus.CLOSING,
        ChannelStatus.OPEN,
    ]


def test_a_challenge_beyond_the_end_of_time_never_ends(engine: MakeEngine) -> None:
    end_ns = (1 << 64) - 1
    book = Book(engine, genesis_for_tests(hold_max_lifetime_ns=end_ns))
    key = book.channel_key(book.alice)
    channel = book.channel(book.alice, book.bob, 10, key, end_ns)
    book.ok(book.alice.key, raw.channel_close(channel))
    assert book.channel_row(channel).closes_at_ns == end_ns
    late = book.envelope(
        book.bob.key,
        book.voucher(key, channel, 3),
        envelope_id=b"l" * 16,
        valid_until_ns=end_ns,
    )
    receipt = book.apply(late, at_ns=end_ns - 2)[0]
    assert receipt.codes == [Code.OK]
    assert [item.cause for item in receipt.effects] == [Cause.VOUCHER]
