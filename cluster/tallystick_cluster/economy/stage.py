"""What all acts share, and what an act is."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tallystick import AsyncClient
from tallystick_cluster.demo.population import Entropy
from tallystick_cluster.demo.screen import Screen
from tallystick_cluster.economy.books import Closing
from tallystick_cluster.economy.cast import Cast
from tallystick_cluster.economy.checks import Check
from tallystick_cluster.economy.day import Day
from tallystick_cluster.economy.offers import Books
from tallystick_cluster.economy.plan import Job, Plan
from tallystick_cluster.economy.tariffs import Tariffs
from tallystick_ledger.ids import AccountId, UnitId


@dataclass(frozen=True, slots=True)
class Stage:
    """What all acts share.

    Attributes:
        client: Signs as the operator, and for whom an act names.
        plan: Who asks whom.
        cast: Who is there.
        books: The public price books.
        tariffs: What applies when.
        screen: Tells a person how it goes.
        in_flight: How many requests may be under way at a time.
        entropy: Returns so many random bytes.
        units: Symbols of all units; acts add theirs.
        accounts: Whose each account is; acts add theirs.
    """

    client: AsyncClient
    plan: Plan
    cast: Cast
    books: Books
    tariffs: Tariffs
    screen: Screen
    in_flight: int
    entropy: Entropy
    units: dict[UnitId, str]
    accounts: dict[AccountId, str]

    @property
    def day(self) -> Day:
        """When it is."""
        return self.tariffs.times.day

    def price(self, job: Job) -> int:
        """What a request costs by the card in force at its time, in nano-USD.

        For acts: checks compute it anew.
        """
        at_ns = self.day.at_ns(job.day_ms)
        version = self.tariffs.in_force(job.offer.provider, at_ns)
        return self.tariffs.price(version, job.offer, job.usage, at_ns)


@dataclass(frozen=True, slots=True)
class Shown:
    """A table of an act's own.

    Attributes:
        columns: Their titles: names first, then numbers.
        rows: As many texts each.
        note: A sentence below it.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(slots=True)
class Act:
    """Something that is shown. Its parts run in this order; all acts share the day.

    Attributes:
        told: What it has to say at the end: labels and values.
    """

    told: dict[str, str] = field(default_factory=dict)

    async def prepare(self, stage: Stage) -> None:
        """Before midnight, while the cards' notice runs."""

    async def day(self, stage: Stage) -> None:
        """From midnight on."""

    async def evening(self, stage: Stage) -> None:
        """When the day is over; one act after the other."""

    def checks(self, stage: Stage, closing: Closing) -> Iterator[Check]:
        """What has to be so in the end, by what the auditor read."""
        del stage, closing
        yield from ()

    def shown(self, stage: Stage, closing: Closing) -> Iterator[Shown]:
        """Tables that it has to show, after the checks."""
        del stage, closing
        yield from ()
