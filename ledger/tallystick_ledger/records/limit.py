"""LIMIT: what a key, an account, a principal may spend, or a payee keep on hold.

Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import (
    NO_ID,
    AccountId,
    PrincipalId,
    PublicKey,
    UnitId,
    ZoneId,
    require_length,
)
from tallystick_ledger.records.base import (
    BytesLike,
    Record,
    check_head,
    enum_field,
    require,
    require_id,
    require_nonce,
    require_u128,
    u128,
    u128_bytes,
)
from tallystick_ledger.records.kinds import (
    Group,
    Kind,
    LimitOperation,
    LimitTarget,
    LimitWindow,
)

# kind, flags, cont_count; target, window; unit; zone; amount; reserved; operation, reserved;
# subject; nonce
_LIMIT: Final = struct.Struct("<HHHBB16s16s16s16xB7x32s16s")


@dataclass(frozen=True, slots=True)
class Limit(Record):
    """Bounds what is spent of a unit, or ends such a bound. Signed by OWNER, to narrow by SPEND.

    Attributes:
        target: Whose spending.
        window: Over what it counts; HELD for PAYEE and for nothing else.
        subject: 32 bytes: the key; or the principal or account and 16 zero bytes; or the payer's
            account and the payee's. `of_key` and its siblings put it together.
        unit: What it counts.
        amount: The most of it in one window; 0 for nothing at all. 0 with END.
        zone: Whose days and months; zero for UTC, and where the window has none.
        operation: SET replaces what was set before, END takes it away.
    """

    KIND: ClassVar[Kind] = Kind.LIMIT
    GROUP: ClassVar[Group] = Group.LIMITS

    target: LimitTarget
    window: LimitWindow
    subject: bytes
    unit: UnitId
    amount: int = 0
    zone: ZoneId = ZoneId(NO_ID)  # noqa: RUF009 - a constant
    operation: LimitOperation = LimitOperation.SET

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_length("subject", self.subject, limits.KEY_BYTES)
        require_id("unit", self.unit)
        require_id("zone", self.zone)
        require_u128("amount", self.amount)
        is_held = self.window is LimitWindow.HELD
        of_payee = self.target is LimitTarget.PAYEE
        require(is_held == of_payee, Code.BAD_FIELD, "HELD is for a payee, and nothing else is")
        has_days = self.window in (LimitWindow.DAY, LimitWindow.MONTH)
        require(has_days or self.zone == NO_ID, Code.BAD_FIELD, "a zone without days")
        is_end = self.operation is LimitOperation.END
        of_end = self.amount == 0 and self.zone == NO_ID
        require(of_end or not is_end, Code.BAD_FIELD, "END with an amount or a zone")
        first, second = self.subject[: limits.ID_BYTES], self.subject[limits.ID_BYTES :]
        is_one = self.target in (LimitTarget.ACCOUNT, LimitTarget.PRINCIPAL)
        require(not is_one or second == NO_ID, Code.BAD_FIELD, "16 bytes for an id")
        require(not of_payee or first != second, Code.BAD_FIELD, "one account pays itself")

    @staticmethod
    def of_key(key: PublicKey) -> bytes:
        """Returns the subject of a limit of a key."""
        return key

    @staticmethod
    def of_one(owner: AccountId | PrincipalId) -> bytes:
        """Returns the subject of a limit of an account or a principal."""
        return owner + NO_ID

    @staticmethod
    def of_pair(payer_account: AccountId, payee_account: AccountId) -> bytes:
        """Returns the subject of a limit of what a payee keeps on hold of a payer."""
        return payer_account + payee_account

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _LIMIT.pack(
            Kind.LIMIT,
            0,
            0,
            self.target,
            self.window,
            self.unit,
            self.zone,
            u128_bytes(self.amount),
            self.operation,
            self.subject,
            nonce,
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((56, 72), (73, 80)))
        _, _, _, target, window, unit, zone, amount, operation, subject, _ = _LIMIT.unpack(data)
        return cls(
            enum_field(LimitTarget, target),
            enum_field(LimitWindow, window),
            subject,
            UnitId(unit),
            u128(amount),
            ZoneId(zone),
            enum_field(LimitOperation, operation),
        )
