"""Reads acknowledged envelopes back from a node's own store, after it was stopped.

An acknowledged envelope must stand in the log: the very header, or at least the very id where the
SDK made the envelope. What does not is lost. The store is read without the checks of a start: a
damaged entry is one that no reader will find, and the others still count.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from tallystick_ledger.ids import EnvelopeId
from tallystick_ledger.limits import BLOCK_HEADER_BYTES
from tallystick_loadtests.outcome import Outcome, headers, id_of
from tallystick_node.identity import DATABASE_DIRECTORY
from tallystick_node.storage.database import Database
from tallystick_node.storage.log import STATE_KEY
from tallystick_node.storage.rows import EntryMeta, StateRow, index_key

# Where a store keeps its database.
ROCKS_DIRECTORY = "rocks"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What was acknowledged in one or more timed parts.

    Attributes:
        digests: Header digests of the envelopes whose bytes are known.
        ids: Ids of those that the SDK made.
    """

    digests: list[bytes] = field(default_factory=list)
    ids: list[EnvelopeId] = field(default_factory=list)

    def add(self, outcome: Outcome, messages: list[bytes]) -> None:
        """Adds what a timed part sent and had acknowledged."""
        self.digests.extend(outcome.digests(messages))
        self.ids.extend(outcome.ids)

    def add_digests(self, digests: list[bytes]) -> None:
        """Adds what others had acknowledged."""
        self.digests.extend(digests)


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands in one node's log.

    Attributes:
        digests: SHA-256 of each envelope's header.
        ids: The envelope ids.
    """

    digests: set[bytes] = field(default_factory=set)
    ids: set[EnvelopeId] = field(default_factory=set)

    def lost(self, acknowledged: Acknowledged) -> int:
        """How many of the acknowledged envelopes do not stand in it."""
        return sum(digest not in self.digests for digest in acknowledged.digests) + sum(
            each not in self.ids for each in acknowledged.ids
        )


def read_stored(node_directory: Path) -> Stored:
    """Reads the log of a node that does not run.

    Raises:
        NodeError: RocksDB cannot open it.
        ValueError: The row that says how long the log is, is missing or damaged.
    """
    database = Database.open(node_directory / DATABASE_DIRECTORY / ROCKS_DIRECTORY)
    stored = Stored()
    try:
        row: bytes | None = database.rows.get(STATE_KEY)
        for index in range(1, StateRow.decode(row or b"").last_index + 1):
            for header in headers(_payload(database, index)[BLOCK_HEADER_BYTES:]):
                stored.digests.add(hashlib.sha256(header).digest())
                stored.ids.add(id_of(header))
    finally:
        database.close()
    return stored


def _payload(database: Database, index: int) -> bytes:
    """The payload of an entry; empty where it or its meta row is missing or damaged."""
    key = index_key(index)
    payload: bytes | None = database.log.get(key)
    row: bytes | None = database.meta.get(key)
    if payload is None or row is None:
        return b""
    try:
        meta = EntryMeta.decode(row)
    except ValueError:
        return b""
    return payload if meta.matches(payload) else b""
