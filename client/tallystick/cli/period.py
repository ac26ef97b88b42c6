"""What `statement` and `export` share: whose accounts, which period, and the projection's file."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeAlias

import typer

from tallystick.cli.session import Session
from tallystick.errors import InvalidArgument
from tallystick.statements.projection import Projection
from tallystick_ledger.ids import AccountId, NameId

FILE_NAME: Final = "tallystick-statements.sqlite"
FAR_NS: Final = 2**63 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FORMATS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]

AccountsOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--account", "-a", help="An account, by name or id; repeatable.")
]
PrincipalOption: TypeAlias = Annotated[
    str, typer.Option("--principal", help="All accounts of the address book that it owns.")
]
FromOption: TypeAlias = Annotated[
    datetime | None,
    typer.Option("--from", formats=_FORMATS, help="First instant, UTC. Default: the beginning."),
]
ToOption: TypeAlias = Annotated[
    datetime | None,
    typer.Option("--to", formats=_FORMATS, help="First instant after it, UTC. Default: now."),
]
RebuildOption: TypeAlias = Annotated[
    bool, typer.Option("--rebuild", help="Make it again from the beginning of the ledger.")
]


def nanoseconds(at: datetime | None, default: int) -> int:
    """Returns an option's instant as nanoseconds since 1970, exactly.

    Raises:
        InvalidArgument: It is before 1970.
    """
    if at is None:
        return default
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    if aware < _EPOCH:
        raise InvalidArgument("Ledgers begin after 1970.")
    return (aware - _EPOCH) // timedelta(microseconds=1) * 1_000


def accounts_of(opened: Session, accounts: list[str] | None, principal: str) -> list[AccountId]:
    """Returns the accounts that options name, each once.

    Raises:
        InvalidArgument: None are named, or the principal has none in the address book.
    """
    found = [opened.book.account(name) for name in accounts or ()]
    if principal:
        owner = opened.book.principal(principal)
        noted = [entry.id for entry in opened.book.accounts.values()]
        rows = opened.client.get_accounts(noted)
        mine = [row.account for row in rows if row is not None and row.owner == owner]
        if not mine:
            raise InvalidArgument(
                f"{principal} owns no account of the address book that this key may read.",
                advice="Note them (tallystick account add), name one (--account), or use --key.",
            )
        found += mine
    if not found:
        raise InvalidArgument("Whose?", advice="Give --account or --principal.")
    return list(dict.fromkeys(found))


def texts_of(opened: Session, names: Iterable[bytes]) -> dict[bytes, str]:
    """Returns how NAMEs are called; those that share a text with another one, with their ids.

    A NAME that the ledger does not have is called by its id.
    """
    ids = sorted({NameId(name) for name in names if name})
    found = opened.client.get_names(ids) if ids else {}
    texts = {name: found[name].text if name in found else name.hex() for name in ids}
    counts = Counter(texts.values())
    return {
        name: text if counts[text] == 1 else f"{text} {name.hex()}" for name, text in texts.items()
    }


@contextmanager
def projection(
    opened: Session, accounts: list[AccountId], *, rebuild: bool
) -> Iterator[Projection]:
    """Opens the projection beside the profile."""
    with Projection(opened.directory / FILE_NAME, opened.client.ledger_id) as made:
        if rebuild:
            for account in accounts:
                made.forget(account)
        yield made
