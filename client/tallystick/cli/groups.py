"""Which subcommands there are, and loading one only when it is used.

`tallystick --help` must be quick and must work where only the SDK is installed. So the list below
holds name, place and help text; the module behind an entry is imported when its subcommand runs.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from tallystick.errors import ConfigurationError

if TYPE_CHECKING:
    from typer._click.core import Command, Context

_OURS: Final = frozenset(
    {"tallystick_core", "tallystick_node", "tallystick_cluster", "tallystick_loadtests"}
)
# Typer gives these options to every app; they belong to a root command that knows all others.
_COMPLETION: Final = frozenset({"install_completion", "show_completion"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A subcommand.

    Attributes:
        place: `module:attribute` of its typer app.
        help: One line.
        extra: What has to be installed for it, beyond the SDK.
    """

    place: str
    help: str
    extra: str = ""


ENTRIES: Final[dict[str, Entry]] = {
    "genesis": Entry("tallystick.cli.genesis:app", "Make and read a ledger's genesis."),
    "key": Entry(
        "tallystick.cli.key:app", "Make and read signing keys; delegate, kill and recover them."
    ),
    "node": Entry("tallystick.cli.node:app", "Prepare and run a node.", "node"),
    "cluster": Entry("tallystick.cli.cluster:app", "Run nodes on this machine.", "cluster"),
    "principal": Entry("tallystick.cli.principal:app", "Register who owns keys and accounts."),
    "unit": Entry("tallystick.cli.unit:app", "Register what amounts are counted in."),
    "account": Entry("tallystick.cli.account:app", "Open, read, freeze and close accounts."),
    "issue": Entry("tallystick.cli.money:issue_app", "Make new money of a unit."),
    "burn": Entry("tallystick.cli.money:burn_app", "Take money of an own unit out of the world."),
    "credit": Entry("tallystick.cli.money:credit_app", "Say how far an account may go below zero."),
    "transfer": Entry("tallystick.cli.money:transfer_app", "Pay from one account to another."),
    "exchange": Entry(
        "tallystick.cli.exchange:app", "Pay in one unit for another, by a maker's quote."
    ),
    "reserve": Entry("tallystick.cli.hold:reserve_app", "Pin money for a payee."),
    "extend": Entry("tallystick.cli.hold:extend_app", "Pin more for a hold, or for longer."),
    "capture": Entry("tallystick.cli.hold:capture_app", "Bill a hold."),
    "release": Entry("tallystick.cli.hold:release_app", "Free the rest of a hold."),
    "meter": Entry("tallystick.cli.meter:app", "Price a usage by a card and pay for it."),
    "mandate": Entry(
        "tallystick.cli.meter:mandate_app", "Let a payee meter against an account, up to caps."
    ),
    "quote": Entry("tallystick.cli.quote:app", "Sign prices for one principal; check a quote."),
    "hold": Entry("tallystick.cli.hold:list_app", "List what is on hold."),
    "claim": Entry("tallystick.cli.claim:app", "Pay what holds left owing, or waive it."),
    "card": Entry("tallystick.cli.card:app", "Publish and read rate cards."),
    "market": Entry(
        "tallystick.cli.market:app", "List what is offered; compare by the price of a usage."
    ),
    "marketplace": Entry(
        "tallystick.cli.marketplace:app", "Set an internal marketplace up out of its plan."
    ),
    "name": Entry("tallystick.cli.name:app", "Register and list names of models, meters, regions."),
    "channel": Entry("tallystick.cli.channel:app", "Deposit for vouchers; sign and redeem them."),
    "grant": Entry("tallystick.cli.grant:grant_app", "Set money aside for somebody; end that."),
    "list": Entry("tallystick.cli.grant:list_app", "Register sets of ids."),
    "relation": Entry("tallystick.cli.grant:relation_app", "Say who is related to whom."),
    "refund": Entry("tallystick.cli.correction:refund_app", "Give back what a record paid."),
    "reprice": Entry(
        "tallystick.cli.correction:reprice_app",
        "Price again what a record cost; give back the rest.",
    ),
    "dispute": Entry(
        "tallystick.cli.correction:dispute_app", "Dispute what a record paid; answer."
    ),
    "netting": Entry("tallystick.cli.netting:app", "Net debts in a deferred unit; settle them."),
    "limit": Entry("tallystick.cli.limit:app", "Bound what keys and accounts spend."),
    "zone": Entry("tallystick.cli.zone:app", "Publish time zones for limits."),
    "prices": Entry("tallystick.cli.prices:app", "Read price books; price a usage. Offline."),
    "show": Entry("tallystick.cli.show:app", "Show an envelope and what became of it."),
    "history": Entry("tallystick.cli.history:app", "List what touched an account."),
    "statement": Entry("tallystick.cli.statement:app", "Say what accounts did in a period."),
    "export": Entry("tallystick.cli.export:app", "Write postings and charges to files."),
    "status": Entry("tallystick.cli.status:app", "Ask all nodes how they are."),
    "demo": Entry(
        "tallystick_cluster.demo.app:app",
        "Three nodes settle real usage and survive a kill.",
        "cluster",
    ),
    "bench": Entry(
        "tallystick_loadtests.bench:app", "Measure a cluster on this machine.", "loadtests"
    ),
}


def load(name: str) -> "Command":
    """Returns the command behind an entry.

    Raises:
        ConfigurationError: What it needs is not installed.
    """
    entry = ENTRIES[name]
    module, _, attribute = entry.place.partition(":")
    try:
        app: typer.Typer = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if not entry.extra and (error.name or "").partition(".")[0] not in _OURS:
            raise
        raise ConfigurationError(
            f"`tallystick {name}` needs {error.name}, which is not installed.",
            advice=f"Run: pip install 'tallystick[{entry.extra}]'",
        ) from error
    command = typer.main.get_command(app)
    command.name = name
    command.params = [each for each in command.params if each.name not in _COMPLETION]
    return command


class LazyGroup(TyperGroup):
    """The root command: knows all subcommands' names, loads the one that runs."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - what typer passes on
        """Fills the list with placeholders that can only tell their help line."""
        super().__init__(**attributes)
        for name, entry in ENTRIES.items():
            self.commands[name] = TyperCommand(name, help=entry.help)

    def resolve_command(
        self, ctx: "Context", args: list[str]
    ) -> "tuple[str | None, Command | None, list[str]]":
        """Finds the subcommand that the arguments name, and loads it."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in ENTRIES:
            command = load(name)
        return name, command, rest
