"""Act: providers serve one another's overflow, and set off what they owe.

Every fourth request of the first trace is passed on: who was asked owes another provider what that
one's own card says for it. These debts are transfers in a deferred unit, made every six hours of
the day. In the evening the operator of the netting cuts a window off and settles it: only the net
positions move, in money.

A broker passes requests on, too, and has no money when it is due. The operator fails it, everybody
else settles without it, and its debts roll over; so does what is disputed at the cut-off. Once the
broker was lent money and the dispute is answered, a second window settles the rest.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from tallystick import Signer, errors
from tallystick.netting_state import NettingState
from tallystick.statements.posting import Posting, Side
from tallystick_cluster.data.arrivals import Trace
from tallystick_cluster.demo.plan import NANO_PER_USD
from tallystick_cluster.demo.population import MONEY_EXPONENT
from tallystick_cluster.demo.proofs import usd
from tallystick_cluster.economy.audit import book_price, rounded
from tallystick_cluster.economy.books import Closing
from tallystick_cluster.economy.cast import Party, Registrar
from tallystick_cluster.economy.checks import Check, check
from tallystick_cluster.economy.offers import OFFERS, Offer
from tallystick_cluster.economy.plan import DAY_MS, Job
from tallystick_cluster.economy.stage import Act, Shown, Stage
from tallystick_cluster.errors import DemoError
from tallystick_ledger.ids import AccountId, SequenceNumber, UnitId
from tallystick_ledger.records import CorrectionReason, Kind, PrincipalType, Scope
from tallystick_ledger.results import Cause

SYMBOL: Final = "USD-NET"
BROKER: Final = "broker"
# Which requests are passed on, and which of these by the broker.
PASSED_ON_EVERY: Final = 4
BY_BROKER_EVERY: Final = 40
BOOK_EVERY_MS: Final = DAY_MS // 4
NO_UNIT: Final = UnitId(bytes(16))
# What each may owe at most; more than the whole day costs.
MAXIMUM_DEBIT_NANO: Final = 1_000 * NANO_PER_USD


@dataclass(frozen=True, slots=True)
class Debt:
    """A request that was passed on.

    Attributes:
        job: The request, with the model that served it.
        debtor: Who was asked.
        creditor: Who served it.
    """

    job: Job
    debtor: str
    creditor: str

    @property
    def pair(self) -> tuple[str, str]:
        """Debtor and creditor."""
        return self.debtor, self.creditor


@dataclass(frozen=True, slots=True)
class Member:
    """Who takes part.

    Attributes:
        party: Who it is.
        account: Its account in the deferred unit.
    """

    party: Party
    account: AccountId


@dataclass(slots=True)
class Netting(Act):
    """The act.

    Attributes:
        debts: What was passed on, in order of the day.
        members: By name.
        gross: What the pairs of each settled window came to, nano-USD.
        moved: What settling each paid.
        failed: Who could not pay at first.
        lent: What the bank lent the broker, nano-USD.
        disputed: What was in dispute at the cut-off.
    """

    debts: list[Debt] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)
    gross: list[int] = field(default_factory=list)
    moved: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lent: int = 0
    disputed: int = 0
    _unit: UnitId = NO_UNIT
    _operator: Signer | None = None
    _sequences: dict[int, SequenceNumber] = field(default_factory=dict)

    async def prepare(self, stage: Stage) -> None:
        """See `Act.prepare`."""
        self.debts = passed_on(stage.plan.jobs)
        registrar = Registrar(stage.client, stage.entropy)
        self._operator = await registrar.principal("clearing")
        made = await stage.client.create_unit(
            SYMBOL,
            MONEY_EXPONENT,
            self._operator.principal,
            settlement_unit=stage.cast.money_unit,
        )
        self._unit = made.id
        broker = await registrar.party(
            BROKER, stage.cast.money_unit, [Scope.SPEND], PrincipalType.ORGANISATION
        )
        for party in (*stage.cast.providers.values(), broker):
            account = (await stage.client.open_account(self._unit, signer=party.owner)).id
            await stage.client.join_netting(
                account, party.money, MAXIMUM_DEBIT_NANO, signer=party.owner
            )
            self.members[party.name] = Member(party, account)
            stage.accounts[account] = f"{party.name}, owed"
        await self._capitalise(stage)
        stage.units[self._unit] = SYMBOL
        stage.accounts[AccountId(self._unit)] = "clearing"
        stage.accounts[broker.money] = BROKER

    async def _capitalise(self, stage: Stage) -> None:
        """Gives the providers what they may owe: who is cheap earns less than the dear ones ask."""
        for name in stage.cast.providers:
            owes = sum(stage.price(each.job) for each in self.debts if each.debtor == name)
            if owes:
                await stage.client.issue(
                    stage.cast.money_unit,
                    self.members[name].party.money,
                    owes,
                    signer=stage.cast.bank,
                )

    async def day(self, stage: Stage) -> None:
        """See `Act.day`."""
        for until_ms in range(BOOK_EVERY_MS, DAY_MS + 1, BOOK_EVERY_MS):
            await stage.day.wait_for(until_ms)
            of_debtor: dict[str, list[Debt]] = defaultdict(list)
            for debt in self.debts:
                if until_ms - BOOK_EVERY_MS <= debt.job.day_ms < until_ms:
                    of_debtor[debt.debtor].append(debt)
            for debtor, debts in of_debtor.items():
                await self._book(stage, self.members[debtor], debts)

    async def _book(self, stage: Stage, member: Member, debts: list[Debt]) -> None:
        """One envelope of transfers, all or nothing."""
        (receipt,) = await stage.client.transfers(
            [member.account] * len(debts),
            [self.members[debt.creditor].account for debt in debts],
            [stage.price(debt.job) for debt in debts],
            atomic=True,
            signer=member.party.owner,
        )
        for index, debt in enumerate(debts):
            self._sequences[debt.job.number] = SequenceNumber(receipt.sequence + index)

    async def evening(self, stage: Stage) -> None:
        """See `Act.evening`."""
        debt = max(
            (each for each in self.debts if each.debtor != BROKER),
            key=lambda each: stage.price(each.job),
        )
        cited, self.disputed = self._sequences[debt.job.number], stage.price(debt.job)
        await stage.client.dispute(
            cited,
            self.disputed,
            CorrectionReason.SERVICE,
            signer=self.members[debt.debtor].party.owner,
        )
        await self._settle(stage)
        creditor = self.members[debt.creditor].party
        await stage.client.answer_dispute(cited, 0, signer=creditor.owner)
        await self._lend(stage)
        await self._settle(stage)

    async def _settle(self, stage: Stage) -> None:
        """Cuts a window off and settles it, without whoever cannot pay."""
        await stage.client.close_window(self._unit, signer=self._operator)
        names = {member.account: name for name, member in self.members.items()}
        for _ in self.members:
            state = await self._state(stage)
            try:
                await stage.client.settle_window(self._unit, state, signer=self._operator)
            except (errors.InsufficientFunds, errors.FundsHeld) as refused:
                account = state.closed[refused.detail].account
                await stage.client.fail_member(self._unit, account, signer=self._operator)
                self.failed.append(names[account])
            else:
                self.gross.append(state.closed_gross)
                self.moved.append(state.closed_moved)
                return
        raise DemoError("nobody can settle")

    async def _state(self, stage: Stage) -> NettingState:
        state = await stage.client.get_netting(self._unit, signer=self._operator)
        if state is None:
            raise DemoError(f"the ledger has no unit {SYMBOL}")
        return state

    async def _lend(self, stage: Stage) -> None:
        """The bank lends the broker what it owes."""
        self.lent = sum(stage.price(each.job) for each in self.debts if each.debtor == BROKER)
        broker = self.members[BROKER].party
        await stage.client.issue(
            stage.cast.money_unit, broker.money, self.lent, signer=stage.cast.bank
        )

    def checks(self, stage: Stage, closing: Closing) -> Iterator[Check]:
        """See `Act.checks`."""
        pairs = self._pairs(closing)
        should_be = self._should_be(stage)
        total = sum(should_be.values())
        yield check(
            "debts",
            f"{len(self.debts):,} requests were passed on for {total:,} nano-USD: each pair of "
            "providers owes what the creditor's card says",
            (
                f"{debtor} owes {creditor} {pairs.get((debtor, creditor), 0)}, not {amount}"
                for (debtor, creditor), amount in should_be.items()
                if pairs.get((debtor, creditor)) != amount
            ),
            count=len(self.debts),
        )
        problems = []
        for name, member in self.members.items():
            owes, owed = _of(name, should_be)
            paid, received = self._settled(closing, member)
            if owes - owed != paid - received:
                problems.append(f"{name} paid {paid - received} net, not {owes - owed}")
            if closing.statements[member.account].closing.balance:
                problems.append(f"{name} still owes or is owed")
        yield check(
            "netting",
            f"{sum(self.moved):,} nano-USD of money settled {sum(self.gross):,} of debts in "
            f"{len(self.moved)} windows, and everybody paid just what it owed in net",
            problems,
            count=len(self.moved),
        )
        yield check(
            "default",
            f"{BROKER} could not pay; the others settled without it, and {self.disputed:,} in "
            "dispute rolled over; it paid in the next window",
            [] if self.failed == [BROKER] else [f"{self.failed} failed"],
        )

    def shown(self, stage: Stage, closing: Closing) -> Iterator[Shown]:
        """See `Act.shown`."""
        should_be = self._should_be(stage)
        rows = []
        for name, member in self.members.items():
            owes, owed = _of(name, should_be)
            paid, received = self._settled(closing, member)
            rows.append((name, usd(owes), usd(owed), usd(paid), usd(received)))
        gross, moved = sum(should_be.values()), sum(self.moved)
        rows.append(("all", usd(gross), usd(gross), usd(moved), usd(moved)))
        yield Shown(
            ("netting, USD", "owes gross", "is owed gross", "paid", "received"),
            tuple(rows),
            f"{1_000 * moved // max(gross, 1) / 10} % of the debts moved as money",
        )

    def _pairs(self, closing: Closing) -> dict[tuple[str, str], int]:
        """What the ledger says was passed on, by debtor and creditor."""
        names = {member.account: name for name, member in self.members.items()}
        found: dict[tuple[str, str], int] = defaultdict(int)
        for name, member in self.members.items():
            for posting in closing.postings[member.account]:
                if posting.cause == Kind.TRANSFER.name and posting.side is Side.DEBIT:
                    found[name, names[AccountId(posting.counterparty)]] += posting.amount
        return dict(found)

    def _should_be(self, stage: Stage) -> dict[tuple[str, str], int]:
        """The same, by the trace and the price books."""
        found: dict[tuple[str, str], int] = defaultdict(int)
        for debt in self.debts:
            at_ns = stage.day.at_ns(debt.job.day_ms)
            version = stage.tariffs.in_force(debt.creditor, at_ns)
            found[debt.pair] += rounded(book_price(stage, debt.job, version, at_ns))
        return dict(found)

    def _settled(self, closing: Closing, member: Member) -> tuple[int, int]:
        """What a member paid and received in money."""
        postings = closing.postings[member.party.money]
        netted = [each for each in postings if each.cause == Cause.NETTING.name]
        return _sum(netted, Side.DEBIT), _sum(netted, Side.CREDIT)


def passed_on(jobs: tuple[Job, ...]) -> list[Debt]:
    """Which requests are passed on, by whom, to whom; the same jobs always give the same debts."""
    offers: list[Offer] = []
    for offer in OFFERS:
        if offer.provider not in {each.provider for each in offers}:
            offers.append(offer)
    debts = []
    for job in jobs:
        if job.arrival.trace is not Trace.AZURE or job.number % PASSED_ON_EVERY:
            continue
        by_broker = job.number % BY_BROKER_EVERY == 0
        others = [each for each in offers if by_broker or each.provider != job.offer.provider]
        to = others[job.number // PASSED_ON_EVERY % len(others)]
        debtor = BROKER if by_broker else job.offer.provider
        debts.append(Debt(replace(job, offer=to), debtor, to.provider))
    return debts


def _of(name: str, pairs: dict[tuple[str, str], int]) -> tuple[int, int]:
    """What somebody owes and is owed."""
    owes = sum(amount for (debtor, _), amount in pairs.items() if debtor == name)
    return owes, sum(amount for (_, creditor), amount in pairs.items() if creditor == name)


def _sum(postings: list[Posting], side: Side) -> int:
    return sum(each.amount for each in postings if each.side is side)
