"""Ed25519 by ZIP-215 against the public vectors that tell verifiers apart.

The native equation and the plain Python reference must say the same. That the native batch agrees
with the native single rule is tested in Rust, with torsion and spoilt encodings.
"""

import gzip
import json
from pathlib import Path
from typing import Any, Final

import pytest
from tallystick_core import key_is_acceptable, verify_ed25519

from tallystick_ledger import ed25519_zip215, keys

EXTERNAL: Final = Path(__file__).resolve().parent.parent / "vectors" / "external"

# By case: does the cofactored equation hold over the bytes as given. A verifier strict by RFC 8032
# (no cofactor, canonical encodings) disagrees on 4, 5, 9, 10 and 11.
SPECCHECK_BY_ZIP215: Final = {
    0: True,  # key and R of small order, S = 0
    1: True,  # key of small order
    2: True,  # R of small order, key of mixed order
    3: True,  # key and R of mixed order; holds without the cofactor too
    4: True,  # key and R of mixed order; holds with the cofactor only
    5: True,  # key of mixed order; the cofactor must enter before the hash is reduced
    6: False,  # S above the group order
    7: False,  # S far above the group order
    8: False,  # R not canonical, hashed as if it were
    9: True,  # R not canonical, hashed as it stands
    10: True,  # key not canonical, hashed as if it were
    11: True,  # key not canonical, hashed as it stands
}
# Keys that may not be registered, whatever their signatures: small or mixed order, or encoding.
SPECCHECK_GOOD_KEYS: Final = {6, 7}

# R is y = 1 with the sign of x set, which RFC 8032 refuses to decode and ZIP-215 takes.
WYCHEPROOF_LENIENT: Final = {151}


def speccheck() -> list[dict[str, str]]:
    text = (EXTERNAL / "ed25519-speccheck" / "cases.json").read_text(encoding="utf-8")
    cases: list[dict[str, str]] = json.loads(text)
    return cases


def wycheproof() -> list[Any]:
    data = gzip.decompress((EXTERNAL / "wycheproof" / "ed25519_test.json.gz").read_bytes())
    return [
        pytest.param(bytes.fromhex(group["publicKey"]["pk"]), test, id=f"{test['tcId']}")
        for group in json.loads(data)["testGroups"]
        for test in group["tests"]
    ]


def test_all_of_speccheck_is_here() -> None:
    assert len(speccheck()) == len(SPECCHECK_BY_ZIP215)


@pytest.mark.parametrize("index", SPECCHECK_BY_ZIP215)
def test_speccheck(index: int) -> None:
    case = {name: bytes.fromhex(value) for name, value in speccheck()[index].items()}
    arguments = case["pub_key"], case["message"], case["signature"]
    assert verify_ed25519(*arguments) is SPECCHECK_BY_ZIP215[index]
    assert ed25519_zip215.verify(*arguments) is SPECCHECK_BY_ZIP215[index]
    assert key_is_acceptable(case["pub_key"]) is (index in SPECCHECK_GOOD_KEYS)


def test_all_of_wycheproof_is_here() -> None:
    results = [param.values[1]["result"] for param in wycheproof()]
    assert (results.count("valid"), results.count("invalid")) == (88, 63)


@pytest.mark.parametrize(("key", "test"), wycheproof())
def test_wycheproof(key: bytes, test: dict[str, Any]) -> None:
    message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
    if len(signature) != 64:
        assert test["result"] == "invalid"
        with pytest.raises(ValueError, match="a signature has 64 bytes"):
            verify_ed25519(key, message, signature)
        return
    holds = test["result"] == "valid" or test["tcId"] in WYCHEPROOF_LENIENT
    assert verify_ed25519(key, message, signature) is holds
    # The whole rule for new bytes asks for canonical encodings too, and agrees with RFC 8032 here.
    assert keys.is_valid_signature(key, message, signature) is (test["result"] == "valid")


def test_keys_of_another_length_are_told_apart() -> None:
    with pytest.raises(ValueError, match="a public key has 32 bytes"):
        verify_ed25519(bytes(31), b"", bytes(64))
    assert not key_is_acceptable(bytes(31))
    assert not key_is_acceptable(bytes(33))
