"""The chapter of the story of `execution.json` about quotes: the bank locks a price for Alice."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.differential import raw, raw_quotes

from tallystick_ledger.ids import AccountId, CardId

if TYPE_CHECKING:
    from tests.vectors.execution_story import Cast, Story

SECOND_NS: Final = 1_000_000_000
_DOMAIN: Final = b"tallystick/quote/v1\0"


@dataclass
class Desk:
    """Where quotes of the bank's are made, and what Alice sends because of them."""

    story: "Story"
    cast: "Cast"
    names: tuple[bytes, ...]

    def quote(
        self,
        beneficiary: bytes,
        unit: bytes | None = None,
        nonce: bytes = b"1" * 16,
        life_ns: int = 5 * SECOND_NS,
    ) -> bytes:
        model, meter, other, tier = self.names
        lines = sorted(
            (
                raw_quotes.quote_line(model, meter, 1_000_000),
                raw_quotes.quote_line(model, meter, 2_500_000, tier),
                raw_quotes.quote_line(model, other, 333_333),
            )
        )
        not_after_ns = self.story.now_ns + life_ns
        key = self.cast.bank_key.public_key
        unit = unit or self.cast.usd
        return raw_quotes.quote_body(key, beneficiary, unit, 100, not_after_ns, lines, nonce)

    def signed(self, body: bytes) -> bytes:
        message = _DOMAIN + self.story.state.ledger_id + body
        return raw_quotes.quote(body, self.cast.bank_key.sign(message))

    def metered(
        self, amount: int, body: bytes, along: bytes = b"", served: bytes = raw.ZERO_ID
    ) -> bytes:
        """A METER of 10, or of as many as the amount if that is above 40."""
        count = amount if amount > 40 else 10
        model, meter, *_ = self.names
        content = raw.metered(raw_quotes.quote_id(body), model, raw.usage([(meter, count)], served))
        flat = raw.meter(self.cast.alice_usd, self.cast.bank_usd, amount, content)
        return raw_quotes.meter_quoted(flat, content, along)

    def held(self, maximum: int, body: bytes, along: bytes = b"") -> bytes:
        until_ns = self.story.now_ns + 50 * SECOND_NS
        flat = raw.reserve(self.cast.alice_usd, self.cast.bank_usd, maximum, until_ns)
        terms = raw.terms(raw_quotes.quote_id(body), self.names[0], (self.names[3],))
        return raw_quotes.quoted(flat, terms, along)


def quotes(story: "Story", cast: "Cast", names: tuple[bytes, ...], card: bytes) -> None:
    """Alice redeems one by metering and by a hold; others do not, and nobody does afterwards."""
    desk = Desk(story, cast, names)
    _, meter, _, tier = names
    alice = story.state.accounts[AccountId(cast.alice_usd)].owner
    first = desk.quote(alice)
    theirs = desk.quote(story.state.cards[CardId(card)].owner)
    strange = desk.quote(alice, b"\x5a" * 16)
    endless = desk.quote(alice, life_ns=401 * 86_400 * SECOND_NS)
    forged = raw_quotes.quote(first, bytes(64))
    story.send(
        "a quote is redeemed, and what is none",
        cast.alice_key,
        desk.metered(10, first),
        desk.metered(10, first, forged),
        desk.metered(10, theirs, desk.signed(theirs)),
        desk.metered(10, strange, desk.signed(strange)),
        desk.metered(10, endless, desk.signed(endless)),
        desk.metered(10, first, raw.patched(desk.signed(first), 0, raw.u16(17))),
        desk.metered(10, first, desk.signed(theirs)),
        desk.metered(10, first, desk.signed(first)),
        desk.metered(10, first),
        desk.metered(11, first),
        desk.metered(25, first, served=tier),
        desk.metered(10, first, forged),
        desk.metered(46, first),
        raw.patched(desk.metered(10, first), 7, b"\x02"),
    )
    (hold, *_) = story.send(
        "and by a hold",
        cast.alice_key,
        desk.held(30, first),
        desk.held(16, first),
        desk.held(1, theirs),
        raw.patched(desk.held(1, first), 6, raw.u16(3)),
    )
    story.send(
        "which has to be agreed to be more",
        cast.alice_key,
        raw.extend(hold, 16),
        raw.extend(hold, 5),
    )
    story.send("nobody else", cast.bob_key, desk.held(1, first, desk.signed(first)))
    story.now_ns += 6 * SECOND_NS
    story.send(
        "its time is over",
        cast.alice_key,
        desk.metered(10, first),
        raw.extend(hold, 1),
        raw.extend(hold, 0, story.now_ns + 45 * SECOND_NS),
        desk.held(1, desk.quote(alice, nonce=b"2" * 16)),
    )
    story.send(
        "its price stays",
        cast.bank_key,
        raw.used(raw.capture(hold, 25), raw.usage([(meter, 10)], tier)),
        raw.used(raw.capture(hold, 10), raw.usage([(meter, 10)], tier)),
        raw.used(raw.capture(hold, 35, flags=raw.FINAL), raw.usage([(meter, 14)], tier)),
    )
