"""The read token: vectors, layout, and what `sign` makes."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
import tallystick_core

from tallystick_ledger import ed25519_zip215, limits, read_token
from tallystick_ledger.errors import FieldError, TokenError
from tallystick_ledger.ids import LedgerId, PublicKey, Signature, TimestampNs
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.read_token import ReadToken

Json = dict[str, Any]

VECTORS: Final[Json] = json.loads(
    (Path(__file__).resolve().parents[1] / "vectors" / "read_token.json").read_text("utf-8")
)
LEDGER_ID: Final = LedgerId(bytes.fromhex(VECTORS["ledger_id"]))
METHOD: Final[str] = VECTORS["method"]
REQUEST: Final = bytes.fromhex(VECTORS["request"])
NOW_NS: Final[int] = VECTORS["now_ns"]


def cases() -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in VECTORS["cases"]]


@pytest.mark.parametrize("case", cases())
def test_vector(case: Json) -> None:
    data = bytes.fromhex(case["token"])
    if case["valid"]:
        token = read_token.verify(data, LEDGER_ID, METHOD, REQUEST, NOW_NS)
        assert token.encode() == data
    else:
        with pytest.raises(TokenError):
            read_token.verify(data, LEDGER_ID, METHOD, REQUEST, NOW_NS)


@pytest.mark.parametrize("case", cases())
def test_vector_with_the_core(case: Json) -> None:
    """As a node checks it: layout and time here, the equation in the core."""

    def good() -> bool:
        try:
            token = ReadToken.parse(bytes.fromhex(case["token"]))
            token.check_time(NOW_NS)
        except TokenError:
            return False
        signed = read_token.signed_bytes(LEDGER_ID, token.key, METHOD, REQUEST, token.expires_at_ns)
        return ed25519_zip215.is_canonical_point(
            token.signature[:32]
        ) and tallystick_core.verify_ed25519(token.key, signed, token.signature)

    assert good() == case["valid"]


def test_the_vectors_hold_good_and_bad() -> None:
    names = [case["name"] for case in VECTORS["cases"]]
    assert len(set(names)) == len(names)
    assert 3 <= sum(case["valid"] for case in VECTORS["cases"]) < len(names) - 15


def test_what_is_signed() -> None:
    signed = read_token.signed_bytes(LEDGER_ID, PublicKey(b"\x02" * 32), METHOD, REQUEST, 3)
    assert signed.startswith(b"tallystick/read/v1\0" + LEDGER_ID + b"\x02" * 32)
    assert signed.endswith(b"\x03" + bytes(7))
    assert len(signed) == 19 + 4 * 32 + 8


def test_a_token_says_what_is_wrong_with_it() -> None:
    token = read_token.sign(SigningKey(b"\x01" * 32), LEDGER_ID, METHOD, b"", TimestampNs(10**9))
    with pytest.raises(TokenError, match="expired 2000 ms ago"):
        token.check_time(3 * 10**9)
    with pytest.raises(TokenError, match="more than 60 s ahead"):
        token.check_time(10**9 - 70 * 10**9)
    with pytest.raises(TokenError, match="not 112"):
        ReadToken.parse(token.encode()[1:])


@pytest.mark.parametrize(
    "token",
    [
        ReadToken(PublicKey(b"\x01" * 31), TimestampNs(1), Signature(bytes(64))),
        ReadToken(PublicKey(b"\x01" * 32), TimestampNs(-1), Signature(bytes(64))),
        ReadToken(PublicKey(b"\x01" * 32), TimestampNs(2**64), Signature(bytes(64))),
        ReadToken(PublicKey(b"\x01" * 32), TimestampNs(1), Signature(bytes(63))),
    ],
)
def test_what_does_not_fit_is_not_encoded(token: ReadToken) -> None:
    with pytest.raises(FieldError):
        token.encode()


@pytest.mark.parametrize(("ledger_id", "expiry"), [(b"\x01" * 31, 1), (LEDGER_ID, -1)])
def test_what_does_not_fit_is_not_signed(ledger_id: bytes, expiry: int) -> None:
    with pytest.raises(FieldError):
        read_token.sign(
            SigningKey(b"\x01" * 32), LedgerId(ledger_id), METHOD, b"", TimestampNs(expiry)
        )


def test_it_is_as_long_as_it_says() -> None:
    assert len(bytes.fromhex(VECTORS["cases"][0]["token"])) == limits.READ_TOKEN_BYTES
