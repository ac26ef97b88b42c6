"""Cases of block.json: each says behind what the block comes, and what must be answered."""

from typing import Final

from tests.vectors import fixed
from tests.vectors.envelope_cases import NAME, envelope_at
from tests.vectors.fixed import TRANSFER, Json, Mutation, Sealing, patched, put, unchanged

from tallystick_ledger.block import BlockHeader
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import LedgerId, SequenceNumber, TimestampNs
from tallystick_ledger.limits import MAX_BLOCK_BODY_BYTES

FIRST_SEQUENCE: Final = 1_000_001
TIMESTAMP_NS: Final = fixed.ID_TIME_NS + 7
ONE: Final = Sealing().encode()
TWO: Final = (envelope_at(0, "first"), Sealing(NAME).encode())


def block(
    *envelopes: bytes,
    timestamp_ns: int = TIMESTAMP_NS,
    first_sequence: int = FIRST_SEQUENCE,
    mutate: Mutation = unchanged,
) -> bytes:
    """Returns a block with a right header, which `mutate` then spoils."""
    body = b"".join(envelopes)
    counts = [int.from_bytes(envelope[12:16], "little") for envelope in envelopes]
    header = BlockHeader(
        TimestampNs(timestamp_ns),
        SequenceNumber(first_sequence),
        len(counts),
        sum(counts),
        min(len(body), MAX_BLOCK_BODY_BYTES),  # a case that goes above it says so itself
    )
    data = bytearray(header.encode())
    mutate(data)
    return bytes(data) + body


def case(
    name: str,
    code: Code,
    why: str,
    data: bytes,
    *,
    next_sequence: int = FIRST_SEQUENCE,
    min_timestamp_ns: int = TIMESTAMP_NS,
    **more: str | int,
) -> Json:
    """Returns one vector: a block, and the two numbers that the log before it gives."""
    before = {"next_sequence": next_sequence, "min_timestamp_ns": min_timestamp_ns}
    return fixed.case(name, code, why, data, **before, **more)


def cases() -> list[Json]:
    return [*_valid(), *_header(), *_counts(), *_place(), *_times(), *_envelopes()]


def _valid() -> list[Json]:
    first = block(*TWO, first_sequence=1, timestamp_ns=fixed.ID_TIME_NS)
    return [
        case("one", Code.OK, "one envelope of one record", block(ONE)),
        case("two", Code.OK, "two envelopes, three records with a CONT", block(*TWO)),
        case(
            "first",
            Code.OK,
            "the first of a ledger",
            first,
            next_sequence=1,
            min_timestamp_ns=0,
        ),
        case(
            "expired",
            Code.OK,
            "valid_until is long past: that is a result, not a matter of bytes",
            block(ONE, timestamp_ns=fixed.ID_TIME_NS * 2),
        ),
    ]


def _header() -> list[Json]:
    spoiled = (
        ("magic", "another magic", put(0, b"TSB2")),
        ("version-0", "format version 0", put(4, b"\0\0")),
        ("version-2", "format version 2", put(4, b"\2\0")),
        ("rules-0", "rules version 0", put(6, b"\0\0")),
        ("rules-2", "rules that nobody knows yet", put(6, b"\2\0")),
        ("reserved-36", "first of the reserved bytes 36 to 64", put(36, b"\1")),
        ("reserved-63", "last of the reserved bytes 36 to 64", put(63, b"\1")),
    )
    return [
        case(name, Code.MALFORMED, why, block(ONE, mutate=mutate)) for name, why, mutate in spoiled
    ]


def _counts() -> list[Json]:
    def spoil(name: str, why: str, offset: int, value: int) -> Json:
        mutate = put(offset, value.to_bytes(4, "little"))
        return case(name, Code.MALFORMED, why, block(*TWO, mutate=mutate))

    body_bytes = len(b"".join(TWO))
    empty = bytearray(block(ONE)[:64])
    put(24, bytes(12))(empty)
    largest = Sealing(TRANSFER * 8190).encode()  # 1 MiB, and the block has one envelope more
    above = (MAX_BLOCK_BODY_BYTES + len(ONE)).to_bytes(4, "little")
    large = block(ONE, largest, mutate=put(32, above))
    shortened = large[: len(large) - 128 * 8190]
    return [
        case("no-bytes", Code.MALFORMED, "no bytes at all", b""),
        case("short", Code.MALFORMED, "63 bytes", block(ONE)[:63]),
        case("no-envelope", Code.MALFORMED, "a block without envelopes", bytes(empty)),
        spoil("envelopes-less", "one envelope promised, two there", 24, 1),
        spoil("envelopes-more", "three envelopes promised, two there", 24, 3),
        spoil("records-less", "the CONT is not counted", 28, 2),
        spoil("records-more", "four records promised, three there", 28, 4),
        spoil("bytes-less", "the last byte is not counted", 32, body_bytes - 1),
        spoil("bytes-more", "a byte is missing", 32, body_bytes + 1),
        case("trailing", Code.MALFORMED, "a byte behind the envelopes", block(*TWO) + b"\0"),
        case("torn", Code.MALFORMED, "the last byte is missing", block(*TWO)[:-1]),
        case(
            "too-large",
            Code.MALFORMED,
            "more than 1 MiB of envelopes",
            shortened,
            record=TRANSFER.hex(),
            repeat=8190,
        ),
    ]


def _place() -> list[Json]:
    last, why = 2**64 - 1, "sequence numbers leave 64 bits"
    return [
        case(
            "sequence-low", Code.MALFORMED, "a number twice", block(ONE, first_sequence=1_000_000)
        ),
        case("sequence-high", Code.MALFORMED, "a gap", block(ONE, first_sequence=1_000_002)),
        case(
            "sequence-0",
            Code.MALFORMED,
            "the first of a ledger is 1",
            block(ONE, mutate=put(16, bytes(8))),
            next_sequence=1,
        ),
        case(
            "sequence-overflow",
            Code.MALFORMED,
            why,
            block(ONE, mutate=put(16, last.to_bytes(8, "little"))),
            next_sequence=last,
        ),
    ]


def _times() -> list[Json]:
    ahead_ms = 5_000
    at = fixed.ID_TIME_NS
    return [
        case("time-low", Code.MALFORMED, "1 ns early", block(ONE, timestamp_ns=TIMESTAMP_NS - 1)),
        case(
            "time-later", Code.OK, "later than need be", block(ONE, timestamp_ns=TIMESTAMP_NS + 1)
        ),
        case(
            "time-overflow",
            Code.MALFORMED,
            "timestamps leave 64 bits",
            block(ONE, mutate=put(8, (2**64 - 1).to_bytes(8, "little"))),
        ),
        case(
            "id-ahead-5-s",
            Code.OK,
            "an id made exactly 5 s ahead of the block",
            block(ONE, envelope_at(ahead_ms, "ahead"), timestamp_ns=at),
            min_timestamp_ns=at,
        ),
        case(
            "id-ahead-more",
            Code.ID_IN_FUTURE,
            "1 ns more than 5 s",
            block(ONE, envelope_at(ahead_ms, "ahead"), timestamp_ns=at - 1),
            min_timestamp_ns=at - 1,
        ),
    ]


def _envelopes() -> list[Json]:
    """A block with a good envelope and one that breaks one rule."""
    other = LedgerId(fixed.digest("another ledger"))
    late = TimestampNs(fixed.ID_TIME_NS - 1)
    odd = fixed.OddSigner(0, fixed.IDENTITY_KEY, fixed.R_SCALAR)
    bad_key = fixed.principal_record(
        fixed.IDENTITY_KEY, odd(fixed.principal_possession_bytes(fixed.IDENTITY_KEY))
    )
    spoiled = (
        ("shape", Code.MALFORMED, Sealing(mutate=put(136, b"\1"))),
        ("grid", Code.MALFORMED, Sealing(patched(TRANSFER, 112, bytes(16)))),
        ("cont-hash", Code.MALFORMED, Sealing(patched(NAME, 80, bytes(32)))),
        ("ledger", Code.WRONG_LEDGER, Sealing(ledger_id=other)),
        ("id-time", Code.BAD_ID_TIME, Sealing(valid_until_ns=late)),
        ("signature", Code.BAD_SIGNATURE, Sealing(sign=fixed.NEW.sign)),
        ("root", Code.BAD_ROOT, Sealing(root=bytes(32))),
        ("key", Code.BAD_KEY, Sealing(bad_key)),
        (
            "possession",
            Code.BAD_POSSESSION,
            Sealing(fixed.principal_record(possession=bytes(64))),
        ),
    )
    return [
        case(f"envelope-{name}", code, "its second envelope", block(ONE, sealing.encode()))
        for name, code, sealing in spoiled
    ]
