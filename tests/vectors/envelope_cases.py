"""Cases of envelope.json: one valid envelope of every sort, and one broken one for every rule."""

import hashlib
from dataclasses import replace
from typing import Final

from tests.vectors import fixed
from tests.vectors.fixed import RECORD, TRANSFER, Json, OddSigner, Sealing, case, patched, put

from tallystick_ledger import cont, merkle
from tallystick_ledger import ed25519_zip215 as curve
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import SIGNATURE_DOMAIN
from tallystick_ledger.ids import (
    EnvelopeId,
    LedgerId,
    PrincipalId,
    PublicKey,
    TimestampNs,
    new_envelope_id,
)
from tallystick_ledger.keys import prove_possession
from tallystick_ledger.records import Key, KeyOperation, Kind, Name, NameKind, Recover, Scope

NAME: Final = Name(NameKind.MODEL, "example/" + "m" * 150).encode(
    b"".join(fixed.nonce(f"name {index}") for index in range(2))
)
UNKNOWN_KIND: Final = patched(TRANSFER, 0, b"\x77\x77")
# All zero but for the kind: of a VOUCHER that is a record, of the others it lacks a nonce.
VOUCHER: Final = Kind.VOUCHER.to_bytes(2, "little") + bytes(RECORD - 2)
WITH_NONCE: Final = (Kind.EXTEND, Kind.CHANNEL, Kind.TOP_UP, Kind.CHANNEL_CLOSE)


def cases() -> list[Json]:
    return [
        *_valid(),
        *_header(),
        *_length(),
        *_grid(),
        *_binding(),
        *_signature(),
        *_root(),
        *_keys(),
    ]


def _valid() -> list[Json]:
    other = patched(TRANSFER, 112, fixed.nonce("another"))
    unknown_with_conts = _with_conts(UNKNOWN_KIND, 64)
    revoke = _key_record(KeyOperation.REVOKE)
    odd_operation = patched(patched(revoke, 6, b"\x07"), 40, bytes(range(64)))
    return [
        case("transfer", Code.OK, "one TRANSFER", Sealing().encode()),
        case("three", Code.OK, "an odd count", Sealing(TRANSFER + other + TRANSFER).encode()),
        case("atomic", Code.OK, "flag ATOMIC", Sealing(mutate=put(6, b"\x01")).encode()),
        case("name", Code.OK, "a NAME with one CONT", Sealing(NAME).encode()),
        case(
            "unknown-kind",
            Code.OK,
            "an unknown kind is ordered, and refused when it is applied; 64 CONTs are allowed",
            Sealing(unknown_with_conts).encode(),
        ),
        case(
            "refused-later",
            Code.OK,
            "flags, reserved bytes, amount and cont_hash of a head are no matter of the grid",
            Sealing(b"\x01\x03" + b"\xff" * 2 + b"\0\0" + b"\xff" * 122).encode(),
        ),
        case(
            "principal",
            Code.OK,
            "a PRINCIPAL with a proof that holds; it has no nonce",
            Sealing(fixed.principal_record()).encode(),
        ),
        case(
            "voucher",
            Code.OK,
            "a VOUCHER has no nonce: its signature ends there, and is looked at when it is applied",
            Sealing(VOUCHER).encode(),
        ),
        case("key-add", Code.OK, "KEY ADD", Sealing(_key_record(KeyOperation.ADD)).encode()),
        case(
            "key-rotate",
            Code.OK,
            "KEY ROTATE",
            Sealing(_key_record(KeyOperation.ROTATE)).encode(),
        ),
        case(
            "recover",
            Code.OK,
            "RECOVER has a proof and no nonce",
            Sealing(_recover_record()).encode(),
        ),
        case("key-revoke", Code.OK, "KEY REVOKE has no proof", Sealing(revoke).encode()),
        case(
            "key-odd-operation",
            Code.OK,
            "key and proof of a KEY whose operation is neither ADD nor ROTATE are not looked at",
            Sealing(patched(odd_operation, 8, fixed.NOT_A_POINT)).encode(),
        ),
        _repeated("largest", Code.OK, "8,190 records: exactly 1 MiB", 8190, 8190),
    ]


def _header() -> list[Json]:
    spoiled = (
        ("magic", "another magic", put(0, b"TSE2")),
        ("version-0", "format version 0", put(4, b"\0\0")),
        ("version-2", "format version 2", put(4, b"\2\0")),
        ("flags-bit-1", "an unknown flag", put(6, b"\2\0")),
        ("flags-bit-15", "an unknown flag beside ATOMIC", put(6, b"\1\x80")),
        ("algorithm-0", "algorithm 0", put(8, b"\0\0")),
        ("algorithm-2", "algorithm 2", put(8, b"\2\0")),
        ("reserved-10", "reserved bytes 10 to 12", put(10, b"\1")),
        ("reserved-11", "reserved bytes 10 to 12", put(11, b"\1")),
        ("reserved-136", "first of the reserved bytes 136 to 192", put(136, b"\1")),
        ("reserved-191", "last of the reserved bytes 136 to 192", put(191, b"\1")),
    )
    return [
        case(name, Code.MALFORMED, why, Sealing(mutate=mutate).encode())
        for name, why, mutate in spoiled
    ]


def _length() -> list[Json]:
    whole = Sealing().encode()
    no_records = Sealing(b"", root=merkle.EMPTY_ROOT, mutate=put(12, bytes(4)))
    two = Sealing(TRANSFER * 2)
    return [
        case("empty", Code.MALFORMED, "no bytes at all", b""),
        case(
            "no-signature", Code.MALFORMED, "255 bytes: header and signature need 256", whole[:255]
        ),
        case("count-0", Code.MALFORMED, "a record count of 0", no_records.encode()),
        _repeated("count-8191", Code.MALFORMED, "one record too many", 8191, 8191),
        case("record-missing", Code.MALFORMED, "two promised, one there", two.prefix() + TRANSFER),
        case("torn", Code.MALFORMED, "the last byte is missing", whole[:-1]),
        case("trailing-byte", Code.MALFORMED, "a byte behind the last record", whole + b"\0"),
        case("trailing-record", Code.MALFORMED, "a record too many", whole + TRANSFER),
    ]


def _grid() -> list[Json]:
    head, one = NAME[:RECORD], NAME[RECORD:]
    spoiled = (
        ("cont-first", "a CONT without a head", one),
        ("cont-unclaimed", "a CONT behind a head with cont_count 0", TRANSFER + one),
        ("cont-missing", "the CONT would lie outside the envelope", head),
        ("cont-is-head", "a head in the place of a CONT", _rehashed(head, TRANSFER)),
        ("cont-65", "65 CONTs", _with_conts(UNKNOWN_KIND, 65)),
        ("cont-flags", "flags in a CONT", _rehashed(head, patched(one, 2, b"\1"))),
        ("cont-count", "cont_count in a CONT", _rehashed(head, patched(one, 4, b"\1"))),
        ("cont-bytes-6", "bytes 6 to 8 of a CONT", _rehashed(head, patched(one, 6, b"\1"))),
        ("cont-bytes-7", "bytes 6 to 8 of a CONT", _rehashed(head, patched(one, 7, b"\1"))),
        (
            "cont-nonce",
            "the nonce of a CONT is zero",
            _rehashed(head, patched(one, 112, bytes(16))),
        ),
        ("cont-hash", "the head's hash over its CONTs", patched(NAME, 80, bytes(32))),
        ("nonce", "the nonce of a TRANSFER is zero", patched(TRANSFER, 112, bytes(16))),
        ("nonce-unknown", "so it is of an unknown kind", patched(UNKNOWN_KIND, 112, bytes(16))),
        *(
            (
                f"nonce-{kind:04x}",
                f"so it is of {kind.name}",
                patched(VOUCHER, 0, kind.to_bytes(2, "little")),
            )
            for kind in WITH_NONCE
        ),
        ("voucher-conts", "a VOUCHER has no hash over a CONT", patched(VOUCHER, 4, b"\1") + one),
        ("principal-conts", "a PRINCIPAL has no hash over a CONT", _principal_with_cont()),
    )
    return [
        case(f"grid-{name}", Code.MALFORMED, why, Sealing(records).encode())
        for name, why, records in spoiled
    ]


def _binding() -> list[Json]:
    made, lifetime = fixed.ID_TIME_NS, fixed.GENESIS.max_lifetime_ns
    other = LedgerId(fixed.digest("another ledger"))
    latest = EnvelopeId(b"\xff" * 16)
    times = (
        ("id-time-earliest", Code.OK, "valid until the id's own time", made),
        ("id-time-latest", Code.OK, "the longest life", made + lifetime),
        ("id-time-before", Code.BAD_ID_TIME, "1 ns before the id's time", made - 1),
        ("id-time-after", Code.BAD_ID_TIME, "1 ns too long", made + lifetime + 1),
        ("id-time-zero", Code.BAD_ID_TIME, "valid until 1970", 0),
    )
    result = [
        case("wrong-ledger", Code.WRONG_LEDGER, "another ledger", Sealing(ledger_id=other).encode())
    ]
    for name, code, why, until in times:
        sealing = Sealing(valid_until_ns=TimestampNs(until))
        result.append(case(name, code, why, sealing.encode()))
    overflow = Sealing(envelope_id=latest, valid_until_ns=TimestampNs(2**64 - 1))
    why = "the id's time in ns leaves 64 bits"
    return [*result, case("id-time-overflow", Code.BAD_ID_TIME, why, overflow.encode())]


def _signature() -> list[Json]:
    odd = Sealing(signer=PublicKey(fixed.ODD_KEY))
    usual = OddSigner(fixed.SECRET, fixed.ODD_KEY, fixed.R_SCALAR)
    flipped = bytearray(Sealing().encode())
    flipped[192 + 40] ^= 1
    refused = (
        ("no-domain", "signed without the domain prefix", _sign_header_only),
        ("other-key", "signed with another key", fixed.NEW.sign),
        ("zero", "sixty-four zero bytes", lambda _: bytes(64)),
        (
            "s-plus-order",
            "S is not below the group order",
            replace(usual, s_offset=curve.L),
        ),
        ("r-no-point", "R is no point", replace(usual, r_bytes=fixed.NOT_A_POINT)),
        (
            "r-above-p",
            "R is the identity with y = 1 + P: the equation holds, the encoding is not canonical",
            replace(usual, nonce_scalar=0, r_bytes=fixed.IDENTITY_PLUS_P),
        ),
        (
            "r-negative-zero",
            "R is the identity with the sign bit of a zero x: likewise",
            replace(usual, nonce_scalar=0, r_bytes=fixed.IDENTITY_SIGNED),
        ),
    )
    accepted = (
        ("plain", "an ordinary signature", fixed.ODD_KEY, usual),
        (
            "r-torsion",
            "R has a part of order 8: the equation with cofactor holds",
            fixed.ODD_KEY,
            replace(usual, r_torsion=fixed.TORSION[1]),
        ),
        ("r-identity", "R is the identity", fixed.ODD_KEY, replace(usual, nonce_scalar=0)),
        (
            "a-mixed",
            "the signer's key has a part of order 8; whether it is registered is not asked here",
            fixed.MIXED_KEY,
            replace(usual, public_key=fixed.MIXED_KEY),
        ),
        (
            "a-not-canonical",
            "the signer's key is the identity with y = 1 + P",
            fixed.IDENTITY_PLUS_P,
            OddSigner(0, fixed.IDENTITY_PLUS_P, fixed.R_SCALAR),
        ),
    )
    result = [case("signature-bit", Code.BAD_SIGNATURE, "one bit of S", bytes(flipped))]
    for name, why, sign in refused:
        sealing = odd if isinstance(sign, OddSigner) else Sealing()
        data = replace(sealing, sign=sign).encode()
        result.append(case(f"signature-{name}", Code.BAD_SIGNATURE, why, data))
    for name, why, key, signer in accepted:
        data = Sealing(signer=PublicKey(key), sign=signer).encode()
        result.append(case(f"signature-{name}", Code.OK, why, data))
    unsigned_signer = Sealing(signer=PublicKey(fixed.NOT_A_POINT)).encode()
    why = "the signer's key is no point"
    return [*result, case("signature-a-no-point", Code.BAD_SIGNATURE, why, unsigned_signer)]


def _root() -> list[Json]:
    whole = bytearray(Sealing(TRANSFER * 2).encode())
    whole[-128 + 40] ^= 1
    leaf = merkle.leaf_hash(TRANSFER)
    pair = merkle.node_hash(leaf, leaf)
    doubled = merkle.node_hash(pair, pair)
    flat = hashlib.sha256(TRANSFER).digest()
    roots = (
        ("zero", "a zero root", TRANSFER, bytes(32)),
        ("flat", "the plain hash of the records", TRANSFER, flat),
        ("last-doubled", "the third of three leaves counted twice", TRANSFER * 3, doubled),
    )
    changed = case("root-bit", Code.BAD_ROOT, "a bit of an amount was changed", bytes(whole))
    return [changed] + [
        case(f"root-{name}", Code.BAD_ROOT, why, Sealing(records, root=root).encode())
        for name, why, records, root in roots
    ]


def _keys() -> list[Json]:
    bad = (
        ("small-order", "a key of order 8", curve.compress(fixed.TORSION[1]), 0),
        ("identity", "the identity", fixed.IDENTITY_KEY, 0),
        ("mixed-order", "a part of order 8", fixed.MIXED_KEY, fixed.SECRET),
        ("above-p", "not canonical: y = 1 + P", fixed.IDENTITY_PLUS_P, 0),
        ("negative-zero", "not canonical: sign bit of a zero x", fixed.IDENTITY_SIGNED, 0),
    )
    result = []
    for name, why, key, secret in bad:
        signer = OddSigner(secret, key, fixed.R_SCALAR)
        possession = signer(fixed.principal_possession_bytes(key))
        record = fixed.principal_record(key, possession)
        result.append(case(f"key-{name}", Code.BAD_KEY, why, Sealing(record).encode()))
    no_point = fixed.principal_record(fixed.NOT_A_POINT)
    why = "it is no point, so its proof cannot hold either"
    result.append(case("key-no-point", Code.BAD_KEY, why, Sealing(no_point).encode()))
    proof = fixed.NEW.sign(fixed.principal_possession_bytes(fixed.NEW.public_key))
    add, rotate = _key_record(KeyOperation.ADD), _key_record(KeyOperation.ROTATE)
    recover = _recover_record()
    other = LedgerId(fixed.digest("another ledger"))
    spoiled = (
        (
            "principal",
            "PRINCIPAL with one bit changed",
            fixed.principal_record(possession=_flip(proof)),
        ),
        ("ledger", "made for another ledger", fixed.principal_record(ledger_id=other)),
        ("owner", "made for another principal", patched(fixed.principal_record(), 104, bytes(16))),
        ("missing", "all zero", fixed.principal_record(possession=bytes(64))),
        ("key-add", "KEY ADD with one bit changed", patched(add, 40, _flip(add[40:104]))),
        (
            "key-rotate",
            "KEY ROTATE with one bit changed",
            patched(rotate, 40, _flip(rotate[40:104])),
        ),
        ("recover", "RECOVER with one bit changed", patched(recover, 40, _flip(recover[40:104]))),
        ("r-above-p", "R is not canonical", _possession_with_odd_r()),
    )
    return result + [
        case(f"possession-{name}", Code.BAD_POSSESSION, why, Sealing(record).encode())
        for name, why, record in spoiled
    ]


def _repeated(name: str, code: Code, why: str, promised: int, times: int) -> Json:
    """A case of one record many times over: `data` is followed by `repeat` times `record`."""
    root = merkle.root_of_in_python(TRANSFER * times, RECORD)
    sealing = Sealing(root=root, mutate=put(12, promised.to_bytes(4, "little")))
    return case(name, code, why, sealing.prefix(), record=TRANSFER.hex(), repeat=times)


def _with_conts(head: bytes, count: int) -> bytes:
    """Gives a head `count` CONTs."""
    nonces = b"".join(fixed.nonce(f"cont {index}") for index in range(count))
    one = [cont.encode(b"x" * 104, nonces[16 * index :][:16]) for index in range(count)]
    return _rehashed(patched(head, 4, count.to_bytes(2, "little")), b"".join(one))


def _rehashed(head: bytes, conts: bytes) -> bytes:
    return patched(head, 80, cont.cont_hash(conts)) + conts


def _principal_with_cont() -> bytes:
    record = patched(fixed.principal_record(), 4, b"\1\0")
    return record + NAME[RECORD:]


def _key_record(operation: KeyOperation) -> bytes:
    principal = PrincipalId(fixed.digest("principal")[:16])
    if operation is KeyOperation.REVOKE:
        return Key(operation, fixed.NEW.public_key, principal).encode()
    return Key(
        operation,
        fixed.NEW.public_key,
        principal,
        scope=Scope.SPEND if operation is KeyOperation.ADD else None,
        possession=prove_possession(fixed.NEW, fixed.LEDGER_ID, principal),
    ).encode()


def _recover_record() -> bytes:
    principal = PrincipalId(fixed.digest("principal")[:16])
    possession = prove_possession(fixed.NEW, fixed.LEDGER_ID, principal)
    return Recover(fixed.NEW.public_key, possession, principal).encode()


def _possession_with_odd_r() -> bytes:
    signer = OddSigner(fixed.SECRET, fixed.ODD_KEY, r_bytes=fixed.IDENTITY_PLUS_P)
    message = fixed.principal_possession_bytes(fixed.ODD_KEY)
    return fixed.principal_record(fixed.ODD_KEY, signer(message))


def _sign_header_only(message: bytes) -> bytes:
    return fixed.PAYER.sign(message.removeprefix(SIGNATURE_DOMAIN))


def _flip(data: bytes) -> bytes:
    return data[:-32] + bytes([data[-32] ^ 1]) + data[-31:]


def envelope_at(offset_ms: int, label: str) -> bytes:
    """Returns a valid envelope whose id was made `offset_ms` after the usual time."""
    made_ms = fixed.ID_TIME_MS + offset_ms
    envelope_id = new_envelope_id(made_ms, fixed.digest(label)[:10])
    until = TimestampNs(made_ms * 1_000_000 + 60_000_000_000)
    return Sealing(envelope_id=envelope_id, valid_until_ns=until).encode()
