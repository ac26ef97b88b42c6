"""The readable half of the formats: envelope, block, genesis and read token in Python.

Input: one byte that chooses the format, then its bytes. Properties: only the promised errors are
raised; what is taken is written back as exactly these bytes; Python and the native core agree about
every genesis and every block, down to the code.
"""

from collections.abc import Callable
from typing import Final

import tallystick_core

from tallystick_ledger import checks
from tallystick_ledger.block import Block
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import Envelope
from tallystick_ledger.errors import GenesisError, MalformedError, RefusedError, TokenError
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.ids import LedgerId, SequenceNumber, TimestampNs
from tallystick_ledger.read_token import ReadToken

_DAY_NS: Final = 86_400 * 10**9
_SEED: Final = bytes(32)


def run(data: bytes) -> None:
    if data:
        FORMATS[data[0] % len(FORMATS)](data[1:])


def _envelope(data: bytes) -> None:
    try:
        envelope = Envelope.parse(data)
    except MalformedError:
        return
    assert bytes(envelope.data) == data
    assert envelope.header.encode() == envelope.header_bytes
    try:
        checks.check_envelope(data, ledger_id=envelope.header.ledger_id, max_lifetime_ns=_DAY_NS)
    except RefusedError:
        return


def _block(data: bytes) -> None:
    ledger_id, first = LedgerId(data[80:112].ljust(32, b"\0")), data[16:24]
    next_sequence = SequenceNumber(int.from_bytes(first, "little"))
    code = Code.OK
    try:
        block = checks.check_block(
            data,
            ledger_id=ledger_id,
            max_lifetime_ns=_DAY_NS,
            next_sequence=next_sequence,
            min_timestamp_ns=TimestampNs(0),
        )
        assert bytes(block.data) == data
        assert block == Block.parse(data)
    except RefusedError as error:
        code = error.code
    fast = tallystick_core.check_block(
        data,
        ledger_id=ledger_id,
        max_lifetime_ns=_DAY_NS,
        next_sequence=next_sequence,
        min_timestamp_ns=0,
        seed=_SEED,
    )
    assert fast.code == code, f"Python says {code.name}, the core {fast.code} {fast.detail}"


def _genesis(data: bytes) -> None:
    try:
        genesis = Genesis.decode(data)
    except GenesisError as error:
        try:
            tallystick_core.Kernel(data)
        except ValueError:
            return
        raise AssertionError("refused in Python, taken by the core") from error
    assert genesis.encode() == data
    tallystick_core.Kernel(data)


def _token(data: bytes) -> None:
    try:
        token = ReadToken.parse(data)
    except TokenError:
        return
    assert token.encode() == data


FORMATS: Final[tuple[Callable[[bytes], None], ...]] = (_envelope, _block, _genesis, _token)
