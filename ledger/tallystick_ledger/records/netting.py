"""Records of netting: JOIN says how far a member may owe; the operator closes, settles or fails.

Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, UnitId, require_length
from tallystick_ledger.records.base import (
    BytesLike,
    Record,
    check_head,
    require,
    require_id,
    require_nonce,
    require_u64,
    require_u128,
    u128,
    u128_bytes,
)
from tallystick_ledger.records.kinds import Group, Kind

# kind, flags, cont_count and reserved; account; settlement account; maximum debit; reserved; nonce
_JOIN: Final = struct.Struct("<HHI16s16s16s56x16s")
# kind, flags, cont_count and reserved; unit; window; reserved; nonce
_CLOSE: Final = struct.Struct("<HHI16sQ80x16s")
# kind, flags, cont_count and reserved; unit; window; reserved; positions hash; reserved; nonce
_SETTLE: Final = struct.Struct("<HHI16sQ8x32s40x16s")
# kind, flags, cont_count and reserved; unit; window; reserved; account; reserved; nonce
_FAIL: Final = struct.Struct("<HHI16sQ8x16s56x16s")


def _require_window(window: int) -> None:
    require_u64("window", window)
    require(window > 0, Code.BAD_FIELD, "windows are numbered from 1")


@dataclass(frozen=True, slots=True)
class Join(Record):
    """Makes an account a member of its deferred unit, or changes its terms. Signed by its owner.

    Attributes:
        account: In the deferred unit.
        settlement_account: Of the same owner, in the settlement unit: it pays and is paid.
        maximum_debit: How far the account may go below zero, at most 2**80.
    """

    KIND: ClassVar[Kind] = Kind.JOIN
    GROUP: ClassVar[Group] = Group.NETTING

    account: AccountId
    settlement_account: AccountId
    maximum_debit: int

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("account", self.account)
        require_id("settlement_account", self.settlement_account)
        require_u128("maximum_debit", self.maximum_debit)
        require(
            self.maximum_debit <= limits.MAX_DEBIT, Code.BAD_FIELD, "a maximum debit above 2**80"
        )
        require(self.account != self.settlement_account, Code.SELF_TRANSFER, "both are one account")

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        maximum = u128_bytes(self.maximum_debit)
        return _JOIN.pack(Kind.JOIN, 0, 0, self.account, self.settlement_account, maximum, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), (56, 112)))
        _, _, _, account, settlement, maximum, _ = _JOIN.unpack(data)
        return cls(AccountId(account), AccountId(settlement), u128(maximum))


@dataclass(frozen=True, slots=True)
class WindowClose(Record):
    """Cuts a window off: what comes later belongs to the next. Signed by the unit's issuer.

    Attributes:
        unit: A deferred unit.
        window: Number of its open window, from 1.
    """

    KIND: ClassVar[Kind] = Kind.WINDOW_CLOSE
    GROUP: ClassVar[Group] = Group.NETTING

    unit: UnitId
    window: int

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("unit", self.unit)
        _require_window(self.window)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _CLOSE.pack(Kind.WINDOW_CLOSE, 0, 0, self.unit, self.window, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), (32, 112)))
        _, _, _, unit, window, _ = _CLOSE.unpack(data)
        return cls(UnitId(unit), window)


@dataclass(frozen=True, slots=True)
class Settle(Record):
    """Pays all net positions of a closed window at once. Signed by the unit's issuer.

    Attributes:
        unit: A deferred unit.
        window: Number of its closed window.
        positions_hash: Over the net positions that it expects (`netting.positions_hash`).
    """

    KIND: ClassVar[Kind] = Kind.SETTLE
    GROUP: ClassVar[Group] = Group.NETTING

    unit: UnitId
    window: int
    positions_hash: bytes

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("unit", self.unit)
        require_length("positions_hash", self.positions_hash, limits.HASH_BYTES)
        _require_window(self.window)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _SETTLE.pack(Kind.SETTLE, 0, 0, self.unit, self.window, self.positions_hash, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), (32, 40), (72, 112)))
        _, _, _, unit, window, positions_hash, _ = _SETTLE.unpack(data)
        return cls(UnitId(unit), window, positions_hash)


@dataclass(frozen=True, slots=True)
class Fail(Record):
    """Takes a member that cannot settle out of a closed window. Signed by the unit's issuer.

    Attributes:
        unit: A deferred unit.
        window: Number of its closed window.
        account: The member's account in the deferred unit.
    """

    KIND: ClassVar[Kind] = Kind.FAIL
    GROUP: ClassVar[Group] = Group.NETTING

    unit: UnitId
    window: int
    account: AccountId

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("unit", self.unit)
        require_id("account", self.account)
        _require_window(self.window)

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _FAIL.pack(Kind.FAIL, 0, 0, self.unit, self.window, self.account, nonce)

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((6, 8), (32, 40), (56, 112)))
        _, _, _, unit, window, account, _ = _FAIL.unpack(data)
        return cls(UnitId(unit), window, AccountId(account))
