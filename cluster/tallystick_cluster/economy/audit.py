"""What each charge should have been, computed anew, and compared with what the ledger did.

The ledger's side comes from the auditor's postings: a RESERVE tells the request (its reference) and
the instant at which prices were pinned, the effects of its CAPTUREs tell amount and card; a METER
tells all of that at once. The other
side comes from the trace and from the price book itself, with its own hours, in exact fractions
rounded half up once. Neither the ledger's pricing nor what the acts computed is used.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tallystick.prices import Served
from tallystick.statements.posting import Side
from tallystick_cluster.economy.books import Closing
from tallystick_cluster.economy.checks import Check, check
from tallystick_cluster.economy.day import NS_PER_MS
from tallystick_cluster.economy.plan import Job, Way
from tallystick_cluster.economy.stage import Stage
from tallystick_cluster.economy.tariffs import Version
from tallystick_ledger.ids import AccountId, CardId
from tallystick_ledger.records import Kind
from tallystick_ledger.results import Cause

_MINUTE_NS: Final = 60_000_000_000
# A card's time was computed a moment before it was signed.
CARD_TOLERANCE_NS: Final = 20 * NS_PER_MS
_HALF: Final = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Charged:
    """A request as the ledger billed it.

    Attributes:
        job: Which.
        amount: What its payee got, nano-USD.
        should_be: What it costs by the book, nano-USD, before rounding.
        at_ns: When its prices were pinned.
        version: The card that priced it.
    """

    job: Job
    amount: int
    should_be: Fraction
    at_ns: int
    version: Version

    @property
    def is_right(self) -> bool:
        """To the nano-USD."""
        return self.amount == rounded(self.should_be)


@dataclass(frozen=True, slots=True)
class Found:
    """A request as the postings tell it.

    Attributes:
        payee: Whose account was paid.
        card: The card that priced it.
        amount: What was paid, nano-USD.
        at_ns: When its prices were pinned.
    """

    payee: AccountId
    card: bytes
    amount: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class Ledgered:
    """Requests of one way of paying.

    Attributes:
        charged: One for each request that was billed.
        problems: What does not fit the plan.
    """

    charged: tuple[Charged, ...]
    problems: tuple[str, ...]


# What makes a hold; the second where grants pay a part of it.
PINNING: Final = frozenset({Kind.RESERVE.name, Cause.PIN.name})
NOBODY: Final = AccountId(bytes(16))
NOTHING_READ: Final = Ledgered((), ())


def rounded(amount: Fraction) -> int:
    """Half up, for what is not below zero."""
    return (amount + _HALF).__floor__()


def book_price(stage: Stage, job: Job, version: Version, at_ns: int) -> Fraction:
    """What a request costs straight out of the books, with the books' own hours, in nano-USD.

    Args:
        stage: The day.
        job: Which request.
        version: Which of its provider's cards.
        at_ns: When its prices were pinned, real time.
    """
    minutes = stage.tariffs.times.moved_minutes if version.prices.has_moved_windows else 0
    served = Served(job.offer.model, at_ns - minutes * _MINUTE_NS)
    return stage.books.card(version.prices, version.date_ns).price(job.usage, served).exact


def read_holds(stage: Stage, closing: Closing) -> Ledgered:
    """Finds each request that was to be on a hold among the postings."""
    found: dict[int, Found] = {}
    problems: list[str] = []
    captures = _captures(stage, closing)
    for party in stage.cast.consumers:
        for posting in closing.postings[party.money]:
            if posting.cause not in PINNING or posting.side is not Side.DEBIT:
                continue
            payee, card, amount = captures.pop(posting.origin, (NOBODY, b"", 0))
            if posting.reference in found:
                problems.append(f"request {posting.reference} was reserved twice")
            found[posting.reference] = Found(payee, card, amount, posting.timestamp_ns)
    problems += [f"nobody asked for hold {origin.hex()}" for origin in captures]
    return _ledgered(stage, stage.plan.paid_by(Way.HOLD), found, problems)


def read_metered(stage: Stage, closing: Closing, without: Collection[int]) -> Ledgered:
    """Finds each request that was to be metered among the postings.

    Args:
        stage: The day.
        closing: What the auditor read.
        without: Numbers of the requests that the ledger refused.
    """
    found: dict[int, Found] = {}
    problems: list[str] = []
    for party in stage.cast.providers.values():
        for posting in closing.postings[party.money]:
            if posting.cause != Cause.METER.name or posting.side is not Side.CREDIT:
                continue
            if posting.reference in found:
                problems.append(f"request {posting.reference} was metered twice")
            found[posting.reference] = Found(
                party.money, posting.card, posting.amount, posting.timestamp_ns
            )
    jobs = [job for job in stage.plan.paid_by(Way.METER) if job.number not in without]
    return _ledgered(stage, jobs, found, problems)


def _ledgered(
    stage: Stage, jobs: Sequence[Job], found: dict[int, Found], problems: list[str]
) -> Ledgered:
    """Compares what was found with what was planned, by number, and prices it anew."""
    versions = stage.tariffs.by_id
    charged = []
    for job in jobs:
        one = found.pop(job.number, None)
        if one is None or not one.amount:
            problems.append(f"request {job.number} was not billed")
            continue
        version = versions.get(CardId(one.card))
        if version is None or one.payee != stage.cast.providers[job.offer.provider].money:
            problems.append(f"request {job.number} was billed by somebody else, or without a card")
            continue
        should_be = book_price(stage, job, version, one.at_ns)
        charged.append(Charged(job, one.amount, should_be, one.at_ns, version))
    problems += [f"nobody planned request {number}" for number in found]
    return Ledgered(tuple(charged), tuple(problems))


def _captures(stage: Stage, closing: Closing) -> dict[bytes, tuple[AccountId, bytes, int]]:
    """What was captured of each hold: by whom, by which card, how much."""
    amounts: dict[bytes, int] = defaultdict(int)
    whose: dict[bytes, tuple[AccountId, bytes]] = {}
    for party in stage.cast.providers.values():
        for posting in closing.postings[party.money]:
            if posting.cause == Cause.CAPTURE.name and posting.side is Side.CREDIT:
                amounts[posting.origin] += posting.amount
                whose[posting.origin] = (party.money, posting.card)
    return {origin: (*whose[origin], amount) for origin, amount in amounts.items()}


def check_prices(stage: Stage, charged: Sequence[Charged]) -> Iterator[Check]:
    """Each charge right, each card in force when it was applied."""
    wrong = [each for each in charged if not each.is_right]
    total = sum(each.amount for each in charged)
    off = sum((abs(each.amount - each.should_be) for each in charged), Fraction())
    yield check(
        "charges",
        f"{len(charged):,} charges are what the price books say, to the nano-USD: "
        f"{total:,} in all; rounding each once moved {rounded(off):,}",
        (
            f"request {each.job.number} paid {each.amount}, not {rounded(each.should_be)}"
            for each in wrong
        ),
        count=len(charged),
    )
    yield _check_cards(stage, charged)
    yield _check_hours(stage, charged)


def _check_cards(stage: Stage, charged: Sequence[Charged]) -> Check:
    problems = []
    counts: dict[CardId, int] = defaultdict(int)
    for each in charged:
        counts[each.version.id] += 1
        versions = stage.tariffs.versions(each.version.prices.provider)
        later = [one for one in versions if one.effective_from_ns > each.version.effective_from_ns]
        until_ns = min((one.effective_from_ns for one in later), default=each.at_ns + 1)
        if not (
            each.version.effective_from_ns - CARD_TOLERANCE_NS
            <= each.at_ns
            < until_ns + CARD_TOLERANCE_NS
        ):
            problems.append(f"request {each.job.number} was priced by a card that was not in force")
    changed = [
        versions
        for each in stage.tariffs.by_id.values()
        for versions in [stage.tariffs.versions(each.prices.provider)]
        if each is not versions[0]
    ]
    told = []
    for before, after in changed:
        told.append(
            f"{before.prices.provider}'s first card priced {counts[before.id]:,}, its second, from "
            f"noon on, {counts[after.id]:,}"
        )
        if not (counts[before.id] and counts[after.id]):
            problems.append("one of the two cards priced nothing")
    text = f"each card priced only while it was in force: {'; '.join(told)}"
    return check("cards", text, problems, count=len(changed))


def _check_hours(stage: Stage, charged: Sequence[Charged]) -> Check:
    off_ns = stage.tariffs.times.off_peak_ns
    of_hours = [each for each in charged if each.job.offer.has_hours]
    low = [each for each in of_hours if each.at_ns >= off_ns]
    high = [each for each in of_hours if each.at_ns < off_ns]
    problems = [] if low and high else ["only one of the two prices occurred"]
    models = " and ".join(sorted({each.job.offer.model for each in of_hours}))
    text = (
        f"{models}: {len(high):,} requests at the price of the day, {len(low):,} at that of its "
        "low hours, which began during the run"
    )
    return check("hours", text, problems, count=len(of_hours))


def charges_by_offer(
    charged: Sequence[Charged],
) -> Mapping[tuple[str, str], list[Charged]]:
    """Charges by provider and model."""
    found: dict[tuple[str, str], list[Charged]] = defaultdict(list)
    for each in charged:
        found[each.job.offer.provider, each.job.offer.model].append(each)
    return found
