"""The rules of reading, on state rows alone."""

import pytest

from tallystick_ledger.ids import (
    AccountId,
    Amount,
    PrincipalId,
    PublicKey,
    SequenceNumber,
    TimestampNs,
    UnitId,
)
from tallystick_ledger.records import Scope
from tallystick_ledger.state_rows import AccountFlags, AccountRow
from tallystick_ledger.state_rows.registry import KeyRow, KeyStatus
from tallystick_node import access
from tallystick_node.access import Reader
from tallystick_node.errors import DeniedError, UnauthenticatedError

KEY = PublicKey(b"\x11" * 32)
ALICE, BOB, CAROL = (PrincipalId(bytes([each]) * 16) for each in (1, 2, 3))
SEE_ACCOUNTS = {Scope.OWNER, Scope.SPEND, Scope.METER, Scope.READ, Scope.AUDIT}
SEE_ENVELOPES = SEE_ACCOUNTS | {Scope.OPERATE, Scope.NODE}


def account(number: int, owner: PrincipalId) -> bytes:
    return AccountRow(
        AccountId(bytes([number]) * 16),
        owner,
        UnitId(b"\x99" * 16),
        AccountFlags(0),
        *(Amount(each) for each in range(5)),
    ).encode()


OF_ALICE, OF_BOB, OF_CAROL = (account(10 + each[0], each) for each in (ALICE, BOB, CAROL))
NONE = bytes(len(OF_ALICE))


def key_row(
    scope: Scope = Scope.READ, *, revoked: bool = False, until_ns: int = 0, owner: bytes = ALICE
) -> bytes:
    return KeyRow(
        KEY,
        PrincipalId(owner),
        scope,
        KeyStatus.REVOKED if revoked else KeyStatus.ACTIVE,
        SequenceNumber(5),
        TimestampNs(until_ns),
        SequenceNumber(9 if revoked else 0),
    ).encode()


@pytest.mark.parametrize("scope", list(Scope))
def test_a_reader_is_what_the_key_row_says(scope: Scope) -> None:
    assert access.reader_of(KEY, key_row(scope), 10) == Reader(ALICE, scope)


def test_a_key_that_is_not_there_revoked_or_over_is_nobody() -> None:
    with pytest.raises(UnauthenticatedError, match="not registered"):
        access.reader_of(KEY, None, 10)
    with pytest.raises(UnauthenticatedError, match="revoked"):
        access.reader_of(KEY, key_row(revoked=True), 10)
    with pytest.raises(UnauthenticatedError, match=r"time of the key .* is over"):
        access.reader_of(KEY, key_row(until_ns=10), 10)
    assert access.reader_of(KEY, key_row(until_ns=11), 10).principal == ALICE


@pytest.mark.parametrize("scope", list(Scope))
def test_scopes_that_read_no_accounts_are_told_so(scope: Scope) -> None:
    reader = Reader(ALICE, scope)
    if scope in SEE_ACCOUNTS:
        access.require_account_reader(reader)
    else:
        with pytest.raises(DeniedError, match=f"scope {scope.name} reads no accounts"):
            access.require_account_reader(reader)


@pytest.mark.parametrize("scope", list(Scope))
def test_envelopes_are_asked_for_by_their_principal(scope: Scope) -> None:
    reader = Reader(ALICE, scope)
    if scope not in SEE_ENVELOPES:
        with pytest.raises(DeniedError, match=f"scope {scope.name} reads no envelopes"):
            access.require_envelope_reader(reader, ALICE)
        return
    access.require_envelope_reader(reader, ALICE)
    access.require_envelope_reader(reader, None)
    if scope is Scope.AUDIT:
        access.require_envelope_reader(reader, BOB)
    else:
        with pytest.raises(DeniedError, match=f"this key belongs to {ALICE.hex()}"):
            access.require_envelope_reader(reader, BOB)


def test_a_scope_without_a_name_is_written_as_a_number() -> None:
    with pytest.raises(DeniedError, match="scope 77 "):
        access.require_account_reader(Reader(ALICE, 77))


@pytest.mark.parametrize("scope", sorted(SEE_ACCOUNTS))
def test_foreign_accounts_are_blank(scope: Scope) -> None:
    rows = OF_ALICE + NONE + OF_BOB + OF_ALICE
    seen = access.visible_accounts(Reader(ALICE, scope), rows)
    assert seen == (rows if scope is Scope.AUDIT else OF_ALICE + NONE + NONE + OF_ALICE)


def test_an_account_is_for_its_owner_and_auditors() -> None:
    for scope in SEE_ACCOUNTS - {Scope.AUDIT}:
        assert access.may_read_account(Reader(ALICE, scope), OF_ALICE)
        assert not access.may_read_account(Reader(BOB, scope), OF_ALICE)
    assert access.may_read_account(Reader(BOB, Scope.AUDIT), OF_ALICE)


@pytest.mark.parametrize("principal", [ALICE, bytes(16)])
@pytest.mark.parametrize("scope", sorted(SEE_ACCOUNTS))
def test_no_account_is_nobodys(scope: Scope, principal: bytes) -> None:
    assert not access.may_read_account(Reader(PrincipalId(principal), scope), NONE)


def hold(number: int, payer: bytes, payee: bytes) -> bytes:
    """What matters of a row: the ids in front."""
    return bytes([number]) * 16 + payer[:16] + payee[:16] + b"\xee" * 56


def test_a_hold_is_for_both_sides_and_nobody_else() -> None:
    rows = [hold(1, OF_ALICE, OF_BOB), hold(2, OF_BOB, OF_CAROL), hold(3, OF_CAROL, OF_ALICE)]
    blank = bytes(len(rows[0]))
    rows.append(blank)
    joined = b"".join(rows)
    named = access.accounts_of_holds(joined, len(rows))
    parts = [OF_ALICE, OF_BOB, OF_BOB, OF_CAROL, OF_CAROL, OF_ALICE]
    assert named == b"".join(row[:16] for row in parts) + bytes(32)
    accounts = b"".join(parts) + NONE * 2

    def seen(reader: Reader) -> bytes:
        return access.visible_holds(reader, joined, len(rows), accounts)

    assert seen(Reader(ALICE, Scope.METER)) == rows[0] + blank + rows[2] + blank
    assert seen(Reader(BOB, Scope.READ)) == rows[0] + rows[1] + blank * 2
    assert seen(Reader(PrincipalId(b"\x44" * 16), Scope.OWNER)) == blank * 4
    assert seen(Reader(PrincipalId(b"\x44" * 16), Scope.AUDIT)) == joined


def test_an_envelope_without_a_principal_is_for_auditors_alone() -> None:
    assert not access.may_read_envelope(Reader(ALICE, Scope.OWNER), None)
    assert access.may_read_envelope(Reader(ALICE, Scope.AUDIT), None)
