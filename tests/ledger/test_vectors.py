"""The public conformance suite, run against the Python code and against the native core.

The files are in tests/vectors; README.md there says what their fields mean.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import tallystick_core
from tests.vectors import fixed, generate

from tallystick_ledger import (
    block,
    checks,
    ed25519_zip215,
    envelope,
    ids,
    keys,
    limits,
    merkle,
    records,
)
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import GenesisError, RefusedError, RowError
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.ids import EnvelopeId, LedgerId, PrincipalId, SequenceNumber, TimestampNs
from tallystick_ledger.leaf import Leaf

Json = dict[str, Any]

DIRECTORY: Final = Path(__file__).resolve().parent.parent / "vectors"


def load(name: str) -> Json:
    content: Json = json.loads((DIRECTORY / name).read_text(encoding="utf-8"))
    return content


def cases_of(name: str) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in load(name)["cases"]]


def data_of(case: Json) -> bytes:
    """The case's bytes: `data`, then `record` as often as `repeat` says."""
    data = bytes.fromhex(case["data"])
    return data + bytes.fromhex(case.get("record", "")) * int(case.get("repeat", 0))


def code_of(check: Callable[[], object]) -> str:
    try:
        check()
    except RefusedError as refusal:
        return refusal.code.name
    return Code.OK.name


ENVELOPES: Final = load("envelope.json")
BLOCKS: Final = load("block.json")
IDS: Final = load("ids.json")
LEAVES: Final = load("leaf.json")


def test_the_files_are_what_the_generator_writes() -> None:
    for name, text in generate.render().items():
        written = (DIRECTORY / name).read_text(encoding="utf-8")
        assert written == text, f"{name} is old: python -m tests.vectors.generate"


@pytest.mark.parametrize("name", ["genesis.json", "envelope.json", "block.json"])
def test_case_names_are_distinct(name: str) -> None:
    names = [case["name"] for case in load(name)["cases"]]
    assert len(set(names)) == len(names)


def test_every_code_of_the_bytes_has_a_case() -> None:
    of_bytes = {code.name for code in Code if code <= Code.ID_IN_FUTURE}
    covered = {case["code"] for case in ENVELOPES["cases"] + BLOCKS["cases"]}
    assert covered == of_bytes
    in_envelopes = {case["code"] for case in ENVELOPES["cases"]}
    assert in_envelopes == of_bytes - {Code.ID_IN_FUTURE.name}


# --- Python --------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases_of("envelope.json"))
def test_envelope(case: Json) -> None:
    data = data_of(case)
    ledger_id = LedgerId(bytes.fromhex(ENVELOPES["ledger_id"]))

    def check() -> None:
        checks.check_envelope(
            data, ledger_id=ledger_id, max_lifetime_ns=ENVELOPES["max_lifetime_ns"]
        )

    assert code_of(check) == case["code"]


@pytest.mark.parametrize("case", cases_of("block.json"))
def test_block(case: Json) -> None:
    data = data_of(case)

    def check() -> None:
        checks.check_block(
            data,
            ledger_id=LedgerId(bytes.fromhex(BLOCKS["ledger_id"])),
            max_lifetime_ns=BLOCKS["max_lifetime_ns"],
            next_sequence=SequenceNumber(case["next_sequence"]),
            min_timestamp_ns=TimestampNs(case["min_timestamp_ns"]),
        )

    assert code_of(check) == case["code"]


@pytest.mark.parametrize("case", cases_of("genesis.json"))
def test_genesis(case: Json) -> None:
    data = data_of(case)
    if not case["valid"]:
        with pytest.raises(GenesisError):
            Genesis.decode(data)
        return
    genesis = Genesis.decode(data)
    assert genesis.encode() == data
    assert genesis.ledger_id.hex() == case["ledger_id"]


@pytest.mark.parametrize("case", cases_of("key.json"))
def test_key(case: Json) -> None:
    key = bytes.fromhex(case["key"])
    assert keys.is_acceptable_key(key) == case["acceptable"]


@pytest.mark.parametrize("case", cases_of("signature.json"))
def test_signature(case: Json) -> None:
    key, message = bytes.fromhex(case["key"]), bytes.fromhex(case["message"])
    signature = bytes.fromhex(case["signature"])
    assert ed25519_zip215.verify(key, message, signature) == case["equation"]
    assert keys.is_valid_signature(key, message, signature) == case["accepted"]


@pytest.mark.parametrize("case", cases_of("possession.json"))
def test_possession(case: Json) -> None:
    key = keys.SigningKey(bytes.fromhex(case["seed"]))
    ledger_id = LedgerId(bytes.fromhex(case["ledger_id"]))
    principal = PrincipalId(bytes.fromhex(case["principal"]))
    assert key.public_key.hex() == case["key"]
    assert keys.possession_bytes(ledger_id, principal, key.public_key).hex() == case["signed"]
    assert keys.prove_possession(key, ledger_id, principal).hex() == case["possession"]


def test_ids() -> None:
    ledger_id = LedgerId(bytes.fromhex(IDS["ledger_id"]))
    for case in IDS["objects"]:
        principal = PrincipalId(bytes.fromhex(case["principal"]))
        envelope_id = EnvelopeId(bytes.fromhex(case["envelope_id"]))
        derived = ids.object_id(ledger_id, principal, envelope_id, case["index"])
        assert derived.hex() == case["id"]
    for case in IDS["operators"]:
        assert ids.operator_principal(ledger_id, case["position"]).hex() == case["id"]
    for case in IDS["nodes"]:
        assert ids.node_principal(ledger_id, case["raft_id"]).hex() == case["id"]
    for case in IDS["envelope_ids"]:
        made = ids.new_envelope_id(case["time_ms"], bytes.fromhex(case["random"]))
        assert made.hex() == case["id"]
        assert ids.id_time_ms(made) == case["time_ms"]
        assert ids.id_time_ns(made) == case["time_ms"] * 1_000_000


@pytest.mark.parametrize("case", LEAVES["leaves"])
def test_leaf(case: Json) -> None:
    leaf = Leaf.decode(bytes.fromhex(case["data"]))
    for name in ("rules_version", "record_count", "first_sequence", "timestamp_ns"):
        assert getattr(leaf, name) == case[name]
    for name in ("header", "signature", "results_root", "effects_root"):
        assert getattr(leaf, name).hex() == case[name]
    assert leaf.encode().hex() == case["data"]
    assert leaf.leaf_hash().hex() == case["leaf_hash"]
    for part in ("results", "effects"):
        root = merkle.tree_root(bytes.fromhex(item) for item in case[part])
        assert root.hex() == case[f"{part}_root"]


def test_tree_of_leaves() -> None:
    hashes = [bytes.fromhex(case["leaf_hash"]) for case in LEAVES["leaves"]]
    frontier = merkle.Frontier().extended(hashes)
    assert frontier.size == LEAVES["tree"]["size"]
    assert frontier.root().hex() == LEAVES["tree"]["root"]
    assert merkle.Frontier().root().hex() == LEAVES["empty_tree_root"]


@pytest.mark.parametrize("case", LEAVES["invalid"], ids=lambda case: case["name"])
def test_no_leaf(case: Json) -> None:
    with pytest.raises(RowError):
        Leaf.decode(bytes.fromhex(case["data"]))


# --- The native core -----------------------------------------------------------------------------


def core_block_code(data: bytes, next_sequence: int, min_timestamp_ns: int) -> str:
    """What the core answers to a block."""
    checked = tallystick_core.check_block(
        data,
        ledger_id=bytes.fromhex(BLOCKS["ledger_id"]),
        max_lifetime_ns=BLOCKS["max_lifetime_ns"],
        next_sequence=next_sequence,
        min_timestamp_ns=min_timestamp_ns,
        seed=bytes(range(32)),
        threads=1,
    )
    return Code(checked.code).name


@pytest.mark.parametrize("case", cases_of("block.json"))
def test_block_in_core(case: Json) -> None:
    answer = core_block_code(data_of(case), case["next_sequence"], case["min_timestamp_ns"])
    assert answer == case["code"]


@pytest.mark.parametrize("case", cases_of("envelope.json"))
def test_envelope_in_core(case: Json) -> None:
    """The envelope as the only one of a block that is right but for it."""
    data = data_of(case)
    claimed = int.from_bytes(data[12:16], "little") if len(data) >= 256 else 0
    timestamp = TimestampNs(2**62)  # far behind every id that is in time at all
    header = block.BlockHeader(
        timestamp,
        SequenceNumber(1),
        1,
        max(1, claimed),
        min(len(data), 2**20),
    )
    assert core_block_code(header.encode() + data, 1, timestamp) == case["code"]


@pytest.mark.parametrize("case", cases_of("genesis.json"))
def test_genesis_in_core(case: Json) -> None:
    data = data_of(case)
    if not case["valid"]:
        with pytest.raises(ValueError, match=r"."):
            tallystick_core.Kernel(data)
        return
    kernel = tallystick_core.Kernel(data)
    assert kernel.status().next_sequence == 1


@pytest.mark.parametrize("case", cases_of("key.json"))
def test_key_in_core(case: Json) -> None:
    assert tallystick_core.key_is_acceptable(bytes.fromhex(case["key"])) == case["acceptable"]


@pytest.mark.parametrize("case", cases_of("signature.json"))
def test_signature_in_core(case: Json) -> None:
    holds = tallystick_core.verify_ed25519(
        bytes.fromhex(case["key"]),
        bytes.fromhex(case["message"]),
        bytes.fromhex(case["signature"]),
    )
    assert holds == case["equation"]


def test_sealed_as_the_vectors() -> None:
    """`seal` makes the bytes of the first case, from its parts."""
    data = data_of(ENVELOPES["cases"][0])
    parsed = envelope.Envelope.parse(data)
    sealed = envelope.seal(
        fixed.PAYER,
        parsed.header.ledger_id,
        parsed.header.envelope_id,
        parsed.header.valid_until_ns,
        bytes(parsed.records),
    )
    assert sealed == data


def _kernel_that_knows_the_payer() -> tallystick_core.Kernel:
    """A kernel in whose first block the operator registered the key that most cases sign with."""
    kernel = tallystick_core.Kernel(bytes.fromhex(ENVELOPES["genesis"]))
    ledger_id = fixed.LEDGER_ID
    envelope_id = ids.new_envelope_id(fixed.ID_TIME_MS, fixed.digest("registration")[:10])
    operator = ids.operator_principal(ledger_id, 0)
    principal = PrincipalId(ids.object_id(ledger_id, operator, envelope_id, 0))
    possession = keys.prove_possession(fixed.PAYER, ledger_id, principal)
    record = records.Principal(
        records.PrincipalType.SERVICE, fixed.PAYER.public_key, possession, principal
    )
    until = TimestampNs(fixed.VALID_UNTIL_NS)
    sealed = envelope.seal(fixed.OPERATOR, ledger_id, envelope_id, until, record.encode())
    timestamp = TimestampNs(fixed.ID_TIME_NS)
    applied = kernel.apply(block.build([sealed], timestamp, SequenceNumber(1)))
    assert applied.plain
    return kernel


@pytest.mark.parametrize("case", cases_of("envelope.json"))
def test_envelope_at_admission(case: Json) -> None:
    """The envelope as a client's message; a foreign signer is unknown before anything costly."""
    data = data_of(case)
    admission = _kernel_that_knows_the_payer().admit([data], fixed.ID_TIME_NS)
    admission.verify(bytes(range(32)), threads=1)
    last = int.from_bytes(admission.codes(0)[-2:], "little") if data else Code.MALFORMED
    expected = {case["code"]}
    if data[48:80] != fixed.PAYER.public_key:
        expected |= {Code.UNKNOWN_SIGNER.name}
    if len(data) > limits.MAX_ENVELOPE_BYTES:
        expected |= {Code.TOO_LARGE.name}  # a message has a bound of its own
    if "id-time" in case["name"]:
        expected |= {Code.TOO_LATE.name}  # what has no lifetime may be over as well
    assert Code(last).name in expected
    if expected == {Code.OK.name}:
        assert admission.body(0) == data
