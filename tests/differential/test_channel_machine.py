"""Channels under Hypothesis: a small model foretells every answer, on both engines at once.

The model knows of each channel what was deposited, paid, and asked for at most, and when it ends;
of each account what it was given and has paid. After each step rows and columns must be what the
model says (docs/semantics.md, 3 and 4), and the digests of the two engines must agree.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)
from tests.differential import raw
from tests.differential.book import SECOND_NS, START_AMOUNT, Book, Person, genesis_for_tests
from tests.differential.engines import KernelEngine, SpecEngine
from tests.stateful import length

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps
from tallystick_ledger.results import Cause
from tallystick_ledger.state_rows import ChannelStatus

MAX_OPEN_CHANNELS = 3
RETENTION_NS = 5 * SECOND_NS
PAIRS = st.sampled_from([(0, 1), (1, 2), (2, 0), (0, 1), (1, 0), (1, 1)])  # payer, payee
AMOUNTS = st.one_of(st.integers(0, 6), st.integers(0, START_AMOUNT + 10))
PAYER, PAYEE = 3, 4  # of the channel, whoever that is
REDEEMERS = st.sampled_from([0, 1, 2, PAYER, *[PAYEE] * 8])
SPENDERS = st.sampled_from([0, 1, 2, PAYEE, *[PAYER] * 8])
CLOSERS = st.sampled_from([0, 1, 2, PAYEE, *[PAYER] * 4])
DEPOSITS = st.one_of(st.integers(1, 6), st.integers(1, START_AMOUNT // 2), AMOUNTS)
FORGED = st.sampled_from([False, False, False, True])

Make = Callable[[int], bytes]


@dataclass(slots=True)
class ModelChannel:
    payer: int
    payee: int
    deposit: int
    challenge_ns: int
    paid: int = 0
    highest: int = 0
    status: ChannelStatus = ChannelStatus.OPEN
    closes_at_ns: int = 0
    ended_at_ns: int = 0

    @property
    def rest(self) -> int:
        return 0 if self.status is ChannelStatus.CLOSED else self.deposit - self.paid


class ChannelMachine(RuleBasedStateMachine):
    """Opens channels, tops them up, redeems vouchers, closes, waits; among three people."""

    channels: Bundle[bytes] = Bundle("channels")

    @initialize()
    def start(self) -> None:
        caps = Caps(open_holds=MAX_OPEN_CHANNELS)
        genesis = genesis_for_tests(caps, hold_retention_ns=RETENTION_NS)
        self.books = [Book(make, genesis) for make in (SpecEngine, KernelEngine)]
        self.people: list[tuple[Person, ...]] = [
            (book.alice, book.bob, book.customer()) for book in self.books
        ]
        self.keys = [
            [book.channel_key(person) for person in people]
            for book, people in zip(self.books, self.people, strict=True)
        ]
        self.model: dict[bytes, ModelChannel] = {}
        self.given = [START_AMOUNT] * 3
        self.paid = [0] * 3
        self.freed: list[int] = []  # by closes that the next record's effects have to tell

    def send(self, signer: int, make: Make) -> tuple[Code, bytes, list[int]]:
        """Sends one record to both engines; returns code, derived id, amounts of its effects.

        Args:
            signer: Number of the person.
            make: Makes the record for the book of that number.
        """
        answers = []
        self.sweep()
        swept, self.freed = self.freed, []
        for number, book in enumerate(self.books):
            receipt = book.send(self.people[number][signer].key, make(number))
            self.timestamp_ns = receipt.timestamp_ns
            parts = [(item.cause, int(item.amount)) for item in receipt.effects]
            assert parts[: len(swept)] == [(Cause.CHANNEL_CLOSE, rest) for rest in swept]
            own = [amount for _, amount in parts[len(swept) :]]
            answers.append((receipt.codes[0], receipt.ids[0], own))
        assert answers[0] == answers[1]
        return answers[0]

    def sweep(self) -> None:
        """What log time alone does, by the time of the next record."""
        now_ns = self.books[0].now_ns
        due = [
            (channel.closes_at_ns, key)
            for key, channel in self.model.items()
            if channel.status is ChannelStatus.CLOSING and channel.closes_at_ns <= now_ns
        ]
        for key in [key for key, row in self.model.items() if row.ended_at_ns]:
            if self.model[key].ended_at_ns + RETENTION_NS < now_ns:
                del self.model[key]
        for _, key in sorted(due):
            self.freed.append(self.model[key].rest)
            self.end(self.model[key], now_ns)

    @staticmethod
    def end(channel: ModelChannel, now_ns: int) -> None:
        channel.status, channel.closes_at_ns = ChannelStatus.CLOSED, 0
        channel.ended_at_ns = now_ns

    def signer(self, channel: ModelChannel | None, drawn: int) -> int:
        if drawn < PAYER:
            return drawn
        if channel is None:
            return 0
        return channel.payer if drawn == PAYER else channel.payee

    def known(self, channel_id: bytes, signer: int) -> ModelChannel | None:
        channel = self.model.get(channel_id)
        is_party = channel is not None and signer in (channel.payer, channel.payee)
        return channel if is_party else None

    def available(self, person: int) -> int:
        pinned = sum(row.rest for row in self.model.values() if row.payer == person)
        return self.given[person] - self.paid[person] - pinned

    def funds_code(self, person: int, amount: int) -> Code:
        if amount > self.given[person] - self.paid[person]:
            return Code.INSUFFICIENT_FUNDS
        return Code.FUNDS_HELD if amount > self.available(person) else Code.OK

    @rule(
        target=channels,
        pair=PAIRS,
        deposit=DEPOSITS,
        seconds=st.integers(0, 12),
    )
    def open(
        self, pair: tuple[int, int], deposit: int, seconds: int
    ) -> bytes | MultipleResults[bytes]:
        payer, payee = pair
        challenge_ns = seconds * SECOND_NS

        def make(number: int) -> bytes:
            people = self.people[number]
            key = self.keys[number][payer].public_key
            return raw.channel(
                people[payer].account, people[payee].account, deposit, key, challenge_ns
            )

        self.sweep()
        live = [row for row in self.model.values() if row.status is not ChannelStatus.CLOSED]
        expected = self.funds_code(payer, deposit)
        if sum(row.payer == payer for row in live) >= MAX_OPEN_CHANNELS:
            expected = Code.CAP_EXCEEDED
        if seconds == 0:
            expected = Code.BAD_FIELD
        if payer == payee:
            expected = Code.SELF_TRANSFER
        if deposit == 0:
            expected = Code.ZERO_AMOUNT
        code, channel_id, effects = self.send(payer, make)
        assert (code, effects) == (expected, [])
        if code is not Code.OK:
            return multiple()
        self.model[channel_id] = ModelChannel(payer, payee, deposit, challenge_ns)
        return channel_id

    @rule(channel_id=channels, drawn=SPENDERS, amount=DEPOSITS)
    def top_up(self, channel_id: bytes, drawn: int, amount: int) -> None:
        signer = self.signer(self.model.get(channel_id), drawn)
        code, _, effects = self.send(signer, lambda _: raw.top_up(channel_id, amount))
        channel = self.known(channel_id, signer)
        assert effects == []
        if amount == 0:
            assert code is Code.ZERO_AMOUNT
        elif channel is None:
            assert code is Code.CHANNEL_NOT_FOUND
        elif signer != channel.payer:
            assert code is Code.NOT_PAYER
        elif channel.status is ChannelStatus.CLOSED:
            assert code is Code.CHANNEL_ENDED
        elif channel.status is ChannelStatus.CLOSING:
            assert code is Code.CHANNEL_CLOSING
        else:
            assert code is self.funds_code(signer, amount)
            channel.deposit += amount if code is Code.OK else 0

    @rule(channel_id=channels, drawn=REDEEMERS, amount=DEPOSITS, forged=FORGED)
    def redeem(self, channel_id: bytes, drawn: int, amount: int, forged: bool) -> None:
        before = self.model.get(channel_id)
        payer = 0 if before is None else before.payer
        signer = self.signer(before, drawn)

        def make(number: int) -> bytes:
            signs = (payer + 1) % 3 if forged else payer
            return self.books[number].voucher(self.keys[number][signs], channel_id, amount)

        code, _, effects = self.send(signer, make)
        channel = self.known(channel_id, signer)
        if amount == 0:
            assert code is Code.ZERO_AMOUNT
        elif channel is None:
            assert code is Code.CHANNEL_NOT_FOUND
        elif signer != channel.payee:
            assert code is Code.NOT_PAYEE
        elif channel.status is ChannelStatus.CLOSED:
            assert code is Code.CHANNEL_ENDED
        elif amount < channel.highest:
            assert code is Code.VOUCHER_LOWERED
        elif forged:
            assert code is Code.BAD_VOUCHER
        else:
            self.redeemed(channel, amount, code, effects)

    def redeemed(self, channel: ModelChannel, amount: int, code: Code, effects: list[int]) -> None:
        payable = min(amount, channel.deposit) - channel.paid
        if payable == 0:
            is_replay = amount == channel.highest
            assert (code, effects) == (Code.OK if is_replay else Code.CHANNEL_EXHAUSTED, [])
            return
        assert (code, effects) == (Code.OK, [payable])
        channel.paid += payable
        channel.highest = amount
        self.paid[channel.payer] += payable
        self.given[channel.payee] += payable

    @rule(channel_id=channels, by=st.integers(-2, 2))
    def redeem_about_all(self, channel_id: bytes, by: int) -> None:
        """A voucher at the edges: the last one again, a little less or more, the whole deposit."""
        channel = self.model.get(channel_id)
        if channel is not None:
            edge = channel.deposit if by else channel.highest
            self.redeem(channel_id=channel_id, drawn=PAYEE, amount=max(0, edge + by), forged=False)

    @rule(channel_id=channels, drawn=CLOSERS)
    def close(self, channel_id: bytes, drawn: int) -> None:
        signer = self.signer(self.model.get(channel_id), drawn)
        code, _, effects = self.send(signer, lambda _: raw.channel_close(channel_id))
        channel = self.known(channel_id, signer)
        if channel is None:
            assert (code, effects) == (Code.CHANNEL_NOT_FOUND, [])
        elif channel.status is ChannelStatus.CLOSED:
            assert (code, effects) == (Code.CHANNEL_ENDED, [])
        elif signer == channel.payee:
            assert (code, effects) == (Code.OK, [channel.rest] if channel.rest else [])
            self.end(channel, self.timestamp_ns)
        elif channel.status is ChannelStatus.CLOSING:
            assert (code, effects) == (Code.CHANNEL_CLOSING, [])
        else:
            assert (code, effects) == (Code.OK, [])
            channel.status = ChannelStatus.CLOSING
            channel.closes_at_ns = self.timestamp_ns + channel.challenge_ns

    def wait_ns(self, wait_ns: int) -> None:
        for book in self.books:
            book.now_ns += wait_ns
        self.sweep()
        self.freed = []
        for book in self.books:
            book.ok(book.node.key, raw.tick())

    @rule(milliseconds=st.integers(1, 12_000))
    def wait(self, milliseconds: int) -> None:
        self.wait_ns(milliseconds * 1_000_000)

    @rule(channel_id=channels, early=st.booleans())
    def wait_for_the_end(self, channel_id: bytes, early: bool) -> None:
        """The nanosecond at which a closing channel ends, or such that it is not yet over."""
        channel = self.model.get(channel_id)
        if channel is None or channel.status is not ChannelStatus.CLOSING:
            return
        wait_ns = channel.closes_at_ns - self.books[0].now_ns - (1 if early else 0)
        if wait_ns > 0:
            self.wait_ns(wait_ns)

    @invariant()
    def columns_are_as_foretold(self) -> None:
        for book, people in zip(self.books, self.people, strict=True):
            for number, person in enumerate(people):
                row = book.row(person.account)
                promised = sum(each.rest for each in self.model.values() if each.payee == number)
                assert (row.debits_posted, row.credits_posted) == (
                    self.paid[number],
                    self.given[number],
                )
                assert row.available == self.available(number) >= 0
                assert row.credits_pending == promised

    @invariant()
    def channels_are_as_foretold(self) -> None:
        for book in self.books:
            for channel_id, channel in self.model.items():
                row = book.channel_row(channel_id)
                assert (row.deposit, row.paid, row.highest) == (
                    channel.deposit,
                    channel.paid,
                    channel.highest,
                )
                assert (row.status, row.closes_at_ns, row.ended_at_ns) == (
                    channel.status,
                    channel.closes_at_ns,
                    channel.ended_at_ns,
                )

    @invariant()
    def the_engines_agree(self) -> None:
        assert self.books[0].engine.digest() == self.books[1].engine.digest()
        assert self.books[0].engine.tree_root() == self.books[1].engine.tree_root()


TestChannels = ChannelMachine.TestCase
TestChannels.settings = length(examples=100, steps=40)
