"""A chapter of the story of `execution.json`: rate cards, and holds and usage that they price.

The bank sells here. Its card counts one meter by day and by night, and a second like the first.
"""

from typing import TYPE_CHECKING, Final

from tests.differential import raw
from tests.vectors import execution_debts, execution_quotes, execution_reprice
from tests.vectors.fixed import key

from tallystick_ledger.ids import CardId

if TYPE_CHECKING:
    from tests.vectors.execution_story import Cast, Story

SECOND_NS: Final = 1_000_000_000
NOTICE_NS: Final = 60 * SECOND_NS
STRANGER: Final = b"\x5a" * 16
NIGHT: Final = (0, 720, 0x7F)
DAY: Final = (720, 1440, 0x7F)


def cards(story: "Story", cast: "Cast") -> None:
    """Drafts, lines and their publication."""
    words = (raw.MODEL_NAME, raw.METER_NAME)
    model, meter = story.send(
        "a model and what is counted",
        cast.bank_key,
        *[raw.name(b"word %d" % kind, kind) for kind in words],
    )
    (other,) = story.send("another meter", cast.bob_key, raw.name(b"other meter", raw.METER_NAME))
    envelope_id, namer = story.new_id(), key("who names a tier")
    principal = story.derived(cast.operator.public_key, envelope_id, 0)
    record = cast.principal_record(principal, namer)
    story.apply("one more", story.envelope(cast.operator, record, envelope_id=envelope_id))
    (tier,) = story.send("a tier", namer, raw.name(b"tier", raw.TIER_NAME))
    first = _published(story, cast, (model, meter, other, tier), raw.ZERO_ID)
    _refused(story, cast, (model, meter, other, tier), first)
    story.now_ns += NOTICE_NS + SECOND_NS
    holds(story, cast, (model, meter, other, tier), first)
    meters(story, cast, (model, meter, other, tier), first)
    mandates(story, cast, (model, meter, other, tier), first)
    execution_quotes.quotes(story, cast, (model, meter, other, tier), first)
    execution_debts.debts(story, cast, (model, meter, other, tier), first)
    execution_reprice.reprices(story, cast, (model, meter, other), first)
    second = _published(story, cast, (model, meter, other, tier), first)
    story.now_ns += NOTICE_NS + SECOND_NS
    priced = _priced(story, cast, first, model)
    story.send("a superseded card prices nothing new", cast.alice_key, priced)
    story.send(
        "nor is it superseded twice",
        cast.bank_key,
        raw.card(cast.usd, story.now_ns + 2 * NOTICE_NS, 1, bytes(32), (), first),
    )
    story.now_ns += 1_000 * SECOND_NS
    story.send(
        "after the longest hold nobody knows it any more",
        cast.bank_key,
        raw.card_publish(first),
        raw.card_publish(second),
    )


def _lines(card: bytes, names: tuple[bytes, ...]) -> list[bytes]:
    model, meter, other, tier = names
    return [
        raw.price(card, model, meter, 1_500_000, window=NIGHT),
        raw.price(card, model, meter, 2_000_000, window=DAY),
        raw.price(card, model, meter, 3_000_000, above=10),
        raw.price(card, model, meter, 9_000_000, tier=tier),
        raw.price(card, model, other, 0, flags=raw.SAME_AS, same_as=meter),
        raw.price(card, model, other, 0, tier=tier, flags=raw.FREE),
    ]


def _published(story: "Story", cast: "Cast", names: tuple[bytes, ...], old: bytes) -> bytes:
    envelope_id = story.new_id()
    card = story.derived(cast.bank_key.public_key, envelope_id, 0)
    lines = _lines(card, names)
    effective_from_ns = story.now_ns + NOTICE_NS + SECOND_NS // 2
    meters = sorted(names[1:3])
    head = raw.card(cast.usd, effective_from_ns, 6, raw.lines_root(lines), meters, old)
    records = (head, *lines, raw.card_publish(card))
    sent = story.envelope(cast.bank_key, *records, atomic=True, envelope_id=envelope_id)
    story.apply("a card with its lines, published at once", sent)
    return card


def _refused(story: "Story", cast: "Cast", names: tuple[bytes, ...], first: bytes) -> None:
    model, meter, _, tier = names
    envelope_id = story.new_id()
    card = story.derived(cast.bank_key.public_key, envelope_id, 0)
    line = raw.price(card, model, meter, 1)
    now = story.now_ns
    drafted = raw.card(cast.usd, now + NOTICE_NS, 2, bytes(32))
    sent = story.envelope(
        cast.bank_key,
        drafted,
        line,
        raw.price(card, model, meter, 1, window=NIGHT),
        raw.price(card, tier, meter, 1),
        raw.price(first, model, meter, 1),
        raw.price(STRANGER, model, meter, 1),
        raw.price(card, model, meter, 0),
        raw.card_publish(card),
        raw.price(card, model, meter, 1, above=1),
        raw.price(card, model, meter, 1, above=2),
        raw.card_publish(card),
        raw.card_publish(first),
        raw.card(STRANGER, now, 1, bytes(32)),
        raw.card(cast.usd, now, 1, bytes(32), (), STRANGER),
        raw.card(cast.usd, now, 0, bytes(32)),
        raw.card(cast.eur, now, 1, bytes(32), (), first),
        envelope_id=envelope_id,
    )
    story.apply("drafts that come to nothing", sent)
    envelope_id = story.new_id()
    card = story.derived(cast.bank_key.public_key, envelope_id, 0)
    line = raw.price(card, model, meter, 1)
    head = raw.card(cast.usd, now, 1, raw.lines_root([line]))
    records = (head, line, raw.card_publish(card))
    short = story.envelope(cast.bank_key, *records, envelope_id=envelope_id)
    story.apply("a card without notice", short)


def _priced(
    story: "Story", cast: "Cast", card: bytes, model: bytes, maximum: int = 100, **terms: int
) -> bytes:
    flat = raw.reserve(cast.alice_usd, cast.bank_usd, maximum, story.now_ns + 50 * SECOND_NS)
    overrun = terms.get("overrun", raw.REJECT)
    return raw.priced(flat, raw.terms(card, model, (), (), b"u" * 16, overrun))


def holds(story: "Story", cast: "Cast", names: tuple[bytes, ...], card: bytes) -> None:
    """RESERVE names a card, CAPTURE the usage; what it costs is the kernel's to say."""
    model, meter, other, tier = names
    (cast.bank_usd,) = story.send(
        "the bank opens an account", cast.bank_key, raw.open_account(cast.usd)
    )
    to_bob = raw.priced(
        raw.reserve(cast.alice_usd, cast.bob_usd, 9, story.now_ns + 50 * SECOND_NS),
        raw.terms(card, model),
    )
    tiered = raw.priced(
        raw.reserve(cast.alice_usd, cast.bank_usd, 100, story.now_ns + 50 * SECOND_NS),
        raw.terms(card, model, (tier,)),
    )
    first, capped, with_tier, *_ = story.send(
        "priced holds, and what is none",
        cast.alice_key,
        _priced(story, cast, card, model),
        _priced(story, cast, card, model, 5, overrun=raw.CAP),
        tiered,
        to_bob,
        _priced(story, cast, card, meter),
        _priced(story, cast, STRANGER, model),
        _priced(story, cast, card, model, overrun=3),
    )
    dear = 15 if (story.now_ns // SECOND_NS) % 86_400 < 43_200 else 20
    counted = sorted([(meter, 4), (other, 6)])

    def used(hold: bytes, amount: int, *lines: tuple[bytes, int], **more: int) -> bytes:
        content = raw.usage(lines, tier if more.get("tier") else raw.ZERO_ID)
        return raw.used(raw.capture(hold, amount, flags=more.get("flags", 0)), content)

    story.send(
        "the whole is priced, cumulatively",
        cast.bank_key,
        used(first, dear, *counted),
        used(first, dear + 1, *counted),
        used(first, dear, *counted, tier=1),
        used(first, dear, (STRANGER, 1)),
        raw.capture(first, dear),
        used(first, dear // 5, (meter, 2)),
        used(first, 33, (meter, 11)),
        used(first, 33, (meter, 11), flags=raw.FINAL),
        used(capped, 33, (meter, 11)),
        used(capped, 33, (meter, 11), flags=raw.FINAL),
        used(with_tier, 9, (meter, 1), tier=1),
        used(with_tier, 9, *sorted([(meter, 1), (other, 1 << 60)]), tier=1),
        used(with_tier, 108, (meter, 12), tier=1),
        raw.release(with_tier),
    )


def meters(story: "Story", cast: "Cast", names: tuple[bytes, ...], card: bytes) -> None:
    """METER pays at once what a usage costs."""
    model, meter, other, tier = names
    dear = 15 if (story.now_ns // SECOND_NS) % 86_400 < 43_200 else 20
    counted = sorted([(meter, 4), (other, 6)])

    def metered(amount: int, *lines: tuple[bytes, int], **more: int) -> bytes:
        used = raw.usage(lines, tier if more.get("tier") else raw.ZERO_ID)
        content = raw.metered(card if not more.get("stranger") else STRANGER, model, used)
        payee = cast.bob_usd if more.get("to_bob") else cast.bank_usd
        payer = cast.alice_usd if not more.get("to_itself") else payee
        reference, flags = more.get("reference", 0), more.get("flags", 0)
        return raw.meter(payer, payee, amount, content, reference, flags=flags)

    story.send(
        "usage is metered under the card",
        cast.alice_key,
        metered(dear, *counted),
        metered(dear + 1, *counted),
        metered(dear, (STRANGER, 1)),
        metered(9, (meter, 1), tier=1),
        metered(33, (meter, 11), reference=9, flags=raw.UNIQUE),
        metered(33, (meter, 11), reference=9, flags=raw.UNIQUE),
        metered(33, (meter, 11), stranger=1),
        metered(33, (meter, 11), to_bob=1),
        metered(33, (meter, 11), to_itself=1),
        metered(0, (meter, 11)),
        metered(33, *counted[::-1]),
        raw.patched(metered(33, (meter, 11)), 6, b"\x04"),
        raw.with_conts(metered(33, (meter, 11))[:128], []),
        metered(3 << 70, *sorted([(meter, (1 << 64) - 1), (other, 1)])),
        metered(3 * ((1 << 64) - 1), (meter, (1 << 64) - 1)),
    )
    story.send("nobody else pays for Alice", cast.bob_key, metered(dear, *counted))


def mandates(story: "Story", cast: "Cast", names: tuple[bytes, ...], card: bytes) -> None:
    """The bank meters against Alice's account, as she permits."""
    model, meter, *_ = names
    bank = story.state.cards[CardId(card)].owner
    until_ns = story.now_ns + 20 * SECOND_NS
    account = cast.alice_usd
    first, second, *_ = story.send(
        "mandates, and what is none",
        cast.alice_key,
        raw.mandate(account, bank, 70, 40, until_ns),
        raw.mandate(account, bank, 70, 40, until_ns, card),
        raw.mandate(account, bank, 70, 71, until_ns),
        raw.mandate(account, bank, 0, 0, until_ns),
        raw.mandate(account, raw.ZERO_ID, 70, 40, until_ns),
        raw.mandate(account, STRANGER, 70, 40, until_ns),
        raw.mandate(account, bank, 70, 40, until_ns, STRANGER),
        raw.mandate(account, bank, 70, 40, until_ns, raw.ZERO_ID),
        raw.mandate(account, bank, 70, 40, story.now_ns),
        raw.mandate(cast.bob_usd, bank, 70, 40, until_ns),
    )

    def charged(amount: int, count: int, mandate: bytes, payer: bytes = account) -> bytes:
        used = raw.usage([(meter, count)])
        content = raw.metered(card, model, used, raw.ZERO_ID, mandate)
        return raw.meter(payer, cast.bank_usd, amount, content)

    story.send(
        "the bank charges",
        cast.bank_key,
        charged(33, 11, first),
        charged(42, 14, first),
        charged(39, 13, first),
        charged(36, 12, first),
        charged(33, 11, second),
        charged(33, 11, STRANGER),
        charged(33, 11, second, cast.bob_usd),
        raw.mandate_end(second),
        charged(33, 11, second),
        raw.mandate_end(second),
    )
    story.send("not Alice", cast.alice_key, charged(3, 1, first))
    story.send("nobody else", cast.bob_key, raw.mandate_end(first), charged(3, 1, first))
    story.now_ns += 20 * SECOND_NS
    story.send("its time is over", cast.bank_key, charged(3, 1, first), raw.mandate_end(first))
