"""RFC 6962 section 2.1 Merkle trees over SHA-256 (format.md section 1).

A leaf hashes as `H(0x00 ‖ leaf)`, an inner node as `H(0x01 ‖ left ‖ right)`; the tree over nothing
is `H("")`. Everything runs without the GIL.
"""

def tree_root(data: bytes, leaf_bytes: int, threads: int = 1) -> bytes:
    """Returns the root over equal-size leaves, 32 bytes.

    Args:
        data: The leaves, back to back.
        leaf_bytes: Size of one: 128 for records, 16 for results, 344 for leaves of the log.
        threads: At most so many threads; more than one pays from some thousand leaves on.

    Raises:
        ValueError: `data` is not a whole number of leaves, or `leaf_bytes` is 0.
    """

def tree_inclusion_path(data: bytes, leaf_bytes: int, index: int) -> bytes:
    """Returns the path from leaf `index` to the root, 32 bytes a step, nearest sibling first.

    Source: RFC 9162 section 2.1.3.1.

    Raises:
        ValueError: As `tree_root`.
        IndexError: No leaf has this index.
    """

def tree_verify_inclusion(
    leaf_hash: bytes, index: int, size: int, path: bytes, root: bytes
) -> bool:
    """Tells whether `path` leads from a leaf hash at `index` to the root of `size` leaves.

    Source: RFC 9162 section 2.1.3.2.

    Raises:
        ValueError: A hash has not 32 bytes, or the path is not a whole number of hashes.
    """
