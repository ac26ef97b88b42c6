"""What everybody checks about new bytes before they are ordered, from the bytes alone.

`check_envelope` applies, in this order, so that the cheap comes before the costly and nothing
costly is done for somebody who has not shown a good signature:

    1. MALFORMED        shape and grid (places, kinds, nonces)
    2. WRONG_LEDGER     the ledger id
    3. BAD_ID_TIME      id_time <= valid_until <= id_time + max_lifetime
    4. BAD_SIGNATURE    the header's signature
    5. BAD_ROOT         the records root
    6. MALFORMED        the hashes over CONTs
    7. BAD_KEY          encoding and order of keys to register
    8. BAD_POSSESSION   their proofs

`check_block` adds a block's own shape, its place behind the block before it, and ID_IN_FUTURE.
What needs the state (is the signer known, is the id used) is not decided here. The native core
does the same much faster; this is the readable half of the comparison.
Source: docs/format.md sections 2, 4, 5, 6 and 8.
"""

from typing import Final

from tallystick_ledger import keys, limits, merkle
from tallystick_ledger.block import Block
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import Envelope, HeadView
from tallystick_ledger.errors import MalformedError, RefusedError
from tallystick_ledger.ids import (
    LedgerId,
    PrincipalId,
    PublicKey,
    SequenceNumber,
    TimestampNs,
    id_time_ns,
)
from tallystick_ledger.records.kinds import KeyOperation, Kind

# PRINCIPAL and KEY have these fields at the same places.
_KEY_RANGE: Final = slice(8, 40)
_POSSESSION_RANGE: Final = slice(40, 104)
_PRINCIPAL_RANGE: Final = slice(104, 120)
_KEY_OPERATION_OFFSET: Final = 6
_PROVING_OPERATIONS: Final = frozenset({KeyOperation.ADD, KeyOperation.ROTATE})


def check_envelope(
    data: bytes | memoryview, *, ledger_id: LedgerId, max_lifetime_ns: int
) -> Envelope:
    """Checks one envelope and returns it.

    Args:
        data: The envelope and nothing else.
        ledger_id: Of the ledger that is to order it.
        max_lifetime_ns: Of that ledger's genesis.

    Raises:
        RefusedError: `code` is the first of the module's list that applies.
    """
    envelope = Envelope.parse(data)
    envelope.check_grid()
    check_binding(envelope, ledger_id=ledger_id, max_lifetime_ns=max_lifetime_ns)
    check_content(envelope, ledger_id)
    return envelope


def check_block(
    data: bytes | memoryview,
    *,
    ledger_id: LedgerId,
    max_lifetime_ns: int,
    next_sequence: SequenceNumber,
    min_timestamp_ns: TimestampNs,
) -> Block:
    """Checks a block that is to follow on what is there, and returns it.

    Args:
        data: The block and nothing else.
        ledger_id: Of the ledger.
        max_lifetime_ns: Of its genesis.
        next_sequence: First sequence number that the block must have.
        min_timestamp_ns: Smallest timestamp that it may have.

    Raises:
        RefusedError: MALFORMED for its shape and place, ID_IN_FUTURE, or what
            `check_envelope` lists.
    """
    block = Block.parse(data)
    if block.header.first_sequence != next_sequence:
        raise MalformedError(
            f"the block starts at {block.header.first_sequence}, not at {next_sequence}"
        )
    if block.header.timestamp_ns < min_timestamp_ns:
        raise MalformedError(
            f"the block's time {block.header.timestamp_ns} is before {min_timestamp_ns}"
        )
    for envelope in block.envelopes:
        envelope.check_grid()
    for envelope in block.envelopes:
        check_binding(envelope, ledger_id=ledger_id, max_lifetime_ns=max_lifetime_ns)
        check_not_in_future(envelope, block.header.timestamp_ns)
    for envelope in block.envelopes:
        check_content(envelope, ledger_id)
    return block


def check_binding(envelope: Envelope, *, ledger_id: LedgerId, max_lifetime_ns: int) -> None:
    """Checks the ledger id and the times of the header.

    Raises:
        RefusedError: WRONG_LEDGER or BAD_ID_TIME.
    """
    header = envelope.header
    if header.ledger_id != ledger_id:
        raise RefusedError(Code.WRONG_LEDGER, f"it is for {header.ledger_id.hex()}")
    made_ns = id_time_ns(header.envelope_id)
    if not made_ns <= header.valid_until_ns <= made_ns + max_lifetime_ns:
        raise RefusedError(
            Code.BAD_ID_TIME, f"made at {made_ns}, valid until {header.valid_until_ns}"
        )


def check_not_in_future(envelope: Envelope, timestamp_ns: TimestampNs) -> None:
    """Checks that the id was made at most 5 s after the block's timestamp.

    Raises:
        RefusedError: ID_IN_FUTURE.
    """
    made_ns = id_time_ns(envelope.header.envelope_id)
    if made_ns > timestamp_ns + limits.MAX_ID_AHEAD_NS:
        raise RefusedError(Code.ID_IN_FUTURE, f"made at {made_ns}, log time is {timestamp_ns}")


def check_content(envelope: Envelope, ledger_id: LedgerId) -> None:
    """Checks signature, root, hashes over CONTs, keys to register and their proofs.

    Raises:
        RefusedError: BAD_SIGNATURE, BAD_ROOT, MALFORMED, BAD_KEY or BAD_POSSESSION.
    """
    header = envelope.header
    if not keys.is_valid_signature(header.signer, envelope.signed_bytes, envelope.signature):
        raise RefusedError(Code.BAD_SIGNATURE, f"not by {header.signer.hex()}")
    root = merkle.root_of(bytes(envelope.records), limits.RECORD_BYTES)
    if root != header.records_root:
        raise RefusedError(Code.BAD_ROOT, f"the records hash to {root.hex()}")
    envelope.check_cont_hashes()
    proving = [head for head in envelope.heads() if _must_prove(head)]
    for head in proving:
        key = bytes(head.data[_KEY_RANGE])
        if not keys.is_acceptable_key(key):
            raise RefusedError(Code.BAD_KEY, f"record {head.index} registers {key.hex()}")
    for head in proving:
        _check_possession(head, ledger_id)


def _must_prove(head: HeadView) -> bool:
    """Whether a head registers a key: PRINCIPAL, RECOVER, and KEY with ADD or ROTATE."""
    if head.kind == Kind.KEY:
        return head.data[_KEY_OPERATION_OFFSET] in _PROVING_OPERATIONS
    return head.kind in (Kind.PRINCIPAL, Kind.RECOVER)


def _check_possession(head: HeadView, ledger_id: LedgerId) -> None:
    key = PublicKey(bytes(head.data[_KEY_RANGE]))
    principal = PrincipalId(bytes(head.data[_PRINCIPAL_RANGE]))
    message = keys.possession_bytes(ledger_id, principal, key)
    if not keys.is_valid_signature(key, message, bytes(head.data[_POSSESSION_RANGE])):
        raise RefusedError(
            Code.BAD_POSSESSION, f"record {head.index} does not prove that it has {key.hex()}"
        )
