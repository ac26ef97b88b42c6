"""LIMIT bounds what is spent, ZONE says when days and months end.

Source: docs/semantics.md section 3.
"""

from dataclasses import replace

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import (
    NO_ID,
    AccountId,
    Amount,
    PublicKey,
    TimestampNs,
)
from tallystick_ledger.limits import ID_BYTES, MAX_LIMITS, MAX_ZONES
from tallystick_ledger.records import Limit, LimitOperation, LimitTarget, Scope, Zone
from tallystick_ledger.results import Effect
from tallystick_ledger.spec.accounts import own_account
from tallystick_ledger.spec.delegation import check_above_or_owner, is_spend, own_spend_key
from tallystick_ledger.spec.lines import line_of
from tallystick_ledger.spec.refusal import found, require
from tallystick_ledger.spec.signer import Place, check_key_and_scope
from tallystick_ledger.spec.spending import current_window, end_of_window
from tallystick_ledger.spec.state import State
from tallystick_ledger.state_rows import LimitRow, ZoneRow
from tallystick_ledger.state_rows.limit import limit_key
from tallystick_ledger.zones import zone_id


def limit(state: State, place: Place, record: Limit) -> list[Effect]:
    """Sets a limit, changes its amount or its zone, or ends it.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; UNIT_NOT_FOUND; of the target
            KEY_NOT_FOUND and SCOPE_DENIED, ACCOUNT_NOT_FOUND, PRINCIPAL_MISMATCH, CREDIT_NOT_FOUND;
            ZONE_NOT_FOUND; UNIT_MISMATCH; LIMIT_WIDENED; ZONE_HORIZON; CAP_EXCEEDED.
    """
    of_key = record.target is LimitTarget.KEY
    check_key_and_scope(state, place, Scope.OWNER, *((Scope.SPEND,) if of_key else ()))
    require(record.unit in state.units, Code.UNIT_NOT_FOUND)
    subject = _subject(state, place, record)
    require(record.zone == NO_ID or record.zone in state.zones, Code.ZONE_NOT_FOUND)
    if record.target in (LimitTarget.ACCOUNT, LimitTarget.PAYEE):
        account = state.accounts[AccountId(record.subject[:ID_BYTES])]
        require(account.unit == record.unit, Code.UNIT_MISMATCH)
    key = limit_key(record.target, record.window, subject, record.unit)
    old = state.limits.get(key)
    if old is not None and is_spend(state, place):
        narrows = record.amount <= old.amount and record.zone == old.zone
        is_set = record.operation is LimitOperation.SET
        require(is_set and narrows, Code.LIMIT_WIDENED)
    if record.operation is LimitOperation.END:
        if old is not None:
            state.limits.remove(key)
        return []
    row = _row(state, place, record, subject, old)
    if old is None:
        require(state.limits.count(place.principal) < MAX_LIMITS, Code.CAP_EXCEEDED)

    state.limits.put(key, row)
    return []


def zone(state: State, place: Place, record: Zone) -> list[Effect]:
    """Publishes the table of a zone, or replaces it. Windows that have begun keep their end.

    Raises:
        Refused: KEY_REVOKED, KEY_EXPIRED, SCOPE_DENIED; ZONE_STATE; CAP_EXCEEDED.
    """
    check_key_and_scope(state, place, Scope.OPERATE)
    zone_key = zone_id(state.ledger_id, record.name)
    old = state.zones.get(zone_key)
    version = 1 if old is None else old.version + 1
    require(record.version == version, Code.ZONE_STATE)
    if old is None:
        require(len(state.zones) < MAX_ZONES, Code.CAP_EXCEEDED)

    state.zones.put(zone_key, ZoneRow(zone_key, record.name, record.version, record.table))
    return []


def _subject(state: State, place: Place, record: Limit) -> bytes:
    """Returns what the limit's row names: a key stands for its line, by the first key of it.

    Raises:
        Refused: KEY_NOT_FOUND, SCOPE_DENIED, ACCOUNT_NOT_FOUND, PRINCIPAL_MISMATCH or
            CREDIT_NOT_FOUND.
    """
    if record.target is LimitTarget.KEY:
        key = PublicKey(record.subject)
        own_spend_key(state, place, key)
        check_above_or_owner(state, place, key)
        return line_of(state, key)
    first, second = record.subject[:ID_BYTES], record.subject[ID_BYTES:]
    if record.target is LimitTarget.PRINCIPAL:
        require(first == place.principal, Code.PRINCIPAL_MISMATCH)
        return record.subject
    own_account(state, place.principal, AccountId(first), Code.ACCOUNT_NOT_FOUND)
    if record.target is LimitTarget.PAYEE:
        found(state.accounts.get(AccountId(second)), Code.CREDIT_NOT_FOUND)
    return record.subject


def _row(
    state: State, place: Place, record: Limit, subject: bytes, old: LimitRow | None
) -> LimitRow:
    """Returns the limit's row: a new one counts from now on, an old one keeps its window.

    Raises:
        Refused: ZONE_HORIZON.
    """
    now_ns = TimestampNs(place.timestamp_ns)
    amount = Amount(record.amount)
    if old is not None:
        changed = replace(old, amount=amount, zone=record.zone)
        return current_window(state, changed, now_ns)
    return LimitRow(
        target=record.target,
        window=record.window,
        subject=subject,
        unit=record.unit,
        zone=record.zone,
        amount=amount,
        used=Amount(0),
        since_ns=now_ns,
        ends_at_ns=end_of_window(state, record.window, record.zone, now_ns),
    )
