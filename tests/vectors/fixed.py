"""The fixed world of the vectors: seeds, one genesis, and bytes that break one rule at a time.

Nothing here is random: keys come from hashed labels, so every run writes the same files.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tallystick_ledger import ed25519_zip215 as curve
from tallystick_ledger import merkle
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import SIGNATURE_DOMAIN, Header
from tallystick_ledger.genesis import Genesis, GenesisNode
from tallystick_ledger.ids import (
    AccountId,
    EnvelopeId,
    LedgerId,
    PrincipalId,
    PublicKey,
    Signature,
    TimestampNs,
    new_envelope_id,
    object_id,
    operator_principal,
)
from tallystick_ledger.keys import SigningKey, possession_bytes, prove_possession
from tallystick_ledger.records import Principal, PrincipalType, Transfer

Json = dict[str, Any]

RECORD: Final = 128
ID_TIME_MS: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z
ID_TIME_NS: Final = ID_TIME_MS * 1_000_000
VALID_UNTIL_NS: Final = TimestampNs(ID_TIME_NS + 60_000_000_000)


def digest(label: str) -> bytes:
    """Returns 32 bytes that look random and never change."""
    return hashlib.sha256(b"tallystick/vectors\0" + label.encode()).digest()


def key(label: str) -> SigningKey:
    return SigningKey(digest(label))


def nonce(label: str) -> bytes:
    return digest(f"nonce {label}")[:16]


OPERATOR: Final = key("operator 0")
PAYER: Final = key("payer")
NEW: Final = key("new")

GENESIS: Final = Genesis(
    random_bytes=digest("genesis"),
    origin="example.org/vectors",
    operators=[OPERATOR.public_key],
    nodes=[
        GenesisNode(
            raft_id,
            digest(f"transport {raft_id}"),
            key(f"ledger {raft_id}").public_key,
            key(f"cosigner {raft_id}").public_key,
        )
        for raft_id in (1, 2, 3)
    ],
)
LEDGER_ID: Final = GENESIS.ledger_id
ENVELOPE_ID: Final = new_envelope_id(ID_TIME_MS, digest("envelope id")[:10])
TRANSFER: Final = Transfer(
    debit_account=AccountId(digest("debit account")[:16]),
    credit_account=AccountId(digest("credit account")[:16]),
    amount=1_234_567,
    reference=42,
).encode(nonce("transfer"))

Mutation = Callable[[bytearray], None]


def unchanged(_: bytearray) -> None:
    """Leaves the header as it is."""


def put(offset: int, data: bytes) -> Mutation:
    """Returns the mutation that overwrites bytes from `offset` on."""

    def mutate(target: bytearray) -> None:
        target[offset : offset + len(data)] = data

    return mutate


def patched(data: bytes, offset: int, replacement: bytes) -> bytes:
    """Returns `data` with some bytes replaced."""
    target = bytearray(data)
    put(offset, replacement)(target)
    return bytes(target)


@dataclass(frozen=True)
class Sealing:
    """What an envelope is made of, each part of which a case may spoil on its own.

    The mutation of the header comes before signing, so the signature is over the spoiled header.
    """

    records: bytes = TRANSFER
    ledger_id: LedgerId = LEDGER_ID
    signer: PublicKey = PAYER.public_key
    envelope_id: EnvelopeId = ENVELOPE_ID
    valid_until_ns: TimestampNs = VALID_UNTIL_NS
    root: bytes | None = None
    mutate: Mutation = unchanged
    sign: Callable[[bytes], bytes] = PAYER.sign

    def header(self) -> bytes:
        count = max(1, min(len(self.records) // RECORD, 8190))
        root = merkle.root_of_in_python(self.records, RECORD) if self.root is None else self.root
        header = bytearray(
            Header(
                self.ledger_id,
                self.signer,
                self.envelope_id,
                self.valid_until_ns,
                count,
                root,
            ).encode()
        )
        self.mutate(header)
        return bytes(header)

    def prefix(self) -> bytes:
        header = self.header()
        return header + self.sign(SIGNATURE_DOMAIN + header)

    def encode(self) -> bytes:
        return self.prefix() + self.records


def case(name: str, code: Code, why: str, data: bytes, **more: str | int) -> Json:
    """Returns one vector: what it is, what must be answered, and the bytes."""
    return {"name": name, "code": code.name, "why": why, "data": data.hex(), **more}


def principal_record(
    new_key: bytes = NEW.public_key,
    possession: bytes | None = None,
    *,
    ledger_id: LedgerId = LEDGER_ID,
) -> bytes:
    """Returns a PRINCIPAL that is the first record of an operator's envelope."""
    principal = PrincipalId(object_id(LEDGER_ID, operator_principal(LEDGER_ID, 0), ENVELOPE_ID, 0))
    if possession is None:
        possession = prove_possession(NEW, ledger_id, principal)
    return Principal(
        PrincipalType.ORGANISATION, PublicKey(new_key), Signature(possession), principal
    ).encode()


def principal_possession_bytes(new_key: bytes) -> bytes:
    """Returns what the possession in `principal_record` signs."""
    return possession_bytes(LEDGER_ID, PrincipalId(principal_record()[104:120]), PublicKey(new_key))


# --- Signatures that no library makes ------------------------------------------------------------


def torsion_points() -> list[curve.Point]:
    """Returns the eight points whose order divides 8: i * T for a T of order 8, i from 0."""
    for y in range(2, 1000):
        point = curve.decompress(y.to_bytes(32, "little"))
        if point is None:
            continue
        torsion = curve.multiply(curve.L, point)
        if not curve.is_identity(curve.double(curve.double(torsion))):
            return [curve.multiply(index, torsion) for index in range(8)]
    raise AssertionError("the curve has points of order 8")


TORSION: Final = torsion_points()


def scalar(label: str) -> int:
    """Returns a number below the group order."""
    return int.from_bytes(hashlib.sha512(label.encode()).digest(), "little") % curve.L


@dataclass(frozen=True)
class OddSigner:
    """Signs with any parts: a secret number, the bytes of A, and R = [r]B + some point.

    The equation without cofactor holds or fails with the torsion parts; with cofactor it holds.
    """

    secret: int
    public_key: bytes
    nonce_scalar: int = 0
    r_torsion: curve.Point = curve.IDENTITY
    r_bytes: bytes | None = None
    s_offset: int = 0

    def __call__(self, message: bytes) -> bytes:
        point = curve.add(curve.multiply(self.nonce_scalar, curve.BASE), self.r_torsion)
        encoded_r = curve.compress(point) if self.r_bytes is None else self.r_bytes
        hashed = hashlib.sha512(encoded_r + self.public_key + message).digest()
        challenge = int.from_bytes(hashed, "little")
        s = (self.nonce_scalar + challenge * self.secret) % curve.L + self.s_offset
        return encoded_r + s.to_bytes(32, "little")


SECRET: Final = scalar("odd signer")
ODD_KEY: Final = curve.compress(curve.multiply(SECRET, curve.BASE))
R_SCALAR: Final = scalar("odd nonce")
MIXED_KEY: Final = curve.compress(curve.add(curve.multiply(SECRET, curve.BASE), TORSION[1]))
IDENTITY_KEY: Final = (1).to_bytes(32, "little")
# y = 1 written as 1 + P, and as 1 with the sign bit of a zero x: two more names of the identity.
IDENTITY_PLUS_P: Final = (1 + curve.P).to_bytes(32, "little")
IDENTITY_SIGNED: Final = (1 | 1 << 255).to_bytes(32, "little")


def not_a_point() -> bytes:
    """Returns 32 canonical bytes that no point has."""
    for y in range(2, 1000):
        encoded = y.to_bytes(32, "little")
        if curve.decompress(encoded) is None:
            return encoded
    raise AssertionError("half of all y have no x")


NOT_A_POINT: Final = not_a_point()
