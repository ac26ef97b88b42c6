"""The read token: who asks, signed over what is asked (docs/format.md section 12).

A read changes nothing, so nothing about it is ordered and no id keeps it from being repeated. What
it needs is proof of who asks. The token is that proof: it goes into the call's metadata, beside the
request, and is good for this method, these request bytes, this ledger and a minute at most.

    read = RPC method ─┐
    request bytes ─────┼─▶ signed_bytes ─▶ signature ─▶ token (112 bytes)
    ledger id, expiry ─┘

Somebody who records a call can repeat that very call until it expires, and learns nothing that the
recording did not tell; TLS keeps him from recording. What the key behind a token may see is not
decided here but by each node, from its state and its rules (docs/security.md).

Times come in as arguments. `verify` is the whole check in plain Python, for whoever has no core.
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

from tallystick_ledger import keys, limits
from tallystick_ledger.errors import TokenError
from tallystick_ledger.ids import (
    LedgerId,
    PublicKey,
    Signature,
    TimestampNs,
    require_length,
    require_uint,
)

READ_DOMAIN: Final = b"tallystick/read/v1\0"
MAGIC: Final = b"TSR1"
FORMAT_VERSION: Final = 1
# Key in the metadata of the call that carries the token; `-bin` lets gRPC take bytes.
METADATA_KEY: Final = "tallystick-read-bin"

_LAYOUT: Final = struct.Struct("<4sHH32sQ64s")


@dataclass(frozen=True, slots=True)
class ReadToken:
    """What a token says.

    Attributes:
        key: Public key of whoever asks, 32 bytes.
        expires_at_ns: From then on, by the node's clock, it is void.
        signature: By that key over `signed_bytes`, 64 bytes.
    """

    key: PublicKey
    expires_at_ns: TimestampNs
    signature: Signature

    def encode(self) -> bytes:
        """Returns the 112 bytes.

        Raises:
            FieldError: A field does not fit.
        """
        require_length("key", self.key, limits.KEY_BYTES)
        require_uint("expires_at_ns", self.expires_at_ns, limits.MAX_U64)
        require_length("signature", self.signature, limits.SIGNATURE_BYTES)
        return _LAYOUT.pack(MAGIC, FORMAT_VERSION, 0, self.key, self.expires_at_ns, self.signature)

    @classmethod
    def parse(cls, data: bytes) -> "ReadToken":
        """Reads a token's layout; says nothing about signature or time.

        Raises:
            TokenError: Wrong length, magic, version or reserved bytes.
        """
        if len(data) != limits.READ_TOKEN_BYTES:
            raise TokenError(f"it has {len(data)} bytes, not {limits.READ_TOKEN_BYTES}")
        magic, version, reserved, key, expires_at_ns, signature = _LAYOUT.unpack(data)
        if magic != MAGIC or version != FORMAT_VERSION:
            raise TokenError(f"it is no read token of format version {FORMAT_VERSION}")
        if reserved:
            raise TokenError("its reserved bytes are not zero")
        return cls(PublicKey(key), TimestampNs(expires_at_ns), Signature(signature))

    def check_time(self, now_ns: int) -> None:
        """Checks the expiry against the clock of whoever is asked.

        Args:
            now_ns: Nanoseconds since 1970.

        Raises:
            TokenError: It has expired, or expires too late to be a token.
        """
        ahead_ns = self.expires_at_ns - now_ns
        if ahead_ns <= 0:
            raise TokenError(f"it expired {-ahead_ns // 1_000_000} ms ago by this node's clock")
        if ahead_ns > limits.MAX_READ_TOKEN_LIFETIME_NS + limits.READ_TOKEN_SKEW_NS:
            raise TokenError(
                f"it expires in {ahead_ns // 1_000_000} ms by this node's clock, "
                f"more than {limits.MAX_READ_TOKEN_LIFETIME_NS // 1_000_000_000} s ahead"
            )


def signed_bytes(
    ledger_id: LedgerId, key: PublicKey, method: str, request: bytes, expires_at_ns: int
) -> bytes:
    """Returns what a token signs, 155 bytes.

    Args:
        ledger_id: 32 bytes.
        key: 32 bytes, of whoever signs.
        method: Full name of the RPC as in the call's path, `/package.Service/Method`.
        request: The request message's bytes exactly as they are sent, before any compression.
        expires_at_ns: A `u64`.
    """
    return (
        READ_DOMAIN
        + ledger_id
        + key
        + hashlib.sha256(method.encode("ascii")).digest()
        + hashlib.sha256(request).digest()
        + expires_at_ns.to_bytes(8, "little")
    )


def sign(
    signing_key: keys.SigningKey,
    ledger_id: LedgerId,
    method: str,
    request: bytes,
    expires_at_ns: TimestampNs,
) -> ReadToken:
    """Makes the token for one call; the arguments are those of `signed_bytes`.

    Raises:
        FieldError: Ledger id or expiry does not fit.
    """
    require_length("ledger_id", ledger_id, limits.HASH_BYTES)
    require_uint("expires_at_ns", expires_at_ns, limits.MAX_U64)
    key = signing_key.public_key
    signed = signed_bytes(ledger_id, key, method, request, expires_at_ns)
    return ReadToken(key, expires_at_ns, signing_key.sign(signed))


def verify(data: bytes, ledger_id: LedgerId, method: str, request: bytes, now_ns: int) -> ReadToken:
    """Checks a token from its bytes alone: layout, time, signature.

    Args:
        data: The token.
        ledger_id: Of the ledger that is asked.
        method: Of the call.
        request: Of the call, as it came.
        now_ns: Nanoseconds since 1970.

    Returns:
        The token; whether its key is registered, and what it may see, is the state's to say.

    Raises:
        TokenError: It is not good for this call.
    """
    token = ReadToken.parse(data)
    token.check_time(now_ns)
    signed = signed_bytes(ledger_id, token.key, method, request, token.expires_at_ns)
    if not keys.is_valid_signature(token.key, signed, token.signature):
        raise TokenError("its signature is not one of its key over this very call")
    return token
