"""Keys, the Ed25519 reference, and the two against libsodium."""

import json
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from tallystick_ledger import ed25519_zip215 as curve
from tallystick_ledger import keys
from tallystick_ledger.errors import FieldError
from tallystick_ledger.ids import LedgerId, PrincipalId

VECTORS: Final = Path(__file__).resolve().parents[1] / "vectors"
# RFC 8032 section 7.1, TEST 3.
RFC_SEED: Final = "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"
RFC_KEY: Final = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
RFC_MESSAGE: Final = "af82"
RFC_SIGNATURE: Final = (
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)


def test_the_example_of_the_rfc() -> None:
    key = keys.SigningKey(bytes.fromhex(RFC_SEED))
    message = bytes.fromhex(RFC_MESSAGE)
    assert key.public_key.hex() == RFC_KEY
    assert key.sign(message).hex() == RFC_SIGNATURE
    assert curve.verify(key.public_key, message, key.sign(message))
    assert keys.is_valid_signature(key.public_key, message, key.sign(message))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40))
def test_what_is_signed_verifies(seed: bytes, message: bytes) -> None:
    key = keys.SigningKey(seed)
    signature = key.sign(message)
    assert curve.verify(key.public_key, message, signature)
    assert keys.is_valid_signature(key.public_key, message, signature)
    assert not curve.verify(key.public_key, message + b"x", signature)
    assert not keys.is_valid_signature(key.public_key, message + b"x", signature)
    assert keys.is_acceptable_key(key.public_key)


@given(st.integers(0, 511), st.integers(0, 255))
def test_every_bit_of_a_signature_counts(bit: int, key_bit: int) -> None:
    key = keys.SigningKey(b"k" * 32)
    signature = bytearray(key.sign(b"message"))
    signature[bit // 8] ^= 1 << bit % 8
    assert not keys.is_valid_signature(key.public_key, b"message", bytes(signature))
    other = bytearray(key.public_key)
    other[key_bit // 8] ^= 1 << key_bit % 8
    assert not keys.is_valid_signature(bytes(other), b"message", key.sign(b"message"))


@pytest.mark.parametrize(("key_bytes", "signature_bytes"), [(31, 64), (33, 64), (32, 63), (32, 65)])
def test_other_lengths_verify_nothing(key_bytes: int, signature_bytes: int) -> None:
    key = keys.SigningKey(b"k" * 32)
    public = (key.public_key + b"\0")[:key_bytes]
    signature = (key.sign(b"") + b"\0")[:signature_bytes]
    assert not curve.verify(public, b"", signature)
    assert not keys.is_valid_signature(public, b"", signature)


def test_libsodium_agrees_on_keys() -> None:
    """`is_valid_point` asks for what section 2 asks of a registered key."""
    for case in json.loads((VECTORS / "key.json").read_text(encoding="utf-8"))["cases"]:
        key = bytes.fromhex(case["key"])
        assert bindings.crypto_core_ed25519_is_valid_point(key) == case["acceptable"], case["name"]


@given(st.binary(min_size=32, max_size=32))
def test_libsodium_agrees_on_any_bytes(encoded: bytes) -> None:
    expected = bindings.crypto_core_ed25519_is_valid_point(encoded)
    assert curve.is_acceptable_key(encoded) == expected


@given(st.integers(1, curve.L - 1), st.integers(1, curve.L - 1))
def test_the_group_is_a_group(left: int, right: int) -> None:
    sum_of_products = curve.add(curve.multiply(left, curve.BASE), curve.multiply(right, curve.BASE))
    product_of_sum = curve.multiply((left + right) % curve.L, curve.BASE)
    assert curve.compress(sum_of_products) == curve.compress(product_of_sum)
    expected = bindings.crypto_scalarmult_ed25519_base_noclamp(left.to_bytes(32, "little"))
    assert curve.compress(curve.multiply(left, curve.BASE)) == expected
    back = curve.decompress(expected)
    assert back is not None
    assert curve.compress(back) == expected


def test_the_base_has_the_order_of_the_group() -> None:
    assert not curve.is_identity(curve.BASE)
    assert curve.is_identity(curve.multiply(curve.L, curve.BASE))


def test_a_key_keeps_its_seed_to_itself() -> None:
    key = keys.SigningKey(b"s" * 32)
    assert key.seed == b"s" * 32
    assert (b"s" * 32).hex() not in repr(key)
    assert key.public_key.hex() in repr(key)
    with pytest.raises(FieldError):
        keys.SigningKey(b"s" * 31)


def test_possession_is_bound_to_ledger_and_principal() -> None:
    key = keys.SigningKey(b"k" * 32)
    ledger, principal = LedgerId(b"l" * 32), PrincipalId(b"p" * 16)
    proof = keys.prove_possession(key, ledger, principal)
    message = keys.possession_bytes(ledger, principal, key.public_key)
    assert message.startswith(b"tallystick/possession/v1\0" + ledger + principal)
    assert keys.is_valid_signature(key.public_key, message, proof)
    for other in (
        keys.possession_bytes(LedgerId(b"m" * 32), principal, key.public_key),
        keys.possession_bytes(ledger, PrincipalId(b"q" * 16), key.public_key),
    ):
        assert not keys.is_valid_signature(key.public_key, other, proof)
