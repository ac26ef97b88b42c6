"""How a rule refuses a record: `require` and `found`, one line a check, in the order of the page.

A refusal is an expected outcome and becomes the record's result; `Refused` never leaves `apply`.
All checks of a record come before its first write, so that a refused record changes nothing.
"""

from typing import TypeVar

from tallystick_ledger.codes import Code
from tallystick_ledger.errors import LedgerError

_Row = TypeVar("_Row")


class Refused(LedgerError):  # noqa: N818 - an outcome, not an error
    """The record is refused with `code`, and `detail` where the page gives it one."""

    def __init__(self, code: Code, detail: int = 0) -> None:
        super().__init__(code.name)
        self.code = code
        self.detail = detail


def require(condition: bool, code: Code) -> None:
    """Refuses the record unless the condition holds.

    Raises:
        Refused: With this code.
    """
    if not condition:
        raise Refused(code)


def found(row: _Row | None, code: Code) -> _Row:
    """Returns a row that must be there.

    Raises:
        Refused: With this code, if it is None.
    """
    if row is None:
        raise Refused(code)
    return row
