"""Writes docs/authority.md from the table: `python -m tests.differential.authority`."""

from pathlib import Path
from typing import Final

from tests.differential.authority_table import ELSE, NOT_SYSTEM, ROWS, Row
from tests.differential.authority_world import PARTIES, SIGNERS

from tallystick_ledger.codes import Code
from tallystick_ledger.records import Scope

PAGE: Final = Path(__file__).parents[2] / "docs" / "authority.md"
_COLUMNS: Final = (*PARTIES, "operator", "node")
_HEAD: Final = """\
# Who may sign what

What the ledger answers a record that is right in everything but, perhaps, its signer. The rules are
in [semantics.md](semantics.md) section 3; this table is made from that of the tests
(`tests/differential/authority_table.py`, by `python -m tests.differential.authority`), which try
each line with each key on the specification and on the kernel: {signers} signers for each of {rows}
lines.

The payer owns the debit side (of a payment, hold or channel; the account, for ACCOUNT and
CREDIT_LIMIT; the principal, for KEY), the payee the credit side and the draft of a card. The issuer
is that of the unit, the stranger has an account of it and is on neither side. Each of them has a
key of every scope but NODE (the node's of the genesis), OPERATE and AUDIT (the operator's).

A key of another scope than those in the second column is answered SCOPE_DENIED, whoever it belongs
to: READ, AUDIT and CHANNEL keys can sign nothing but their own end. "-" stands where a party has no
key of these scopes. A foreign private object answers as if it did not exist.

| record | scopes | {columns} |
|---|---|{rules}|
"""


def page() -> str:
    """The text of docs/authority.md."""
    head = _HEAD.format(
        signers=len(SIGNERS),
        rows=len(ROWS),
        columns=" | ".join(_COLUMNS),
        rules="|".join("---" for _ in _COLUMNS),
    )
    return head + "".join(_line(row) for row in ROWS)


def _line(row: Row) -> str:
    named = ", ".join(scope.name for scope in Scope if scope in row.scopes)
    if row.scopes == NOT_SYSTEM:
        named = "all but NODE and OPERATE"
    cells = [row.name, named, *(_cell(row, party) for party in _COLUMNS)]
    return f"| {' | '.join(cells)} |\n"


def _cell(row: Row, party: str) -> str:
    """The party's answer, and where a scope of it is answered otherwise."""
    own = [scope for who, scope in SIGNERS if who == party and scope in row.scopes]
    if not own:
        return "-"
    usual = row.answers.get(party, row.answers.get(ELSE, Code.OK)).name
    others = [
        f"{scope.name}: {row.answer(party, scope).name}"
        for scope in own
        if row.answer(party, scope).name != usual
    ]
    return f"{usual} ({', '.join(others)})" if others else usual


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
