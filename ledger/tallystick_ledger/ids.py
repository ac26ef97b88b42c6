"""Identifiers, and how the ones that nobody chooses are derived.

An object's id is a hash over who signed, in which envelope, at which place: the client knows it
before it sends anything, and nobody can pick somebody else's. Envelope ids are made by the client
and carry their time of making, which bounds how long a ledger must remember them.
Source: docs/format.md section 4.

All ids are plain `bytes`; the `NewType`s keep the type checker from mixing them up. Random bits
and the time come in as arguments, since nothing in this package reads a clock or draws numbers.
"""

import hashlib
from typing import Final, NewType

from tallystick_ledger import limits
from tallystick_ledger.errors import FieldError

LedgerId = NewType("LedgerId", bytes)  # 32 bytes: SHA-256 of the genesis
PrincipalId = NewType("PrincipalId", bytes)  # 16 bytes, as all that follow but keys
AccountId = NewType("AccountId", bytes)
UnitId = NewType("UnitId", bytes)
NameId = NewType("NameId", bytes)
HoldId = NewType("HoldId", bytes)
ChannelId = NewType("ChannelId", bytes)
ClaimId = NewType("ClaimId", bytes)  # that of the hold that it comes from
CardId = NewType("CardId", bytes)
MandateId = NewType("MandateId", bytes)
QuoteId = NewType("QuoteId", bytes)
LineId = NewType("LineId", bytes)
ListId = NewType("ListId", bytes)
GrantId = NewType("GrantId", bytes)  # also the id of the grant's account
ZoneId = NewType("ZoneId", bytes)
EnvelopeId = NewType("EnvelopeId", bytes)
PublicKey = NewType("PublicKey", bytes)  # 32 bytes, Ed25519
Signature = NewType("Signature", bytes)  # 64 bytes, Ed25519

SequenceNumber = NewType("SequenceNumber", int)  # u64; the first record of a ledger has 1
TimestampNs = NewType("TimestampNs", int)  # u64; nanoseconds since 1970, leap seconds ignored
Amount = NewType("Amount", int)  # u128; in the unit's smallest step

OBJECT_DOMAIN: Final = b"tallystick/object/v1\0"
ZONE_DOMAIN: Final = b"tallystick/zone/v1\0"
NO_ID: Final = bytes(limits.ID_BYTES)
NO_KEY: Final = PublicKey(bytes(limits.KEY_BYTES))

_NS_PER_MS: Final = 1_000_000
_ID_RANDOM_BITS: Final = 8 * limits.ID_RANDOM_BYTES


def object_id(
    ledger_id: LedgerId, principal: PrincipalId, envelope_id: EnvelopeId, record_index: int
) -> bytes:
    """Returns the 16-byte id of the object that a record makes.

    Args:
        ledger_id: 32 bytes.
        principal: Principal of the signing key.
        envelope_id: Id of the envelope that holds the record.
        record_index: Index of the record in its envelope, CONTs counted.
    """
    return hashlib.sha256(
        OBJECT_DOMAIN + ledger_id + principal + envelope_id + record_index.to_bytes(4, "little")
    ).digest()[: limits.ID_BYTES]


def operator_principal(ledger_id: LedgerId, position: int) -> PrincipalId:
    """Returns the principal of the operator at `position` (from 0) in the genesis."""
    return _genesis_principal(ledger_id, position)


def node_principal(ledger_id: LedgerId, raft_id: int) -> PrincipalId:
    """Returns the principal of the genesis node with this Raft id."""
    return _genesis_principal(ledger_id, limits.GENESIS_NODE_PRINCIPAL_BASE + raft_id)


def issuance_account(unit: UnitId) -> AccountId:
    """Returns the account that a unit's ISSUE debits: it has the unit's own id."""
    return AccountId(unit)


def grant_account(grant: GrantId) -> AccountId:
    """Returns the account that a grant pays from: it has the grant's own id."""
    return AccountId(grant)


def new_envelope_id(now_ms: int, random_bytes: bytes) -> EnvelopeId:
    """Makes an envelope id from the time of making and 10 random bytes.

    Args:
        now_ms: Milliseconds since 1970, below 2**48.
        random_bytes: 10 bytes, fresh for every envelope.

    Raises:
        FieldError: One of them is out of range.
    """
    if not 0 <= now_ms <= limits.MAX_ID_TIME_MS:
        raise FieldError(f"time of {now_ms} ms does not fit in 48 bits")
    require_length("random_bytes", random_bytes, limits.ID_RANDOM_BYTES)
    value = now_ms << _ID_RANDOM_BITS | int.from_bytes(random_bytes, "little")
    return EnvelopeId(value.to_bytes(limits.ID_BYTES, "little"))


def id_time_ms(envelope_id: EnvelopeId) -> int:
    """Returns when an envelope id was made, in milliseconds since 1970."""
    return int.from_bytes(envelope_id, "little") >> _ID_RANDOM_BITS


def id_time_ns(envelope_id: EnvelopeId) -> TimestampNs:
    """Returns when an envelope id was made, in nanoseconds since 1970.

    The greatest 48-bit time in nanoseconds does not fit in a `u64`; the result is exact.
    """
    return TimestampNs(id_time_ms(envelope_id) * _NS_PER_MS)


def require_length(name: str, value: bytes, length: int) -> None:
    """Raises FieldError unless `value` is `bytes` of `length`."""
    if not isinstance(value, bytes):
        raise FieldError(f"{name} must be bytes, not {type(value).__name__}")
    if len(value) != length:
        raise FieldError(f"{name} has {len(value)} bytes, not {length}")


def require_uint(name: str, value: int, maximum: int, minimum: int = 0) -> None:
    """Raises FieldError unless `value` is a whole number from `minimum` to `maximum`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError(f"{name} must be an int, not {type(value).__name__}")
    if not minimum <= value <= maximum:
        raise FieldError(f"{name} is {value}, not {minimum} to {maximum}")


def _genesis_principal(ledger_id: LedgerId, index: int) -> PrincipalId:
    return PrincipalId(object_id(ledger_id, PrincipalId(NO_ID), EnvelopeId(NO_ID), index))
