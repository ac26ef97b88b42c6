"""MANDATE permits a payee to meter against an account; MANDATE_END ends that; METER uses it.

It pins nothing: what the account does not have is refused when it is metered. Source:
docs/semantics.md section 3.
"""

from dataclasses import replace

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, Amount, MandateId, TimestampNs
from tallystick_ledger.limits import MAX_MANDATE_NS, MAX_MANDATES, MIN_MANDATE_NS
from tallystick_ledger.records import Mandate, MandateEnd, Scope
from tallystick_ledger.results import Effect
from tallystick_ledger.spec import amounts, priced
from tallystick_ledger.spec.accounts import check_movable, own_account
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.signer import Place, check_key_and_scope
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import MandateRow


def mandate(state: State, place: Place, record: Mandate) -> list[Effect]:
    """Permits a principal to meter against an account of the signer.

    Returns:
        No effects: nothing moves.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; DEBIT_NOT_FOUND, PRINCIPAL_NOT_FOUND, with
            a card CARD_NOT_FOUND; ID_CONFLICT; ACCOUNT_CLOSED, ACCOUNT_FROZEN, ISSUANCE_ACCOUNT,
            GRANT_ACCOUNT; with a card NOT_PROVIDER, UNIT_MISMATCH; EXPIRY_INVALID; CAP_EXCEEDED.
    """
    check_key_and_scope(state, place, Scope.OWNER)
    payer = own_account(state, place.principal, record.payer_account, Code.DEBIT_NOT_FOUND)
    payee = found(state.principals.get(record.payee), Code.PRINCIPAL_NOT_FOUND)
    card = None if record.card == NO_ID else priced.published_card(state, record.card)
    mandate_id = MandateId(place.derived_id(state))
    require(mandate_id not in state.mandates, Code.ID_CONFLICT)
    check_movable(payer)
    if card is not None:
        require(card.owner == payee.principal, Code.NOT_PROVIDER)
        require(card.unit == payer.unit, Code.UNIT_MISMATCH)
    earliest_ns = place.timestamp_ns + MIN_MANDATE_NS
    latest_ns = place.timestamp_ns + MAX_MANDATE_NS
    require(earliest_ns <= record.expires_at_ns <= latest_ns, Code.EXPIRY_INVALID)
    require(state.mandates.count(place.principal) < MAX_MANDATES, Code.CAP_EXCEEDED)

    state.put_mandate(
        MandateRow(
            mandate=mandate_id,
            payer_account=record.payer_account,
            payee=record.payee,
            card=record.card,
            cap=Amount(record.cap),
            cap_each=Amount(record.cap_each),
            used=Amount(0),
            expires_at_ns=record.expires_at_ns,
            created_at_ns=place.timestamp_ns,
            ended_at_ns=TimestampNs(0),
        )
    )
    return []


def mandate_end(state: State, place: Place, record: MandateEnd) -> list[Effect]:
    """Takes a mandate back, or gives it up.

    Returns:
        No effects: nothing moves.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; MANDATE_NOT_FOUND; MANDATE_ENDED.
    """
    check_key_and_scope(state, place, Scope.OWNER)
    row = _mandate_of_party(state, place, record.mandate)
    require(not row.is_over(place.timestamp_ns), Code.MANDATE_ENDED)

    state.put_mandate(replace(row, ended_at_ns=place.timestamp_ns))
    return []


def mandate_of_payee(state: State, place: Place, mandate_id: MandateId) -> MandateRow:
    """Stage 4 of METER: MANDATE_NOT_FOUND to strangers, NOT_PAYEE to the payer.

    Raises:
        Refused: One of these.
    """
    row = _mandate_of_party(state, place, mandate_id)
    require(row.payee == place.principal, Code.NOT_PAYEE)
    return row


def check_covers(row: MandateRow, amount: Amount) -> None:
    """Checks that a mandate covers one more charge.

    Raises:
        Refused: MANDATE_EXCEEDED.
    """
    is_within = amount <= row.cap_each and row.used + amount <= row.cap
    require(is_within, Code.MANDATE_EXCEEDED)


def use(state: State, row: MandateRow, amount: Amount) -> None:
    """Notes a charge, which the mandate covers."""
    state.put_mandate(replace(row, used=amounts.add(row.used, amount)))


def _mandate_of_party(state: State, place: Place, mandate_id: MandateId) -> MandateRow:
    row = found(state.mandates.get(mandate_id), Code.MANDATE_NOT_FOUND)
    parties = (state.accounts[row.payer_account].owner, row.payee)
    require(place.principal in parties, Code.MANDATE_NOT_FOUND)
    return row
