"""docs/format.md against the code: codes, sizes, offsets, numbers, and the worked example."""

import re
from enum import IntEnum
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from tests.vectors import worked_example

from tallystick_ledger import (
    block,
    cont,
    envelope,
    genesis,
    ids,
    keys,
    leaf,
    limits,
    netting,
    read_token,
    records,
    results,
    state_rows,
    vouchers,
)
from tallystick_ledger.codes import Code
from tallystick_ledger.records import exchange, kinds, quote
from tallystick_ledger.zones import ZoneTable

PAGE: Final = (Path(__file__).resolve().parents[2] / "docs" / "format.md").read_text("utf-8")


def section(number: int) -> str:
    """The text of one section."""
    match = re.search(rf"^## {number}\. .*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert match
    return match[0]


def table_rows(text: str) -> list[list[str]]:
    """All rows of all tables of a text, as cells."""
    rows = [line.strip("|").split("|") for line in text.split("\n") if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows if not row[0].startswith("---")]


def layout(number: int) -> list[tuple[int, int, str]]:
    """The table of a section: offset, size and text of each field of fixed size."""
    return [
        (int(row[0]), int(row[1]), row[2])
        for row in table_rows(section(number))
        if len(row) == 3 and row[0].isdigit() and row[1].isdigit()
    ]


def offset_of(number: int, start: str) -> tuple[int, int]:
    """Offset and size of the one field whose text starts so."""
    found = [field for field in layout(number) if field[2].startswith(start)]
    assert len(found) == 1, start
    return found[0][:2]


def test_codes_are_the_table() -> None:
    table = {row[1]: int(row[0]) for row in table_rows(section(11)) if row[0].isdigit()}
    assert table == {code.name: code.value for code in Code}


def test_codes_have_texts() -> None:
    for code in Code:
        assert code.meaning.endswith(".")
        assert code.advice.endswith(".")
        assert code.is_refusal == (1 <= code <= 63)


@pytest.mark.parametrize(
    ("number", "total"),
    [
        (5, limits.ENVELOPE_PREFIX_BYTES),
        (6, limits.RECORD_BYTES),
        (7, limits.EFFECT_BYTES),
        (8, limits.BLOCK_HEADER_BYTES),
        (9, limits.LEAF_BYTES),
        (3, limits.GENESIS_HEADER_BYTES),
        (12, limits.READ_TOKEN_BYTES),
        (13, limits.VOUCHER_BYTES),
    ],
)
def test_layouts_have_no_gaps(number: int, total: int) -> None:
    """Each table's fields lie end to end and fill what the code says that they fill."""
    at = 0
    for offset, size, _ in layout(number):
        assert offset == at
        at += size
    assert at == total


def test_magic_values() -> None:
    magics = {
        3: genesis.MAGIC,
        5: envelope.MAGIC,
        8: block.MAGIC,
        12: read_token.MAGIC,
        13: vouchers.MAGIC,
    }
    for number, magic in magics.items():
        assert f"magic `{magic.decode()}`" in section(number)


def test_domains() -> None:
    domains = [
        envelope.SIGNATURE_DOMAIN,
        keys.POSSESSION_DOMAIN,
        ids.OBJECT_DOMAIN,
        ids.ZONE_DOMAIN,
        cont.CONT_DOMAIN,
        vouchers.VOUCHER_DOMAIN,
        quote.QUOTE_DOMAIN,
        exchange.EXCHANGE_DOMAIN,
        netting.POSITIONS_DOMAIN,
        state_rows.STATE_DOMAIN,
        read_token.READ_DOMAIN,
    ]
    written = re.findall(r"^\| `(tallystick/[a-z]+/v1)\\0` \|", section(1), re.MULTILINE)
    assert [f"{name}\0".encode() for name in written] == domains


def test_kinds() -> None:
    table = {
        row[1]: (int(row[0], 16), row[2])
        for row in table_rows(section(6))
        if row[0].startswith("0x")
    }
    assert {name: number for name, (number, _) in table.items()} == {
        kind.name: kind.value for kind in kinds.Kind
    }
    for record in records.RECORD_TYPES.values():
        assert table[record.KIND.name][1] == str(record.GROUP.value)


@pytest.mark.parametrize(
    ("enumeration", "text"),
    [
        (kinds.Scope, "Scopes: "),
        (kinds.KeyOperation, "| KEY | 1 | 6: u8 operation ("),
        (kinds.NameKind, "| NAME | 1 | 6: u16 name kind ("),
        (kinds.AccountOperation, "| ACCOUNT | 1 | 6: u16 operation ("),
        (kinds.CaptureSource, "| CAPTURE | 4 | 6: u16 source ("),
        (kinds.ClaimOperation, "| PAY_CLAIM | 4 | 6: u16 operation ("),
        (kinds.Overrun, "176: u16 overrun ("),
        (kinds.CorrectionReason, "| REFUND | 9 | 6: u16 reason ("),
        (kinds.LimitTarget, "| LIMIT | 8 | 6: u8 target ("),
        (kinds.LimitWindow, "7: u8 window ("),
        (kinds.LimitOperation, "72: u8 operation ("),
    ],
)
def test_enumerations(enumeration: type[IntEnum], text: str) -> None:
    names = ", ".join(f"{member.value} {member.name}" for member in enumeration)
    assert f"{text}{names}".lower() in section(6).lower()


def test_causes_and_statuses() -> None:
    for cause in results.Cause:
        assert f"{cause.value} {cause.name}" in section(7)
    rows = section(10)
    for flag in (state_rows.AccountFlags.ISSUANCE, state_rows.AccountFlags.FROZEN):
        assert f"{flag.value} {flag.name}" in rows
    for status in state_rows.HoldStatus:
        assert f"{status.value} {status.name.lower()}" in rows
    for table in state_rows.Table:
        assert f"\n| {table.value} {table.name.lower().replace('_', ' ')} |" in rows


# A record of each kind, whose every field is a byte of its own.
SAMPLES: Final[dict[str, records.Record]] = {
    "TRANSFER": records.Transfer(
        ids.AccountId(b"\x01" * 16),
        ids.AccountId(b"\x02" * 16),
        int.from_bytes(b"\x03" * 16, "little"),
        int.from_bytes(b"\x04" * 16, "little"),
    ),
    "ISSUE": records.Issue(
        ids.UnitId(b"\x01" * 16),
        ids.AccountId(b"\x02" * 16),
        int.from_bytes(b"\x03" * 16, "little"),
        int.from_bytes(b"\x04" * 16, "little"),
    ),
    "BURN": records.Burn(
        ids.UnitId(b"\x01" * 16),
        ids.AccountId(b"\x02" * 16),
        int.from_bytes(b"\x03" * 16, "little"),
        int.from_bytes(b"\x04" * 16, "little"),
    ),
    "CREDIT_LIMIT": records.CreditLimit(
        ids.UnitId(b"\x01" * 16),
        ids.AccountId(b"\x02" * 16),
        int.from_bytes(b"\x03" * 16, "little"),
    ),
    "RESERVE": records.Reserve(
        ids.AccountId(b"\x01" * 16),
        ids.AccountId(b"\x02" * 16),
        int.from_bytes(b"\x03" * 16, "little"),
        ids.TimestampNs(int.from_bytes(b"\x05" * 8, "little")),
        int.from_bytes(b"\x04" * 16, "little"),
    ),
    "CAPTURE": records.Capture(
        ids.HoldId(b"\x01" * 16),
        int.from_bytes(b"\x02" * 16, "little"),
        records.CaptureSource.GATEWAY_COUNTED,
        occurred_at_ns=ids.TimestampNs(int.from_bytes(b"\x03" * 8, "little")),
    ),
    "RELEASE": records.Release(ids.HoldId(b"\x01" * 16)),
    "MANDATE": records.Mandate(
        ids.AccountId(b"\x01" * 16),
        ids.PrincipalId(b"\x02" * 16),
        int.from_bytes(b"\x03" * 16, "little"),
        int.from_bytes(b"\x02" * 16, "little"),
        ids.TimestampNs(int.from_bytes(b"\x05" * 8, "little")),
    ),
    "MANDATE_END": records.MandateEnd(ids.MandateId(b"\x01" * 16)),
    "METER": records.Meter(
        ids.AccountId(b"\x01" * 16),
        ids.AccountId(b"\x02" * 16),
        int.from_bytes(b"\x03" * 16, "little"),
        ids.CardId(b"\x06" * 16),
        ids.NameId(b"\x07" * 16),
        records.ServedUsage(),
        records.CaptureSource.GATEWAY_COUNTED,
        int.from_bytes(b"\x04" * 16, "little"),
        occurred_at_ns=ids.TimestampNs(int.from_bytes(b"\x05" * 8, "little")),
    ),
    "PAY_CLAIM": records.PayClaim(
        records.ClaimOperation.PAY,
        ids.ClaimId(b"\x01" * 16),
        int.from_bytes(b"\x02" * 16, "little"),
        ids.AccountId(b"\x03" * 16),
    ),
    "EXTEND": records.Extend(
        ids.HoldId(b"\x01" * 16),
        int.from_bytes(b"\x02" * 16, "little"),
        ids.TimestampNs(int.from_bytes(b"\x03" * 8, "little")),
    ),
    "CHANNEL": records.Channel(
        ids.AccountId(b"\x01" * 16),
        ids.AccountId(b"\x02" * 16),
        int.from_bytes(b"\x03" * 16, "little"),
        int.from_bytes(b"\x05" * 8, "little"),
        ids.PublicKey(b"\x06" * 32),
        int.from_bytes(b"\x04" * 16, "little"),
    ),
    "TOP_UP": records.TopUp(ids.ChannelId(b"\x01" * 16), int.from_bytes(b"\x02" * 16, "little")),
    "VOUCHER": records.Voucher(
        ids.ChannelId(b"\x01" * 16),
        int.from_bytes(b"\x02" * 16, "little"),
        b"\x03" * 24,
        ids.Signature(b"\x04" * 64),
    ),
    "CHANNEL_CLOSE": records.ChannelClose(ids.ChannelId(b"\x01" * 16)),
    "REFUND": records.Refund(
        ids.SequenceNumber(int.from_bytes(b"\x01" * 8, "little")),
        int.from_bytes(b"\x02" * 16, "little"),
        records.CorrectionReason.GOODWILL,
        int.from_bytes(b"\x03" * 16, "little"),
        occurred_at_ns=ids.TimestampNs(int.from_bytes(b"\x04" * 8, "little")),
    ),
    "DISPUTE": records.Dispute(
        ids.SequenceNumber(int.from_bytes(b"\x01" * 8, "little")),
        int.from_bytes(b"\x02" * 16, "little"),
        records.CorrectionReason.PRICE,
        ids.TimestampNs(int.from_bytes(b"\x03" * 8, "little")),
    ),
    "DISPUTE_ANSWER": records.DisputeAnswer(
        ids.SequenceNumber(int.from_bytes(b"\x01" * 8, "little")),
        int.from_bytes(b"\x02" * 16, "little"),
    ),
    "REPRICE": records.Reprice(
        ids.SequenceNumber(int.from_bytes(b"\x01" * 8, "little")),
        int.from_bytes(b"\x02" * 16, "little"),
        ids.CardId(bytes(16)),
        ids.NameId(bytes(16)),
        records.ServedUsage(),
        ids.TimestampNs(int.from_bytes(b"\x03" * 8, "little")),
    ),
    "UNIT": records.Unit(
        "ABCDEFGHIJKLMNOP", 9, ids.PrincipalId(b"\x01" * 16), ids.UnitId(b"\x02" * 16)
    ),
    "ACCOUNT": records.Account(records.AccountOperation.CLOSE, account=ids.AccountId(b"\x01" * 16)),
    "PRINCIPAL": records.Principal(
        records.PrincipalType.SERVICE,
        ids.PublicKey(b"\x01" * 32),
        ids.Signature(b"\x02" * 64),
        ids.PrincipalId(b"\x03" * 16),
    ),
    "KEY": records.Key(
        records.KeyOperation.ADD,
        ids.PublicKey(b"\x01" * 32),
        ids.PrincipalId(b"\x03" * 16),
        records.Scope.METER,
        ids.Signature(b"\x02" * 64),
        ids.TimestampNs(int.from_bytes(b"\x04" * 8, "little")),
    ),
    "RECOVER": records.Recover(
        ids.PublicKey(b"\x01" * 32),
        ids.Signature(b"\x02" * 64),
        ids.PrincipalId(b"\x03" * 16),
    ),
    "VETO": records.Veto(ids.PublicKey(b"\x01" * 32)),
    "NAME": records.Name(records.NameKind.LABEL, "n" * 64),
    "CARD": records.Card(
        ids.UnitId(b"\x01" * 16),
        ids.TimestampNs(int.from_bytes(b"\x02" * 8, "little")),
        4_095,
        b"\x03" * 32,
        (ids.NameId(b"\x04" * 16),),
    ),
    "PRICE": records.Price(
        ids.CardId(b"\x01" * 16),
        ids.NameId(b"\x02" * 16),
        ids.NameId(b"\x03" * 16),
        int.from_bytes(b"\x04" * 16, "little"),
        above=int.from_bytes(b"\x05" * 8, "little"),
    ),
    "CARD_PUBLISH": records.CardPublish(ids.CardId(b"\x01" * 16)),
    "LIMIT": records.Limit(
        records.LimitTarget.KEY,
        records.LimitWindow.DAY,
        b"\x01" * 32,
        ids.UnitId(b"\x02" * 16),
        int.from_bytes(b"\x03" * 16, "little"),
        ids.ZoneId(b"\x04" * 16),
    ),
    "ZONE": records.Zone(
        "Z" * 32,
        0x05050505,
        ZoneTable(
            ids.TimestampNs(int.from_bytes(b"\x01" * 8, "little")),
            ids.TimestampNs(int.from_bytes(b"\x02" * 8, "little")),
            0x010101 - limits.MAX_OFFSET_S,
            ((ids.TimestampNs(int.from_bytes(b"\x01" * 8, "little") + 1), 0),),
        ),
    ),
    "DELEGATE": records.Delegate(ids.PublicKey(b"\x01" * 32), ids.PublicKey(b"\x02" * 32)),
    "KILL": records.Kill(ids.PublicKey(b"\x01" * 32)),
    "TICK": records.Tick(),
    "JOIN": records.Join(
        ids.AccountId(b"\x01" * 16),
        ids.AccountId(b"\x02" * 16),
        int.from_bytes(b"\x03" * 10, "little"),
    ),
    "WINDOW_CLOSE": records.WindowClose(
        ids.UnitId(b"\x01" * 16), int.from_bytes(b"\x02" * 8, "little")
    ),
    "SETTLE": records.Settle(
        ids.UnitId(b"\x01" * 16), int.from_bytes(b"\x02" * 8, "little"), b"\x03" * 32
    ),
    "FAIL": records.Fail(
        ids.UnitId(b"\x01" * 16),
        int.from_bytes(b"\x02" * 8, "little"),
        ids.AccountId(b"\x03" * 16),
    ),
}


def _record_bytes(kind: str) -> bytes:
    """A record whose every field is a byte of its own, by the code."""
    record = SAMPLES[kind]
    return record.encode(b"\xee" * record.nonce_bytes)[:128]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("TRANSFER", ["debit account", "credit account", "amount", "reference"]),
        ("ISSUE", ["unit", "credit account", "amount", "reference"]),
        ("BURN", ["unit", "debit account", "amount", "reference"]),
        ("CREDIT_LIMIT", ["unit", "account", "credit limit"]),
        ("RESERVE", ["payer", "payee", "maximum", "reference", "`expires_at_ns`"]),
        ("CAPTURE", ["source", "hold", "cumulative amount", "`occurred_at_ns`"]),
        ("RELEASE", ["hold"]),
        ("MANDATE", ["payer", "payee", "of all", "of each", "`expires_at_ns`"]),
        ("MANDATE_END", ["mandate"]),
        ("METER", ["source", "payer", "payee", "amount", "reference", "`occurred_at_ns`"]),
        ("PAY_CLAIM", ["operation", "claim", "amount", "debit account"]),
        ("EXTEND", ["hold", "additional maximum", "`expires_at_ns`"]),
        (
            "CHANNEL",
            ["payer", "payee", "deposit", "reference", "`challenge_ns`", "channel key"],
        ),
        ("TOP_UP", ["channel", "amount"]),
        ("VOUCHER", ["channel", "cumulative amount", "commitment", "signature"]),
        ("CHANNEL_CLOSE", ["channel"]),
        (
            "REFUND",
            ["reason", "cited sequence number", "amount", "reference", "`occurred_at_ns`"],
        ),
        ("DISPUTE", ["reason", "cited sequence number", "amount", "`deadline_ns`"]),
        ("DISPUTE_ANSWER", ["cited sequence number", "amount"]),
        ("REPRICE", ["cited sequence number", "amount", "`occurred_at_ns`"]),
        ("UNIT", ["exponent", "issuer", "symbol", "settlement unit"]),
        ("ACCOUNT", ["operation", "account"]),
        ("PRINCIPAL", ["type", "key", "proof", "principal id"]),
        ("KEY", ["operation", "scope", "key", "proof", "principal id", "`until_ns`"]),
        ("RECOVER", ["key", "proof", "principal id", "`delay_ns`"]),
        ("VETO", ["key"]),
        ("NAME", ["name kind", "text length", "text (64)"]),
        ("CARD", ["count n", "unit", "`effective_from_ns`", "line count", "lines root"]),
        ("PRICE", ["card", "model", "meter", "price", "threshold"]),
        ("CARD_PUBLISH", ["card"]),
        ("LIMIT", ["target", "window", "unit", "zone", "amount", "operation", "subject"]),
        (
            "ZONE",
            ["count n", "name", "`from_ns`", "`horizon_ns`", "version", "offset"],
        ),
        ("DELEGATE", ["key", "key above"]),
        ("KILL", ["key"]),
        ("TICK", []),
        ("JOIN", ["account", "settlement account", "maximum debit"]),
        ("WINDOW_CLOSE", ["unit", "window"]),
        ("SETTLE", ["unit", "window", "positions hash"]),
        ("FAIL", ["unit", "window", "account"]),
    ],
)
def test_fields_stand_where_the_page_says(kind: str, fields: list[str]) -> None:
    """Each byte that is not zero lies in a field of the page, and each field has one."""
    row = next(row for row in table_rows(section(6)) if row[1] == kind)
    places = {int(offset): text for offset, text in re.findall(r"(\d+): ([^;]*)", row[3])}
    starts = sorted({*places, 112, 128})
    data = _record_bytes(kind)
    used = {
        start: places[start]
        for start, end in pairwise(starts)
        if start in places and places[start] != "cont_hash" and any(data[start:end])
    }
    assert len(used) == len(fields)
    for text, name in zip(used.values(), fields, strict=True):
        assert name in text
    covered = set(range(6)) | set(range(112, 128))
    for start, text in places.items():
        covered |= set(range(start, start + _size(text)))
    assert not any(byte for place, byte in enumerate(data) if place not in covered)


def _size(text: str) -> int:
    """The size that the page gives a field."""
    match = re.search(r"\bu(8|16|64|128)\b", text)
    if match:
        return int(match[1]) // 8
    match = re.search(r"\((\d+)\)", text)
    if match:
        return int(match[1])
    return 32 if "cont_hash" in text else 16


def test_header_offsets() -> None:
    """Header, block header and leaf, field by field, by what their encodings hold."""
    header = envelope.Header(
        ids.LedgerId(b"\x01" * 32),
        ids.PublicKey(b"\x02" * 32),
        ids.EnvelopeId(b"\x03" * 16),
        ids.TimestampNs(int.from_bytes(b"\x04" * 8, "little")),
        0x0505,
        b"\x06" * 32,
        atomic=True,
    ).encode()
    expected = {
        "magic": b"TSE1",
        "format version": b"\1\0",
        "flags": b"\1\0",
        "algorithm": b"\1\0",
        "record count": b"\5\5\0\0",
        "ledger id": b"\x01" * 32,
        "signer": b"\x02" * 32,
        "envelope id": b"\x03" * 16,
        "`valid_until`": b"\x04" * 8,
        "records root": b"\x06" * 32,
    }
    for name, value in expected.items():
        offset, size = offset_of(5, name)
        assert header[offset : offset + size] == value


def test_leaf_offsets() -> None:
    data = leaf.Leaf(
        1,
        0x0202,
        ids.SequenceNumber(int.from_bytes(b"\x03" * 8, "little")),
        ids.TimestampNs(int.from_bytes(b"\x04" * 8, "little")),
        b"\x05" * 192,
        ids.Signature(b"\x06" * 64),
        b"\x07" * 32,
        b"\x08" * 32,
    ).encode()
    expected = {
        "sequence number": b"\x03" * 8,
        "timestamp": b"\x04" * 8,
        "header": b"\x05" * 192,
        "signature": b"\x06" * 64,
        "results root": b"\x07" * 32,
        "effects root": b"\x08" * 32,
    }
    for name, value in expected.items():
        offset, size = offset_of(9, name)
        assert data[offset : offset + size] == value


def test_read_token_offsets() -> None:
    data = read_token.ReadToken(
        ids.PublicKey(b"\x01" * 32),
        ids.TimestampNs(int.from_bytes(b"\x02" * 8, "little")),
        ids.Signature(b"\x03" * 64),
    ).encode()
    expected = {
        "magic": b"TSR1",
        "format version": b"\1\0",
        "reserved": b"\0\0",
        "public key": b"\x01" * 32,
        "expiry": b"\x02" * 8,
        "signature": b"\x03" * 64,
    }
    for name, value in expected.items():
        offset, size = offset_of(12, name)
        assert data[offset : offset + size] == value
    seconds = (limits.MAX_READ_TOKEN_LIFETIME_NS, limits.READ_TOKEN_SKEW_NS)
    first, second = (each // 1_000_000_000 for each in seconds)
    assert f"`now < expiry ≤ now + {first} s + {second} s`" in section(12)
    assert f"under the key `{read_token.METADATA_KEY}`" in section(12)


def test_limits_of_the_page() -> None:
    assert limits.MAX_RECORDS == 8190
    assert limits.ENVELOPE_PREFIX_BYTES + limits.MAX_RECORDS * limits.RECORD_BYTES == 2**20
    assert "1 to 8,190 records of 128 bytes: at most exactly 1 MiB (1,048,576 bytes)" in PAGE
    assert f"at most {limits.MAX_BLOCK_BODY_BYTES:,}" in section(8)
    assert f"0 to {limits.MAX_CONT_COUNT}" in section(6)
    assert f"**{limits.CONT_PAYLOAD_BYTES} bytes of payload**" in section(6)


def test_worked_example_is_current() -> None:
    assert section(16) == worked_example.render(), "python -m tests.vectors.worked_example"
