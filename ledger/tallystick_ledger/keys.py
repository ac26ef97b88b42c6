"""Signing keys, proofs of possession, and the signature rule as everybody calls it.

Key material comes in as 32 bytes and leaves as 32 bytes: reading files and drawing random numbers
is the caller's part. Signing is libsodium's (PyNaCl). Source: docs/format.md sections 2 and 6.
"""

from typing import Final

from nacl import bindings
from nacl.exceptions import BadSignatureError

from tallystick_ledger import ed25519_zip215, limits
from tallystick_ledger.ids import LedgerId, PrincipalId, PublicKey, Signature, require_length

POSSESSION_DOMAIN: Final = b"tallystick/possession/v1\0"


class SigningKey:
    """An Ed25519 key that can sign. Its repr shows the public half only."""

    __slots__ = ("_public_key", "_secret")

    def __init__(self, seed: bytes) -> None:
        """Makes the key of a seed.

        Args:
            seed: 32 secret random bytes.

        Raises:
            FieldError: Not 32 bytes.
        """
        require_length("seed", seed, limits.SEED_BYTES)
        public_key, self._secret = bindings.crypto_sign_seed_keypair(seed)
        self._public_key = PublicKey(public_key)

    @property
    def public_key(self) -> PublicKey:
        """32 bytes, the public half."""
        return self._public_key

    @property
    def seed(self) -> bytes:
        """32 secret bytes, to be stored where nobody else can read them."""
        return self._secret[: limits.SEED_BYTES]

    def sign(self, message: bytes) -> Signature:
        """Returns the 64-byte signature of a message."""
        return Signature(bindings.crypto_sign(message, self._secret)[: limits.SIGNATURE_BYTES])

    def __repr__(self) -> str:
        """Names the key without its secret."""
        return f"SigningKey({self._public_key.hex()})"


def possession_bytes(ledger_id: LedgerId, principal: PrincipalId, key: PublicKey) -> bytes:
    """Returns what a proof of possession signs."""
    return POSSESSION_DOMAIN + ledger_id + principal + key


def prove_possession(
    signing_key: SigningKey, ledger_id: LedgerId, principal: PrincipalId
) -> Signature:
    """Proves to a ledger that somebody has the key that is to be registered for `principal`."""
    return signing_key.sign(possession_bytes(ledger_id, principal, signing_key.public_key))


def is_valid_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Applies the whole rule for new bytes: the ZIP-215 equation, R and S canonical.

    libsodium answers first, because it is fast: whatever equation it uses, with or without the
    cofactor, implies ours. Where it says no, the reference decides.
    """
    if len(signature) != limits.SIGNATURE_BYTES or len(public_key) != limits.KEY_BYTES:
        return False
    if not ed25519_zip215.is_canonical_signature(signature):
        return False
    try:
        bindings.crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return ed25519_zip215.verify(public_key, message, signature)
    return True


def is_acceptable_key(public_key: bytes) -> bool:
    """Returns whether a key may be registered: canonical and of prime order."""
    return ed25519_zip215.is_acceptable_key(public_key)
