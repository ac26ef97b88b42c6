"""Act: a city pays a part of what its companies of one person ask for.

Each gets a grant from the city's pool: a share of every charge up to a cap, at two providers that
are on the city's list. The grantee does nothing for it: its holds take their shares by themselves.
A registry, which is neither side, has stated that one of the companies is related to one of the
providers: there the grant pays nothing. A second grant with the same exclusivity is refused. In the
evening the city takes back what is left.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from tallystick import errors
from tallystick.statements.posting import Posting, Side
from tallystick_cluster.demo.plan import NANO_PER_USD
from tallystick_cluster.demo.proofs import usd
from tallystick_cluster.economy.audit import NOBODY
from tallystick_cluster.economy.books import Closing
from tallystick_cluster.economy.cast import Party, Registrar
from tallystick_cluster.economy.checks import Check, check
from tallystick_cluster.economy.plan import Role
from tallystick_cluster.economy.stage import Act, Shown, Stage
from tallystick_ledger.ids import AccountId, GrantId
from tallystick_ledger.records import PrincipalType
from tallystick_ledger.results import Cause

SPONSOR: Final = "city"
LISTED: Final = ("deepseek", "mistral")
# Who is related to whom, as the registry states.
RELATED_COMPANY: Final = "solo-1"
RELATED_PROVIDER: Final = "deepseek"
GRANT_NANO: Final = NANO_PER_USD // 5
RATIO: Final = Decimal("0.4")
CAP_NANO: Final = NANO_PER_USD // 500
LIFE_S: Final = 3_600.0
EXCLUSIVITY: Final = b"founders of 2026"
PIN: Final = Cause.PIN.name
CAPTURE: Final = Cause.CAPTURE.name


@dataclass(frozen=True, slots=True)
class Share:
    """What a grant had to do with a hold, by the postings.

    Attributes:
        solo: The grantee's name.
        provider: Who was paid.
        pinned: By the grant, nano-USD.
        whole: Pinned in all.
        paid: By the grant.
        charge: In all.
    """

    solo: str
    provider: str
    pinned: int
    whole: int
    paid: int
    charge: int

    @property
    def should_be(self) -> int:
        """What the grant pays of the charge: the part of it that the grant pinned of the whole."""
        return min(self.charge, self.whole) * self.pinned // self.whole

    @property
    def is_within(self) -> bool:
        """Whether the grant pinned no more than its ratio and its cap allow."""
        return self.pinned <= min(int(self.whole * RATIO), CAP_NANO)


@dataclass(slots=True)
class Subsidies(Act):
    """The act.

    Attributes:
        grants: By the grantee's name.
        refused: With which code the second grant was refused.
    """

    grants: dict[str, GrantId] = field(default_factory=dict)
    refused: str = ""
    _city: Party | None = None

    async def prepare(self, stage: Stage) -> None:
        """See `Act.prepare`."""
        registrar = Registrar(stage.client, stage.entropy)
        cast, client = stage.cast, stage.client
        city = await registrar.party(SPONSOR, cast.money_unit, [], PrincipalType.ORGANISATION)
        self._city = city
        stage.accounts[city.money] = SPONSOR
        solos = _solos(stage)
        total = GRANT_NANO * (len(solos) + 1)
        await client.issue(cast.money_unit, city.money, total, signer=cast.bank)
        listed = await client.make_list(
            [cast.providers[name].owner.principal for name in LISTED], signer=city.owner
        )
        await client.relate(
            next(each for each in solos if each.name == RELATED_COMPANY).owner.principal,
            cast.providers[RELATED_PROVIDER].owner.principal,
            signer=cast.registry,
        )
        for solo in (*solos, solos[0]):
            try:
                made = await client.grant(
                    city.money,
                    solo.owner.principal,
                    GRANT_NANO,
                    ends_in_s=LIFE_S,
                    ratio=RATIO,
                    cap=CAP_NANO,
                    providers=listed.id,
                    registrar=cast.registry.principal,
                    exclusivity=EXCLUSIVITY,
                    signer=city.owner,
                )
            except errors.GrantRefused as refused:
                self.refused = refused.code
            else:
                self.grants[solo.name] = made.id
                stage.accounts[AccountId(made.id)] = f"grant to {solo.name}"

    async def evening(self, stage: Stage) -> None:
        """See `Act.evening`."""
        if self._city is None:
            return
        for grant in self.grants.values():
            await stage.client.claw_back(grant, signer=self._city.owner)

    def checks(self, stage: Stage, closing: Closing) -> Iterator[Check]:
        """See `Act.checks`."""
        shares = self.shares(stage, closing)
        problems = []
        for each in shares:
            what = f"{each.solo}'s grant and {each.provider}"
            if each.paid != each.should_be:
                problems.append(f"{what}: paid {each.paid}, not {each.should_be}")
            if not each.is_within or each.provider not in LISTED:
                problems.append(f"{what}: pinned {each.pinned} of {each.whole}")
        paid = sum(each.paid for each in shares)
        yield check(
            "grants",
            f"{len(self.grants)} grants paid {paid:,} nano-USD of {len(shares):,} charges: the "
            f"shares that their holds pinned, {RATIO * 100:.0f} % and a cap at most, to "
            f"{' and '.join(LISTED)}",
            problems,
            count=sum(each.paid > 0 for each in shares),
        )
        yield check(
            "related",
            f"nothing was paid to {RELATED_PROVIDER} for {RELATED_COMPANY}, its relation, and a "
            f"second grant was refused ({self.refused or 'no code'})",
            [
                *(
                    f"{each.paid} was paid"
                    for each in shares
                    if (each.solo, each.provider) == (RELATED_COMPANY, RELATED_PROVIDER)
                ),
                *([] if self.refused == "DOUBLE_SUBSIDY" else ["the second grant"]),
            ],
        )
        yield self._check_pool(closing, paid)

    def _check_pool(self, closing: Closing, paid: int) -> Check:
        problems = []
        left = closing.statements[self._city.money].closing.balance if self._city else 0
        if left + paid != GRANT_NANO * (len(self.grants) + 1):
            problems.append(f"the pool has {left:,}")
        for name, grant in self.grants.items():
            if closing.statements[AccountId(grant)].closing.balance:
                problems.append(f"{name}'s grant is not empty")
        text = f"what no charge took went back: the city's pool has {left:,} nano-USD"
        return check("pool", text, problems, count=len(self.grants))

    def shown(self, stage: Stage, closing: Closing) -> Iterator[Shown]:
        """See `Act.shown`."""
        rows = []
        shares = self.shares(stage, closing)
        for provider in LISTED:
            to = [each for each in shares if each.provider == provider and each.paid]
            rows.append(
                (
                    provider,
                    f"{len({each.solo for each in to}):,}",
                    f"{len(to):,}",
                    usd(sum(each.charge for each in to)),
                    usd(sum(each.paid for each in to)),
                )
            )
        columns = ("the city's grants, USD", "companies", "charges", "came to", "paid")
        yield Shown(columns, tuple(rows))

    def shares(self, stage: Stage, closing: Closing) -> list[Share]:
        """One for each hold that a grant pinned a part of."""
        names = {party.money: name for name, party in stage.cast.providers.items()}
        found = []
        for solo in _solos(stage):
            grant = self.grants.get(solo.name)
            if grant is None:
                continue
            own = _by_hold(closing.postings[solo.money])
            for hold, (pinned, paid, payee) in _by_hold(closing.postings[AccountId(grant)]).items():
                own_pinned, own_paid, _ = own.get(hold, (0, 0, payee))
                provider = names.get(payee, "nobody")
                whole, charge = pinned + own_pinned, paid + own_paid
                found.append(Share(solo.name, provider, pinned, whole, paid, charge))
        return found


def _solos(stage: Stage) -> list[Party]:
    pairs = zip(stage.cast.consumers, stage.plan.consumers, strict=True)
    return [party for party, consumer in pairs if consumer.role is Role.SOLO]


def _by_hold(postings: tuple[Posting, ...]) -> dict[bytes, tuple[int, int, AccountId]]:
    """What an account pinned when holds were made, and what it paid of them, and whom."""
    found: dict[bytes, tuple[int, int, AccountId]] = {}
    for posting in postings:
        if posting.side is not Side.DEBIT or posting.cause not in (PIN, CAPTURE):
            continue
        pinned, paid, _ = found.get(posting.origin, (0, 0, NOBODY))
        if posting.cause == PIN:
            pinned += posting.amount
        else:
            paid += posting.amount
        found[posting.origin] = (pinned, paid, AccountId(posting.counterparty))
    return found
