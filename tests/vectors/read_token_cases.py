"""The cases of read_token.json: one call, one good token, and tokens that break one rule each."""

from dataclasses import dataclass
from typing import Final

from tests.vectors import fixed
from tests.vectors.fixed import LEDGER_ID, Json, patched

from tallystick_ledger import ed25519_zip215 as curve
from tallystick_ledger import limits, read_token
from tallystick_ledger.ids import LedgerId, PublicKey, Signature, TimestampNs
from tallystick_ledger.keys import SigningKey

METHOD: Final = "/tallystick.v1.Ledger/GetAccounts"
REQUEST: Final = b"\x0a\x10" + fixed.digest("account")[:16]
NOW_NS: Final = fixed.ID_TIME_NS
EXPIRY_NS: Final = NOW_NS + 30_000_000_000
LATEST_NS: Final = NOW_NS + limits.MAX_READ_TOKEN_LIFETIME_NS + limits.READ_TOKEN_SKEW_NS
# With R the identity the equation holds for any way of writing it; y = 1 + P is not its own.
NON_CANONICAL_R: Final = (1 + curve.P).to_bytes(32, "little")


@dataclass(frozen=True)
class Signing:
    """What a token is made of, each part of which a case may spoil on its own."""

    key: SigningKey = fixed.PAYER
    ledger_id: LedgerId = LEDGER_ID
    method: str = METHOD
    request: bytes = REQUEST
    expires_at_ns: int = EXPIRY_NS
    named: PublicKey | None = None  # the key that the token names, if not the one that signs

    def encode(self) -> bytes:
        expiry = TimestampNs(self.expires_at_ns)
        key = self.named or self.key.public_key
        signed = read_token.signed_bytes(self.ledger_id, key, self.method, self.request, expiry)
        return read_token.ReadToken(key, expiry, self.key.sign(signed)).encode()


def cases() -> list[Json]:
    """All cases; `valid` says whether a node that knows the key takes the token."""
    return [*_good(), *_of_another_call(), *_of_another_time(), *_of_another_shape()]


def _good() -> list[Json]:
    return [
        _case("good", "as section 12 says", Signing().encode(), valid=True),
        _case("last-nanosecond", "it expires after now", _at(NOW_NS + 1), valid=True),
        _case("as-late-as-can-be", "60 s and the 5 s for the clock", _at(LATEST_NS), valid=True),
        _case(
            "of-another-key",
            "whose key it is makes no difference to the bytes",
            Signing(key=fixed.NEW).encode(),
            valid=True,
        ),
    ]


def _of_another_call() -> list[Json]:
    return [
        _case("other-method", "signed for another RPC", _spoilt(method=METHOD + "s")),
        _case("no-leading-slash", "the method is the whole path", _spoilt(method=METHOD[1:])),
        _case("other-request", "signed over other request bytes", _spoilt(request=REQUEST[:-1])),
        _case("no-request", "signed over an empty request", _spoilt(request=b"")),
        _case(
            "other-ledger",
            "signed for another ledger",
            _spoilt(ledger_id=LedgerId(fixed.digest("another ledger"))),
        ),
        _case(
            "wrong-key",
            "the key that it names did not sign it",
            _spoilt(named=fixed.NEW.public_key),
        ),
        _case(
            "expiry-moved",
            "the expiry is among the signed bytes",
            patched(Signing().encode(), 40, (EXPIRY_NS + 1).to_bytes(8, "little")),
        ),
    ]


def _of_another_time() -> list[Json]:
    return [
        _case("expired", "it expires now", _at(NOW_NS)),
        _case("long-expired", "it expired an hour ago", _at(NOW_NS - 3_600 * 10**9)),
        _case("no-expiry", "zero is a time long past", _at(0)),
        _case("far-future", "one nanosecond too far ahead", _at(LATEST_NS + 1)),
        _case("for-ever", "the greatest expiry there is", _at(limits.MAX_U64)),
    ]


def _of_another_shape() -> list[Json]:
    good = Signing().encode()
    odd = fixed.OddSigner(fixed.SECRET, fixed.ODD_KEY, r_bytes=NON_CANONICAL_R)
    high = fixed.OddSigner(fixed.SECRET, fixed.ODD_KEY, fixed.R_SCALAR, s_offset=curve.L)
    return [
        _case("empty", "112 bytes", b""),
        _case("short", "one byte is missing", good[:-1]),
        _case("trailing", "one byte too many", good + b"\0"),
        _case("magic", "magic", patched(good, 0, b"TSR2")),
        _case("version", "format version", patched(good, 4, b"\2\0")),
        _case("reserved", "reserved bytes are zero", patched(good, 6, b"\1")),
        _case(
            "signature-bit", "one bit of the signature", patched(good, 48, bytes([good[48] ^ 1]))
        ),
        _case("no-signature", "64 zero bytes", patched(good, 48, bytes(64))),
        _case("non-canonical-r", "the equation holds, R is not canonical", _odd(odd)),
        _case("non-canonical-s", "S is above the group order", _odd(high)),
    ]


def _odd(signer: fixed.OddSigner) -> bytes:
    key = PublicKey(signer.public_key)
    signed = read_token.signed_bytes(LEDGER_ID, key, METHOD, REQUEST, EXPIRY_NS)
    signature = Signature(signer(signed))
    return read_token.ReadToken(key, TimestampNs(EXPIRY_NS), signature).encode()


def _at(expires_at_ns: int) -> bytes:
    return Signing(expires_at_ns=expires_at_ns).encode()


def _spoilt(**parts: object) -> bytes:
    return Signing(**parts).encode()  # type: ignore[arg-type]  # names and types are Signing's


def _case(name: str, why: str, token: bytes, *, valid: bool = False) -> Json:
    return {"name": name, "why": why, "token": token.hex(), "valid": valid}


def content() -> Json:
    """The content of read_token.json."""
    return {
        "section": 12,
        "ledger_id": LEDGER_ID.hex(),
        "method": METHOD,
        "request": REQUEST.hex(),
        "now_ns": NOW_NS,
        "cases": cases(),
    }
