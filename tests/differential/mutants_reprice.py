"""Wrong variants of the rule of REPRICE, as somebody could get it wrong: see test_mutants."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tallystick_ledger.citations import Citation
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import Amount, CardId, SequenceNumber
from tallystick_ledger.spec import corrections
from tallystick_ledger.spec.refusal import require
from tallystick_ledger.spec.signer import Place
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import CorrectionRow


def a_new_price_forgets_what_was_given_back(patch: pytest.MonkeyPatch) -> None:
    def what_goes_back(row: CorrectionRow, repriced: int) -> Amount:
        require(row.amount - row.corrected > repriced, Code.PRICE_NOT_LOWER)
        return Amount(row.amount - repriced)

    patch.setattr(corrections, "_what_goes_back", what_goes_back)


def the_same_price_again_is_done(patch: pytest.MonkeyPatch) -> None:
    def what_goes_back(row: CorrectionRow, repriced: int) -> Amount:
        require(row.amount - row.corrected >= repriced, Code.PRICE_NOT_LOWER)
        return Amount(row.amount - row.corrected - repriced)

    patch.setattr(corrections, "_what_goes_back", what_goes_back)


def what_no_card_priced_is_priced_now(patch: pytest.MonkeyPatch) -> None:
    def cited_of_party(state: State, place: Place, sequence_number: SequenceNumber) -> Citation:
        cited = original(state, place, sequence_number)
        return replace(cited, card=CardId(b"c" * 16))

    original = corrections._cited_of_party
    patch.setattr(corrections, "_cited_of_party", cited_of_party)


REPRICE_MUTANTS: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    a_new_price_forgets_what_was_given_back,
    the_same_price_again_is_done,
    what_no_card_priced_is_priced_now,
)
