"""LIST, GRANT, CLAW_BACK, RELATION, and the sweep of grants.

A grant's money stands in an account of the sponsor with the grant's id, which no other record can
name. It leaves it in two ways: holds of the grantee pin and pay it (`shares`), and what is left
goes back to the pool when the grant ends. Source: docs/semantics.md sections 1 and 3.
"""

from dataclasses import replace

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import (
    NO_ID,
    Amount,
    GrantId,
    HoldId,
    ListId,
    TimestampNs,
    grant_account,
)
from tallystick_ledger.records import (
    ClawBack,
    Grant,
    Group,
    List,
    Relation,
    RelationOperation,
    Scope,
)
from tallystick_ledger.results import Cause, Effect
from tallystick_ledger.spec import amounts
from tallystick_ledger.spec.accounts import (
    check_account_cap,
    check_funds,
    check_movable,
    own_account,
)
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.shares import give_back, settle
from tallystick_ledger.spec.signer import (
    Place,
    check_key_and_scope,
    check_reference,
    check_reference_cap,
    remember_reference,
)
from tallystick_ledger.spec.spending import check_limits, count
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import (
    AccountFlags,
    AccountRow,
    GrantRow,
    GrantStatus,
    ListRow,
    RelationRow,
)

_NEVER = TimestampNs(0)


def list_(state: State, place: Place, record: List) -> list[Effect]:
    """Registers a set of ids.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; ID_CONFLICT; CAP_EXCEEDED, lists of the
            principal.
    """
    check_key_and_scope(state, place, Scope.OWNER)
    list_id = ListId(place.derived_id(state))
    require(list_id not in state.lists, Code.ID_CONFLICT)
    require(state.lists.count(place.principal) < limits.MAX_LISTS, Code.CAP_EXCEEDED)

    state.lists.put(list_id, ListRow(list_id, place.principal, record.ids))
    return []


def grant(state: State, place: Place, record: Grant) -> list[Effect]:
    """Sets money of a pool aside for a principal.

    Returns:
        A GRANT effect of the amount.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; REFERENCE_USED; DEBIT_NOT_FOUND, of the
            pool; PRINCIPAL_NOT_FOUND, of the grantee or the registrar; LIST_NOT_FOUND;
            ID_CONFLICT; ACCOUNT_CLOSED, ACCOUNT_FROZEN, ISSUANCE_ACCOUNT, GRANT_ACCOUNT of the
            pool; UNIT_DEFERRED; EXPIRY_INVALID; DOUBLE_SUBSIDY; CAP_EXCEEDED, grants to the
            grantee, accounts of the sponsor or references; ZONE_HORIZON, LIMIT_EXCEEDED;
            INSUFFICIENT_FUNDS or FUNDS_HELD.
    """
    amount, at_ns = Amount(record.amount), place.timestamp_ns
    check_key_and_scope(state, place, Scope.OWNER)
    check_reference(state, place, Group.SUBSIDY, record.reference, unique=record.unique)
    pool = own_account(state, place.principal, record.pool_account, Code.DEBIT_NOT_FOUND)
    require(record.grantee in state.principals, Code.PRINCIPAL_NOT_FOUND)
    for list_id in (record.providers, record.models, record.regions):
        require(list_id == NO_ID or list_id in state.lists, Code.LIST_NOT_FOUND)
    is_registrar = record.registrar == NO_ID or record.registrar in state.principals
    require(is_registrar, Code.PRINCIPAL_NOT_FOUND)
    grant_id = GrantId(place.derived_id(state))
    is_taken = grant_id in state.grants or grant_account(grant_id) in state.accounts
    require(not is_taken, Code.ID_CONFLICT)
    check_movable(pool)
    require(pool.unit not in state.deferred_units, Code.UNIT_DEFERRED)
    earliest_ns, latest_ns = at_ns + limits.MIN_GRANT_NS, at_ns + limits.MAX_GRANT_NS
    require(earliest_ns <= record.expires_at_ns <= latest_ns, Code.EXPIRY_INVALID)
    live = [row for row in state.grants.members(record.grantee) if row.is_live(at_ns)]
    taken = {row.exclusivity for row in live} - {NO_ID}
    require(record.exclusivity not in taken, Code.DOUBLE_SUBSIDY)
    is_room = state.grants.count(record.grantee) < limits.MAX_LIVE_GRANTS
    require(is_room, Code.CAP_EXCEEDED)
    check_account_cap(state, place.principal)
    check_reference_cap(state, place, unique=record.unique)
    counting = check_limits(state, place, pool, amount)
    check_funds(pool, amount)

    remember_reference(state, place, Group.SUBSIDY, record.reference, unique=record.unique)
    count(state, counting, amount)
    state.put_account(replace(pool, debits_posted=amounts.add(pool.debits_posted, amount)))
    account_id = grant_account(grant_id)
    account = AccountRow(account_id, pool.owner, pool.unit, AccountFlags.GRANT)
    state.put_account(replace(account, credits_posted=amount))
    state.put_grant(
        GrantRow(
            grant=grant_id,
            pool_account=record.pool_account,
            grantee=record.grantee,
            providers=record.providers,
            models=record.models,
            regions=record.regions,
            registrar=record.registrar,
            exclusivity=record.exclusivity,
            amount=amount,
            cap=Amount(record.cap),
            expires_at_ns=record.expires_at_ns,
            created_at_ns=at_ns,
            ended_at_ns=_NEVER,
            settled_at_ns=_NEVER,
            ratio=record.ratio,
            priority=record.priority,
            status=GrantStatus.OPEN,
        )
    )
    return [_funding(place.index, pool, grant_id, amount)]


def claw_back(state: State, place: Place, record: ClawBack) -> list[Effect]:
    """Ends a grant; what holds pin stays pinned, and goes back when they end.

    Returns:
        A CLAW_BACK effect of what went back, also of 0.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; GRANT_NOT_FOUND, also to all but sponsor
            and grantee; NOT_SPONSOR; GRANT_ENDED.
    """
    check_key_and_scope(state, place, Scope.OWNER)
    row = found(state.grants.get(record.grant), Code.GRANT_NOT_FOUND)
    sponsor = state.accounts[row.pool_account].owner
    require(place.principal in (sponsor, row.grantee), Code.GRANT_NOT_FOUND)
    require(place.principal == sponsor, Code.NOT_SPONSOR)
    require(row.is_live(place.timestamp_ns), Code.GRANT_ENDED)

    at_ns, index = place.timestamp_ns, place.index
    return [_end(state, row, GrantStatus.CLAWED_BACK, Cause.CLAW_BACK, at_ns, index)]


def relation(state: State, place: Place, record: Relation) -> list[Effect]:
    """States that two principals are related, or takes it back. What is pinned stays.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; PRINCIPAL_NOT_FOUND; RELATION_NOT_FOUND,
            there is none to end; SELF_DECLARED, the signer is one of the two; RELATION_EXISTS;
            CAP_EXCEEDED, relations of the registrar.
    """
    check_key_and_scope(state, place, Scope.OWNER)
    parties = (record.first, record.second)
    are_there = all(party in state.principals for party in parties)
    require(are_there, Code.PRINCIPAL_NOT_FOUND)
    key = (place.principal, record.first, record.second)
    states = record.operation is RelationOperation.STATE
    require(states or key in state.relations, Code.RELATION_NOT_FOUND)
    require(place.principal not in parties, Code.SELF_DECLARED)
    if not states:
        state.relations.remove(key)
        return []
    require(key not in state.relations, Code.RELATION_EXISTS)
    stated = state.relations.count(place.principal)
    require(stated < state.genesis.caps.references, Code.CAP_EXCEEDED)

    state.relations.put(key, RelationRow(*key, place.timestamp_ns))
    return []


def sweep(state: State, timestamp_ns: TimestampNs, index: int, limit: int) -> list[Effect]:
    """Ends the grants that are due, in the order of (expires_at_ns, id).

    Args:
        state: Changed in place.
        timestamp_ns: Time of the record before which the sweep runs: due is what expires by then.
        index: The record's index in its envelope.
        limit: How many grants may still be swept in this block.

    Returns:
        One GRANT_RETURN effect a grant, also of 0.
    """
    effects: list[Effect] = []
    while len(effects) < limit:
        row = state.next_grant_to_expire()
        if row is None or row.expires_at_ns > timestamp_ns:
            break
        ended = GrantStatus.EXPIRED, Cause.GRANT_RETURN
        effects.append(_end(state, row, *ended, timestamp_ns, index))
    return effects


def _end(
    state: State,
    row: GrantRow,
    status: GrantStatus,
    cause: Cause,
    timestamp_ns: TimestampNs,
    index: int,
) -> Effect:
    """Ends a grant and gives back what no hold pins."""
    state.put_grant(replace(row, status=status, ended_at_ns=timestamp_ns))
    available = Amount(state.accounts[grant_account(row.grant)].available)
    effect = give_back(state, row, available, cause, index)
    settle(state, row.grant, timestamp_ns)
    return effect


def _funding(index: int, pool: AccountRow, grant_id: GrantId, amount: Amount) -> Effect:
    return Effect(
        cause=Cause.GRANT,
        record_index=index,
        debit_account=pool.account,
        credit_account=grant_account(grant_id),
        amount=amount,
        origin=HoldId(NO_ID),
        grant=grant_id,
    )
