"""REFUND gives back, DISPUTE asks for it, DISPUTE_ANSWER gives back or refuses.

REPRICE gives back what a usage cost above its new price.

They cite a record that paid: a TRANSFER, CAPTURE, METER or VOUCHER of an earlier block. What it
moved comes in from the log (`citations`). The state keeps what was given back of it so far, and all
of them together never give back more than it moved. What grants paid of it goes back to them.
Source: docs/semantics.md section 3.
"""

from dataclasses import dataclass, replace
from typing import Final

from tallystick_ledger.citations import Citation
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import (
    NO_ID,
    AccountId,
    Amount,
    CardId,
    GrantId,
    HoldId,
    PrincipalId,
    SequenceNumber,
    TimestampNs,
    grant_account,
)
from tallystick_ledger.limits import CORRECTION_WINDOW_NS, MIN_DISPUTE_NS
from tallystick_ledger.records import Dispute, DisputeAnswer, Group, Refund, Reprice, Scope
from tallystick_ledger.results import Cause, Effect
from tallystick_ledger.spec import amounts, priced
from tallystick_ledger.spec.accounts import check_credit_room, check_funds, check_open, move
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.shares import split
from tallystick_ledger.spec.signer import (
    Place,
    check_key_and_scope,
    check_reference,
    check_reference_cap,
    remember_reference,
)
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import (
    AccountFlags,
    AccountRow,
    CorrectionRow,
    DisputeRow,
    DisputeStatus,
)

_NOTHING: Final = Amount(0)
_NO_ORIGIN: Final = HoldId(NO_ID)
_NO_CARD: Final = CardId(NO_ID)


@dataclass(frozen=True, slots=True)
class _Part:
    """What goes back to one source: its account, and whose money it is unless the payer's."""

    account: AccountId
    grant: GrantId
    amount: Amount


def refund(state: State, place: Place, record: Refund) -> list[Effect]:
    """Moves a part of what a record paid from its payee back to its payer.

    Returns:
        A REFUND effect for each source that gets something back.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; REFERENCE_USED; CITED_NOT_FOUND,
            CITATIONS_FULL, NOT_PAYEE; CORRECTION_TOO_LATE; ACCOUNT_CLOSED, ACCOUNT_FROZEN of the
            payee's account, ACCOUNT_CLOSED of the payer's; CORRECTION_EXCEEDS; CAP_EXCEEDED,
            corrected records or references; INSUFFICIENT_FUNDS or FUNDS_HELD; AMOUNT_OVERFLOW.
    """
    amount = Amount(record.amount)
    check_key_and_scope(state, place, Scope.OWNER, Scope.METER)
    check_reference(state, place, Group.CORRECTION, record.reference, unique=record.unique)
    cited = _cited_of_party(state, place, record.cited)
    payer = state.accounts[cited.payer_account]
    payee = state.accounts[cited.payee_account]
    require(payee.owner == place.principal, Code.NOT_PAYEE)
    _check_window(cited, place.timestamp_ns)
    _check_can_give_back(payer, payee)
    row = _corrected_so_far(state, cited)
    require(row.corrected + amount <= row.amount, Code.CORRECTION_EXCEEDS)
    _check_correction_cap(state, row, payee.owner)
    check_reference_cap(state, place, unique=record.unique)
    check_funds(payee, amount)
    parts = _parts(state, cited, row, amount)
    _check_room(state, parts)

    remember_reference(state, place, Group.CORRECTION, record.reference, unique=record.unique)
    return _give_back(state, row, parts, Cause.REFUND, place.index)


def dispute(state: State, place: Place, record: Dispute) -> list[Effect]:
    """Asks for a part of what a record paid.

    Returns:
        No effects: nothing moves before the answer.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; CITED_NOT_FOUND, CITATIONS_FULL,
            NOT_PAYER; CORRECTION_TOO_LATE; ACCOUNT_CLOSED of the payer's account; DISPUTE_OPEN;
            CORRECTION_EXCEEDS; EXPIRY_INVALID; CAP_EXCEEDED, disputes.
    """
    amount = Amount(record.amount)
    check_key_and_scope(state, place, Scope.OWNER, Scope.SPEND)
    cited = _cited_of_party(state, place, record.cited)
    payer = state.accounts[cited.payer_account]
    require(payer.owner == place.principal, Code.NOT_PAYER)
    _check_window(cited, place.timestamp_ns)
    require(not payer.flags & AccountFlags.CLOSED, Code.ACCOUNT_CLOSED)
    before = state.disputes.get(cited.sequence_number)
    is_open = before is not None and before.is_open_at(place.timestamp_ns)
    require(not is_open, Code.DISPUTE_OPEN)
    corrected = _corrected_so_far(state, cited).corrected
    require(corrected + amount <= cited.amount, Code.CORRECTION_EXCEEDS)
    earliest_ns = place.timestamp_ns + MIN_DISPUTE_NS
    latest_ns = cited.timestamp_ns + CORRECTION_WINDOW_NS
    require(earliest_ns <= record.deadline_ns <= latest_ns, Code.EXPIRY_INVALID)
    if before is None:
        count = state.disputes.count(place.principal)
        require(count < state.genesis.caps.references, Code.CAP_EXCEEDED)

    state.put_dispute(
        DisputeRow(
            cited=cited.sequence_number,
            cited_at_ns=cited.timestamp_ns,
            payer_account=cited.payer_account,
            payee_account=cited.payee_account,
            amount=cited.amount,
            disputed=amount,
            accepted=_NOTHING,
            deadline_ns=record.deadline_ns,
            opened_at_ns=place.timestamp_ns,
            answered_at_ns=TimestampNs(0),
            reason=record.reason,
            status=DisputeStatus.OPEN,
            rolled=before is not None and before.rolled,
        )
    )
    return []


def dispute_answer(state: State, place: Place, record: DisputeAnswer) -> list[Effect]:
    """Gives back what was disputed, a part of it, or nothing.

    Returns:
        A DISPUTE effect for each source that gets something back.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; DISPUTE_NOT_FOUND, NOT_PAYEE,
            CITATIONS_FULL; DISPUTE_ANSWERED, DISPUTE_LAPSED, ANSWER_EXCEEDS; if it gives something
            back: ACCOUNT_CLOSED, ACCOUNT_FROZEN of the payee's account, ACCOUNT_CLOSED of the
            payer's; CORRECTION_EXCEEDS; CAP_EXCEEDED, corrected records; INSUFFICIENT_FUNDS or
            FUNDS_HELD; AMOUNT_OVERFLOW.
    """
    amount = Amount(record.amount)
    check_key_and_scope(state, place, Scope.OWNER, Scope.METER)
    asked = found(state.disputes.get(record.cited), Code.DISPUTE_NOT_FOUND)
    payer = state.accounts[asked.payer_account]
    payee = state.accounts[asked.payee_account]
    require(place.principal in (payer.owner, payee.owner), Code.DISPUTE_NOT_FOUND)
    require(payee.owner == place.principal, Code.NOT_PAYEE)
    cited = found(place.citations.get(record.cited), Code.CITATIONS_FULL)
    require(asked.status is DisputeStatus.OPEN, Code.DISPUTE_ANSWERED)
    require(asked.is_open_at(place.timestamp_ns), Code.DISPUTE_LAPSED)
    require(amount <= asked.disputed, Code.ANSWER_EXCEEDS)
    answered = replace(asked, answered_at_ns=place.timestamp_ns)
    if amount == _NOTHING:
        state.put_dispute(replace(answered, status=DisputeStatus.REJECTED))
        return []
    _check_can_give_back(payer, payee)
    row = _corrected_so_far(state, cited)
    require(row.corrected + amount <= row.amount, Code.CORRECTION_EXCEEDS)
    _check_correction_cap(state, row, payee.owner)
    check_funds(payee, amount)
    parts = _parts(state, cited, row, amount)
    _check_room(state, parts)

    state.put_dispute(replace(answered, status=DisputeStatus.ACCEPTED, accepted=amount))
    return _give_back(state, row, parts, Cause.DISPUTE, place.index)


def reprice(state: State, place: Place, record: Reprice) -> list[Effect]:
    """Prices again what a card or quote had priced, and gives back what it cost above that.

    Returns:
        A REPRICE effect of what goes back, with the card; one for each source that had paid.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; CITED_NOT_FOUND, CITATIONS_FULL,
            NOT_PAYEE; CARD_NOT_FOUND; CORRECTION_TOO_LATE; CITED_NOT_PRICED; ACCOUNT_CLOSED,
            ACCOUNT_FROZEN of the payee's account, ACCOUNT_CLOSED of the payer's; NOT_PROVIDER,
            UNIT_MISMATCH; UNPRICED, PRICE_MISMATCH; PRICE_NOT_LOWER; CAP_EXCEEDED, corrected
            records; INSUFFICIENT_FUNDS or FUNDS_HELD; AMOUNT_OVERFLOW.
    """
    check_key_and_scope(state, place, Scope.OWNER, Scope.METER)
    cited = _cited_of_party(state, place, record.cited)
    payer = state.accounts[cited.payer_account]
    payee = state.accounts[cited.payee_account]
    require(payee.owner == place.principal, Code.NOT_PAYEE)
    card = priced.published_card(state, record.card)
    _check_window(cited, place.timestamp_ns)
    require(cited.card != NO_ID, Code.CITED_NOT_PRICED)
    _check_can_give_back(payer, payee)
    priced.check_owner(card, payee)
    at_ns = cited.timestamp_ns
    priced.check_amount(state, card, record.model, record.usage, at_ns, record.amount)
    row = _corrected_so_far(state, cited)
    back = _what_goes_back(row, record.amount)
    _check_correction_cap(state, row, payee.owner)
    check_funds(payee, back)
    parts = _parts(state, cited, row, back)
    _check_room(state, parts)

    return _give_back(state, row, parts, Cause.REPRICE, place.index, record.card)


def _what_goes_back(row: CorrectionRow, repriced: int) -> Amount:
    """What the record cost, less what was given back before, above its new price.

    Raises:
        Refused: PRICE_NOT_LOWER, nothing.
    """
    back = row.amount - row.corrected - repriced
    require(back > 0, Code.PRICE_NOT_LOWER)
    return Amount(back)


def _cited_of_party(state: State, place: Place, sequence_number: SequenceNumber) -> Citation:
    """CITED_NOT_FOUND to strangers, and of what is not earlier than the block or paid nothing."""
    citations = place.citations
    require(sequence_number < citations.first_sequence, Code.CITED_NOT_FOUND)
    cited = found(citations.get(sequence_number), Code.CITATIONS_FULL)
    require(cited.amount > 0, Code.CITED_NOT_FOUND)
    accounts = (cited.payer_account, cited.payee_account)
    owners = [state.accounts[account].owner for account in accounts]
    require(place.principal in owners, Code.CITED_NOT_FOUND)
    return cited


def _check_window(cited: Citation, timestamp_ns: TimestampNs) -> None:
    is_in_time = timestamp_ns <= cited.timestamp_ns + CORRECTION_WINDOW_NS
    require(is_in_time, Code.CORRECTION_TOO_LATE)


def _check_can_give_back(payer: AccountRow, payee: AccountRow) -> None:
    """A frozen payer gets its money back: freezing it stops what leaves it."""
    check_open(payee)
    require(not payer.flags & AccountFlags.CLOSED, Code.ACCOUNT_CLOSED)


def _corrected_so_far(state: State, cited: Citation) -> CorrectionRow:
    """The row of the cited record, or what it would be before its first correction."""
    row = CorrectionRow(
        cited=cited.sequence_number,
        cited_at_ns=cited.timestamp_ns,
        payer_account=cited.payer_account,
        payee_account=cited.payee_account,
        amount=cited.amount,
        corrected=_NOTHING,
    )
    return state.corrections.get(cited.sequence_number) or row


def _check_correction_cap(state: State, row: CorrectionRow, payee: PrincipalId) -> None:
    if row.corrected == _NOTHING:
        count = state.corrections.count(payee)
        require(count < state.genesis.caps.references, Code.CAP_EXCEEDED)


def _parts(state: State, cited: Citation, row: CorrectionRow, amount: Amount) -> list[_Part]:
    """Splits what is given back into what each source had paid of it."""
    legs = [leg.amount for leg in cited.legs]
    before = split(row.corrected, legs, cited.amount)
    after = split(row.corrected + amount, legs, cited.amount)
    steps = [now - so_far for now, so_far in zip(after, before, strict=True)]
    parts = [_Part(cited.payer_account, GrantId(NO_ID), Amount(amount - sum(steps)))]
    for leg, step in zip(cited.legs, steps, strict=True):
        parts.append(_Part(_source(state, leg.grant), leg.grant, Amount(step)))
    return [part for part in parts if part.amount > 0]


def _source(state: State, grant_id: GrantId) -> AccountId:
    """Where money of a grant goes back to: the grant, or its pool once it is over."""
    grant = state.grants[grant_id]
    return grant_account(grant_id) if grant.is_open else grant.pool_account


def _check_room(state: State, parts: list[_Part]) -> None:
    """Two parts may go back to one account: a pool."""
    totals = dict.fromkeys((part.account for part in parts), 0)
    for part in parts:
        totals[part.account] += part.amount
    for account, total in totals.items():
        check_credit_room(state.accounts[account], Amount(total))


def _give_back(
    state: State,
    row: CorrectionRow,
    parts: list[_Part],
    cause: Cause,
    index: int,
    card: CardId = _NO_CARD,
) -> list[Effect]:
    """Moves posted money from the payee to the sources, and remembers how much."""
    effects = []
    for part in parts:
        move(state, row.payee_account, part.account, part.amount)
        effects.append(
            Effect(
                cause=cause,
                record_index=index,
                debit_account=row.payee_account,
                credit_account=part.account,
                amount=part.amount,
                origin=_NO_ORIGIN,
                card=card,
                grant=part.grant,
            )
        )
    total = Amount(sum(part.amount for part in parts))
    state.put_correction(replace(row, corrected=amounts.add(row.corrected, total)))
    return effects
