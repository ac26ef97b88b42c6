"""The texts of registered names: derived from the log, rebuilt by replay.

The state keeps the hash of a name's text, so that it stays small. Whoever reads a card wants words:
what a block registered is written with its other derived rows, in one batch. A name is never
changed nor forgotten, so this index only grows, with the state's table of names. Family `names`:

| key | value |
|---|---|
| 0 ‖ id (16) | owner (16), u16 kind, u16 bytes of the text, text |
| 1 ‖ u16 kind, big-endian ‖ text ‖ 0 ‖ id (16) | nothing |

No text holds a zero byte, so the second kind of key is in the order of the texts' bytes.
"""

import struct
from collections.abc import Iterator
from typing import Final

from rocksdict import WriteBatch

from tallystick_node.storage.database import Database

ID_BYTES: Final = 16
_BY_ID: Final = b"\x00"
_BY_TEXT: Final = b"\x01"
# id, owner, kind, bytes of the text; as `Applied.names` has it.
_HEAD: Final = struct.Struct("<16s16sHH")
_KIND: Final = struct.Struct(">H")


class NameRows:
    """The names of a store. Writes belong to the apply thread; reads to any."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_names(self, batch: WriteBatch, names: bytes) -> None:
        """Adds names to a batch.

        Args:
            batch: What is written for their block.
            names: As `Applied.names` has them.
        """
        family = self._database.handles["names"]
        for name, kind, text, entry in _each(names):
            batch.put(_BY_ID + name, entry[ID_BYTES:], family)
            batch.put(_text_key(kind, text) + b"\x00" + name, b"", family)

    def name_count(self) -> int:
        """How many names there are; reads them all."""
        cursor = self._database.names.iter()
        cursor.seek(_BY_ID)
        count = 0
        while cursor.valid() and cursor.key()[:1] == _BY_ID:
            count += 1
            cursor.next()
        return count

    def names_by_id(self, ids: bytes) -> bytes:
        """Those names, of the ids that are there.

        Args:
            ids: 16 bytes each.

        Returns:
            As `Applied.names` has them.
        """
        parts = []
        for start in range(0, len(ids), ID_BYTES):
            name = ids[start : start + ID_BYTES]
            rest: bytes | None = self._database.names.get(_BY_ID + name)
            if rest is not None:
                parts += [name, rest]
        return b"".join(parts)

    def names_by_text(
        self, kind: int, prefix: bytes, after: bytes, limit: int
    ) -> tuple[bytes, bytes]:
        """The names of a kind whose text begins so, by text and then by id.

        Args:
            kind: Of the names.
            prefix: How they begin.
            after: What the page before returned; empty for the first one.
            limit: At most so many.

        Returns:
            As `names_by_id`; and what the next page is asked for with, empty behind the last.
        """
        first = _text_key(kind, prefix)
        place = _text_key(kind, after) if after else first
        cursor = self._database.names.iter()
        cursor.seek(place)
        found: list[bytes] = []
        key = b""
        while cursor.valid() and cursor.key().startswith(first):
            if after and cursor.key() == place:
                cursor.next()
                continue
            if len(found) == limit:
                return self.names_by_id(b"".join(found)), key[len(_text_key(kind, b"")) :]
            key = cursor.key()
            found.append(key[-ID_BYTES:])
            cursor.next()
        return self.names_by_id(b"".join(found)), b""


def _text_key(kind: int, text: bytes) -> bytes:
    return _BY_TEXT + _KIND.pack(kind) + text


def _each(names: bytes) -> Iterator[tuple[bytes, int, bytes, bytes]]:
    """Id, kind, text and the whole of each name."""
    at = 0
    while at < len(names):
        name, _, kind, length = _HEAD.unpack_from(names, at)
        end = at + _HEAD.size + length
        yield name, kind, names[at + _HEAD.size : end], names[at:end]
        at = end
