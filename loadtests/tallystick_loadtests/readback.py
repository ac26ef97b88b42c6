"""Reads acknowledged envelopes back from a node's own store, after it was stopped.

An acknowledged envelope must stand in the log: the very header, once. Anything else is lost.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tallystick_node.config import NodeConfig
from tallystick_node.errors import DamagedLogError
from tallystick_node.identity import DATABASE_DIRECTORY, NodeIdentity
from tallystick_node.storage import Store

BLOCK_HEADER_BYTES: Final = 64
HEADER_BYTES: Final = 192
PREFIX_BYTES: Final = 256
RECORD_BYTES: Final = 128
COUNT_OFFSET: Final = 12


def header_digests(envelopes: bytes) -> list[bytes]:
    """SHA-256 of the header of each envelope, back to back, as `docs/format.md` section 5."""
    digests = []
    at = 0
    while at < len(envelopes):
        digests.append(hashlib.sha256(envelopes[at : at + HEADER_BYTES]).digest())
        records = int.from_bytes(envelopes[at + COUNT_OFFSET : at + COUNT_OFFSET + 4], "little")
        at += PREFIX_BYTES + RECORD_BYTES * records
    return digests


def stored_digests(node_directory: Path) -> Counter[bytes]:
    """How often each header stands in a stopped node's log.

    An entry that cannot be read counts as absent: that is what a reader would find.

    Args:
        node_directory: Directory of a node that does not run.
    """
    config = NodeConfig.load(node_directory)
    identity = NodeIdentity.load(node_directory, config.raft_id)
    store = Store.open(node_directory / DATABASE_DIRECTORY, identity)
    found: Counter[bytes] = Counter()
    try:
        for index in range(1, store.recovered.last_index + 1):
            try:
                payload = store.payload(index)
            except DamagedLogError:
                continue
            if payload:
                found.update(header_digests(payload[BLOCK_HEADER_BYTES:]))
    finally:
        store.close()
    return found


def count_lost(acknowledged: Iterable[bytes], stored: Counter[bytes]) -> int:
    """Acknowledged headers that do not stand in the log exactly once.

    Args:
        acknowledged: Header digests.
        stored: How often each header stands in the log.
    """
    return sum(stored[digest] != 1 for digest in acknowledged)
