"""What can go wrong with bytes and values of the format.

    LedgerError
    ├── FieldError (ValueError)        an argument that no layout can hold: wrong length or type
    ├── RecordError (ValueError)       a head that the kernel answers with `code` (70 and up)
    ├── RefusedError (ValueError)      bytes that are refused before ordering; `code` is 1 to 63
    │   └── MalformedError             `code` is MALFORMED
    ├── GenesisError (ValueError)      no valid genesis
    ├── RowError (ValueError)          no valid state row, result, effect or leaf
    ├── ProofError (ValueError)        a Merkle proof that does not prove its claim
    └── TokenError (ValueError)        a read token that is not good for its call

`RecordError` and `RefusedError` carry a `Code`, whose `advice` says what the caller can do.
"""

from tallystick_ledger.codes import Code


class LedgerError(Exception):
    """Anything this package raises on purpose."""


class FieldError(LedgerError, ValueError):
    """An argument that no layout can hold: bytes of another length, a number out of range."""


class CodedError(LedgerError, ValueError):
    """An error with the code that a node would give."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(f"{code.name}: {detail}")
        self.code = code
        self.detail = detail


class RecordError(CodedError):
    """A head that would be ordered and then refused: stage 1 of semantics.md section 3."""


class RefusedError(CodedError):
    """Bytes that are refused before ordering."""


class MalformedError(RefusedError):
    """Bytes whose shape is wrong: `MALFORMED`."""

    def __init__(self, detail: str) -> None:
        super().__init__(Code.MALFORMED, detail)


class GenesisError(LedgerError, ValueError):
    """Bytes or values that make no valid genesis."""


class RowError(LedgerError, ValueError):
    """Bytes that are no state row, result, effect or leaf."""


class ProofError(LedgerError, ValueError):
    """A Merkle proof that does not prove what it is said to prove."""


class TokenError(LedgerError, ValueError):
    """A read token that is not good for the call it came with."""
