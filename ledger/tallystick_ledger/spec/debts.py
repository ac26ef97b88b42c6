"""What a hold may charge beyond its maximum, and the claims that this leaves; PAY_CLAIM.

The payer of a hold with overrun DEBT signs a debt limit. A CAPTURE above the maximum takes what the
payer's account has available, and the rest becomes a claim: a row that says who owes whom, no
balance. The same is tried of a last CAPTURE that comes shortly after the hold has expired, when
nothing is pinned any more. Source: docs/semantics.md section 3.
"""

from dataclasses import dataclass, replace

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import Amount, ClaimId, HoldId, TimestampNs
from tallystick_ledger.limits import LATE_CAPTURE_NS
from tallystick_ledger.records import ClaimOperation, Overrun, PayClaim, Scope
from tallystick_ledger.results import Cause, Effect
from tallystick_ledger.spec import amounts
from tallystick_ledger.spec.accounts import (
    check_between,
    check_credit_room,
    check_funds,
    check_movable,
    check_open,
    move,
    own_account,
)
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.signer import Place, check_key_and_scope
from tallystick_ledger.spec.spending import give_back
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import (
    AccountFlags,
    AccountRow,
    ClaimRow,
    ClaimStatus,
    HoldRow,
    HoldStatus,
    TermsRow,
)

_NOTHING = Amount(0)


@dataclass(frozen=True, slots=True)
class Split:
    """Where the amount of one CAPTURE comes from.

    Attributes:
        pinned: From what the hold holds.
        available: From what else the payer's account has.
        claimed: What becomes a claim.
    """

    pinned: Amount
    available: Amount
    claimed: Amount

    @property
    def posted(self) -> Amount:
        """What the payee is paid now."""
        return amounts.add(self.pinned, self.available)


def charged(hold: HoldRow, terms: TermsRow | None) -> Amount:
    """Returns what was charged so far, whoever has paid or owes it."""
    return hold.captured if terms is None else amounts.add(hold.captured, terms.beyond)


def limit(hold: HoldRow, terms: TermsRow | None) -> int:
    """Returns what may be charged in all."""
    return hold.maximum + (0 if terms is None else terms.debt_limit)


def may_come_late(hold: HoldRow, terms: TermsRow | None, *, final: bool) -> bool:
    """Whether the payer of this hold has signed for a last CAPTURE after its expiry."""
    is_debt = terms is not None and terms.overrun is Overrun.DEBT
    return is_debt and final and hold.status is HoldStatus.EXPIRED


def check_grace(state: State, hold: HoldRow, timestamp_ns: TimestampNs) -> None:
    """Checks that a last CAPTURE is not too late; while it is not, the hold's card is there.

    Raises:
        Refused: HOLD_EXPIRED.
    """
    require(timestamp_ns < end_of_grace(state, hold), Code.HOLD_EXPIRED)


def end_of_grace(state: State, hold: HoldRow) -> int:
    """Returns from when on a last CAPTURE is too late."""
    return hold.expires_at_ns + min(LATE_CAPTURE_NS, state.genesis.hold_retention_ns)


def give_back_rest(state: State, hold: HoldRow) -> None:
    """Gives back to limits what was promised and will not be charged any more."""
    terms = state.terms.get(hold.hold)
    give_back(state, hold.hold, Amount(limit(hold, terms) - charged(hold, terms)))


def split(state: State, hold: HoldRow, difference: Amount) -> Split:
    """Returns where an amount comes from: first the hold, then the account, then nowhere.

    An account that is frozen or closed gives nothing beyond the hold.
    """
    rest = hold.rest if hold.is_open else _NOTHING
    pinned = Amount(min(difference, rest))
    beyond = amounts.subtract(difference, pinned)
    payer = state.accounts[hold.payer_account]
    is_usable = not payer.flags & (AccountFlags.FROZEN | AccountFlags.CLOSED)
    available = Amount(min(beyond, payer.available)) if is_usable else _NOTHING
    return Split(pinned, available, amounts.subtract(beyond, available))


def check_claim_cap(state: State, hold: HoldRow, claimed: Amount) -> None:
    """Checks that a claim may be added, if one has to be.

    Raises:
        Refused: CAP_EXCEEDED, claims against the payer.
    """
    if claimed > 0 and ClaimId(hold.hold) not in state.claims:
        count = state.claims.count(state.accounts[hold.payer_account].owner)
        require(count < state.genesis.caps.references, Code.CAP_EXCEEDED)


def charge_beyond(state: State, hold: HoldRow, parts: Split) -> None:
    """Takes what is available, and remembers what the hold did not pay."""
    beyond = amounts.add(parts.available, parts.claimed)
    if beyond > 0:
        terms = state.terms[hold.hold]
        state.terms.put(hold.hold, replace(terms, beyond=amounts.add(terms.beyond, beyond)))
    if parts.available > 0:
        move(state, hold.payer_account, hold.payee_account, parts.available)


def add_claim(state: State, place: Place, hold: HoldRow, amount: Amount) -> list[Effect]:
    """Opens the claim of a hold, or lets it grow; one that was paid is open again.

    Returns:
        A CLAIM effect of the amount, if it is above 0.
    """
    if amount == 0:
        return []
    before = state.claims.get(ClaimId(hold.hold))
    row = before or ClaimRow(
        claim=ClaimId(hold.hold),
        payer_account=hold.payer_account,
        payee_account=hold.payee_account,
        amount=_NOTHING,
        paid=_NOTHING,
        waived=_NOTHING,
        opened_at_ns=place.timestamp_ns,
        ended_at_ns=TimestampNs(0),
        status=ClaimStatus.OPEN,
    )
    total = amounts.add(row.amount, amount)
    open_ = replace(row, amount=total, status=ClaimStatus.OPEN, ended_at_ns=TimestampNs(0))
    state.put_claim(open_)
    return [_effect(Cause.CLAIM, place, state.accounts[hold.payer_account], row, amount)]


def check_no_claim(state: State, payer: AccountRow, payee: AccountRow) -> None:
    """Checks that the payee has no open claim against the payer's account.

    Raises:
        Refused: CLAIM_OPEN.
    """
    of_payer = state.claims.members(payer.owner)
    between = (payer.account, payee.account)
    is_owing = any(
        row.is_open and (row.payer_account, row.payee_account) == between for row in of_payer
    )
    require(not is_owing, Code.CLAIM_OPEN)


def has_open_claim(state: State, account: AccountRow) -> bool:
    """Whether an open claim is of or against an account."""
    return any(
        row.is_open and account.account in (row.payer_account, row.payee_account)
        for row in state.claims
    )


def pay_claim(state: State, place: Place, record: PayClaim) -> list[Effect]:
    """Pays a claim, wholly or in part, or waives what is left of it.

    Returns:
        A PAY_CLAIM effect of what is paid.

    Raises:
        Refused: As `pay` or `waive` lists.
    """
    operation = {ClaimOperation.PAY: pay, ClaimOperation.WAIVE: waive}[record.operation]
    return operation(state, place, record)


def pay(state: State, place: Place, record: PayClaim) -> list[Effect]:
    """Moves money of the payer, from any account of theirs, to the payee of a claim.

    Returns:
        A PAY_CLAIM effect of the amount.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; CLAIM_NOT_FOUND, NOT_PAYER,
            DEBIT_NOT_FOUND; SELF_TRANSFER; CLAIM_ENDED, CLAIM_EXCEEDS; for the account that pays,
            then for the payee's: ACCOUNT_CLOSED, ACCOUNT_FROZEN, and ISSUANCE_ACCOUNT,
            GRANT_ACCOUNT of the first; UNIT_MISMATCH, NOT_A_MEMBER; INSUFFICIENT_FUNDS or
            FUNDS_HELD; AMOUNT_OVERFLOW.
    """
    amount = Amount(record.amount)
    check_key_and_scope(state, place, Scope.OWNER, Scope.SPEND)
    claim = _claim_of_party(state, place, record.claim)
    require(state.accounts[claim.payer_account].owner == place.principal, Code.NOT_PAYER)
    debit = own_account(state, place.principal, record.debit_account, Code.DEBIT_NOT_FOUND)
    payee = state.accounts[claim.payee_account]
    require(debit.account != payee.account, Code.SELF_TRANSFER)
    require(claim.is_open, Code.CLAIM_ENDED)
    require(amount <= claim.rest, Code.CLAIM_EXCEEDS)
    check_movable(debit)
    check_open(payee)
    check_between(state, debit, payee)
    check_funds(debit, amount)
    check_credit_room(payee, amount)

    move(state, debit.account, payee.account, amount)
    paid = replace(claim, paid=amounts.add(claim.paid, amount))
    if paid.rest == 0:
        paid = replace(paid, status=ClaimStatus.PAID, ended_at_ns=place.timestamp_ns)
    state.put_claim(paid)
    return [_effect(Cause.PAY_CLAIM, place, debit, claim, amount)]


def waive(state: State, place: Place, record: PayClaim) -> list[Effect]:
    """Ends a claim: the payee gives up what is left of it.

    Returns:
        No effects: nothing moves.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; CLAIM_NOT_FOUND, NOT_PAYEE; CLAIM_ENDED.
    """
    check_key_and_scope(state, place, Scope.OWNER, Scope.METER)
    claim = _claim_of_party(state, place, record.claim)
    require(state.accounts[claim.payee_account].owner == place.principal, Code.NOT_PAYEE)
    require(claim.is_open, Code.CLAIM_ENDED)

    waived = amounts.add(claim.waived, claim.rest)
    ended = replace(claim, status=ClaimStatus.WAIVED, ended_at_ns=place.timestamp_ns)
    state.put_claim(replace(ended, waived=waived))
    return []


def _claim_of_party(state: State, place: Place, claim_id: ClaimId) -> ClaimRow:
    """CLAIM_NOT_FOUND to strangers."""
    claim = found(state.claims.get(claim_id), Code.CLAIM_NOT_FOUND)
    parties = (claim.payer_account, claim.payee_account)
    owners = [state.accounts[account].owner for account in parties]
    require(place.principal in owners, Code.CLAIM_NOT_FOUND)
    return claim


def _effect(
    cause: Cause, place: Place, debit: AccountRow, claim: ClaimRow, amount: Amount
) -> Effect:
    return Effect(
        cause=cause,
        record_index=place.index,
        debit_account=debit.account,
        credit_account=claim.payee_account,
        amount=amount,
        origin=HoldId(claim.claim),
        claim=claim.claim,
    )
