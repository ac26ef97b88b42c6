"""Trees by their definition, frontiers, and proofs: of what is true, and of nothing else."""

import base64
import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any, Final

import pytest
import tallystick_core
from hypothesis import given
from hypothesis import strategies as st

from tallystick_ledger import merkle
from tallystick_ledger.errors import FieldError, ProofError

ARCHIVE: Final = (
    Path(__file__).resolve().parents[1]
    / "vectors"
    / "external"
    / "merkle-rfc6962"
    / "testdata.tar.gz"
)
MAX_SIZE: Final = 33


def leaves(count: int) -> list[bytes]:
    return [b"leaf %d" % index for index in range(count)]


def hashes(count: int) -> list[bytes]:
    return [merkle.leaf_hash(leaf) for leaf in leaves(count)]


def by_definition(some: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not some:
        return hashlib.sha256(b"").digest()
    if len(some) == 1:
        return hashlib.sha256(b"\0" + some[0]).digest()
    split = 1
    while split * 2 < len(some):
        split *= 2
    left, right = by_definition(some[:split]), by_definition(some[split:])
    return hashlib.sha256(b"\1" + left + right).digest()


@pytest.mark.parametrize("size", range(MAX_SIZE))
def test_roots(size: int) -> None:
    expected = by_definition(leaves(size))
    assert merkle.tree_root(leaves(size)) == expected
    assert merkle.Frontier().extended(hashes(size)).root() == expected


@pytest.mark.parametrize("size", range(MAX_SIZE))
def test_frontiers_grow_in_any_steps(size: int) -> None:
    whole = merkle.Frontier().extended(hashes(size))
    for cut in range(size + 1):
        step = merkle.Frontier().extended(hashes(size)[:cut])
        assert step.extended(hashes(size)[cut:]) == whole
    assert merkle.Frontier(whole.size, whole.peaks) == whole


@given(st.integers(0, 70), st.sampled_from([1, 16, 128]))
def test_equal_leaves_in_core_and_python(count: int, leaf_bytes: int) -> None:
    data = hashlib.shake_128(b"%d" % count).digest(count * leaf_bytes)
    expected = merkle.root_of_in_python(data, leaf_bytes)
    assert merkle.root_of(data, leaf_bytes) == expected
    assert tallystick_core.tree_root(data, leaf_bytes) == expected
    assert expected == by_definition(
        [data[start : start + leaf_bytes] for start in range(0, len(data), leaf_bytes)]
    )


def test_leaves_of_another_length() -> None:
    with pytest.raises(FieldError):
        merkle.root_of(bytes(17), 16)
    with pytest.raises(FieldError):
        merkle.root_of(bytes(16), 0)


def test_peaks_that_do_not_fit() -> None:
    with pytest.raises(FieldError):
        merkle.Frontier(3, (bytes(32),))
    with pytest.raises(FieldError):
        merkle.Frontier(1, (bytes(31),))


@pytest.mark.parametrize("size", range(1, MAX_SIZE))
def test_inclusion(size: int) -> None:
    some = hashes(size)
    root = merkle.root_of_hashes(some)
    for index in range(size):
        proof = merkle.inclusion_proof(some, index)
        merkle.verify_inclusion(some[index], index, size, proof, root)
        _refuse_inclusion(bytes(32), index, size, proof, root)
        _refuse_inclusion(some[index], index, size, [*proof, bytes(32)], root)
        _refuse_inclusion(some[index], index, size, proof, bytes(32))
        if proof:
            _refuse_inclusion(some[index], index, size, proof[:-1], root)
            _refuse_inclusion(some[index], (index + 1) % size, size, proof, root)


def _refuse_inclusion(value: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> None:
    with pytest.raises(ProofError):
        merkle.verify_inclusion(value, index, size, proof, root)


@pytest.mark.parametrize("size", range(1, MAX_SIZE))
def test_consistency(size: int) -> None:
    some = hashes(size)
    new_root = merkle.root_of_hashes(some)
    for old_size in range(1, size + 1):
        old_root = merkle.root_of_hashes(some[:old_size])
        proof = merkle.consistency_proof(some, old_size)
        merkle.verify_consistency(old_size, old_root, size, new_root, proof)
        _refuse_consistency(old_size, bytes(32), size, new_root, proof)
        _refuse_consistency(old_size, old_root, size, bytes(32), proof)
        _refuse_consistency(old_size, old_root, size, new_root, [*proof, bytes(32)])
        _refuse_consistency(0, old_root, size, new_root, proof)
        if proof:
            _refuse_consistency(old_size, old_root, size, new_root, proof[:-1])
            _refuse_consistency(old_size, old_root, size, new_root, proof[1:])


def _refuse_consistency(
    old_size: int, old_root: bytes, size: int, new_root: bytes, proof: list[bytes]
) -> None:
    with pytest.raises(ProofError):
        merkle.verify_consistency(old_size, old_root, size, new_root, proof)


@pytest.mark.parametrize("index", [-1, 3])
def test_no_such_leaf(index: int) -> None:
    with pytest.raises(FieldError):
        merkle.inclusion_proof(hashes(3), index)
    with pytest.raises(ProofError):
        merkle.verify_inclusion(hashes(1)[0], index, 3, [], bytes(32))


@pytest.mark.parametrize("old_size", [0, 4])
def test_no_such_old_tree(old_size: int) -> None:
    with pytest.raises(FieldError):
        merkle.consistency_proof(hashes(3), old_size)


def archive_cases(directory: str) -> list[Any]:
    cases = []
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            if member.name.startswith(f"testdata/{directory}/") and member.isfile():
                content = archive.extractfile(member)
                assert content is not None
                name = member.name.removeprefix(f"testdata/{directory}/")
                cases.append(pytest.param(json.load(content), id=name.removesuffix(".json")))
    return cases


def _decoded(values: list[str] | None) -> list[bytes]:
    return [base64.b64decode(value) for value in values or []]


def test_the_archive_is_whole() -> None:
    assert (len(archive_cases("inclusion")), len(archive_cases("consistency"))) == (98, 98)


@pytest.mark.parametrize("case", archive_cases("inclusion"))
def test_public_inclusion_vectors(case: dict[str, Any]) -> None:
    value, root = _decoded([case["leafHash"], case["root"]])

    def check() -> None:
        merkle.verify_inclusion(
            value, case["leafIdx"], case["treeSize"], _decoded(case["proof"]), root
        )

    if case["wantErr"]:
        with pytest.raises(ProofError):
            check()
    else:
        check()


# The two roots are a text of 12 bytes; a root has 32 here.
STRICTER_CASE: Final = "don't care 2"


@pytest.mark.parametrize("case", archive_cases("consistency"))
def test_public_consistency_vectors(case: dict[str, Any]) -> None:
    old_root, new_root = _decoded([case["root1"], case["root2"]])

    def check() -> None:
        merkle.verify_consistency(
            case["size1"], old_root, case["size2"], new_root, _decoded(case["proof"])
        )

    if case["wantErr"] or old_root == STRICTER_CASE.encode():
        with pytest.raises(ProofError):
            check()
    else:
        check()
