"""PRINCIPAL, KEY, NAME and ACCOUNT: who there is, who may sign, and what they own.

Source: docs/semantics.md section 3.
"""

import hashlib
from dataclasses import replace
from typing import Final

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, NameId, SequenceNumber, TimestampNs
from tallystick_ledger.records import (
    Account,
    AccountOperation,
    Key,
    KeyOperation,
    Name,
    Principal,
    Scope,
)
from tallystick_ledger.results import Effect
from tallystick_ledger.spec import debts
from tallystick_ledger.spec.accounts import check_account_cap, check_ordinary, own_account
from tallystick_ledger.spec.lines import is_in_time, join
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.signer import Place, check_key_and_scope
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import (
    AccountFlags,
    AccountRow,
    KeyRow,
    KeyStatus,
    NameRow,
    PrincipalRow,
)

_NEVER = TimestampNs(0)
_NOT_REVOKED = SequenceNumber(0)
# Keys that may revoke themselves; those of the genesis are there for good.
_OWN_KEY_SCOPES: Final = frozenset(Scope) - {Scope.NODE, Scope.OPERATE}
# And replace themselves: of a stolen RECOVERY key no second one may be made.
_ROTATING_SCOPES: Final = _OWN_KEY_SCOPES - {Scope.RECOVERY}


def principal(state: State, place: Place, record: Principal) -> list[Effect]:
    """Registers a principal with its first OWNER key.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; PRINCIPAL_MISMATCH, KEY_EXISTS,
            ID_CONFLICT.
    """
    check_key_and_scope(state, place, Scope.OPERATE)
    require(record.principal == place.derived_id(state), Code.PRINCIPAL_MISMATCH)
    require(not state.knows_key(record.key), Code.KEY_EXISTS)
    require(record.principal not in state.principals, Code.ID_CONFLICT)

    state.principals.put(
        record.principal,
        PrincipalRow(
            principal=record.principal,
            principal_type=record.principal_type,
            registered_at=place.sequence_number,
        ),
    )
    state.keys.put(
        record.key,
        KeyRow(
            key=record.key,
            principal=record.principal,
            scope=Scope.OWNER,
            status=KeyStatus.ACTIVE,
            registered_at=place.sequence_number,
            until_ns=_NEVER,
            revoked_at=_NOT_REVOKED,
        ),
    )
    return []


def key(state: State, place: Place, record: Key) -> list[Effect]:
    """Adds, revokes or rotates a key: see the function of each operation."""
    operation = {
        KeyOperation.ADD: key_add,
        KeyOperation.REVOKE: key_revoke,
        KeyOperation.ROTATE: key_rotate,
    }[record.operation]
    operation(state, place, record)
    return []


def key_add(state: State, place: Place, record: Key) -> None:
    """Adds a key to the signer's principal.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; PRINCIPAL_MISMATCH, KEY_EXISTS;
            EXPIRY_INVALID, its time is over already; CAP_EXCEEDED.
    """
    adder = Scope.OPERATE if record.scope is Scope.AUDIT else Scope.OWNER
    check_key_and_scope(state, place, adder)
    require(record.principal == place.principal, Code.PRINCIPAL_MISMATCH)
    require(not state.knows_key(record.key), Code.KEY_EXISTS)
    in_time = record.until_ns == 0 or record.until_ns > place.timestamp_ns
    require(in_time, Code.EXPIRY_INVALID)
    require(state.key_count(place.principal) < state.genesis.caps.keys, Code.CAP_EXCEEDED)

    scope = Scope.OWNER if record.scope is None else record.scope
    _register_key(state, place, record, scope, record.until_ns)


def key_revoke(state: State, place: Place, record: Key) -> None:
    """Revokes a key, from the next record on.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; PRINCIPAL_MISMATCH, KEY_NOT_FOUND,
            SCOPE_DENIED (see below); KEY_STATE; RECOVERY_PENDING, what the key began is ended by
            VETO alone; LAST_OWNER_KEY.
    """
    if record.key == place.signing_key:
        check_key_and_scope(state, place, *_OWN_KEY_SCOPES)
    else:
        check_key_and_scope(state, place, Scope.OWNER, Scope.OPERATE)
    require(record.principal == place.principal, Code.PRINCIPAL_MISMATCH)
    revoked = found(state.keys.get(record.key), Code.KEY_NOT_FOUND)
    require(revoked.principal == place.principal, Code.KEY_NOT_FOUND)
    # Cannot fail: an operator's principal has AUDIT keys only beside the one of the genesis.
    by_operator = state.keys[place.signing_key].scope is Scope.OPERATE
    require(not by_operator or revoked.scope is Scope.AUDIT, Code.SCOPE_DENIED)
    require(revoked.status is KeyStatus.ACTIVE, Code.KEY_STATE)
    pending = state.recoveries.get(place.principal)
    began_pending = pending is not None and pending.recovery_key == revoked.key
    require(not began_pending, Code.RECOVERY_PENDING)
    owner_keys_left = any(
        other.scope is Scope.OWNER
        and other.status is KeyStatus.ACTIVE
        and is_in_time(other, place.timestamp_ns)
        for other in state.keys.members(place.principal)
        if other.key != revoked.key
    )
    require(owner_keys_left or revoked.scope is not Scope.OWNER, Code.LAST_OWNER_KEY)

    _revoke_key(state, place, revoked)


def key_rotate(state: State, place: Place, record: Key) -> None:
    """Replaces the signing key by a new one of the same scope, at once or after an overlap.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; PRINCIPAL_MISMATCH, KEY_EXISTS;
            EXPIRY_INVALID, the overlap ends in the past; CAP_EXCEEDED.
    """
    check_key_and_scope(state, place, *_ROTATING_SCOPES)
    require(record.principal == place.principal, Code.PRINCIPAL_MISMATCH)
    require(not state.knows_key(record.key), Code.KEY_EXISTS)
    in_time = record.until_ns == 0 or record.until_ns >= place.timestamp_ns
    require(in_time, Code.EXPIRY_INVALID)
    require(state.key_count(place.principal) < state.genesis.caps.keys, Code.CAP_EXCEEDED)

    old = state.keys[place.signing_key]
    _register_key(state, place, record, old.scope, _NEVER)
    if old.scope is Scope.SPEND:
        join(state, record.key, old.key)
    if record.until_ns == 0:
        _revoke_key(state, place, old)
    else:
        ends = [until for until in (record.until_ns, old.until_ns) if until != 0]
        state.keys.put(old.key, replace(old, until_ns=min(ends)))


def name(state: State, place: Place, record: Name) -> list[Effect]:
    """Registers a name; its text stays in the log, the state keeps the text's hash.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; NAME_EXISTS, ID_CONFLICT; CAP_EXCEEDED.
    """
    check_key_and_scope(state, place, Scope.OWNER)
    raw = record.text.encode()
    row = NameRow(
        name=NameId(place.derived_id(state)),
        owner=place.principal,
        name_kind=record.name_kind,
        length=len(raw),
        text_hash=hashlib.sha256(raw).digest(),
    )
    alias = (row.owner, row.name_kind, row.text_hash)
    require(state.names.find(alias) is None, Code.NAME_EXISTS)
    require(row.name not in state.names, Code.ID_CONFLICT)
    require(state.names.count(place.principal) < state.genesis.caps.names, Code.CAP_EXCEEDED)

    state.names.put(row.name, row)
    return []


def account(state: State, place: Place, record: Account) -> list[Effect]:
    """Opens an account of the signer's principal, or freezes, unfreezes or closes one.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; then for OPEN what `account_open` lists,
            for the others ACCOUNT_NOT_FOUND; ISSUANCE_ACCOUNT, GRANT_ACCOUNT, ACCOUNT_CLOSED; what
            `account_freeze`, `account_unfreeze` or `account_close` lists.
    """
    check_key_and_scope(state, place, Scope.OWNER)
    if record.operation is AccountOperation.OPEN:
        account_open(state, place, record)
        return []
    row = own_account(state, place.principal, record.account, Code.ACCOUNT_NOT_FOUND)
    check_ordinary(row)
    require(not row.flags & AccountFlags.CLOSED, Code.ACCOUNT_CLOSED)
    operation = {
        AccountOperation.FREEZE: account_freeze,
        AccountOperation.UNFREEZE: account_unfreeze,
        AccountOperation.CLOSE: account_close,
    }[record.operation]
    changed = operation(row)
    if record.operation is AccountOperation.CLOSE:
        require(not debts.has_open_claim(state, row), Code.ACCOUNT_NOT_EMPTY)
        _check_nothing_returns(state, row.account)
        if row.account in state.members:
            state.members.remove(row.account)
    state.put_account(changed)
    return []


def _check_nothing_returns(state: State, account_id: AccountId) -> None:
    """Checks that neither a grant nor a window can bring the account anything any more.

    Raises:
        Refused: ACCOUNT_NOT_EMPTY.
    """
    is_pool = any(grant.pool_account == account_id for grant in state.grants)
    require(not is_pool, Code.ACCOUNT_NOT_EMPTY)
    is_netted = account_id in state.members and state.owes_or_is_owed(account_id)
    require(not is_netted, Code.ACCOUNT_NOT_EMPTY)


def account_open(state: State, place: Place, record: Account) -> None:
    """Opens an account.

    Raises:
        Refused: UNIT_NOT_FOUND, ID_CONFLICT; CAP_EXCEEDED, accounts of the principal.
    """
    account_id = AccountId(place.derived_id(state))
    require(record.unit in state.units, Code.UNIT_NOT_FOUND)
    require(account_id not in state.accounts, Code.ID_CONFLICT)
    check_account_cap(state, place.principal)

    is_deferred = record.unit in state.deferred_units
    flags = AccountFlags.DEFERRED if is_deferred else AccountFlags.NONE
    state.put_account(AccountRow(account_id, place.principal, record.unit, flags))


def account_freeze(row: AccountRow) -> AccountRow:
    """Stops TRANSFER and RESERVE on both sides, and all credits.

    Raises:
        Refused: ACCOUNT_STATE, it is frozen.
    """
    require(not row.flags & AccountFlags.FROZEN, Code.ACCOUNT_STATE)
    return replace(row, flags=row.flags | AccountFlags.FROZEN)


def account_unfreeze(row: AccountRow) -> AccountRow:
    """Undoes a freeze.

    Raises:
        Refused: ACCOUNT_STATE, it is not frozen.
    """
    require(bool(row.flags & AccountFlags.FROZEN), Code.ACCOUNT_STATE)
    return replace(row, flags=row.flags & ~AccountFlags.FROZEN)


def account_close(row: AccountRow) -> AccountRow:
    """Closes an empty account for good; a freeze stays.

    Raises:
        Refused: ACCOUNT_NOT_EMPTY, something is pending or the balance is not zero.
    """
    empty = (
        row.debits_pending == 0
        and row.credits_pending == 0
        and row.credits_posted == row.debits_posted
    )
    require(empty, Code.ACCOUNT_NOT_EMPTY)
    return replace(row, flags=row.flags | AccountFlags.CLOSED)


def _register_key(
    state: State, place: Place, record: Key, scope: Scope, until_ns: TimestampNs
) -> None:
    row = KeyRow(
        key=record.key,
        principal=place.principal,
        scope=scope,
        status=KeyStatus.ACTIVE,
        registered_at=place.sequence_number,
        until_ns=until_ns,
        revoked_at=_NOT_REVOKED,
    )
    state.keys.put(row.key, row)


def _revoke_key(state: State, place: Place, row: KeyRow) -> None:
    revoked = replace(row, status=KeyStatus.REVOKED, revoked_at=place.sequence_number)
    state.keys.put(row.key, revoked)
