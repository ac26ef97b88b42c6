"""State rows, results, effects and leaves: read as written, and nothing else is read."""

import hashlib
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick_ledger import results, state_rows
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import RowError
from tallystick_ledger.ids import (
    AccountId,
    Amount,
    CardId,
    ChannelId,
    ClaimId,
    EnvelopeId,
    GrantId,
    HoldId,
    LedgerId,
    LineId,
    ListId,
    MandateId,
    NameId,
    PrincipalId,
    PublicKey,
    QuoteId,
    SequenceNumber,
    TimestampNs,
    UnitId,
    ZoneId,
)
from tallystick_ledger.pricing import Window
from tallystick_ledger.records import (
    CorrectionReason,
    Flags,
    Group,
    LimitTarget,
    LimitWindow,
    NameKind,
    Overrun,
    PrincipalType,
    QuoteLine,
    Scope,
)
from tallystick_ledger.results import Cause, Effect, Result
from tallystick_ledger.state_rows import (
    AccountFlags,
    ChannelStatus,
    DisputeStatus,
    HoldStatus,
    KeyStatus,
    MemberStatus,
    Row,
    WindowStatus,
)
from tallystick_ledger.zones import ZoneTable

P: Final = PrincipalId(b"p" * 16)
ACCOUNT: Final = state_rows.AccountRow(
    AccountId(b"a" * 16),
    P,
    UnitId(b"u" * 16),
    AccountFlags.FROZEN | AccountFlags.CLOSED,
    Amount(1),
    Amount(2),
    Amount(3),
    Amount(4),
    Amount(2**128 - 1),
)
HOLD: Final = state_rows.HoldRow(
    HoldId(b"h" * 16),
    AccountId(b"a" * 16),
    AccountId(b"b" * 16),
    Amount(9),
    Amount(4),
    TimestampNs(77),
    HoldStatus.RELEASED,
    TimestampNs(66),
    TimestampNs(55),
)
CHANNEL: Final = state_rows.ChannelRow(
    ChannelId(b"c" * 16),
    AccountId(b"a" * 16),
    AccountId(b"b" * 16),
    PublicKey(b"k" * 32),
    Amount(9),
    Amount(4),
    Amount(2**128 - 1),
    10**9,
    TimestampNs(77),
    ChannelStatus.CLOSING,
    TimestampNs(0),
)
LINE: Final = state_rows.PriceLineRow(
    LineId(b"l" * 16),
    CardId(b"c" * 16),
    3,
    NameId(b"m" * 16),
    NameId(b"n" * 16),
    NameId(b"t" * 16),
    NameId(b"r" * 16),
    NameId(b"s" * 16),
    2**128 - 1,
    b"h" * 32,
    2**64 - 1,
    Flags.SAME_AS,
    Window(60, 30, 3),
)
CARD: Final = state_rows.CardRow(
    CardId(b"c" * 16),
    P,
    UnitId(b"u" * 16),
    b"r" * 32,
    CardId(b"o" * 16),
    TimestampNs(4),
    TimestampNs(1),
    TimestampNs(2),
    TimestampNs(9),
    4_096,
    state_rows.CardStatus.PUBLISHED,
    (NameId(b"m" * 16), NameId(b"n" * 16)),
)
TERMS: Final = state_rows.TermsRow(
    HoldId(b"h" * 16),
    CardId(b"c" * 16),
    NameId(b"m" * 16),
    (NameId(b"s" * 16), NameId(b"t" * 16)),
    (),
    b"e" * 16,
    Overrun.DEBT,
    Amount(9),
    Amount(8),
)
CLAIM: Final = state_rows.ClaimRow(
    ClaimId(b"h" * 16),
    AccountId(b"a" * 16),
    AccountId(b"b" * 16),
    Amount(9),
    Amount(4),
    Amount(3),
    TimestampNs(77),
    TimestampNs(0),
    state_rows.ClaimStatus.OPEN,
)
CORRECTION: Final = state_rows.CorrectionRow(
    SequenceNumber(2**40),
    TimestampNs(7),
    AccountId(b"a" * 16),
    AccountId(b"b" * 16),
    Amount(9),
    Amount(4),
)
DISPUTE: Final = state_rows.DisputeRow(
    SequenceNumber(2**40),
    TimestampNs(7),
    AccountId(b"a" * 16),
    AccountId(b"b" * 16),
    Amount(9),
    Amount(4),
    Amount(3),
    TimestampNs(88),
    TimestampNs(77),
    TimestampNs(78),
    CorrectionReason.PRICE,
    DisputeStatus.ACCEPTED,
    rolled=True,
)
QUOTE: Final = state_rows.QuoteRow(
    QuoteId(b"q" * 16),
    P,
    PrincipalId(b"r" * 16),
    UnitId(b"u" * 16),
    Amount(2**128 - 1),
    Amount(4),
    TimestampNs(88),
    (
        QuoteLine(NameId(b"m" * 16), NameId(b"m" * 16), 2**128 - 1),
        QuoteLine(NameId(b"m" * 16), NameId(b"n" * 16), 5, NameId(b"t" * 16)),
    ),
)
MANDATE: Final = state_rows.MandateRow(
    MandateId(b"d" * 16),
    AccountId(b"a" * 16),
    P,
    CardId(b"c" * 16),
    Amount(2**128 - 1),
    Amount(9),
    Amount(4),
    TimestampNs(88),
    TimestampNs(77),
    TimestampNs(78),
)
GRANT: Final = state_rows.GrantRow(
    GrantId(b"g" * 16),
    AccountId(b"a" * 16),
    P,
    ListId(b"1" * 16),
    ListId(b"2" * 16),
    ListId(b"3" * 16),
    P,
    b"x" * 16,
    Amount(9),
    Amount(2**128 - 1),
    TimestampNs(77),
    TimestampNs(55),
    TimestampNs(66),
    TimestampNs(67),
    1_000_000,
    65_535,
    state_rows.GrantStatus.CLAWED_BACK,
)
SHARES: Final = state_rows.SharesRow(
    HoldId(b"h" * 16),
    Amount(9),
    (state_rows.Share(GrantId(b"g" * 16), Amount(4), Amount(2)),),
)
LIST: Final = state_rows.ListRow(ListId(b"l" * 16), P, (b"a" * 16, b"b" * 16))
RELATION: Final = state_rows.RelationRow(
    P, PrincipalId(b"a" * 16), PrincipalId(b"b" * 16), TimestampNs(7)
)
KEY: Final = PublicKey(b"k" * 32)
LIMIT: Final = state_rows.LimitRow(
    LimitTarget.KEY,
    LimitWindow.MONTH,
    KEY,
    UnitId(b"u" * 16),
    ZoneId(b"z" * 16),
    Amount(2**128 - 1),
    Amount(9),
    TimestampNs(8),
    TimestampNs(77),
)
ZONE: Final = state_rows.ZoneRow(
    ZoneId(b"z" * 16),
    "Etc/GMT+5",
    3,
    ZoneTable(
        TimestampNs(1),
        TimestampNs(99),
        -18_000,
        ((TimestampNs(2), 86_400), (TimestampNs(3), -86_400)),
    ),
)
# Each row with the length of its content by format.md section 10, and offsets that must be zero.
ROWS: Final[list[tuple[Row, int, list[int]]]] = [
    (state_rows.LedgerRow(SequenceNumber(5), TimestampNs(6)), 16, []),
    (state_rows.PrincipalRow(P, PrincipalType.NODE, SequenceNumber(5)), 32, [18, 23]),
    (
        state_rows.KeyRow(
            PublicKey(b"k" * 32),
            P,
            Scope.METER,
            KeyStatus.REVOKED,
            SequenceNumber(1),
            TimestampNs(2),
            SequenceNumber(3),
        ),
        80,
        [52, 55],
    ),
    (
        state_rows.NameRow.of_text(NameId(b"n" * 16), P, NameKind.TIER, "näme"),
        72,
        [36, 39],
    ),
    (state_rows.UnitRow(UnitId(b"u" * 16), P, "USD", 9), 56, [49, 55]),
    (ACCOUNT, 136, [50, 55]),
    (HOLD, 112, [92, 95]),
    (
        state_rows.LiveIdRow(
            SequenceNumber(2**40), P, EnvelopeId(b"e" * 16), b"d" * 32, TimestampNs(7), 8190
        ),
        88,
        [84, 87],
    ),
    (
        state_rows.ReferenceRow(SequenceNumber(9), P, Group.METERING, 2**128 - 1, TimestampNs(8)),
        56,
        [26, 31],
    ),
    (CHANNEL, 160, [146, 151]),
    (CARD, 392, [136 + 32, 391]),
    (LINE, 184, [179, 183]),
    (QUOTE, 1392, [106, 111, 112 + 160, 1391]),
    (
        state_rows.ExchangeRow(
            QuoteId(b"q" * 16), P, Amount(2**128 - 1), Amount(4), TimestampNs(2**64 - 1)
        ),
        72,
        [],
    ),
    (TERMS, 232, [194, 199]),
    (CORRECTION, 80, []),
    (DISPUTE, 128, [126, 127]),
    (MANDATE, 136, []),
    (GRANT, 200, []),
    (SHARES, 232, [34, 39, 88, 231]),
    (LIST, 72, [34, 39]),
    (RELATION, 56, []),
    (LIMIT, 120, [4, 7]),
    (state_rows.LineRow(KEY, PublicKey(b"l" * 32), PublicKey(b"p" * 32)), 96, []),
    (
        state_rows.MarkRow(b"h" * 16, LIMIT.limit_key, TimestampNs(7), Amount(2**128 - 1)),
        96,
        [],
    ),
    (ZONE, 848, [74, 79, 80 + 24, 847]),
    (
        state_rows.DeferredUnitRow(
            UnitId(b"u" * 16), UnitId(b"s" * 16), 2**40, SequenceNumber(2**41)
        ),
        48,
        [],
    ),
    (
        state_rows.MemberRow(
            AccountId(b"a" * 16), AccountId(b"b" * 16), Amount(2**80), MemberStatus.FAILED
        ),
        56,
        [50, 55],
    ),
    (
        state_rows.WindowRow(
            UnitId(b"u" * 16),
            2**40,
            WindowStatus.SETTLED,
            TimestampNs(7),
            TimestampNs(8),
            Amount(2**128 - 1),
            Amount(9),
        ),
        80,
        [26, 31],
    ),
    (
        state_rows.PairRow(
            UnitId(b"u" * 16), 2**40, AccountId(b"a" * 16), AccountId(b"b" * 16), Amount(9)
        ),
        72,
        [],
    ),
    (CLAIM, 120, [114, 119]),
    (
        state_rows.RecoveryRow(
            PrincipalId(b"p" * 16),
            PublicKey(b"n" * 32),
            KEY,
            SequenceNumber(2**41),
            TimestampNs(2**63),
        ),
        96,
        [],
    ),
]


def test_every_table_has_a_sample() -> None:
    assert {row.TABLE for row, _, _ in ROWS} == set(state_rows.Table)


@pytest.mark.parametrize(("row", "length", "zeros"), ROWS)
def test_rows(row: Row, length: int, zeros: list[int]) -> None:
    data = row.encode()
    assert len(data) == length
    assert type(row).decode(data) == row
    assert state_rows.ROW_TYPES[row.TABLE] is type(row)
    prefix = row.TABLE.to_bytes(2, "little") + b"\0\0" + length.to_bytes(4, "little")
    assert state_rows.framed(row) == prefix + data
    for wrong in (data[:-1], data + b"\0"):
        with pytest.raises(RowError):
            type(row).decode(wrong)
    for offset in zeros:
        with pytest.raises(RowError):
            type(row).decode(data[:offset] + b"\1" + data[offset + 1 :])


@pytest.mark.parametrize(
    ("row", "offset", "value"),
    [
        (ROWS[1][0], 16, b"\4"),  # a type of principal
        (ROWS[2][0], 48, b"\x0b"),  # a scope
        (ROWS[2][0], 50, b"\3"),  # a status of a key
        (ROWS[3][0], 32, b"\x08"),  # a kind of name
        (ROWS[4][0], 32, b"usd"),  # a symbol
        (ROWS[5][0], 48, b"\x20"),  # flags
        (ROWS[6][0], 88, b"\5"),  # a status of a hold
        (ROWS[8][0], 24, b"\x0c"),  # a group
        (ROWS[9][0], 144, b"\4"),  # a status of a channel
        (HOLD, 90, b"\3"),  # a mode of a hold
        (CARD, 132, b"\3"),  # a status of a card
        (CARD, 134, b"\1"),  # fewer meters than there are
        (TERMS, 192, b"\4"),  # an overrun policy
        (CLAIM, 112, b"\4"),  # a status of a claim
        (TERMS, 48, bytes(16)),  # a tier behind a gap
        (GRANT, 198, b"\4"),  # a status of a grant
        (SHARES, 32, b"\0"),  # no shares
        (SHARES, 32, b"\5"),  # more than there may be
        (LIST, 32, b"\3"),  # more ids than there are
        (LIST, 40, b"c" * 16),  # not ascending
        (LIMIT, 0, b"\5"),  # a target
        (LIMIT, 2, b"\5"),  # a window
    ],
)
def test_rows_of_unknown_values(row: Row, offset: int, value: bytes) -> None:
    data = row.encode()
    with pytest.raises(RowError):
        type(row).decode(data[:offset] + value + data[offset + len(value) :])


def test_a_list_has_1_to_256_ids() -> None:
    ids = tuple(number.to_bytes(16, "big") for number in range(1, 258))
    for count, fits in ((0, False), (1, True), (256, True), (257, False)):
        data = replace(LIST, ids=ids[:count]).encode()
        if fits:
            assert state_rows.ListRow.decode(data).ids == ids[:count]
        else:
            with pytest.raises(RowError):
                state_rows.ListRow.decode(data)


def test_when_a_grant_pays() -> None:
    live = replace(GRANT, status=state_rows.GrantStatus.OPEN)
    assert [live.is_live(at_ns) for at_ns in (76, 77)] == [True, False]
    assert not GRANT.is_live(1)
    assert live.burn_order == (65_535, 77, 55)


def test_what_an_account_can_spend() -> None:
    row = replace(
        ACCOUNT,
        credit_limit=Amount(10),
        debits_pending=Amount(30),
        debits_posted=Amount(20),
        credits_pending=Amount(1_000),
        credits_posted=Amount(100),
    )
    assert row.balance == 80
    assert row.available == 60  # what is promised does not count as received


def test_what_a_hold_can_still_pay() -> None:
    assert (HOLD.rest, HOLD.is_open) == (5, False)
    assert replace(HOLD, status=HoldStatus.OPEN).is_open


def test_what_is_left_of_a_claim() -> None:
    assert (CLAIM.rest, CLAIM.is_open) == (2, True)


def test_what_a_channel_can_still_pay() -> None:
    assert (CHANNEL.rest, CHANNEL.is_open) == (5, True)
    assert not replace(CHANNEL, status=ChannelStatus.CLOSED).is_open


def test_rows_back_to_back_are_split_again() -> None:
    data = b"".join(state_rows.framed(row) for row, _, _ in ROWS)
    assert list(state_rows.split_rows(data)) == [(row.TABLE, row.encode()) for row, _, _ in ROWS]
    assert list(state_rows.split_rows(b"")) == []


def test_the_digest_is_over_ordered_rows() -> None:
    """By table, then by key; sequence numbers as numbers, though their bytes would sort else."""
    ledger = LedgerId(b"l" * 32)
    low = replace(ROWS[8][0], sequence_number=SequenceNumber(255))  # type: ignore[type-var]
    high = replace(ROWS[8][0], sequence_number=SequenceNumber(256))  # type: ignore[type-var]
    rows = [row for row, _, _ in ROWS[:8]]
    framed = b"".join(state_rows.framed(row) for row in [*rows, low, high])
    expected = hashlib.sha256(b"tallystick/state/v1\0" + ledger + framed).digest()
    assert state_rows.digest(ledger, [high, low, *reversed(rows)]) == expected
    with pytest.raises(RowError):
        state_rows.digest(ledger, [low, low])


@given(st.sampled_from(sorted(Code)), st.integers(0, 2**32 - 1))
def test_results(code: Code, detail: int) -> None:
    data = Result(code, detail).encode()
    assert len(data) == 16
    if code.is_refusal:
        with pytest.raises(RowError):
            Result.decode(data)
    else:
        assert Result.decode(data) == Result(code, detail)
        assert Result(code).is_ok == (code == 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(15),
        bytes(17),
        b"\x4d" + bytes(15),  # 77 is no code
        b"\0\0\1" + bytes(13),
        bytes(15) + b"\1",
    ],
)
def test_no_results(data: bytes) -> None:
    with pytest.raises(RowError):
        Result.decode(data)


def test_results_by_the_thousand() -> None:
    plain = bytes(16 * 8190)
    assert results.all_ok(plain)
    assert list(results.failures(plain)) == []
    failed = Result(Code.FUNDS_HELD).encode()
    mixed = plain[:32] + failed + plain[48:]
    assert not results.all_ok(mixed)
    assert list(results.failures(mixed)) == [(2, Result(Code.FUNDS_HELD))]
    assert results.decode_results(mixed[:48]) == [Result(), Result(), Result(Code.FUNDS_HELD)]
    with pytest.raises(RowError):
        results.decode_results(mixed[:47])
    with pytest.raises(RowError):
        list(results.failures(mixed[:47]))


@given(st.sampled_from(Cause), st.integers(0, 8189), st.integers(0, 2**128 - 1))
def test_effects(cause: Cause, index: int, amount: int) -> None:
    effect = Effect(
        cause, index, AccountId(b"a" * 16), AccountId(b"b" * 16), Amount(amount), HoldId(b"h" * 16)
    )
    data = effect.encode()
    assert len(data) == 128
    assert results.decode_effects(data * 2) == [effect, effect]
    for offset, value in ((0, b"\0"), (0, b"\x63"), (2, b"\1"), (120, b"\1"), (127, b"\1")):
        with pytest.raises(RowError):
            Effect.decode(data[:offset] + value + data[offset + 1 :])
    with pytest.raises(RowError):
        Effect.decode(data[:-1])
