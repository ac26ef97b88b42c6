"""The envelope: a signed header in front of 1 to 8,190 records.

`seal` makes one. `Envelope.parse` and `split_envelopes` look at bytes without copying them and
check their shape; `heads` walks the grid of heads and CONTs; `checks.check_envelope` does all that
a node does before ordering. "The same envelope" means the same header: one signer can make many
valid signatures of it. Source: docs/format.md sections 5 and 6.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from tallystick_ledger import cont, limits, merkle
from tallystick_ledger.errors import FieldError, MalformedError
from tallystick_ledger.ids import (
    EnvelopeId,
    LedgerId,
    PublicKey,
    Signature,
    TimestampNs,
    require_length,
    require_uint,
)
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records import head_fields
from tallystick_ledger.records.base import CONT_HASH_RANGE, NONCE_OFFSET
from tallystick_ledger.records.kinds import KINDS_WITHOUT_NONCE, Kind

MAGIC: Final = b"TSE1"
FORMAT_VERSION: Final = 1
ALGORITHM_ED25519: Final = 1
FLAG_ATOMIC: Final = 1
SIGNATURE_DOMAIN: Final = b"tallystick/envelope/v1\0"

# magic, format, flags, algorithm, reserved, record count; ledger; signer; id, valid_until; root
_HEADER: Final = struct.Struct("<4sHHHHI32s32s16sQ32s56s")
_RESERVED: Final = bytes(56)


@dataclass(frozen=True, slots=True)
class Header:
    """What is signed: 192 bytes.

    Attributes:
        ledger_id: Of the ledger that it is for.
        signer: The signing key's public half.
        envelope_id: Made by the client; used once for ever.
        valid_until_ns: After this it is not executed any more.
        record_count: 1 to 8,190, CONTs counted.
        records_root: T over the records.
        atomic: All records, or none.
    """

    ledger_id: LedgerId
    signer: PublicKey
    envelope_id: EnvelopeId
    valid_until_ns: TimestampNs
    record_count: int
    records_root: bytes
    atomic: bool = False

    def __post_init__(self) -> None:
        """Raises FieldError for a value that its field cannot hold."""
        require_length("ledger id", self.ledger_id, limits.HASH_BYTES)
        require_length("signer", self.signer, limits.KEY_BYTES)
        require_length("envelope id", self.envelope_id, limits.ID_BYTES)
        require_uint("valid_until_ns", self.valid_until_ns, limits.MAX_U64)
        require_uint("record count", self.record_count, limits.MAX_RECORDS, 1)
        require_length("records root", self.records_root, limits.HASH_BYTES)

    def encode(self) -> bytes:
        """Returns 192 bytes."""
        return _HEADER.pack(
            MAGIC,
            FORMAT_VERSION,
            FLAG_ATOMIC if self.atomic else 0,
            ALGORITHM_ED25519,
            0,
            self.record_count,
            self.ledger_id,
            self.signer,
            self.envelope_id,
            self.valid_until_ns,
            self.records_root,
            _RESERVED,
        )

    @classmethod
    def decode(cls, data: bytes | memoryview) -> Self:
        """Reads 192 bytes.

        Raises:
            MalformedError: They are no header.
        """
        if len(data) != limits.ENVELOPE_HEADER_BYTES:
            raise MalformedError(f"a header has 192 bytes, not {len(data)}")
        fields = _HEADER.unpack(data)
        magic, version, flags, algorithm, reserved, count = fields[:6]
        if magic != MAGIC or version != FORMAT_VERSION:
            raise MalformedError("magic or format version is not that of an envelope")
        if flags & ~FLAG_ATOMIC:
            raise MalformedError(f"flags {flags:#x} are not known")
        if algorithm != ALGORITHM_ED25519:
            raise MalformedError(f"algorithm {algorithm} is not known")
        if reserved or fields[11] != _RESERVED:
            raise MalformedError("reserved bytes of the header are not zero")
        if not 1 <= count <= limits.MAX_RECORDS:
            raise MalformedError(f"{count} records, not 1 to {limits.MAX_RECORDS}")
        return cls(
            LedgerId(fields[6]),
            PublicKey(fields[7]),
            EnvelopeId(fields[8]),
            TimestampNs(fields[9]),
            count,
            fields[10],
            atomic=bool(flags & FLAG_ATOMIC),
        )


@dataclass(frozen=True, slots=True)
class HeadView:
    """A head in an envelope, with the CONTs that belong to it.

    Attributes:
        index: The head's index in the envelope.
        kind: Bytes 0 to 2, known or not.
        data: 128 bytes, and 128 more for each CONT.
    """

    index: int
    kind: int
    data: memoryview


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope of the right shape; nothing else about it is checked by making one.

    Attributes:
        header: What was signed.
        signature: 64 bytes.
        data: All bytes of it, header first; a view of what was parsed.
    """

    header: Header
    signature: Signature
    data: memoryview

    @classmethod
    def parse(cls, data: bytes | memoryview) -> Self:
        """Reads bytes that are one envelope and nothing else.

        Raises:
            MalformedError: They are not.
        """
        envelope = cls._parse_first(memoryview(data))
        if len(envelope.data) != len(data):
            extra = len(data) - len(envelope.data)
            raise MalformedError(f"{extra} bytes follow the last record")
        return envelope

    @classmethod
    def _parse_first(cls, view: memoryview) -> Self:
        if len(view) < limits.ENVELOPE_PREFIX_BYTES:
            raise MalformedError(f"{len(view)} bytes are no envelope")
        header = Header.decode(view[: limits.ENVELOPE_HEADER_BYTES])
        end = limits.ENVELOPE_PREFIX_BYTES + limits.RECORD_BYTES * header.record_count
        if len(view) < end:
            raise MalformedError(f"the header promises {end} bytes, there are {len(view)}")
        signature = view[limits.ENVELOPE_HEADER_BYTES : limits.ENVELOPE_PREFIX_BYTES]
        return cls(header, Signature(bytes(signature)), view[:end])

    @property
    def header_bytes(self) -> bytes:
        """The signed 192 bytes."""
        return bytes(self.data[: limits.ENVELOPE_HEADER_BYTES])

    @property
    def header_digest(self) -> bytes:
        """SHA-256 of the header: what tells the same envelope from another."""
        return hashlib.sha256(self.data[: limits.ENVELOPE_HEADER_BYTES]).digest()

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is over."""
        return SIGNATURE_DOMAIN + self.header_bytes

    @property
    def records(self) -> memoryview:
        """All records, back to back."""
        return self.data[limits.ENVELOPE_PREFIX_BYTES :]

    def record(self, index: int) -> memoryview:
        """Returns the 128 bytes of one record.

        Raises:
            FieldError: There is no such record.
        """
        require_uint("record index", index, self.header.record_count - 1)
        start = limits.ENVELOPE_PREFIX_BYTES + limits.RECORD_BYTES * index
        return self.data[start : start + limits.RECORD_BYTES]

    def heads(self) -> Iterator[HeadView]:
        """Yields the heads in order, each with its CONTs, and checks their places on the way.

        Raises:
            MalformedError: The grid is broken from here on. Hashes over CONTs are not computed:
                see `check_cont_hashes`.
        """
        records = self.records
        index, count = 0, self.header.record_count
        while index < count:
            start = limits.RECORD_BYTES * index
            kind, _, cont_count = head_fields(records, start)
            end = start + limits.RECORD_BYTES * (1 + cont_count)
            data = records[start:end]
            if cont_count > limits.MAX_CONT_COUNT or len(data) != end - start:
                raise MalformedError(f"record {index} has {cont_count} CONTs")
            _check_group(index, kind, data)
            yield HeadView(index, kind, data)
            index += 1 + cont_count

    def check_grid(self) -> None:
        """Raises MalformedError unless every record has the place and the bytes it must have.

        Together with `check_cont_hashes` this is the grid of format.md section 6.
        """
        for _ in self.heads():
            pass

    def check_cont_hashes(self) -> None:
        """Raises MalformedError unless every head holds the hash over its CONTs."""
        for head in self.heads():
            conts = head.data[limits.RECORD_BYTES :]
            if conts and head.data[slice(*CONT_HASH_RANGE)] != cont.cont_hash(conts):
                raise MalformedError(f"record {head.index} does not hold the hash of its CONTs")


def _check_group(index: int, kind: int, data: memoryview) -> None:
    """Raises MalformedError unless a head and the records behind it fit together."""
    if kind == Kind.CONT:
        raise MalformedError(f"record {index} is a CONT without a head")
    has_nonce = kind not in KINDS_WITHOUT_NONCE
    if has_nonce and not any(data[NONCE_OFFSET : limits.RECORD_BYTES]):
        raise MalformedError(f"the nonce of record {index} is all zero")
    conts = data[limits.RECORD_BYTES :]
    for start in range(0, len(conts), limits.RECORD_BYTES):
        cont.check(conts[start : start + limits.RECORD_BYTES])


def split_envelopes(data: bytes | memoryview) -> list[Envelope]:
    """Reads envelopes that lie back to back, as in a block and in a message.

    Raises:
        MalformedError: They do not fill `data` exactly, or one has a wrong shape.
    """
    view = memoryview(data)
    envelopes = []
    while view:
        envelope = Envelope._parse_first(view)  # noqa: SLF001 - the same idea, one file
        envelopes.append(envelope)
        view = view[len(envelope.data) :]
    return envelopes


def seal(
    signing_key: SigningKey,
    ledger_id: LedgerId,
    envelope_id: EnvelopeId,
    valid_until_ns: TimestampNs,
    records: bytes,
    *,
    atomic: bool = False,
) -> bytes:
    """Signs records and returns the envelope's bytes.

    Args:
        signing_key: Of the principal that the records speak for.
        ledger_id: 32 bytes.
        envelope_id: Fresh, see `ids.new_envelope_id`. Whoever sends again sends these same bytes.
        valid_until_ns: From the id's time to that plus the ledger's maximum lifetime.
        records: 1 to 8,190 encoded records, 128 bytes each.
        atomic: All records, or none.

    Raises:
        FieldError: A value that its field cannot hold, or no records.
    """
    if len(records) % limits.RECORD_BYTES:
        raise FieldError(f"{len(records)} bytes are no records of {limits.RECORD_BYTES}")
    header = Header(
        ledger_id,
        signing_key.public_key,
        envelope_id,
        valid_until_ns,
        len(records) // limits.RECORD_BYTES,
        merkle.root_of(records, limits.RECORD_BYTES),
        atomic=atomic,
    ).encode()
    return b"".join((header, signing_key.sign(SIGNATURE_DOMAIN + header), records))
