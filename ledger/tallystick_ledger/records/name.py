"""NAME: text that others refer to by its id, such as a model's or a region's.

Up to 64 bytes of UTF-8 stand in the head, the rest in CONT records.
Source: docs/format.md section 6; the order of checks is that of semantics.md, NAME.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import cont, limits
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import FieldError
from tallystick_ledger.records.base import (
    CONT_HASH_RANGE,
    BytesLike,
    Record,
    check_kind_and_flags,
    check_zero,
    enum_field,
    require,
    require_nonce,
)
from tallystick_ledger.records.kinds import Group, Kind, NameKind

# kind, flags, cont_count; name kind, length, reserved; text; cont_hash; nonce
_NAME: Final = struct.Struct("<HHHHH6x64s32s16s")
_NO_CONT_HASH: Final = bytes(limits.HASH_BYTES)
_FIRST_PRINTABLE: Final = 0x20
_DELETE: Final = 0x7F


@dataclass(frozen=True, slots=True)
class Name(Record):
    """Registers a name. Signed by an OWNER key; the record's derived id is the name's id.

    Attributes:
        name_kind: What it is the name of.
        text: 1 to 256 bytes of UTF-8, without control characters.
    """

    KIND: ClassVar[Kind] = Kind.NAME
    GROUP: ClassVar[Group] = Group.REGISTRY

    name_kind: NameKind
    text: str

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        if not isinstance(self.text, str):
            raise FieldError(f"text must be str, not {type(self.text).__name__}")
        _check_text(self.text.encode("utf-8", "surrogatepass"))

    @property
    def cont_count(self) -> int:
        """CONTs behind the head."""
        return _cont_count(len(self.text.encode()))

    @property
    def record_count(self) -> int:
        """The head and its CONTs."""
        return 1 + self.cont_count

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce, self.nonce_bytes)
        raw = self.text.encode()
        conts = cont.encode(raw[limits.NAME_HEAD_TEXT_BYTES :], nonce[limits.NONCE_BYTES :])
        head = _NAME.pack(
            Kind.NAME,
            0,
            len(conts) // limits.RECORD_BYTES,
            self.name_kind,
            len(raw),
            raw[: limits.NAME_HEAD_TEXT_BYTES],
            cont.cont_hash(conts) if conts else _NO_CONT_HASH,
            nonce[: limits.NONCE_BYTES],
        )
        return head + conts

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        head, conts = data[: limits.RECORD_BYTES], data[limits.RECORD_BYTES :]
        if len(head) != limits.RECORD_BYTES or len(conts) % limits.RECORD_BYTES:
            raise FieldError(f"{len(data)} bytes are no head with CONTs")
        _, cont_count = check_kind_and_flags(cls, head)
        if cont_count * limits.RECORD_BYTES != len(conts):
            raise FieldError(f"the head names {cont_count} CONTs, {len(conts)} bytes follow")
        check_zero(head, ((10, 16),) if cont_count else ((10, 16), CONT_HASH_RANGE))
        _, _, _, kind_number, length, text, _, _ = _NAME.unpack(head)
        name_kind = enum_field(NameKind, kind_number)
        require(
            1 <= length <= limits.MAX_NAME_BYTES, Code.BAD_FIELD, f"length {length} of the text"
        )
        require(
            cont_count == _cont_count(length),
            Code.CONT_NOT_ALLOWED,
            f"{length} bytes of text with {cont_count} CONTs",
        )
        field = text + cont.content(conts)
        check_zero(field, ((length, len(field)),))
        return cls(name_kind, _check_text(field[:length]))


def _cont_count(length: int) -> int:
    return cont.cont_count(max(0, length - limits.NAME_HEAD_TEXT_BYTES))


def _check_text(raw: bytes) -> str:
    """Returns the text; raises RecordError (BAD_FIELD) unless it is what a name may be."""
    require(
        1 <= len(raw) <= limits.MAX_NAME_BYTES, Code.BAD_FIELD, f"length {len(raw)} of the text"
    )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    require(text != "", Code.BAD_FIELD, "the text is not UTF-8")
    control = any(byte < _FIRST_PRINTABLE or byte == _DELETE for byte in raw)
    require(not control, Code.BAD_FIELD, "the text has control characters")
    return text
