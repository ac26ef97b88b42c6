"""The smaller files: ids, possession, keys, signatures and leaves."""

from dataclasses import replace

from tests.vectors import fixed
from tests.vectors.fixed import LEDGER_ID, Json, OddSigner, Sealing, patched

from tallystick_ledger import ed25519_zip215 as curve
from tallystick_ledger import ids, merkle
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import (
    AccountId,
    Amount,
    HoldId,
    PrincipalId,
    SequenceNumber,
    Signature,
    TimestampNs,
)
from tallystick_ledger.keys import possession_bytes, prove_possession
from tallystick_ledger.leaf import Leaf
from tallystick_ledger.results import Cause, Effect, Result


def id_cases() -> Json:
    """The content of ids.json."""
    principal = ids.operator_principal(LEDGER_ID, 0)
    return {
        "ledger_id": LEDGER_ID.hex(),
        "objects": [
            {
                "principal": principal.hex(),
                "envelope_id": fixed.ENVELOPE_ID.hex(),
                "index": index,
                "id": ids.object_id(LEDGER_ID, principal, fixed.ENVELOPE_ID, index).hex(),
            }
            for index in (0, 1, 255, 256, 8189)
        ],
        "operators": [
            {"position": position, "id": ids.operator_principal(LEDGER_ID, position).hex()}
            for position in (0, 1, 15)
        ],
        "nodes": [
            {"raft_id": raft_id, "id": ids.node_principal(LEDGER_ID, raft_id).hex()}
            for raft_id in (1, 2, 65_535)
        ],
        "envelope_ids": [
            {
                "time_ms": time_ms,
                "random": random.hex(),
                "id": ids.new_envelope_id(time_ms, random).hex(),
            }
            for time_ms, random in (
                (fixed.ID_TIME_MS, fixed.digest("random")[:10]),
                (0, b"\xff" * 10),
                (2**48 - 1, bytes(10)),
            )
        ],
    }


def possession_cases() -> list[Json]:
    result = []
    for label in ("one", "two"):
        key = fixed.key(label)
        principal = PrincipalId(fixed.digest(f"principal {label}")[:16])
        result.append(
            {
                "name": label,
                "seed": key.seed.hex(),
                "ledger_id": LEDGER_ID.hex(),
                "principal": principal.hex(),
                "key": key.public_key.hex(),
                "signed": possession_bytes(LEDGER_ID, principal, key.public_key).hex(),
                "possession": prove_possession(key, LEDGER_ID, principal).hex(),
            }
        )
    return result


def key_cases() -> list[Json]:
    """Which keys may be registered, the points of small order in all their encodings first."""
    result = [_key("ordinary", fixed.ODD_KEY, acceptable=True)]
    result += [
        _key(f"seed-{label}", fixed.key(label).public_key, acceptable=True)
        for label in ("one", "two", "three")
    ]
    result += [
        _key(f"torsion-{index}", curve.compress(point), acceptable=False)
        for index, point in enumerate(fixed.TORSION)
    ]
    result += [
        _key(
            f"mixed-{index}",
            curve.compress(
                curve.add(curve.multiply(fixed.SECRET, curve.BASE), fixed.TORSION[index])
            ),
            acceptable=False,
        )
        for index in range(1, 8)
    ]
    for y in range(19):
        for sign in (0, 1):
            encoded = ((y + curve.P) | sign << 255).to_bytes(32, "little")
            result.append(_key(f"above-p-{y}-{sign}", encoded, acceptable=False))
    for y in (1, curve.P - 1):
        encoded = (y | 1 << 255).to_bytes(32, "little")
        result.append(_key(f"negative-zero-{'1' if y == 1 else 'p-1'}", encoded, acceptable=False))
    return [*result, _key("no-point", fixed.NOT_A_POINT, acceptable=False)]


def signature_cases() -> list[Json]:
    """Signatures with whether the equation of ZIP-215 holds, and whether the whole rule does."""
    usual = OddSigner(fixed.SECRET, fixed.ODD_KEY, fixed.R_SCALAR)
    mixed = replace(usual, public_key=fixed.MIXED_KEY)
    small = OddSigner(0, curve.compress(fixed.TORSION[1]), fixed.R_SCALAR)
    torsion = fixed.TORSION[1]
    signers = (
        ("ordinary", usual, True, True),
        ("r-torsion", replace(usual, r_torsion=torsion), True, True),
        ("a-mixed", mixed, True, True),
        ("a-mixed-r-torsion", replace(mixed, r_torsion=torsion), True, True),
        ("a-small-order", small, True, True),
        ("a-and-r-small-order", replace(small, nonce_scalar=0, r_torsion=torsion), True, True),
        ("a-above-p", OddSigner(0, fixed.IDENTITY_PLUS_P, fixed.R_SCALAR), True, True),
        ("a-negative-zero", OddSigner(0, fixed.IDENTITY_SIGNED, fixed.R_SCALAR), True, True),
        ("a-no-point", OddSigner(0, fixed.NOT_A_POINT, fixed.R_SCALAR), False, False),
        ("r-identity", replace(usual, nonce_scalar=0), True, True),
        (
            "r-above-p",
            replace(usual, nonce_scalar=0, r_bytes=fixed.IDENTITY_PLUS_P),
            True,
            False,
        ),
        (
            "r-negative-zero",
            replace(usual, nonce_scalar=0, r_bytes=fixed.IDENTITY_SIGNED),
            True,
            False,
        ),
        ("r-no-point", replace(usual, r_bytes=fixed.NOT_A_POINT), False, False),
        ("s-plus-order", replace(usual, s_offset=curve.L), False, False),
        ("s-off-by-one", replace(usual, s_offset=1), False, False),
    )
    message = b"tallystick"
    return [
        {
            "name": name,
            "key": signer.public_key.hex(),
            "message": message.hex(),
            "signature": signer(message).hex(),
            "equation": equation,
            "accepted": accepted,
        }
        for name, signer, equation, accepted in signers
    ]


def leaf_cases() -> Json:
    """The content of leaf.json: two leaves of one log, and bytes that are no leaf."""
    effect = Effect(
        Cause.CAPTURE,
        1,
        AccountId(fixed.digest("payer account")[:16]),
        AccountId(fixed.digest("payee account")[:16]),
        Amount(2**127 + 3),
        HoldId(fixed.digest("hold")[:16]),
    )
    plain = _leaf(Sealing(), 1, [Result()], [])
    mixed = _leaf(
        Sealing(fixed.TRANSFER * 2),
        2,
        [Result(Code.ATOMIC_ABORTED, 1), Result(Code.FUNDS_HELD)],
        [effect],
    )
    leaves = [bytes.fromhex(plain["data"]), bytes.fromhex(mixed["data"])]
    return {
        "leaves": [plain, mixed],
        "tree": {"size": 2, "root": merkle.tree_root(leaves).hex()},
        "empty_tree_root": merkle.EMPTY_ROOT.hex(),
        "invalid": [
            {"name": "version-2", "data": patched(leaves[0], 0, b"\2\0").hex()},
            {"name": "short", "data": leaves[0][:-1].hex()},
            {"name": "long", "data": (leaves[0] + b"\0").hex()},
        ],
    }


def _leaf(
    sealing: Sealing, first_sequence: int, results: list[Result], effects: list[Effect]
) -> Json:
    data = sealing.encode()
    result_bytes = [result.encode() for result in results]
    effect_bytes = [effect.encode() for effect in effects]
    leaf = Leaf(
        rules_version=1,
        record_count=len(results),
        first_sequence=SequenceNumber(first_sequence),
        timestamp_ns=TimestampNs(fixed.ID_TIME_NS + first_sequence),
        header=data[:192],
        signature=Signature(data[192:256]),
        results_root=merkle.tree_root(result_bytes),
        effects_root=merkle.tree_root(effect_bytes),
    )
    return {
        "rules_version": leaf.rules_version,
        "record_count": leaf.record_count,
        "first_sequence": leaf.first_sequence,
        "timestamp_ns": leaf.timestamp_ns,
        "header": leaf.header.hex(),
        "signature": leaf.signature.hex(),
        "results": [result.hex() for result in result_bytes],
        "results_root": leaf.results_root.hex(),
        "effects": [effect.hex() for effect in effect_bytes],
        "effects_root": leaf.effects_root.hex(),
        "data": leaf.encode().hex(),
        "leaf_hash": leaf.leaf_hash().hex(),
    }


def _key(name: str, key: bytes, *, acceptable: bool) -> Json:
    return {"name": name, "key": key.hex(), "acceptable": acceptable}
