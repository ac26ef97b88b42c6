"""Sealed envelopes as the SDK keeps them: the bytes, and what is needed to ask about them.

Whoever wants to survive a crash between "sent" and "answered" stores `Stored.envelope` first;
`AsyncClient.submit` takes it back at any time, in any process, and never lets it act twice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tallystick import limits as sdk_limits
from tallystick.errors import InvalidArgument
from tallystick_ledger import limits
from tallystick_ledger.ids import NO_ID, EnvelopeId, PrincipalId, PublicKey, TimestampNs

_MAGIC: Final = b"TSE1\x01\x00"
# Offsets of docs/format.md section 5.
_RECORD_COUNT: Final = slice(12, 16)
_SIGNER: Final = slice(48, 80)
_ENVELOPE_ID: Final = slice(80, 96)
_VALID_UNTIL: Final = slice(96, 104)


@dataclass(frozen=True, slots=True)
class Stored:
    """A sealed envelope.

    Attributes:
        envelope: Its bytes, 384 to 1,048,576.
        envelope_id: 16 bytes, as in the header.
        principal: Principal of the signing key; all zero where nobody said, then only a resend
            finds out what became of it.
        valid_until_ns: From then on (in log time) it can no longer be ordered.
        record_count: Records in it, CONTs included.
    """

    envelope: bytes
    envelope_id: EnvelopeId
    principal: PrincipalId
    valid_until_ns: TimestampNs
    record_count: int

    @classmethod
    def from_bytes(
        cls,
        envelope: bytes,
        principal: PrincipalId = PrincipalId(NO_ID),  # noqa: B008 - bytes
    ) -> "Stored":
        """Reads the header of a sealed envelope; signature and records are not looked at.

        Raises:
            TypeError: `envelope` is not bytes.
            InvalidArgument: It is no envelope, or its length is not what its header says.
        """
        if not isinstance(envelope, bytes):
            raise TypeError(f"an envelope is bytes, not {type(envelope).__name__}")
        if envelope_bytes(envelope, 0) != len(envelope):
            raise InvalidArgument("There is something behind the envelope's last record.")
        return cls(
            envelope,
            EnvelopeId(envelope[_ENVELOPE_ID]),
            principal,
            TimestampNs(int.from_bytes(envelope[_VALID_UNTIL], "little")),
            int.from_bytes(envelope[_RECORD_COUNT], "little"),
        )

    @property
    def signer(self) -> PublicKey:
        """The public key that the header names, 32 bytes."""
        return PublicKey(self.envelope[_SIGNER])


def envelope_bytes(data: bytes, offset: int) -> int:
    """Returns the length of the envelope that starts at `offset`.

    Raises:
        InvalidArgument: None does, or it does not fit into `data`.
    """
    start = data[offset : offset + limits.ENVELOPE_PREFIX_BYTES]
    if len(start) != limits.ENVELOPE_PREFIX_BYTES or not start.startswith(_MAGIC):
        raise InvalidArgument(f"There is no envelope at offset {offset}.")
    count = int.from_bytes(start[_RECORD_COUNT], "little")
    size = limits.ENVELOPE_PREFIX_BYTES + count * limits.RECORD_BYTES
    if not 1 <= count <= limits.MAX_RECORDS or offset + size > len(data):
        raise InvalidArgument(f"The envelope at offset {offset} is cut off or too long.")
    return size


def split(message: bytes) -> Iterator[bytes]:
    """Yields each envelope of a message in which they stand back to back.

    Raises:
        InvalidArgument: The bytes are no row of envelopes.
    """
    offset = 0
    while offset < len(message):
        size = envelope_bytes(message, offset)
        yield message[offset : offset + size]
        offset += size


def pack(envelopes: Iterable[bytes]) -> Iterator[bytes]:
    """Packs envelopes, in their order, into messages of at most 1 MiB.

    Raises:
        InvalidArgument: One of them alone is larger.
    """
    message: list[bytes] = []
    size = 0
    for envelope in envelopes:
        if len(envelope) > sdk_limits.MAX_MESSAGE_BYTES:
            raise InvalidArgument(f"An envelope has {len(envelope)} bytes, more than 1 MiB.")
        if size + len(envelope) > sdk_limits.MAX_MESSAGE_BYTES:
            yield b"".join(message)
            message, size = [], 0
        message.append(envelope)
        size += len(envelope)
    if message:
        yield b"".join(message)
