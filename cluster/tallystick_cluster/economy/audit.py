"""What each charge should have been, computed anew, and compared with what the ledger did.

The ledger's side comes from the auditor's postings: a RESERVE tells the request (its reference) and
the instant at which prices were pinned, the effects of its CAPTUREs tell amount and card. The other
side comes from the trace and from the price book itself, with its own hours, in exact fractions
rounded half up once. Neither the ledger's pricing nor what the acts computed is used.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tallystick.prices import Card, Served
from tallystick.statements.posting import Posting, Side
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
class Ledgered:
    """The holds as the postings tell them.

    Attributes:
        charged: One for each request that was billed.
        problems: What does not fit the plan.
    """

    charged: tuple[Charged, ...]
    problems: tuple[str, ...]


NOTHING_READ: Final = Ledgered((), ())


def rounded(amount: Fraction) -> int:
    """Half up, for what is not below zero."""
    return (amount + _HALF).__floor__()


class BookPrices:
    """Prices straight out of the books, with the books' own hours."""

    def __init__(self, stage: Stage) -> None:
        """Reads each card once."""
        self._stage = stage
        self._cards: dict[tuple[str, int], Card] = {}

    def exact(self, job: Job, version: Version, at_ns: int) -> Fraction:
        """What a request costs, nano-USD.

        Args:
            job: Which.
            version: Which of its provider's cards.
            at_ns: When its prices were pinned, real time.
        """
        moved = version.prices.has_moved_windows
        minutes = self._stage.tariffs.times.moved_minutes if moved else 0
        key = (version.prices.provider, version.date_ns)
        if key not in self._cards:
            self._cards[key] = self._stage.books.card(version.prices, version.date_ns)
        served = Served(job.offer.model, at_ns - minutes * _MINUTE_NS)
        return self._cards[key].price(job.usage, served).exact


def read_holds(stage: Stage, closing: Closing) -> Ledgered:
    """Finds each request of the plan among the postings."""
    by_number = {job.number: job for job in stage.plan.paid_by(Way.HOLD)}
    reserves: dict[int, Posting] = {}
    problems: list[str] = []
    for party in stage.cast.consumers:
        for posting in closing.postings[party.money]:
            if posting.cause != Kind.RESERVE.name or posting.side is not Side.DEBIT:
                continue
            if posting.reference in reserves:
                problems.append(f"request {posting.reference} was reserved twice")
            reserves[posting.reference] = posting
    captures = _captures(stage, closing)
    prices = BookPrices(stage)
    charged = []
    for number, job in by_number.items():
        reserve = reserves.pop(number, None)
        found = captures.pop(reserve.origin, None) if reserve is not None else None
        if reserve is None or found is None:
            problems.append(f"request {number} was not billed")
            continue
        payee, card, amount = found
        version = stage.tariffs.by_id.get(CardId(card))
        if version is None or payee != stage.cast.providers[job.offer.provider].money:
            problems.append(f"request {number} was billed by somebody else, or without a card")
            continue
        at_ns = reserve.timestamp_ns
        should_be = prices.exact(job, version, at_ns)
        charged.append(Charged(job, amount, should_be, at_ns, version))
    problems += [f"nobody asked for hold {origin.hex()}" for origin in captures]
    problems += [f"nobody planned request {number}" for number in reserves]
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


def check_holds(stage: Stage, held: Ledgered) -> Iterator[Check]:
    """Every request once, each charge right, each card in force when it was applied."""
    charged = held.charged
    yield check(
        "once",
        f"{len(charged):,} requests on holds: each reserved once, billed once, by its provider",
        held.problems,
        count=len(charged),
    )
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


def _check_cards(stage: Stage, charged: tuple[Charged, ...]) -> Check:
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
        stage.tariffs.versions(each.prices.provider)
        for each in stage.tariffs.by_id.values()
        if each is not stage.tariffs.versions(each.prices.provider)[0]
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


def _check_hours(stage: Stage, charged: tuple[Charged, ...]) -> Check:
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


def check_books(stage: Stage, closing: Closing) -> Iterator[Check]:
    """Statements add up, agree with the ledger, and sum to what was issued."""
    names = closing.names
    yield check(
        "statements",
        f"{len(closing.statements):,} statements: opening + {closing.movements:,} movements = "
        "closing, in each breakdown",
        (names[key] for key, each in closing.statements.items() if not each.adds_up),
        count=closing.movements,
    )
    yield check(
        "balances",
        f"all {len(names):,} accounts stand in the ledger as in the statements",
        [
            *(names[each] for each in closing.differing),
            *(
                [f"the ledger has {closing.account_count} accounts"]
                if closing.account_count != len(names)
                else []
            ),
        ],
        count=len(names),
    )
    pending = [
        names[key]
        for key, each in closing.statements.items()
        if each.closing.debits_pending or each.closing.credits_pending
    ]
    yield check("holds_over", "nothing is on hold any more", pending)
    yield from _check_units(stage, closing)


def _check_units(stage: Stage, closing: Closing) -> Iterator[Check]:
    by_unit: dict[bytes, dict[AccountId, int]] = defaultdict(dict)
    for account, each in closing.statements.items():
        by_unit[each.unit][account] = each.closing.balance
    for unit, symbol in stage.units.items():
        balances = by_unit.get(unit, {})
        issuance = balances.get(AccountId(unit), 0)
        held = sum(balances.values()) - issuance
        issued = _issued(closing.postings.get(AccountId(unit), ()))
        problems = []
        if held + issuance or held != issued:
            problems.append(f"{held:,} are held, {issued:,} were issued")
        yield check(
            f"sum_{symbol}",
            f"{symbol}: {len(balances):,} accounts sum to zero; {held:,} are held, all that was "
            "issued",
            problems,
            count=len(balances),
        )


def _issued(postings: tuple[Posting, ...]) -> int:
    return sum(-posting.posted_change for posting in postings)


def charges_by_offer(
    charged: tuple[Charged, ...],
) -> Mapping[tuple[str, str], list[Charged]]:
    """Charges by provider and model."""
    found: dict[tuple[str, str], list[Charged]] = defaultdict(list)
    for each in charged:
        found[each.job.offer.provider, each.job.offer.model].append(each)
    return found
