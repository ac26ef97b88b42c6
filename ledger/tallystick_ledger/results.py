"""What a record leads to: a `Result` for each record, and an `Effect` for each computed posting.

Results are looked at by the thousand: `all_ok` and `failures` work on the bytes, and a `Result` is
made only of those that somebody wants to read. Source: docs/format.md section 7.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from tallystick_ledger import limits
from tallystick_ledger.codes import Code
from tallystick_ledger.errors import RowError
from tallystick_ledger.ids import (
    NO_ID,
    AccountId,
    Amount,
    CardId,
    ChannelId,
    ClaimId,
    GrantId,
    HoldId,
    MandateId,
)
from tallystick_ledger.records.kinds import LimitTarget, LimitWindow

# code, flags, detail, reserved
_RESULT: Final = struct.Struct("<HHI8x")
# cause, flags, record index; debit; credit; amount; origin; card; grant or claim; beyond; reserved
_EFFECT: Final = struct.Struct("<HHI16s16s16s16s16s16s16s8x")

OK_RESULT: Final = bytes(limits.RESULT_BYTES)


class Cause(IntEnum):
    """Why the kernel posted something by itself."""

    CAPTURE = 1
    RELEASE = 2
    EXPIRY = 3
    VOUCHER = 4
    CHANNEL_CLOSE = 5
    METER = 6
    REFUND = 7
    DISPUTE = 8
    GRANT_RETURN = 10
    CLAW_BACK = 11
    GRANT = 12
    PIN = 13
    NETTING = 14
    NETTED = 15
    POSITION = 16
    CLAIM = 17
    PAY_CLAIM = 18
    EXCHANGE = 19
    REPRICE = 20


_OF_CHANNELS: Final = (Cause.VOUCHER, Cause.CHANNEL_CLOSE)


@dataclass(frozen=True, slots=True)
class LimitDetail:
    """Which limit refused a record: the `detail` of LIMIT_EXCEEDED.

    Attributes:
        target: Whose spending it bounds.
        window: Over what it counts.
        above: With KEY: how many keys above the signer's it is; 0 for the signer's own.
        resets_in_s: Seconds from the record's timestamp until the window ends, rounded up; 0 for
            one that does not.
    """

    target: LimitTarget
    window: LimitWindow
    above: int
    resets_in_s: int

    def encode(self) -> int:
        """Returns the number that stands in the result."""
        return self.target | self.window << 3 | self.above << 6 | self.resets_in_s << 10

    @classmethod
    def decode(cls, detail: int) -> Self:
        """Reads it.

        Raises:
            RowError: It names no limit.
        """
        try:
            target, window = LimitTarget(detail & 7), LimitWindow(detail >> 3 & 7)
        except ValueError as error:
            raise RowError(f"{detail:#x} names no limit") from error
        return cls(target, window, detail >> 6 & 15, detail >> 10)


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to one record.

    Attributes:
        code: OK, or why it was refused.
        detail: With ATOMIC_ABORTED: index of the record that failed. With LIMIT_EXCEEDED: which
            limit, see `LimitDetail`. Of a SETTLE that a member stands in the way of: the place of
            its position. Else 0.
    """

    code: Code = Code.OK
    detail: int = 0

    @property
    def is_ok(self) -> bool:
        """Whether the record was done."""
        return self.code is Code.OK

    def encode(self) -> bytes:
        """Returns 16 bytes."""
        return _RESULT.pack(self.code, 0, self.detail)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Reads 16 bytes.

        Raises:
            RowError: They are no result.
        """
        _require_length("result", data, limits.RESULT_BYTES)
        code, _, detail = _RESULT.unpack(data)
        try:
            result = cls(Code(code), detail)
        except ValueError as error:
            raise RowError(f"{code} is no result code") from error
        if result.code.is_refusal or result.encode() != data:
            raise RowError(f"{data.hex()} is no result")
        return result


# Of these an effect names the claim where others name a grant.
_OF_CLAIMS: Final = frozenset({Cause.CLAIM, Cause.PAY_CLAIM})


@dataclass(frozen=True, slots=True)
class Effect:
    """A posting that the kernel computed.

    Attributes:
        cause: PIN says what a RESERVE makes pending, where grants pay a part of it; CAPTURE,
            VOUCHER and NETTED move pending amounts to posted, CAPTURE of a hold with a debt limit
            also what is available; METER, NETTING, PAY_CLAIM and EXCHANGE add to posted ones;
            REFUND, DISPUTE and REPRICE move posted ones back; GRANT, GRANT_RETURN and CLAW_BACK
            move them between a sponsor's pool and a grant; POSITION pins pending ones; CLAIM moves
            nothing; the others free them.
        record_index: Index in its envelope of the record that it belongs to.
        debit_account: The payer's, or the grant's for its part; with REFUND, DISPUTE and REPRICE
            that of whoever had been paid.
        credit_account: The other side's.
        amount: In the unit's smallest step.
        origin: The hold or channel that it comes from; with METER the mandate, zero if the payer
            signed; of netting the deferred unit; zero with REFUND, DISPUTE and REPRICE, whose
            records cite another record, and with EXCHANGE.
        card: The card or quote that priced it, or that a REPRICE names; zero for none.
        grant: The grant whose money it is; zero for none.
        claim: The claim that grew or was paid; zero for none.
        beyond: What of a CAPTURE's amount was not on hold; else 0.
    """

    cause: Cause
    record_index: int
    debit_account: AccountId
    credit_account: AccountId
    amount: Amount
    origin: HoldId | ChannelId | MandateId
    card: CardId = CardId(NO_ID)  # noqa: RUF009 - a constant
    grant: GrantId = GrantId(NO_ID)  # noqa: RUF009
    claim: ClaimId = ClaimId(NO_ID)  # noqa: RUF009
    beyond: Amount = Amount(0)  # noqa: RUF009

    def encode(self) -> bytes:
        """Returns 128 bytes."""
        return _EFFECT.pack(
            self.cause,
            0,
            self.record_index,
            self.debit_account,
            self.credit_account,
            self.amount.to_bytes(16, "little"),
            self.origin,
            self.card,
            self.claim if self.cause in _OF_CLAIMS else self.grant,
            self.beyond.to_bytes(16, "little"),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Reads 128 bytes.

        Raises:
            RowError: They are no effect.
        """
        _require_length("effect", data, limits.EFFECT_BYTES)
        cause, _, record_index, debit, credit, amount, origin, *more = _EFFECT.unpack(data)
        is_of_claim = cause in _OF_CLAIMS
        try:
            effect = cls(
                Cause(cause),
                record_index,
                AccountId(debit),
                AccountId(credit),
                Amount(int.from_bytes(amount, "little")),
                _origin(cause, origin),
                CardId(more[0]),
                GrantId(NO_ID if is_of_claim else more[1]),
                ClaimId(more[1] if is_of_claim else NO_ID),
                Amount(int.from_bytes(more[2], "little")),
            )
        except ValueError as error:
            raise RowError(f"{cause} is no cause of an effect") from error
        if effect.encode() != data:
            raise RowError("reserved bytes of an effect are not zero")
        return effect


def _origin(cause: int, origin: bytes) -> HoldId | ChannelId | MandateId:
    if cause == Cause.METER:
        return MandateId(origin)
    return ChannelId(origin) if cause in _OF_CHANNELS else HoldId(origin)


def decode_results(data: bytes) -> list[Result]:
    """Reads results that lie back to back.

    Raises:
        RowError: They are no results.
    """
    return [Result.decode(part) for part in _split(data, limits.RESULT_BYTES)]


def decode_effects(data: bytes) -> list[Effect]:
    """Reads effects that lie back to back.

    Raises:
        RowError: They are no effects.
    """
    return [Effect.decode(part) for part in _split(data, limits.EFFECT_BYTES)]


def all_ok(data: bytes) -> bool:
    """Returns whether all results are plain success, without reading them one by one."""
    return data.count(0) == len(data)


def failures(data: bytes) -> Iterator[tuple[int, Result]]:
    """Yields (index, result) of every result that is not plain success.

    Raises:
        RowError: One of them is no result.
    """
    if all_ok(data):
        return
    for index, part in enumerate(_split(data, limits.RESULT_BYTES)):
        if part != OK_RESULT:
            yield index, Result.decode(part)


def _split(data: bytes, size: int) -> Iterator[bytes]:
    if len(data) % size:
        raise RowError(f"{len(data)} bytes are no multiple of {size}")
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _require_length(what: str, data: bytes, length: int) -> None:
    if len(data) != length:
        raise RowError(f"a {what} has {length} bytes, not {len(data)}")
