"""Proof from bytes alone: signatures, and a block as a whole (format.md sections 2 and 8).

Signatures are checked in batches. The randomness that makes a batch safe comes from `seed`: 32
random bytes that nobody outside may foresee, new for each call (`secrets.token_bytes(32)`). The
answer depends neither on the seed nor on the number of threads. Everything runs without the GIL;
no input makes it panic.
"""

from typing import final

def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tells whether one signature holds by the bare equation of ZIP-215.

    Cofactored; any encoding of key and R that decompresses; S canonical. Whoever accepts new bytes
    asks for canonical encodings on top, as `check_block` and `Admission.verify` do.

    Args:
        public_key: 32 bytes.
        message: What was signed.
        signature: 64 bytes, R ‖ S.

    Raises:
        ValueError: Key or signature have another length.
    """

def key_is_acceptable(public_key: bytes) -> bool:
    """Tells whether a key may be registered: canonically encoded and of prime order.

    False for anything that is not 32 bytes.
    """

@final
class BlockCheck:
    """What `check_block` found. With a code other than 0 all counts are 0."""

    @property
    def code(self) -> int:
        """0, or a code of format.md section 11 below 64."""

    @property
    def detail(self) -> str:
        """What is wrong and where, for a person; empty with code 0."""

    @property
    def record_count(self) -> int:
        """Records of the block, CONTs counted."""

    @property
    def envelope_count(self) -> int:
        """Envelopes of the block."""

    @property
    def next_sequence(self) -> int:
        """Sequence number that the next block starts with."""

    @property
    def min_next_timestamp_ns(self) -> int:
        """Smallest timestamp of the next block, in ns."""

    @property
    def signatures(self) -> int:
        """Signatures checked: headers and proofs of possession."""

def check_block(
    block: bytes,
    *,
    ledger_id: bytes,
    max_lifetime_ns: int,
    next_sequence: int,
    min_timestamp_ns: int,
    seed: bytes,
    threads: int = 1,
) -> BlockCheck:
    """Checks all that a node checks of a block before it appends it, from bytes alone.

    In this order: layout, place in the log, then of all envelopes ledger, id time and grid, then
    all signatures, then roots and CONT hashes, then keys and possessions. The first that fails
    gives the code: MALFORMED, WRONG_LEDGER, BAD_ID_TIME, ID_IN_FUTURE, BAD_SIGNATURE, BAD_ROOT,
    BAD_KEY or BAD_POSSESSION.

    Args:
        block: Header and envelopes.
        ledger_id: 32 bytes.
        max_lifetime_ns: The genesis' longest life of an envelope.
        next_sequence: Sequence number that the block must start with.
        min_timestamp_ns: Smallest timestamp that it may have.
        seed: 32 secret random bytes, new for each call.
        threads: At most so many threads; 1 is the caller's own.

    Raises:
        ValueError: `ledger_id` or `seed` have not 32 bytes. Never for what the block holds.
    """

@final
class BlockHeader:
    """The fields of a block's header."""

    @property
    def rules_version(self) -> int:
        """The rules that apply it."""

    @property
    def timestamp_ns(self) -> int:
        """Timestamp of its first record, in ns."""

    @property
    def first_sequence(self) -> int:
        """Sequence number of its first record."""

    @property
    def envelope_count(self) -> int:
        """Envelopes, at least 1."""

    @property
    def record_count(self) -> int:
        """Records, CONTs counted."""

    @property
    def envelope_bytes(self) -> int:
        """Bytes of all envelopes, at most 1 MiB."""

def block_header(block: bytes) -> BlockHeader:
    """Reads the header of a block; looks at no envelope.

    Raises:
        ValueError: No header of a block, or the block has another length than it says.
    """

def build_block(
    bodies: list[bytes],
    *,
    timestamp_ns: int,
    first_sequence: int,
    envelope_count: int,
    record_count: int,
    rules_version: int = 1,
) -> bytes:
    """Puts a header before the bodies, in one copy. The counts are taken as given.

    Args:
        bodies: Envelopes, back to back, in one or more pieces.
        timestamp_ns: Timestamp of the first record, in ns.
        first_sequence: Sequence number of the first record.
        envelope_count: Envelopes in all bodies.
        record_count: Records in all bodies.
        rules_version: The rules that apply it.

    Raises:
        ValueError: More than 1 MiB of envelopes.
    """
