"""Merkle trees by RFC 6962 section 2.1, and the proofs of RFC 9162 section 2.1.

    T()   = H("")          T(x) = H(0x00 || x)
    T(xs) = H(0x01 || T(first k) || T(rest)),   k the largest power of two below the count

Records, results, effects and the log are all hashed this way. A `Frontier` is what a growing tree
needs to keep: one hash for each full subtree, largest first, as the set bits of its size.

Everything here is in plain Python. `root_of` uses the native core for the hashing where that is
installed, because a client seals thousands of records at a time; the answer is the same.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from tallystick_ledger import limits
from tallystick_ledger.errors import FieldError, ProofError

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"

BytesLike = bytes | bytearray | memoryview


def _find_native_root() -> Callable[[bytes, int], bytes] | None:
    """Returns the core's tree hash, or None where the core is not installed."""
    try:
        from tallystick_core import tree_root as native  # noqa: PLC0415 - it is optional
    except ImportError:
        return None
    return native


_NATIVE_ROOT: Final = _find_native_root()


def leaf_hash(leaf: BytesLike) -> bytes:
    """Returns T(leaf)."""
    digest = hashlib.sha256(_LEAF)
    digest.update(leaf)
    return digest.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the hash over two subtrees."""
    return hashlib.sha256(_NODE + left + right).digest()


def tree_root(leaves: Iterable[BytesLike]) -> bytes:
    """Returns T over leaves of any length."""
    return root_of_hashes(leaf_hash(leaf) for leaf in leaves)


def root_of(data: bytes, leaf_bytes: int) -> bytes:
    """Returns T over leaves of equal length that lie back to back.

    Args:
        data: The leaves.
        leaf_bytes: Length of each.

    Raises:
        FieldError: `data` is not made of such leaves.
    """
    if leaf_bytes <= 0 or len(data) % leaf_bytes:
        raise FieldError(f"{len(data)} bytes are no leaves of {leaf_bytes} bytes")
    if _NATIVE_ROOT is not None:
        return _NATIVE_ROOT(data, leaf_bytes)
    return root_of_in_python(data, leaf_bytes)


def root_of_in_python(data: BytesLike, leaf_bytes: int) -> bytes:
    """Does what `root_of` does, without the core."""
    view = memoryview(data)
    return tree_root(view[start : start + leaf_bytes] for start in range(0, len(data), leaf_bytes))


def root_of_hashes(leaf_hashes: Iterable[bytes]) -> bytes:
    """Returns the root over leaves that are hashed already."""
    level = list(leaf_hashes)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        above = [node_hash(level[index], level[index + 1]) for index in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])  # a subtree without a sibling moves up as it is
        level = above
    return level[0]


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree that only grows, reduced to what its growth needs.

    Attributes:
        size: Leaves so far.
        peaks: Hash of each full subtree, largest first: one for each set bit of `size`.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Raises FieldError unless the peaks fit the size."""
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise FieldError(f"{len(self.peaks)} peaks do not make a tree of {self.size} leaves")
        if any(len(peak) != limits.HASH_BYTES for peak in self.peaks):
            raise FieldError("a peak is no hash")

    def extended(self, leaf_hashes: Iterable[bytes]) -> Self:
        """Returns the frontier after these leaves."""
        size, peaks = self.size, list(self.peaks)
        for value in leaf_hashes:
            peaks.append(value)
            carries = size
            while carries & 1:
                right = peaks.pop()
                peaks[-1] = node_hash(peaks[-1], right)
                carries >>= 1
            size += 1
        return type(self)(size, tuple(peaks))

    def root(self) -> bytes:
        """Returns the root of the tree so far."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Returns the path that leads from a leaf to the root, leaf's sibling first.

    Raises:
        FieldError: There is no such leaf.
    """
    if not 0 <= index < len(leaf_hashes):
        raise FieldError(f"no leaf {index} in a tree of {len(leaf_hashes)}")
    if len(leaf_hashes) == 1:
        return []
    split = _split(len(leaf_hashes))
    left, right = leaf_hashes[:split], leaf_hashes[split:]
    if index < split:
        return [*inclusion_proof(left, index), root_of_hashes(right)]
    return [*inclusion_proof(right, index - split), root_of_hashes(left)]


def verify_inclusion(
    value: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Checks that a leaf is in a tree. RFC 9162 section 2.1.3.2.

    Args:
        value: The leaf's hash.
        index: Its place, from 0.
        size: Leaves of the tree.
        proof: See `inclusion_proof`.
        root: The tree's root.

    Raises:
        ProofError: It is not proved.
    """
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    _require_hashes([value, root, *proof])
    position, last = index, size - 1
    for sibling in proof:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if position & 1 or position == last:
            value = node_hash(sibling, value)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("the inclusion proof is too short")
    if value != root:
        raise ProofError("the inclusion proof leads to another root")


def consistency_proof(leaf_hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """Returns the proof that the tree over these leaves extends its first `old_size` ones.

    Raises:
        FieldError: `old_size` is not 1 to the count.
    """
    if not 1 <= old_size <= len(leaf_hashes):
        raise FieldError(f"no tree of {old_size} leaves within one of {len(leaf_hashes)}")
    return _subproof(leaf_hashes, old_size, is_old_root=True)


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Checks that a tree extends an older one. RFC 9162 section 2.1.4.2.

    Raises:
        ProofError: It is not proved.
    """
    _require_hashes([old_root, new_root, *proof])
    if not 1 <= old_size <= new_size:
        raise ProofError(f"a tree of {new_size} leaves does not extend one of {old_size}")
    if old_size == new_size:
        if proof or old_root != new_root:
            raise ProofError("two trees of one size differ, or the proof is not empty")
        return
    path = [old_root, *proof] if old_size.bit_count() == 1 else list(proof)
    if not path:
        raise ProofError("the consistency proof is empty")
    if _climb(old_size, new_size, path) != (old_root, new_root):
        raise ProofError("the consistency proof leads to other roots")


def _climb(old_size: int, new_size: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Returns the old and the new root that a consistency proof leads to."""
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long")
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofError("the consistency proof is too short")
    return old, new


def _subproof(hashes: Sequence[bytes], old_size: int, *, is_old_root: bool) -> list[bytes]:
    if old_size == len(hashes):
        return [] if is_old_root else [root_of_hashes(hashes)]
    split = _split(len(hashes))
    if old_size <= split:
        below = _subproof(hashes[:split], old_size, is_old_root=is_old_root)
        return [*below, root_of_hashes(hashes[split:])]
    below = _subproof(hashes[split:], old_size - split, is_old_root=False)
    return [*below, root_of_hashes(hashes[:split])]


def _split(count: int) -> int:
    """Returns the largest power of two below `count`, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def _require_hashes(values: Iterable[bytes]) -> None:
    if any(len(value) != limits.HASH_BYTES for value in values):
        raise ProofError("a hash has not 32 bytes")
