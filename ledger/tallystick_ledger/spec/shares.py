"""Shares: what grants pay of a hold, pinned by its RESERVE, and how amounts are split into them.

A hold's maximum at its RESERVE is the *whole*; of it each share pins a part, its payer the rest.
What is captured so far, and what is given back of a charge so far, is split in the proportion of
these parts by `split`, always the whole cumulative amount anew: so no rounding adds up, no part
ever goes down, and none ever exceeds what it is a part of. Source: docs/semantics.md section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from tallystick_ledger.ids import (
    NO_ID,
    Amount,
    GrantId,
    HoldId,
    PrincipalId,
    TimestampNs,
    grant_account,
)
from tallystick_ledger.limits import MAX_AMOUNT, MAX_SHARES, RATIO_UNITS
from tallystick_ledger.records import CardTerms, Meter
from tallystick_ledger.results import Cause, Effect
from tallystick_ledger.spec import amounts
from tallystick_ledger.spec.accounts import free, pay, pin
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import AccountRow, GrantRow, HoldRow, Share, SharesRow

_NO_ORIGIN: Final = HoldId(NO_ID)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a charge is for.

    Attributes:
        model: NAME of the model; zero where no card prices it.
        regions: NAMEs of the regions where it may be, or was, served; none where nobody said so.
    """

    model: bytes = NO_ID
    regions: tuple[bytes, ...] = ()

    @classmethod
    def by_terms(cls, terms: CardTerms | None) -> Self:
        """What the terms of a hold say; without any it is a FLAT one."""
        return cls() if terms is None else cls(terms.model, terms.regions)

    @classmethod
    def by_meter(cls, record: Meter) -> Self:
        """What a METER says."""
        region = record.usage.region
        return cls(record.model, () if region == NO_ID else (region,))


def split(amount: int, parts: Sequence[int], whole: int) -> list[Amount]:
    """Returns how much of an amount falls on each part of a whole; the rest is the payer's.

    One part after the other takes its portion of what is left, rounded down.

    Args:
        amount: At most the whole.
        parts: At least 1 each, at most the whole together.
        whole: What they are parts of.
    """
    falls = []
    for part in parts:
        taken = amount * part // whole
        falls.append(Amount(taken))
        amount, whole = amount - taken, whole - part
    return falls


def choose(
    state: State,
    grantee: PrincipalId,
    accounts: tuple[AccountRow, AccountRow],
    agreed: Agreed,
    maximum: Amount,
    timestamp_ns: TimestampNs,
) -> tuple[Share, ...]:
    """Returns the shares that grants pay of a new hold or a METER, in the order in which they pay.

    Args:
        state: Read only.
        grantee: The payer's owner.
        accounts: The payer's and the payee's.
        agreed: What it is for.
        maximum: Of the hold; the amount of a METER.
        timestamp_ns: Of its record.
    """
    payer, payee = accounts
    shares: list[Share] = []
    left: int = maximum
    for grant in sorted(state.grants.members(grantee), key=lambda row: row.burn_order):
        account = state.accounts[grant_account(grant.grant)]
        fits = grant.is_live(timestamp_ns) and account.unit == payer.unit
        if not fits or not _is_earmarked(state, grant, payee.owner, agreed):
            continue
        portion = maximum * grant.ratio // RATIO_UNITS
        part = min(portion, grant.cap or MAX_AMOUNT, account.available, left)
        if part > 0:
            shares.append(Share(grant.grant, Amount(part)))
            left -= part
        if len(shares) == MAX_SHARES:
            break
    return tuple(shares)


def _is_earmarked(state: State, grant: GrantRow, provider: PrincipalId, agreed: Agreed) -> bool:
    """Whether a grant may pay this provider for this."""
    if provider == grant.grantee or _are_related(state, grant, provider):
        return False
    if grant.providers != NO_ID and provider not in state.lists[grant.providers].ids:
        return False
    if grant.models != NO_ID and agreed.model not in state.lists[grant.models].ids:
        return False
    if grant.regions == NO_ID:
        return True
    regions = set(agreed.regions)
    return bool(regions) and regions <= set(state.lists[grant.regions].ids)


def _are_related(state: State, grant: GrantRow, provider: PrincipalId) -> bool:
    first, second = sorted((grant.grantee, provider))
    return (grant.registrar, first, second) in state.relations


def pin_hold(state: State, index: int, hold: HoldRow, parts: tuple[Share, ...]) -> list[Effect]:
    """Pins the shares of a new hold, whose payer's part is pinned already.

    Returns:
        Without shares nothing; else a PIN effect of the payer's part, also of 0, and of each share.
    """
    if not parts:
        return []
    own = Amount(hold.maximum - sum(share.maximum for share in parts))
    effects = [_effect(hold, Cause.PIN, index, own)]
    for share in parts:
        pin(state, grant_account(share.grant), hold.payee_account, share.maximum)
        effects.append(_effect(hold, Cause.PIN, index, share.maximum, share.grant))
    state.shares.put(hold.hold, SharesRow(hold.hold, hold.maximum, parts))
    return effects


def pay_hold(
    state: State, index: int, hold: HoldRow, amount: Amount, timestamp_ns: TimestampNs
) -> list[Effect]:
    """Pays the payee up to a cumulative amount, each source its part of it.

    Returns:
        A CAPTURE effect of the payer's part, also of 0 if grants pay; then one for each share
        above 0.
    """
    row = state.shares.get(hold.hold)
    shares = () if row is None else row.shares
    paid = [share.paid for share in shares]
    due = [] if row is None else _due(row, amount)
    own = amount - sum(due) - (hold.captured - sum(paid))
    effects = [_pay(state, hold, Cause.CAPTURE, index, Amount(own))]
    for share, before, after in zip(shares, paid, due, strict=True):
        if after > before:
            step = amounts.subtract(after, before)
            effects.append(_pay(state, hold, Cause.CAPTURE, index, step, share.grant))
            settle(state, share.grant, timestamp_ns)
    if row is not None:
        now_paid = zip(shares, due, strict=True)
        changed = tuple(replace(share, paid=after) for share, after in now_paid)
        state.shares.put(row.hold, replace(row, shares=changed))
    state.put_hold(replace(hold, captured=amount))
    return effects


def paying_beyond(
    index: int, hold: HoldRow, effects: list[Effect], available: Amount
) -> list[Effect]:
    """Adds to the effects of `pay_hold`, if any, what the payer pays that was not on hold."""
    own, *granted = effects or [_effect(hold, Cause.CAPTURE, index, Amount(0))]
    return [replace(own, amount=amounts.add(own.amount, available), beyond=available), *granted]


def free_hold(
    state: State, cause: Cause, index: int, hold: HoldRow, timestamp_ns: TimestampNs
) -> list[Effect]:
    """Frees what is left of a hold that ends: each source's own, which goes on if it is over.

    Returns:
        An effect of the payer's rest if that is above 0, with EXPIRY also of 0; then for each
        share with a rest one of that, and a GRANT_RETURN effect if its grant is over.
    """
    row = state.shares.get(hold.hold)
    shares = () if row is None else row.shares
    own = hold.rest - sum(share.rest for share in shares)
    free(state, hold.payer_account, hold.payee_account, Amount(own))
    is_told = own > 0 or cause is Cause.EXPIRY
    effects = [_effect(hold, cause, index, Amount(own))] if is_told else []
    for share in shares:
        if share.rest > 0:
            rest = Amount(share.rest)
            free(state, grant_account(share.grant), hold.payee_account, rest)
            effects.append(_effect(hold, cause, index, rest, share.grant))
            grant = state.grants[share.grant]
            if not grant.is_open:
                effects.append(give_back(state, grant, rest, Cause.GRANT_RETURN, index))
                settle(state, share.grant, timestamp_ns)
    return effects


def give_back(state: State, grant: GrantRow, amount: Amount, cause: Cause, index: int) -> Effect:
    """Moves money of a grant to its pool: as much as there is room for, in 128 bits."""
    pool = state.accounts[grant.pool_account]
    room = MAX_AMOUNT - pool.credits_posted - pool.credit_limit
    returned = Amount(min(amount, room))
    account = state.accounts[grant_account(grant.grant)]
    debits_posted = amounts.add(account.debits_posted, returned)
    state.put_account(replace(account, debits_posted=debits_posted))
    credits_posted = amounts.add(pool.credits_posted, returned)
    state.put_account(replace(pool, credits_posted=credits_posted))
    return Effect(
        cause=cause,
        record_index=index,
        debit_account=account.account,
        credit_account=pool.account,
        amount=returned,
        origin=_NO_ORIGIN,
        grant=grant.grant,
    )


def settle(state: State, grant_id: GrantId, timestamp_ns: TimestampNs) -> None:
    """Notes that a grant is over and no hold pins any of it any more, if that is so."""
    grant = state.grants[grant_id]
    pinned = state.accounts[grant_account(grant_id)].debits_pending
    if not grant.is_open and pinned == 0:
        state.put_grant(replace(grant, settled_at_ns=timestamp_ns))


def _due(row: SharesRow, amount: Amount) -> list[Amount]:
    """What each share has to have paid; above the whole, EXTEND's part, is the payer's alone."""
    parts = [share.maximum for share in row.shares]
    return split(min(amount, row.whole), parts, row.whole)


def _pay(
    state: State,
    hold: HoldRow,
    cause: Cause,
    index: int,
    amount: Amount,
    grant: GrantId | None = None,
) -> Effect:
    source = hold.payer_account if grant is None else grant_account(grant)
    pay(state, source, hold.payee_account, amount)
    return _effect(hold, cause, index, amount, grant)


def _effect(
    hold: HoldRow, cause: Cause, index: int, amount: Amount, grant: GrantId | None = None
) -> Effect:
    return Effect(
        cause=cause,
        record_index=index,
        debit_account=hold.payer_account if grant is None else grant_account(grant),
        credit_account=hold.payee_account,
        amount=amount,
        origin=hold.hold,
        grant=GrantId(NO_ID) if grant is None else grant,
    )
