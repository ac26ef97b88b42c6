"""`tallystick grant make|list|claw-back|report`, `list make` and `relation state|end`."""

import time
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from tallystick.cli.ids import id_of
from tallystick.cli.output import CommandFailed, Report, Table, age
from tallystick.cli.period import RebuildOption, projection
from tallystick.cli.session import (
    AmountArgument,
    JsonOption,
    KeyOption,
    ProfileOption,
    ReferenceOption,
    Session,
    UniqueOption,
    receipt_data,
    session,
)
from tallystick.errors import InvalidArgument
from tallystick.grants import GrantState
from tallystick.statements.subsidy import Gathered, GrantReport, gather
from tallystick_ledger.ids import NO_ID, GrantId, ListId, PrincipalId, grant_account
from tallystick_ledger.limits import RATIO_UNITS

grant_app = typer.Typer(
    help="Set money aside that pays a share of what somebody uses.", no_args_is_help=True
)
list_app = typer.Typer(help="Register sets of ids.", no_args_is_help=True)
relation_app = typer.Typer(help="Say, as a registrar, who is related.", no_args_is_help=True)

_DAY_S = 86_400
_Grant = Annotated[str, typer.Argument(help="The grant's id, as `tallystick grant make` said.")]
_Party = Annotated[str, typer.Argument(help="A principal, by name or id.")]


@grant_app.command("make")
def make(
    pool: Annotated[str, typer.Argument(help="Own account that the money comes from.")],
    grantee: Annotated[str, typer.Argument(help="Whose use it pays for: principal, name or id.")],
    amount: AmountArgument,
    days: Annotated[float, typer.Option(min=0.001, help="When it ends.")] = 30.0,
    ratio: Annotated[str, typer.Option(help="Share of each charge that it pays, 0 to 1.")] = "1",
    cap: Annotated[
        str, typer.Option(help="What it pays of one charge at most, in the pool's unit.")
    ] = "",
    priority: Annotated[int, typer.Option(min=0, max=65_535, help="Lower pays first.")] = 0,
    providers: Annotated[str, typer.Option(help="List of principals that it pays to.")] = "",
    models: Annotated[str, typer.Option(help="List of models that it pays for.")] = "",
    regions: Annotated[str, typer.Option(help="List of regions that it pays for.")] = "",
    registrar: Annotated[
        str, typer.Option(help="Whose word on relations counts: principal, name or id.")
    ] = "",
    exclusivity: Annotated[
        str, typer.Option(help="Key that no other live grant to the grantee may have; hex.")
    ] = "",
    reference: ReferenceOption = 0,
    unique: UniqueOption = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set AMOUNT aside for a principal. It pays a share of what that one reserves or meters."""
    lists = [
        ListId(id_of("list", text) if text else NO_ID) for text in (providers, models, regions)
    ]
    with session(profile, key, sends=True) as opened:
        account = opened.book.account(pool)
        parsed = opened.amount(amount, account)
        created = opened.client.grant(
            account,
            opened.book.principal(grantee),
            parsed.steps,
            ends_in_s=days * _DAY_S,
            ratio=_ratio(ratio),
            cap=opened.amount([cap], account).steps if cap else 0,
            priority=priority,
            providers=lists[0],
            models=lists[1],
            regions=lists[2],
            registrar=opened.book.principal(registrar) if registrar else PrincipalId(NO_ID),
            exclusivity=id_of("key", exclusivity) if exclusivity else NO_ID,
            reference=reference,
            unique=unique,
        )
        written = opened.written_for(parsed.steps, account)
    Report(
        {
            "grant": created.id.hex(),
            "pool": account.hex(),
            "amount": str(parsed.steps),
            "receipt": receipt_data(created.receipt),
        },
        f"Set {written} of {pool} aside for {grantee}: grant {created.id.hex()}.",
        [("left", "tallystick grant list")],
    ).print(as_json=as_json)


@grant_app.command("claw-back")
def claw_back(
    grant: _Grant,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a grant: what no hold pins goes back to its pool. Signed by its sponsor."""
    grant_id = GrantId(id_of("grant", grant))
    with session(profile, key, sends=True) as opened:
        receipt = opened.client.claw_back(grant_id)
    Report(
        {"grant": grant_id.hex(), "receipt": receipt_data(receipt)},
        f"Ended grant {grant_id.hex()}; sequence number {receipt.sequence}.",
        [("envelope", receipt.envelope_id.hex())],
    ).print(as_json=as_json)


@grant_app.command("list")
def list_grants(
    every: Annotated[bool, typer.Option("--all", help="Ended ones too.")] = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the grants by and to the key's principal, with what is left. For both sides."""
    with session(profile, key) as opened:
        now_ns = time.time_ns()
        listed = [state for state in opened.client.grants() if every or state.terms.is_live(now_ns)]
        names = {principal: name for name, principal in opened.book.principals.items()}
        table = [
            (
                state.terms.grant.hex(),
                names.get(state.sponsor, state.sponsor.hex()),
                names.get(state.terms.grantee, state.terms.grantee.hex()),
                opened.written(state.terms.amount, state.account.unit),
                opened.written(state.left, state.account.unit),
                opened.written(state.held, state.account.unit),
                str(_share(state)),
                _status(state, now_ns),
            )
            for state in listed
        ]
    data = [
        {
            "grant": state.terms.grant.hex(),
            "pool": state.terms.pool_account.hex(),
            "sponsor": state.sponsor.hex(),
            "grantee": state.terms.grantee.hex(),
            "amount": str(state.terms.amount),
            "left": str(state.left),
            "held": str(state.held),
            "ratio": str(_share(state)),
            "cap": str(state.terms.cap),
            "priority": state.terms.priority,
            "status": state.terms.status.name,
            "expires_at_ns": state.terms.expires_at_ns,
        }
        for state in listed
    ]
    columns = ("grant", "sponsor", "grantee", "set aside>", "left>", "held>", "ratio>", "ends in>")
    Report(
        {"grants": data},
        f"{len(listed)} grant{'' if len(listed) == 1 else 's'}.",
        table=Table(columns, table),
    ).print(as_json=as_json)


@grant_app.command("report")
def report(
    grants: Annotated[
        list[str] | None, typer.Argument(help="Grants, by id. Default: all of the sponsor's.")
    ] = None,
    principal: Annotated[
        str, typer.Option(help="The sponsor, by name or id. Default: the key's principal.")
    ] = "",
    account: Annotated[
        list[str] | None,
        typer.Option("--account", "-a", help="Look for round trips there, too; repeatable."),
    ] = None,
    rebuild: RebuildOption = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who was paid what by a sponsor's grants, and what they passed on to the grantees.

    For the sponsor, and for AUDIT keys: only these see what providers passed on. Exit code 1 if it
    does not add up.
    """
    with session(profile, key) as opened:
        sponsor = opened.book.principal(principal) if principal else None
        listed = _of_sponsor(
            opened, sponsor, [GrantId(id_of("grant", text)) for text in grants or ()]
        )
        further = [opened.book.account(name) for name in account or ()]
        own = [grant_account(each.terms.grant) for each in listed]
        with projection(opened, own + further, rebuild=rebuild) as kept:
            found = gather(opened.client, kept, listed, further)
        _print_reports(opened, found, as_json=as_json)
        if not found.is_right:
            raise CommandFailed(
                "The report does not add up.", advice="Make it again from the ledger: --rebuild."
            )


def _of_sponsor(
    opened: Session, sponsor: PrincipalId | None, wanted: list[GrantId]
) -> list[GrantState]:
    principal = opened.client.principal if sponsor is None else sponsor
    theirs = {
        each.terms.grant: each
        for each in opened.client.grants(principal)
        if each.sponsor == principal
    }
    for grant in wanted:
        if grant not in theirs:
            raise InvalidArgument(
                f"{grant.hex()} is no grant of this sponsor that is remembered.",
                advice="`tallystick grant list --all` has them; --principal names the sponsor.",
            )
    return [theirs[grant] for grant in wanted] if wanted else list(theirs.values())


def _print_reports(opened: Session, found: Gathered, *, as_json: bool) -> None:
    unread = {account for each in found.reports for account in each.unread}
    count = len(found.reports)
    summary = f"{count} grant{'' if count == 1 else 's'}: "
    summary += "they add up to the last unit" if found.is_right else "they DO NOT ADD UP"
    if unread:
        word = "account" if len(unread) == 1 else "accounts"
        summary += f"; what {len(unread)} {word} passed on is not this key's to see"
    names = {principal: name for name, principal in opened.book.principals.items()}
    Report(
        {
            "grants": [each.as_json(found.owners) for each in found.reports],
            "differing_from_ledger": [each.hex() for each in found.compared.differing],
            "is_right": found.is_right,
        },
        summary + ".",
        table=Table(
            ("grant", "what", "who", "count>", "amount>"),
            [row for each in found.reports for row in _report_rows(opened, each, names)],
        ),
    ).print(as_json=as_json)


def _report_rows(
    opened: Session, each: GrantReport, names: dict[PrincipalId, str]
) -> Iterator[tuple[str, ...]]:
    grant, unit = each.grant.terms.grant.hex(), each.grant.account.unit
    grantee = each.grant.terms.grantee

    def row(what: str, who: str, amount: int, count: int | None = None) -> tuple[str, ...]:
        counted = "" if count is None else str(count)
        return (grant, what, who, counted, opened.written(amount, unit))

    yield row("set aside for", names.get(grantee, grantee.hex()), each.grant.terms.amount)
    for paid in each.paid:
        name = opened.book.account_name(paid.account)
        yield row("paid to", name, paid.charged, paid.charges)
        if paid.given_back:
            yield row("given back by", name, paid.given_back)
    yield row("returned to", opened.book.account_name(each.grant.terms.pool_account), each.returned)
    yield row("on hold", "", each.columns.debits_pending)
    yield row("left", "", each.columns.balance - each.columns.debits_pending)
    for passed in each.passed:
        pair = (passed.debit_account, passed.credit_account)
        who = " -> ".join(opened.book.account_name(account) for account in pair)
        yield row(f"passed on ({passed.cause})", who, passed.amount, passed.count)


def _share(state: GrantState) -> Decimal:
    return Decimal(state.terms.ratio) / RATIO_UNITS


def _status(state: GrantState, now_ns: int) -> str:
    """Until when it pays, or how it ended."""
    if not state.terms.is_open:
        return state.terms.status.name.lower().replace("_", " ")
    return age(state.terms.expires_at_ns - now_ns)


@list_app.callback()
def _lists() -> None:
    """Register sets of ids."""


@list_app.command("make")
def make_list(
    ids: Annotated[list[str], typer.Argument(help="Ids of names, or principals by name or id.")],
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a set of 1 to 256 ids, for good: what a grant may pay for, or to whom."""
    with session(profile, key, sends=True) as opened:
        members = [opened.book.principal(text) for text in ids]
        created = opened.client.make_list(members)
    Report(
        {"list": created.id.hex(), "receipt": receipt_data(created.receipt)},
        f"Registered list {created.id.hex()} of {len(set(members))}.",
        [("envelope", created.receipt.envelope_id.hex())],
    ).print(as_json=as_json)


@relation_app.command("state")
def state(
    first: _Party,
    second: _Party,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that two principals are related: grants that ask you pay neither for the other."""
    _relate(first, second, profile, key, related=True, as_json=as_json)


@relation_app.command("end")
def end(
    first: _Party,
    second: _Party,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back that two principals are related."""
    _relate(first, second, profile, key, related=False, as_json=as_json)


def _relate(
    first: str,
    second: str,
    profile: Path | None,
    key: Path | None,
    *,
    related: bool,
    as_json: bool,
) -> None:
    with session(profile, key, sends=True) as opened:
        pair = [opened.book.principal(party) for party in (first, second)]
        receipt = opened.client.relate(pair[0], pair[1], related=related)
    Report(
        {
            "parties": [party.hex() for party in pair],
            "related": related,
            "receipt": receipt_data(receipt),
        },
        f"{first} and {second} are {'' if related else 'no longer '}related; "
        f"sequence number {receipt.sequence}.",
        [("envelope", receipt.envelope_id.hex())],
    ).print(as_json=as_json)


def _ratio(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InvalidArgument(f"{text} is no ratio.", advice="Write 0.4 for 40 %.") from None
