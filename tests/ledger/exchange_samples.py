"""A sample of a TRANSFER that takes an exchange quote, and ways to spoil it: for test_records."""

from typing import Final

from hypothesis import strategies as st

from tallystick_ledger import limits, records
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import AccountId, PrincipalId, PublicKey, Signature, TimestampNs

A: Final = AccountId(b"a" * 16)
B: Final = AccountId(b"b" * 16)

QUOTE: Final = records.SignedExchange(
    PublicKey(b"k" * 32),
    AccountId(b"g" * 16),
    B,
    PrincipalId(b"p" * 16),
    limits.MAX_U128,
    3,
    5,
    TimestampNs(2**63 + 5),
    b"n" * 16,
    Signature(b"s" * 64),
)
TAKEN: Final = records.Transfer(
    A, B, 7, 9, unique=True, exchange=records.Exchange(AccountId(b"r" * 16), 11, QUOTE)
)

_amounts: Final = st.integers(1, limits.MAX_U128)
any_record: Final = st.builds(
    lambda give, take, cap, output: records.Transfer(
        A,
        B,
        7,
        exchange=records.Exchange(
            A,
            output,
            records.SignedExchange(
                QUOTE.key,
                A,
                B,
                PrincipalId(bytes(16)),
                give,
                take,
                cap,
                TimestampNs(0),
                b"n" * 16,
                QUOTE.signature,
            ),
        ),
    ),
    _amounts,
    _amounts,
    _amounts,
    _amounts,
)


def _at(offset: int) -> int:
    """Where a byte of the content stands in the record."""
    cont, rest = divmod(offset, limits.CONT_PAYLOAD_BYTES)
    return 128 * (1 + cont) + 8 + rest


# A record, an offset in its bytes, what is written there, and the code that it must get.
SPOILED: Final[tuple[tuple[records.Record, int, bytes, Code], ...]] = (
    *((TAKEN, at, b"\1", Code.RESERVED_NONZERO) for at in (6, 7, 72, 79)),
    *((TAKEN, _at(at), b"\1", Code.RESERVED_NONZERO) for at in (248, 311)),
    *((TAKEN, _at(at), bytes(16), Code.ZERO_AMOUNT) for at in (16, 112, 128, 144)),
    (TAKEN, _at(80), b"\1", Code.BAD_FIELD),  # the quote is paid to another account
)
