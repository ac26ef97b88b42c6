"""What all rows share: a table, a key, and content of one length."""

import struct
from abc import ABC, abstractmethod
from enum import IntEnum
from typing import ClassVar, Self

from tallystick_ledger.errors import RowError


class Table(IntEnum):
    """Numbers of the tables, in the order of the digest."""

    LEDGER = 1
    PRINCIPAL = 2
    KEY = 3
    NAME = 4
    UNIT = 5
    ACCOUNT = 6
    HOLD = 7
    LIVE_ID = 8
    REFERENCE = 9
    CHANNEL = 10
    CARD = 11
    PRICE_LINE = 12
    QUOTE = 13
    TERMS = 14
    CORRECTION = 15
    DISPUTE = 16
    MANDATE = 17
    GRANT = 18
    SHARES = 19
    LIMIT = 20
    LINE = 21
    MARK = 22
    ZONE = 23
    LIST = 24
    RELATION = 25
    DEFERRED_UNIT = 26
    MEMBER = 27
    WINDOW = 28
    PAIR = 29
    CLAIM = 30
    RECOVERY = 31
    EXCHANGE = 32


class Row(ABC):
    """A row of one of the tables."""

    __slots__ = ()

    TABLE: ClassVar[Table]
    LAYOUT: ClassVar[struct.Struct]

    @abstractmethod
    def key_bytes(self) -> bytes:
        """Returns the key, as bytes that compare in the order of the table."""

    @abstractmethod
    def encode(self) -> bytes:
        """Returns the row's content."""

    @classmethod
    @abstractmethod
    def _read(cls, data: bytes) -> Self:
        """Reads content of the right length; a ValueError means that it is no row."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Reads a row's content.

        Raises:
            RowError: It is none of this table.
        """
        if len(data) != cls.LAYOUT.size:
            raise RowError(f"a {cls.__name__} has {cls.LAYOUT.size} bytes, not {len(data)}")
        try:
            row = cls._read(data)
        except ValueError as error:
            raise RowError(f"no {cls.__name__}: {error}") from error
        if row.encode() != data:
            raise RowError(f"reserved bytes of a {cls.__name__} are not zero")
        return row
