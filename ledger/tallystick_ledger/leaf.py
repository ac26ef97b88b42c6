"""A leaf of the log tree: one envelope's header, signature and outcome.

Source: docs/format.md section 9.
"""

import struct
from dataclasses import dataclass
from typing import Final, Self

from tallystick_ledger import limits, merkle
from tallystick_ledger.errors import RowError
from tallystick_ledger.ids import SequenceNumber, Signature, TimestampNs

LEAF_VERSION: Final = 1

# version, rules version, record count; sequence number, timestamp; header; signature; the roots
_LEAF: Final = struct.Struct("<HHIQQ192s64s32s32s")


@dataclass(frozen=True, slots=True)
class Leaf:
    """What the log tree says about one envelope.

    Attributes:
        rules_version: Of its block.
        record_count: CONTs counted.
        first_sequence: Sequence number of its first record.
        timestamp_ns: Of its first record.
        header: The envelope's 192 bytes.
        signature: The one that was ordered.
        results_root: T over its 16-byte results.
        effects_root: T over its 128-byte effects.
    """

    rules_version: int
    record_count: int
    first_sequence: SequenceNumber
    timestamp_ns: TimestampNs
    header: bytes
    signature: Signature
    results_root: bytes
    effects_root: bytes

    def encode(self) -> bytes:
        """Returns 344 bytes."""
        return _LEAF.pack(
            LEAF_VERSION,
            self.rules_version,
            self.record_count,
            self.first_sequence,
            self.timestamp_ns,
            self.header,
            self.signature,
            self.results_root,
            self.effects_root,
        )

    def leaf_hash(self) -> bytes:
        """Returns the 32 bytes that stand in the log tree."""
        return merkle.leaf_hash(self.encode())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Reads 344 bytes.

        Raises:
            RowError: They are no leaf.
        """
        if len(data) != limits.LEAF_BYTES:
            raise RowError(f"a leaf has {limits.LEAF_BYTES} bytes, not {len(data)}")
        version, rules_version, count, sequence, timestamp, header, signature, results, effects = (
            _LEAF.unpack(data)
        )
        if version != LEAF_VERSION:
            raise RowError(f"leaf version {version} is not known")
        return cls(
            rules_version,
            count,
            SequenceNumber(sequence),
            TimestampNs(timestamp),
            header,
            Signature(signature),
            results,
            effects,
        )
