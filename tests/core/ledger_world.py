"""A small fixed ledger for tests of the native core: one genesis, its keys, envelopes, blocks."""

import hashlib
from typing import Final

from tallystick_ledger import block, envelope, ids
from tallystick_ledger.genesis import Caps, Genesis, GenesisNode
from tallystick_ledger.ids import EnvelopeId, PrincipalId, PublicKey, SequenceNumber, TimestampNs
from tallystick_ledger.keys import SigningKey, prove_possession
from tallystick_ledger.records import Principal, PrincipalType, Tick

NOW_NS: Final = 1_767_225_600_000_000_000
SECOND_NS: Final = 1_000_000_000
SEED: Final = bytes(range(32))
CAP_LIVE_IDS: Final = 50


def digest(label: str) -> bytes:
    """Returns 32 bytes that look random and never change."""
    return hashlib.sha256(label.encode()).digest()


OPERATOR: Final = SigningKey(digest("operator"))
NODE: Final = SigningKey(digest("node"))
STRANGER: Final = SigningKey(digest("stranger"))
GENESIS: Final = Genesis(
    random_bytes=digest("genesis"),
    origin="test.example/core",
    operators=[OPERATOR.public_key],
    nodes=[GenesisNode(1, digest("transport"), NODE.public_key, PublicKey(digest("cosigner")))],
    caps=Caps(live_ids=CAP_LIVE_IDS),
)
LEDGER_ID: Final = GENESIS.ledger_id


def envelope_id(label: str, made_ns: int = NOW_NS) -> EnvelopeId:
    """Returns the id that a client would have made at `made_ns`."""
    return ids.new_envelope_id(made_ns // 1_000_000, digest(f"id {label}")[:10])


def tick(
    label: str,
    count: int = 1,
    *,
    signer: SigningKey = NODE,
    made_ns: int = NOW_NS,
    valid_until_ns: int = NOW_NS + 60 * SECOND_NS,
) -> bytes:
    """Returns an envelope of `count` TICK records."""
    nonces = (digest(f"nonce {label} {index}")[:16] for index in range(count))
    records = b"".join(Tick().encode(nonce) for nonce in nonces)
    until = TimestampNs(valid_until_ns)
    return envelope.seal(signer, LEDGER_ID, envelope_id(label, made_ns), until, records)


def registration(label: str, key: SigningKey, *, spoil: int | None = None) -> bytes:
    """Returns an envelope in which the operator registers `key`.

    Args:
        label: Tells envelopes apart.
        key: The first key of the new principal.
        spoil: Offset in the record of a byte to change, under a good envelope signature.
    """
    made = envelope_id(label)
    operator = ids.operator_principal(LEDGER_ID, 0)
    principal = PrincipalId(ids.object_id(LEDGER_ID, operator, made, 0))
    proof = prove_possession(key, LEDGER_ID, principal)
    record = bytearray(
        Principal(PrincipalType.ORGANISATION, key.public_key, proof, principal).encode()
    )
    if spoil is not None:
        record[spoil] ^= 1
    until = TimestampNs(NOW_NS + 60 * SECOND_NS)
    return envelope.seal(OPERATOR, LEDGER_ID, made, until, bytes(record))


def build(*envelopes: bytes, timestamp_ns: int = NOW_NS, first_sequence: int = 1) -> bytes:
    """Returns a block of envelopes."""
    return block.build(envelopes, TimestampNs(timestamp_ns), SequenceNumber(first_sequence))
