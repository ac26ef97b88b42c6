"""`tallystick reserve`, `extend`, `capture` and `release`, and `hold list`."""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from tallystick.cli.card import read_card
from tallystick.cli.ids import id_of
from tallystick.cli.output import CommandFailed, Report, Table, age
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
from tallystick.cli.usage import (
    USED_OPTION,
    AnswerOption,
    UsageOption,
    read_served,
    read_used,
)
from tallystick.errors import InvalidArgument
from tallystick.market import ListedCard
from tallystick.prices import STANDARD
from tallystick.quotes import Quote
from tallystick_ledger import records
from tallystick_ledger.ids import NO_ID, AccountId, ClaimId, HoldId, NameId
from tallystick_ledger.state_rows import HoldRow

reserve_app = typer.Typer(help="Pin money for a payee.")
extend_app = typer.Typer(help="Pin more for a hold, or for longer.")
capture_app = typer.Typer(help="Bill a hold.")
release_app = typer.Typer(help="Free the rest of a hold.")
list_app = typer.Typer(no_args_is_help=True, help="List what is on hold.")

_NS_PER_S = 1_000_000_000


class Overrun(StrEnum):
    """What becomes of a charge above the maximum of a priced hold."""

    REJECT = "reject"
    CAP = "cap"
    DEBT = "debt"


@dataclass(frozen=True, slots=True)
class _Bound:
    """What the options of `reserve` say of a priced hold."""

    model: str
    tiers: list[str]
    regions: list[str]
    end_user: bytes
    overrun: records.Overrun
    debt_limit: int

    def terms(self, opened: Session, card: str, quote: Quote | None) -> records.CardTerms | None:
        """What its card or quote makes of it; None if nothing prices it.

        Raises:
            InvalidArgument: A name that is none, or an overrun of what has no price.
        """
        if quote is not None:
            return self.by_quote(quote)
        if card or self.model:
            return self.by_card(read_card(opened, card))
        if self.overrun is not records.Overrun.REJECT:
            raise InvalidArgument("Only a hold with --card or --quote has an overrun.")
        return None

    def by_card(self, card: ListedCard) -> records.CardTerms:
        """Its terms, with the names that the card says."""
        return card.terms(
            card.model(self.model),
            tiers=self.tiers,
            regions=self.regions,
            end_user=self.end_user,
            overrun=self.overrun,
            debt_limit=self.debt_limit,
        )

    def by_quote(self, quote: Quote) -> records.CardTerms:
        """Its terms, with names by their ids."""
        return quote.terms(
            NameId(id_of("model", self.model)),
            tiers=[NameId(id_of("tier", each)) for each in self.tiers],
            regions=[NameId(id_of("region", each)) for each in self.regions],
            end_user=self.end_user,
            overrun=self.overrun,
            debt_limit=self.debt_limit,
        )


_Model = Annotated[
    str, typer.Option(help="With --card: the model, as the card says it. With --quote: its id.")
]
_Tiers = Annotated[
    list[str] | None,
    typer.Option(help="Likewise, a service tier that may be given; repeatable."),
]
_Regions = Annotated[
    list[str] | None,
    typer.Option(help="Likewise, a region where it may be served; repeatable."),
]
_Hold = Annotated[str, typer.Argument(help="The hold's id, as `tallystick reserve` printed it.")]


@reserve_app.command()
def reserve(
    payer: Annotated[str, typer.Argument(help="Whose money: own account, name or id.")],
    payee: Annotated[str, typer.Argument(help="Who may capture it: account name or id.")],
    amount: AmountArgument,
    seconds: Annotated[
        float, typer.Option(min=1, help="When the rest goes back by itself.")
    ] = 60.0,
    reference: ReferenceOption = 0,
    unique: UniqueOption = False,
    card: Annotated[str, typer.Option(help="The card that prices it. Default: none.")] = "",
    quote: Annotated[str, typer.Option(help="Instead of a card: a quote, as it was given.")] = "",
    model: _Model = "",
    tier: _Tiers = None,
    region: _Regions = None,
    end_user: Annotated[
        str, typer.Option(help="If priced: a salted tag of whom it is for, 32 hex digits.")
    ] = "",
    overrun: Annotated[
        Overrun, typer.Option(help="If priced: what becomes of a charge above AMOUNT.")
    ] = Overrun.REJECT,
    debt_limit: Annotated[str, typer.Option(help="With --overrun debt: how much above.")] = "",
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pin up to AMOUNT of an own account for a payee, at the prices of a card or quote if given."""
    if card and quote:
        raise InvalidArgument("One thing prices it.", advice="Give --card or --quote.")
    quoted = Quote.from_hex(quote) if quote else None
    with session(profile, key, sends=True) as opened:
        debit, credit = opened.book.account(payer), opened.book.account(payee)
        parsed = opened.amount(amount, debit)
        bound = _Bound(
            model,
            tier or [],
            region or [],
            id_of("tag", end_user) if end_user else NO_ID,
            records.Overrun[overrun.name],
            _debt_limit(opened, overrun, debt_limit, debit),
        )
        terms = bound.terms(opened, card, quoted)
        hold = opened.client.reserve(
            debit,
            credit,
            parsed.steps,
            expires_in_s=seconds,
            reference=reference,
            unique=unique,
            terms=terms,
            quote=quoted,
        )
        written = opened.written_for(parsed.steps, debit)
    Report(
        {
            "hold": hold.id.hex(),
            "payer": debit.hex(),
            "payee": credit.hex(),
            "maximum": str(parsed.steps),
            "expires_at_ns": hold.expires_at_ns,
            "card": None if terms is None else terms.priced_by.hex(),
            "receipt": receipt_data(hold.receipt),
        },
        f"{payee} may capture up to {written} of {payer} within {seconds:g} s.",
        [("hold", hold.id.hex())],
    ).print(as_json=as_json)


@extend_app.command()
def extend(
    hold: _Hold,
    amount: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to pin on top, as in 12.50 USD; nothing: only the time.", metavar="AMOUNT"
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="From now, until the rest goes back by itself.")
    ] = None,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pin AMOUNT more for a hold, put its expiry off, or both. Signed by the payer."""
    hold_id = _hold_id(hold)
    with session(profile, key, sends=True) as opened:
        row = _row(opened, hold_id)
        steps = opened.amount(amount, row.payer_account).steps if amount else 0
        receipt = opened.client.extend(hold_id, steps, expires_in_s=seconds)
        row = _row(opened, hold_id)
        written = opened.written_for(row.maximum, row.payer_account)
    Report(
        {
            "hold": hold,
            "maximum": str(row.maximum),
            "expires_at_ns": row.expires_at_ns,
            "receipt": receipt_data(receipt),
        },
        f"Up to {written} may be captured of {hold}.",
    ).print(as_json=as_json)


@capture_app.command()
def capture(
    hold: _Hold,
    amount: Annotated[
        list[str] | None,
        typer.Argument(help="As in 12.50 USD; nothing with --usage or --answer.", metavar="AMOUNT"),
    ] = None,
    used: Annotated[list[str] | None, USED_OPTION] = None,
    usage: UsageOption = "",
    answer: AnswerOption = None,
    tier: Annotated[
        str, typer.Option(help="The service tier that was given; with --used, its id.")
    ] = "",
    region: Annotated[str, typer.Option(help="Where it was served; with --used, its id.")] = "",
    final: Annotated[bool, typer.Option("--final", help="End the hold and free its rest.")] = False,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bill a hold for all so far, earlier captures included. Signed by the payee.

    A flat hold is billed for AMOUNT; one with a card for --usage or --answer, and its card says
    what that costs; one with a quote, or with a card, for AMOUNT and --used, which has to cost it.
    """
    hold_id = _hold_id(hold)
    if used and not amount:
        raise InvalidArgument("What does it cost?", advice="Give an amount with --used.")
    served = read_served(used, tier, region) if used else None
    if bool(amount) == (bool(usage) or answer is not None):
        raise InvalidArgument("Give an amount, or --usage, or --answer.")
    with session(profile, key, sends=True) as opened:
        row = _row(opened, hold_id)
        if amount:
            billed = opened.amount(amount, row.payee_account).steps
            receipt = opened.client.capture(hold_id, billed, final=final, usage=served)
        else:
            counted, reading = read_used(usage, answer)
            by_card = opened.client.capture_usage(
                hold_id,
                counted,
                tier=tier or (STANDARD if reading is None else reading.tier),
                region=region or ("" if reading is None else reading.region),
                final=final,
            )
            billed, receipt = by_card.amount, by_card.receipt
        written = opened.written_for(billed, row.payee_account)
        rest = opened.written_for(max(0, row.maximum - billed), row.payee_account)
        claimed = _claimed(opened, row) if billed > row.maximum else 0
        owed = opened.written_for(claimed, row.payee_account)
    end = "went back" if final else "left"
    Report(
        {
            "hold": hold,
            "captured": str(billed),
            "claimed": str(claimed),
            "final": final,
            "receipt": receipt_data(receipt),
        },
        f"Captured {written} so far; {rest} {end}."
        if not claimed
        else f"Charged {written} so far, of which {owed} became a claim.",
    ).print(as_json=as_json)


@release_app.command()
def release(
    hold: _Hold,
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold: what was captured stays, the rest goes back. Signed by the payee."""
    hold_id = _hold_id(hold)
    with session(profile, key, sends=True) as opened:
        receipt = opened.client.release(hold_id)
    Report({"hold": hold, "receipt": receipt_data(receipt)}, f"Released {hold}.").print(
        as_json=as_json
    )


@list_app.callback()
def _holds() -> None:
    """List what is on hold."""


@list_app.command("list")
def list_holds(
    account: Annotated[str, typer.Argument(help="The payer's account, by name or id.")],
    profile: ProfileOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the open holds that pin money of an account, the oldest first, with their age."""
    with session(profile, key) as opened:
        account_id = opened.book.account(account)
        try:
            rows = opened.client.open_holds(account_id)
        except LookupError as error:
            raise CommandFailed(f"{error}.", advice="Read with a key of its owner: -k.") from error
        now_ns = time.time_ns()
        table = [
            (
                row.hold.hex(),
                opened.book.account_name(row.payee_account),
                opened.written_for(row.rest, account_id),
                opened.written_for(row.captured, account_id),
                age(now_ns - row.created_at_ns),
                age(row.expires_at_ns - now_ns),
            )
            for row in rows
        ]
        rest = opened.written_for(sum(row.rest for row in rows), account_id)
    data = [
        {
            "hold": row.hold.hex(),
            "payer": row.payer_account.hex(),
            "payee": row.payee_account.hex(),
            "maximum": str(row.maximum),
            "captured": str(row.captured),
            "rest": str(row.rest),
            "created_at_ns": row.created_at_ns,
            "expires_at_ns": row.expires_at_ns,
            "age_s": (now_ns - row.created_at_ns) // _NS_PER_S,
            "expires_in_s": (row.expires_at_ns - now_ns) // _NS_PER_S,
        }
        for row in rows
    ]
    Report(
        {"holds": data},
        f"{len(rows)} open hold{'' if len(rows) == 1 else 's'} on {account}: {rest}.",
        table=Table(("hold", "payee", "rest>", "captured>", "age>", "expires in>"), table),
    ).print(as_json=as_json)


def _claimed(opened: Session, row: HoldRow) -> int:
    """What a hold could not take and its payer owes, or has paid since."""
    claim = ClaimId(row.hold)
    return next((each.amount for each in opened.client.claims() if each.claim == claim), 0)


def _hold_id(text: str) -> HoldId:
    return HoldId(id_of("hold", text))


def _row(opened: Session, hold: HoldId) -> HoldRow:
    (row,) = opened.client.get_holds([hold])
    if row is None:
        raise CommandFailed(
            f"There is no hold {hold.hex()} that this key may see.",
            advice="Check the id and -k; ended holds are forgotten after a while.",
        )
    return row


def _debt_limit(opened: Session, overrun: Overrun, amount: str, debit: AccountId) -> int:
    if (overrun is Overrun.DEBT) != bool(amount):
        raise InvalidArgument("Give --overrun debt and --debt-limit together, or neither.")
    return opened.amount([amount], debit).steps if amount else 0
