"""A chapter of the story of `execution.json`: holds that charge on debt, and PAY_CLAIM."""

from typing import TYPE_CHECKING, Final

from tests.differential import raw

if TYPE_CHECKING:
    from tests.vectors.execution_story import Cast, Story

SECOND_NS: Final = 1_000_000_000
MAXIMUM: Final = 100
LIMIT: Final = 60


def debts(story: "Story", cast: "Cast", names: tuple[bytes, ...], card: bytes) -> None:
    """Alice signs for 60 above what she puts on hold; the bank charges it."""
    first, second = _charged(story, cast, names, card)
    _ended(story, cast, names[1], (first, second))


def _used(meter: bytes, hold: bytes, quantity: int, *, flags: int = 0) -> bytes:
    record = raw.capture(hold, 3 * quantity, flags=flags)
    return raw.used(record, raw.usage([(meter, quantity)]))


def _charged(
    story: "Story", cast: "Cast", names: tuple[bytes, ...], card: bytes
) -> tuple[bytes, bytes]:
    """Two holds, the first of which leaves a claim."""
    model, meter, *_ = names
    (purse,) = story.send("an account for debts", cast.alice_key, raw.open_account(cast.usd))
    story.send("and what is in it", cast.bank_key, raw.issue(cast.usd, purse, 2 * MAXIMUM + 20))

    def reserve(seconds: int, overrun: int = raw.DEBT, limit: int = LIMIT) -> bytes:
        expires_at_ns = story.now_ns + seconds * SECOND_NS
        flat = raw.reserve(purse, cast.bank_usd, MAXIMUM, expires_at_ns)
        return raw.priced(
            flat, raw.terms(card, model, (), (), b"u" * 16, overrun, debt_limit=limit)
        )

    first, second, *_ = story.send(
        "holds on debt, and what is none",
        cast.alice_key,
        reserve(50),
        reserve(5),
        reserve(50, limit=0),
        reserve(50, raw.CAP, 1),
    )

    story.send(
        "above the maximum: first what is on hold, then what is there, then a claim",
        cast.bank_key,
        _used(meter, first, 30),
        _used(meter, first, 45),
        _used(meter, first, 45),
        _used(meter, first, 44),
        _used(meter, first, 54),
        _used(meter, first, 50, flags=raw.FINAL),
        _used(meter, first, 50),
    )
    story.send(
        "who owes reserves nothing new and pays what is owed",
        cast.alice_key,
        reserve(50),
        raw.pay_claim(first, 31, cast.alice_usd),
        raw.pay_claim(first, 0, cast.alice_usd),
        raw.pay_claim(first, 1, cast.bank_usd),
        raw.pay_claim(first, 1, cast.alice_usd, operation=3),
        raw.pay_claim(b"\x5a" * 16, 1, cast.alice_usd),
        raw.pay_claim(first, 10, cast.alice_usd),
        raw.waive_claim(first),
    )
    return first, second


def _ended(story: "Story", cast: "Cast", meter: bytes, claims: tuple[bytes, bytes]) -> None:
    """The second hold is charged late; one claim is waived, the other paid."""
    first, second = claims
    story.now_ns += 6 * SECOND_NS
    story.send(
        "late, and only the last word",
        cast.bank_key,
        _used(meter, second, 35),
        _used(meter, second, 53, flags=raw.FINAL),
        _used(meter, second, 54, flags=raw.FINAL),
        _used(meter, second, 53, flags=raw.FINAL),
    )
    story.send("no stranger waives", cast.bob_key, raw.waive_claim(first))
    story.send(
        "the bank waives",
        cast.bank_key,
        raw.pay_claim(first, 1, cast.bank_usd),
        raw.patched(raw.waive_claim(second), 24, b"\x01"),
        raw.waive_claim(second),
        raw.waive_claim(second),
    )
    rest = story.state.claims[first].rest  # type: ignore[index]
    story.send(
        "the rest is paid",
        cast.alice_key,
        raw.pay_claim(first, rest, cast.alice_usd),
        raw.pay_claim(first, 1, cast.alice_usd),
    )
    story.now_ns += 60 * SECOND_NS
    story.send("ended claims are forgotten", cast.bank_key, raw.waive_claim(second))
