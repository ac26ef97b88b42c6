"""Wrong variants of the rules of rate cards, as somebody could get them wrong: see test_mutants."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from tallystick_ledger import pricing
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import Amount, NameId, TimestampNs
from tallystick_ledger.spec import cards, mandates, metering, priced, quotes
from tallystick_ledger.spec.refusal import require
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import CardRow, HoldRow, MandateRow, PriceLineRow, TermsRow


def prices_are_for_another_million(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pricing, "PRICE_UNITS", 500_000)


def what_follows_is_free(patch: pytest.MonkeyPatch) -> None:
    def find_line(
        lines: Iterable[pricing.Line], meter: NameId, served: pricing.Served, length: int
    ) -> pricing.Line | None:
        line = original(lines, meter, served, length)
        if isinstance(line, PriceLineRow):
            return replace(line, same_as=pricing.ANY)
        return line

    original = pricing.find_line
    patch.setattr(pricing, "find_line", find_line)


def a_cap_rejects(patch: pytest.MonkeyPatch) -> None:
    def billed(_: HoldRow, __: TermsRow, amount: int) -> Amount:
        return Amount(amount)

    patch.setattr(priced, "billed", billed)


def any_tier_may_be_served(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TermsRow, "permits", lambda *_: True)


def lines_may_overlap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cards, "_overlap", lambda *_: False)


def effects_cite_no_card(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(priced, "card_of", lambda _: pricing.ANY)


def a_card_prices_before_its_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CardRow, "is_effective", lambda row, _: row.is_published)


def whoever_is_paid_may_be_priced_by_any_card(patch: pytest.MonkeyPatch) -> None:
    def check(condition: bool, code: Code) -> None:
        if code is not Code.NOT_PROVIDER:
            require(condition, code)

    patch.setattr(priced, "require", check)


def usage_is_not_priced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(priced, "check_amount", lambda *_: None)


def mandates_never_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MandateRow, "is_over", lambda *_: False)


def mandates_have_no_total(patch: pytest.MonkeyPatch) -> None:
    def check_covers(row: MandateRow, amount: Amount) -> None:
        require(amount <= row.cap_each, Code.MANDATE_EXCEEDED)

    patch.setattr(mandates, "check_covers", check_covers)


def mandates_are_not_used_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(mandates, "use", lambda *_: None)


def mandates_are_forgotten_at_once(patch: pytest.MonkeyPatch) -> None:
    original = State.next_mandate_to_forget

    def next_to_forget(state: State) -> MandateRow | None:
        row = original(state)
        return row and replace(row, ended_at_ns=TimestampNs(1))

    patch.setattr(State, "next_mandate_to_forget", next_to_forget)


def quotes_are_not_verified(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quotes, "is_valid_signature", lambda *_: True)


def quotes_have_no_cap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quotes, "check_covers", lambda *_: None)


def extended_holds_are_not_agreed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(metering, "_quote_of", lambda *_: None)


def quotes_never_expire(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quotes, "check_not_expired", lambda *_: None)


def quotes_last_as_long_as_they_say(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quotes, "MAX_QUOTE_NS", 1 << 64)


PRICE_MUTANTS: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    prices_are_for_another_million,
    what_follows_is_free,
    a_cap_rejects,
    any_tier_may_be_served,
    lines_may_overlap,
    effects_cite_no_card,
    a_card_prices_before_its_time,
    whoever_is_paid_may_be_priced_by_any_card,
    usage_is_not_priced,
    mandates_never_end,
    mandates_have_no_total,
    mandates_are_not_used_up,
    mandates_are_forgotten_at_once,
    quotes_are_not_verified,
    quotes_have_no_cap,
    extended_holds_are_not_agreed,
    quotes_never_expire,
    quotes_last_as_long_as_they_say,
)
