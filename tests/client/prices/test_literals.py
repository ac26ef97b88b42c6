"""Numbers of price books, against exact rationals."""

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.prices.errors import BookUnreadable
from tallystick.prices.literals import Exact, Literal, Repair, parse_json, parse_number, repair

PER_PIECE = 15

literals = st.builds(
    lambda whole, fraction, exponent: f"{whole}.{fraction}e{exponent}",
    st.integers(0, 10**12),
    st.text("0123456789", min_size=1, max_size=20),
    st.integers(-30, 30),
)


@given(literals, st.integers(-20, 20))
def test_scaling_is_exact(text: str, power: int) -> None:
    number = parse_number(Literal(text))
    assert number is not None
    wanted = Fraction(text) * Fraction(10) ** power
    scaled = number.scaled(power)
    assert scaled == (wanted.numerator if wanted.denominator == 1 else None)
    assert abs(number.scaled_half_up(power) - wanted) <= Fraction(1, 2)


def test_a_float_would_be_wrong_here() -> None:
    assert int(1.5e-08 * 10**9) == 14
    number = parse_number(Literal("1.5e-08"))
    assert number == Exact(15, -9)
    assert number.scaled(PER_PIECE) == 15_000_000


@pytest.mark.parametrize(
    ("text", "price", "kind"),
    [
        ("5.0000000000000004e-08", 50_000_000, Repair.NOISE),
        ("1.142857142857143e-07", 114_285_714, Repair.QUOTIENT),
        ("0.5e-15", 1, Repair.QUOTIENT),
        ("0.4e-15", 0, Repair.QUOTIENT),
    ],
)
def test_repair_names_what_it_did(text: str, price: int, kind: Repair) -> None:
    number = parse_number(Literal(text))
    assert number is not None
    assert number.scaled(PER_PIECE) is None
    assert repair(number, PER_PIECE) == (price, kind)


@given(st.integers(1, 10**15 - 1), st.integers(-20, -1))
def test_noise_of_a_float_is_taken_back(digits: int, exponent: int) -> None:
    short = Fraction(digits) * Fraction(10) ** exponent
    noisy = parse_number(Literal(f"{float(short):.17e}"))
    assert noisy is not None
    assert noisy.to_digits(15) == parse_number(Literal(f"{digits}e{exponent}"))


@pytest.mark.parametrize(
    "value",
    [True, None, "1.5", [], Literal("1e65"), Literal("9" * 70), Literal("1e"), Literal("nan")],
)
def test_what_is_no_number(value: str | bool | list[object] | None) -> None:
    assert parse_number(value) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[NaN]",
        b"[-Infinity]",
        b'{"a": 1, "a": 2}',
        b"\xff",
        b"9" * 5000,
        b"[" * 100_000,
    ],
)
def test_what_is_no_book_json(data: bytes) -> None:
    with pytest.raises(BookUnreadable):
        parse_json(data)


def test_numbers_stay_text() -> None:
    parsed = parse_json(json.dumps({"a": [0.1, 1]}).encode())
    assert parsed == {"a": ["0.1", 1]}
    assert parsed != {"a": ["0.10", 1]}
