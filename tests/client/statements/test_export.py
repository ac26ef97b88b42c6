"""Exports: what other programs read is what the postings say, exactly."""

import builtins
import csv
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset
import pytest
from tests.client.statements.focus_model import CURRENCIES, MODEL, Row, Verdict, check, summary
from tests.client.statements.histories import random_ledger
from tests.client.statements.test_projection import END_NS, project

from tallystick.errors import ConfigurationError, InvalidArgument
from tallystick.statements import focus, table
from tallystick.statements.posting import Authority, Posting, Side
from tallystick.statements.table import Exported
from tallystick.statements.usage import Usage
from tallystick_ledger.ids import AccountId, PrincipalId, SequenceNumber, TimestampNs

SUPPORTED = frozenset({"ACCOUNT_NAMING_SUPPORTED", "SUB_ACCOUNT_SUPPORTED"})
MIDYEAR_NS = 1_782_864_000_123_456_789  # 2026-07-01T00:00:00Z
POSTING = Posting(
    SequenceNumber(7),
    0,
    TimestampNs(MIDYEAR_NS),
    MIDYEAR_NS - 3_600 * 10**9,
    "CAPTURE",
    Side.DEBIT,
    -1,
    +1,
    1_234_567_890,
    Authority.PAYEE,
    b"\x0b" * 16,
    b"\x0c" * 16,
    source="PROVIDER_REPORTED",
)

USAGE = Usage(
    SequenceNumber(7),
    0,
    TimestampNs(MIDYEAR_NS),
    Side.DEBIT,
    b"\x0c" * 16,
    b"\x0e" * 16,
    b"",
    b"",
    b"\x12" * 16,
    2**64 - 1,
)


def exported(*postings: Posting, unit: str = "USD", exponent: int = 9) -> Exported:
    return Exported(AccountId(b"\x0a" * 16), PrincipalId(b"\x01" * 16), unit, exponent, postings)


def test_parquet_is_read_as_it_is(tmp_path: Path) -> None:
    made = random_ledger(7, 40)
    with project(made) as projection:
        accounts = [
            Exported(row.account, row.owner, made.state.units[row.unit].symbol, 0, ())
            for row in made.state.accounts
        ]
        fit = {
            each.account
            for each in accounts
            if all(
                posting.amount <= 10**30  # sums fit, too
                for posting in projection.postings(each.account, 0, END_NS)
            )
        }
        chosen = [
            replace(each, postings=list(projection.postings(each.account, 0, END_NS)))
            for each in accounts
            if each.account in fit
        ]
        count = table.write_parquet(tmp_path, chosen)
        wanted = {
            each.account.hex(): projection.statement(each.account, 0, END_NS).closing.balance
            for each in chosen
            if each.postings
        }
    assert count == sum(len(list(each.postings)) for each in chosen)
    dataset = pyarrow.dataset.dataset(tmp_path, partitioning="hive")
    rows = dataset.to_table().to_pylist()
    assert len(rows) == count
    assert {row["unit"] for row in rows} <= {each.unit for each in chosen}
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["account"]] += int(row["posted_steps"])
    assert {account: sums[account] for account in wanted} == wanted
    found = duckdb.execute(
        "SELECT account, sum(posted_steps), min(date) FROM "
        f"read_parquet('{tmp_path}/*/*/*.parquet', hive_partitioning=true) GROUP BY account"
    ).fetchall()
    assert {account: int(total) for account, total, _ in found} == wanted
    assert wanted


def test_an_amount_of_39_digits_is_refused_by_parquet_and_exact_in_csv(tmp_path: Path) -> None:
    large = replace(POSTING, amount=2**128 - 1)
    with pytest.raises(InvalidArgument, match="39 digits"):
        table.write_parquet(tmp_path / "parquet", [exported(large)])
    assert not list((tmp_path / "parquet").rglob("*.parquet"))
    table.write_parquet(tmp_path / "fits", [exported(replace(POSTING, amount=10**38 - 1))])
    assert table.write_csv(tmp_path / "postings.csv", [exported(large)]) == 1
    (row,) = csv.DictReader((tmp_path / "postings.csv").open())
    assert (row["amount_steps"], row["posted_steps"]) == (str(2**128 - 1), str(1 - 2**128))


def test_usage_is_a_table_of_its_own(tmp_path: Path) -> None:
    less = replace(USAGE, part=None, timestamp_ns=TimestampNs(MIDYEAR_NS - 1), quantity=-7)
    of = replace(exported(POSTING), usages=[less, USAGE])
    books, lake = tmp_path / "usage.csv", tmp_path / "lake"
    assert table.write_usage_csv(books, [of]) == 2
    first, second = csv.DictReader(books.open())
    assert (first["unit"], first["part"], first["quantity"]) == ("USD", "", "-7")
    assert (second["part"], second["quantity"]) == ("0", str(2**64 - 1))
    assert (second["meter"], second["tier"], second["side"]) == ("12" * 16, "", "debit")
    table.write_parquet(lake, [of])
    assert table.write_usage_parquet(lake, [of]) == 2
    with pytest.raises(InvalidArgument, match="there already"):
        table.write_usage_parquet(lake, [of])
    # Who reads the whole directory gets postings alone; the two tables join.
    assert pyarrow.dataset.dataset(lake, partitioning="hive").count_rows() == 1
    found = duckdb.execute(
        "SELECT u.model, u.meter, sum(u.quantity), any_value(p.amount_steps) "
        f"FROM read_parquet('{lake}/_usage/*/*/*.parquet', hive_partitioning=true) u "
        f"JOIN read_parquet('{lake}/*/*/*.parquet', hive_partitioning=true) p "
        "USING (account, sequence, part) GROUP BY ALL"
    ).fetchall()
    (row,) = [(model, meter, int(count), int(steps)) for model, meter, count, steps in found]
    assert row == ("0e" * 16, "12" * 16, 2**64 - 1, 1_234_567_890)


def test_a_partition_is_not_replaced_unasked(tmp_path: Path) -> None:
    table.write_parquet(tmp_path, [exported(POSTING)])
    with pytest.raises(InvalidArgument, match="there already"):
        table.write_parquet(tmp_path, [exported(POSTING)])
    assert table.write_parquet(tmp_path, [exported(POSTING)], overwrite=True) == 1


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:  # noqa: ANN401 - as the builtin
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"tallystick\[export\]"):
        table.write_parquet(tmp_path, [exported(POSTING)])


def focus_rows(tmp_path: Path, *postings: Posting) -> list[Row]:
    path = tmp_path / "focus.csv"
    names = bytes.hex, lambda _: "Example Ltd", {b"\x0e" * 16: "m-large"}.__getitem__
    focus.write_focus(path, [exported(*postings)], *names, "Inference")
    with path.open() as file:
        return [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]


def test_charges_satisfy_the_focus_requirement_model(tmp_path: Path) -> None:
    voucher = replace(POSTING, cause="VOUCHER", authority=Authority.PAYER, source="", amount=10**9)
    meter = replace(POSTING, cause="METER", model=b"\x0e" * 16)
    transfer = replace(POSTING, cause="TRANSFER")
    received = replace(POSTING, side=Side.CREDIT)
    back = replace(received, cause="REFUND", authority=Authority.PAYER, origin=b"", source="")
    given = replace(back, side=Side.DEBIT)
    again = replace(back, cause="REPRICE", amount=10**8)
    rows = focus_rows(tmp_path, POSTING, voucher, transfer, received, back, given, meter, again)
    costs = ["1.23456789", "1.0", "-1.23456789", "1.23456789", "-0.1"]
    assert [row["BilledCost"] for row in rows] == costs
    classes = [None, None, "Correction", None, "Correction"]
    assert [row["ChargeClass"] for row in rows] == classes
    assert [row["x_Model"] for row in rows] == [None, None, None, "m-large", None]
    verdicts = check(focus.COLUMNS, rows, SUPPORTED)
    print(summary(verdicts))
    assert len(verdicts) == len(MODEL["ModelRules"]) == 621
    assert [name for name, verdict in verdicts.items() if verdict is Verdict.BROKEN] == []
    counts = Counter(verdicts.values())
    assert counts[Verdict.HOLDS] >= 80, summary(verdicts)
    taken = {name for name, verdict in verdicts.items() if verdict is Verdict.ADVICE}
    assert taken == {"CostAndUsage-D-033-O"}  # InvoiceId: the ledger writes no invoices


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("BilledCost", None),
        ("BilledCost", "1"),
        ("BilledCost", "$1.0"),
        ("BillingCurrency", "TOK"),
        ("BillingAccountId", "1234"),
        ("ChargeCategory", "Fee"),
        ("ChargePeriodStart", "2026-07-01 00:00:00"),
        ("PricingUnit", None),
        ("SubAccountName", None),
        ("ServiceCategory", "Networking"),
    ],
)
def test_the_checker_finds_what_is_wrong(tmp_path: Path, column: str, value: str | None) -> None:
    (row,) = focus_rows(tmp_path, POSTING)
    verdicts = check(focus.COLUMNS, [{**row, column: value}], SUPPORTED)
    broken = {name for name, verdict in verdicts.items() if verdict is Verdict.BROKEN}
    assert any(name.startswith((column, "ServiceSubcategory")) for name in broken)
    without = [each for each in focus.COLUMNS if each != column]
    absent = check(without, [row], SUPPORTED)
    assert any(verdict is Verdict.BROKEN for verdict in absent.values())


def test_charge_and_billing_periods(tmp_path: Path) -> None:
    late, future = POSTING, replace(POSTING, occurred_at_ns=2**64 - 1)
    first, second = focus_rows(tmp_path, late, future)
    assert first["BillingPeriodStart"] == second["BillingPeriodStart"] == "2026-07-01T00:00:00Z"
    assert first["BillingPeriodEnd"] == "2026-08-01T00:00:00Z"
    assert (first["ChargePeriodStart"], first["ChargePeriodEnd"]) == (
        "2026-06-30T23:00:00Z",
        "2026-06-30T23:00:01Z",
    )
    assert second["ChargePeriodStart"] == "2026-07-01T00:00:00Z"  # nobody uses in the future


def test_focus_takes_national_currencies_only(tmp_path: Path) -> None:
    assert focus.CURRENCIES == CURRENCIES
    with pytest.raises(InvalidArgument, match="TOK is none"):
        focus.write_focus(
            tmp_path / "focus.csv",
            [exported(POSTING, unit="TOK")],
            bytes.hex,
            bytes.hex,
            bytes.hex,
            "x",
        )
    assert not (tmp_path / "focus.csv").exists()


@pytest.mark.parametrize("steps", [0, 1, 10, 999, 10**9, 2**128 - 1])
@pytest.mark.parametrize("exponent", [0, 1, 9, 18])
def test_costs_are_exact(steps: int, exponent: int) -> None:
    text = focus.decimal_text(steps, exponent)
    assert Decimal(text) == Decimal(steps).scaleb(-exponent) or steps > 10**27
    whole, fraction = text.split(".")
    assert int(whole) * 10**18 + int(fraction.ljust(18, "0")) == steps * 10 ** (18 - exponent)
