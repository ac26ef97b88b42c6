"""The native tree against RFC 6962 vectors, and against the plain Python tree."""

import base64
import json
import tarfile
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tallystick_core import tree_inclusion_path, tree_root, tree_verify_inclusion

from tallystick_ledger import merkle

EXTERNAL: Final = Path(__file__).resolve().parent.parent / "vectors" / "external"
ARCHIVE: Final = EXTERNAL / "merkle-rfc6962" / "testdata.tar.gz"
# The eight leaves over which the archive's proofs were made.
REFERENCE_LEAVES: Final = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)


def inclusion_cases() -> list[Any]:
    cases = []
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            if member.name.startswith("testdata/inclusion/") and member.name.endswith(".json"):
                content = archive.extractfile(member)
                assert content is not None
                name = member.name.removeprefix("testdata/inclusion/").removesuffix(".json")
                cases.append(pytest.param(json.load(content), id=name))
    return cases


def test_all_inclusion_vectors_are_here() -> None:
    wanted = [param.values[0]["wantErr"] for param in inclusion_cases()]
    assert len(wanted) == 98
    assert wanted.count(False) >= 6


@pytest.mark.parametrize("case", inclusion_cases())
def test_inclusion(case: dict[str, Any]) -> None:
    leaf_hash, root = base64.b64decode(case["leafHash"]), base64.b64decode(case["root"])
    steps = [base64.b64decode(step) for step in case["proof"] or []]
    if any(len(step) != 32 for step in steps):
        assert case["wantErr"]  # our paths are packed: a step of another length cannot be said
        return
    path = b"".join(steps)
    try:
        holds = tree_verify_inclusion(leaf_hash, case["leafIdx"], case["treeSize"], path, root)
    except ValueError:
        holds = False  # not even hashes
    assert holds is not case["wantErr"]


def test_the_reference_root_over_leaves_of_many_lengths() -> None:
    leaves = [bytes.fromhex(leaf) for leaf in REFERENCE_LEAVES]
    root = merkle.tree_root(leaves).hex()
    assert root == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    # The native functions take leaves of one length; single leaves cover each length.
    for leaf in leaves[1:]:
        assert tree_root(leaf, len(leaf)) == merkle.leaf_hash(leaf)
    assert tree_root(b"", 16) == merkle.tree_root([])


@given(
    leaf_bytes=st.sampled_from([1, 16, 63, 64, 128, 344]),
    count=st.integers(0, 40),
    fill=st.binary(min_size=1, max_size=32),
    data=st.data(),
)
def test_root_and_paths_agree_with_python(
    leaf_bytes: int, count: int, fill: bytes, data: st.DataObject
) -> None:
    size = leaf_bytes * count
    leaves = (fill * (size // len(fill) + 1))[:size]
    hashes = [merkle.leaf_hash(leaves[at : at + leaf_bytes]) for at in range(0, size, leaf_bytes)]
    root = tree_root(leaves, leaf_bytes)
    assert root == merkle.root_of_in_python(leaves, leaf_bytes)
    if count:
        index = data.draw(st.integers(0, count - 1))
        path = tree_inclusion_path(leaves, leaf_bytes, index)
        assert path == b"".join(merkle.inclusion_proof(hashes, index))
        assert tree_verify_inclusion(hashes[index], index, count, path, root)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_full_envelope_has_one_root_whatever_the_threads(threads: int) -> None:
    records = bytes(range(256)) * (8_190 // 2)
    assert tree_root(records, 128, threads) == merkle.root_of_in_python(records, 128)


@pytest.mark.parametrize(("data", "leaf_bytes"), [(b"abc", 2), (b"abc", 0), (b"", 0)])
def test_an_odd_tail_is_refused(data: bytes, leaf_bytes: int) -> None:
    with pytest.raises(ValueError, match="whole number of leaves"):
        tree_root(data, leaf_bytes)
    with pytest.raises(ValueError, match="whole number of leaves"):
        tree_inclusion_path(data, leaf_bytes, 0)


def test_a_path_needs_a_leaf() -> None:
    with pytest.raises(IndexError):
        tree_inclusion_path(bytes(32), 16, 2)
