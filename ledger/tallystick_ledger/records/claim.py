"""PAY_CLAIM: the payer pays what a hold left owing, or the payee waives it.

Source: docs/format.md section 6.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import NO_ID, AccountId, ClaimId
from tallystick_ledger.records.base import (
    BytesLike,
    Record,
    check_head,
    check_zero,
    enum_field,
    require,
    require_id,
    require_nonce,
    require_u128,
    u128,
    u128_bytes,
)
from tallystick_ledger.records.kinds import ClaimOperation, Group, Kind

# kind, flags, cont_count, operation; claim; amount; debit account; reserved; nonce
_PAY_CLAIM: Final = struct.Struct("<HHHH16s16s16s56x16s")
_OF_PAYMENTS: Final = (24, 56)


@dataclass(frozen=True, slots=True)
class PayClaim(Record):
    """Pays a claim, wholly or in part, or waives what is left of it.

    Attributes:
        operation: PAY is signed by the payer, WAIVE by the payee.
        claim: The claim: the id of the hold that it comes from.
        amount: What is paid, in the unit's smallest step; 0 with WAIVE.
        debit_account: An account of the payer that pays; zero with WAIVE.
    """

    KIND: ClassVar[Kind] = Kind.PAY_CLAIM
    GROUP: ClassVar[Group] = Group.METERING

    operation: ClaimOperation
    claim: ClaimId
    amount: int = 0
    debit_account: AccountId = AccountId(NO_ID)  # noqa: RUF009 - a constant

    def __post_init__(self) -> None:
        """Checks the values; raises what `Record.decode` lists."""
        require_id("claim", self.claim)
        require_id("debit_account", self.debit_account)
        require_u128("amount", self.amount)
        if self.operation is ClaimOperation.WAIVE:
            is_bare = self.amount == 0 and self.debit_account == NO_ID
            require(is_bare, Code.RESERVED_NONZERO, "WAIVE names no amount and no account")
        else:
            require(self.amount > 0, Code.ZERO_AMOUNT, "a payment of nothing")

    def encode(self, nonce: bytes) -> bytes:
        """See `Record.encode`."""
        require_nonce(nonce)
        return _PAY_CLAIM.pack(
            Kind.PAY_CLAIM,
            0,
            0,
            self.operation,
            self.claim,
            u128_bytes(self.amount),
            self.debit_account,
            nonce,
        )

    @classmethod
    def decode(cls, data: BytesLike) -> Self:
        """See `Record.decode`."""
        check_head(cls, data, ((56, 112),))
        _, _, _, number, claim, amount, debit, _ = _PAY_CLAIM.unpack(data)
        operation = enum_field(ClaimOperation, number)
        if operation is ClaimOperation.WAIVE:
            check_zero(data, (_OF_PAYMENTS,))
        return cls(operation, ClaimId(claim), u128(amount), AccountId(debit))
