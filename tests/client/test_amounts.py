"""Amounts as people write them: exact, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.cli.amounts import ParsedAmount, format_amount, parse_amount
from tallystick.errors import InvalidArgument

UNITS = {"USD": 9, "TOKEN": 0, "EUR-2.X": 2}


@pytest.mark.parametrize(
    ("text", "steps", "symbol"),
    [
        ("12.50 USD", 12_500_000_000, "USD"),
        ("12.50USD", 12_500_000_000, "USD"),
        (" 0.000000001 USD ", 1, "USD"),
        ("1.0000000000000 USD", 1_000_000_000, "USD"),  # zeros beyond the decimals change nothing
        ("7 TOKEN", 7, "TOKEN"),
        ("7.00 TOKEN", 7, "TOKEN"),
        ("3.1 EUR-2.X", 310, "EUR-2.X"),
        ("1500", 1500, ""),
        ("0", 0, ""),
        (str(2**128 - 1), 2**128 - 1, ""),
    ],
)
def test_amounts_are_read(text: str, steps: int, symbol: str) -> None:
    assert parse_amount(text, UNITS) == ParsedAmount(steps, symbol)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "USD",
        "-1",
        "+1",
        "1e3",
        "1_000",
        "1,000",
        "1.",
        ".5 USD",
        "1.5",
        "1 usd",
        "1 GBP",
        "0.0000000001 USD",
        "7.5 TOKEN",
        "\u0661\u0662",
        "nan",
        str(2**128),
        f"{2**128} USD",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_amount(text, UNITS)


@given(st.integers(0, 2**128 - 1), st.sampled_from(["USD", "TOKEN", "EUR-2.X"]))
def test_what_is_written_reads_as_it_was(steps: int, symbol: str) -> None:
    written = format_amount(steps, symbol, UNITS[symbol])
    assert parse_amount(written, UNITS) == ParsedAmount(steps, symbol)


@pytest.mark.parametrize(
    ("steps", "exponent", "written"),
    [
        (0, 9, "0.00 X"),
        (1, 9, "0.000000001 X"),
        (1_500_000_000, 9, "1.50 X"),
        (-1_500_000_000, 9, "-1.50 X"),
        (5, 1, "0.5 X"),
        (1_234, 0, "1234 X"),
        (12_345_678, 0, "12345678 X"),
    ],
)
def test_amounts_are_written(steps: int, exponent: int, written: str) -> None:
    assert format_amount(steps, "X", exponent) == written
