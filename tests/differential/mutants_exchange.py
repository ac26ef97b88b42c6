"""Wrong variants of the rules of exchange quotes, as somebody could get them wrong."""

from collections.abc import Callable

import pytest

from tallystick_ledger.codes import Code
from tallystick_ledger.records import SignedExchange
from tallystick_ledger.spec import exchanges, prune
from tallystick_ledger.spec.refusal import require


def makers_need_not_sign(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(exchanges, "is_valid_signature", lambda *_: True)


def makers_give_without_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(exchanges, "check_covers", lambda *_: None)


def outputs_are_rounded_up(patch: pytest.MonkeyPatch) -> None:
    def output_of(quote: SignedExchange, amount: int) -> int:
        return -(-amount * quote.give // quote.take)

    patch.setattr(SignedExchange, "output_of", output_of)


def makers_have_no_limits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(exchanges, "_check_limits_of_maker", lambda *_: [])


def revoked_keys_go_on_selling(patch: pytest.MonkeyPatch) -> None:
    def check(condition: bool, code: Code) -> None:
        if code is not Code.BAD_QUOTE:
            require(condition, code)

    patch.setattr(exchanges, "require", check)


def one_unit_will_do(patch: pytest.MonkeyPatch) -> None:
    def check(condition: bool, code: Code) -> None:
        if code is not Code.UNIT_MISMATCH:
            require(condition, code)

    patch.setattr(exchanges, "require", check)


def anybody_may_take_it(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SignedExchange, "is_for", lambda *_: True)


def what_was_taken_is_never_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(prune, "_prune_exchanges", lambda *_: None)


EXCHANGE_MUTANTS: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    makers_need_not_sign,
    makers_give_without_end,
    outputs_are_rounded_up,
    makers_have_no_limits,
    revoked_keys_go_on_selling,
    one_unit_will_do,
    anybody_may_take_it,
    what_was_taken_is_never_forgotten,
)
