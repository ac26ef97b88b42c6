"""Registers everybody that the day needs, through the SDK.

    operator (of the genesis) ── registers ──▶ everybody; the unit USD; gives the auditor its key
    providers                 ── add ────────▶ a METER key that bills, a PRICE key that publishes
    consumers                 ── add ────────▶ SPEND keys: one, or one for each agent of a company
    bank                      ── issues ─────▶ each consumer's deposit

The auditor reads everything and changes nothing: its key is an operator's AUDIT key.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tallystick import AsyncClient, Signer
from tallystick_cluster.demo.population import MONEY_EXPONENT, MONEY_SYMBOL, Entropy
from tallystick_cluster.economy.offers import PRICE_LISTS
from tallystick_cluster.economy.plan import Consumer, Plan
from tallystick_ledger.ids import AccountId, UnitId
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import SEED_BYTES
from tallystick_ledger.records import PrincipalType, Scope


@dataclass(frozen=True, slots=True)
class Party:
    """A provider or consumer.

    Attributes:
        name: As in the plan.
        owner: Its OWNER key.
        workers: Its SPEND keys; of a provider its METER and its PRICE key.
        money: Its account of nano-USD.
    """

    name: str
    owner: Signer
    workers: tuple[Signer, ...]
    money: AccountId

    @property
    def biller(self) -> Signer:
        """A provider's METER key."""
        return self.workers[0]

    @property
    def pricer(self) -> Signer:
        """A provider's PRICE key."""
        return self.workers[1]


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is there.

    Attributes:
        bank: Issues money.
        auditor: Reads everything.
        registry: Owns the names of meters and tiers, which all cards share.
        money_unit: USD, in nano-USD; also its issuance account.
        providers: By name.
        consumers: In the plan's order.
    """

    bank: Signer
    auditor: Signer
    registry: Signer
    money_unit: UnitId
    providers: Mapping[str, Party]
    consumers: tuple[Party, ...]

    @property
    def accounts(self) -> dict[AccountId, str]:
        """All accounts of money with whose they are, the bank's first."""
        parties = (*self.providers.values(), *self.consumers)
        return {AccountId(self.money_unit): "bank"} | {each.money: each.name for each in parties}


class Registrar:
    """Registers parties, as the operator that the client signs for."""

    def __init__(self, client: AsyncClient, entropy: Entropy) -> None:
        """Nothing is sent yet.

        Args:
            client: Signs as the operator.
            entropy: Returns so many random bytes, for seeds.
        """
        self._client = client
        self._entropy = entropy

    def new_key(self) -> SigningKey:
        """A key that nobody has."""
        return SigningKey(self._entropy(SEED_BYTES))

    async def principal(
        self, name: str, kind: PrincipalType = PrincipalType.ORGANISATION
    ) -> Signer:
        """Registers somebody; returns the OWNER key."""
        key = self.new_key()
        made = await self._client.register_principal(key, kind)
        return Signer(key, made.id, name)

    async def worker(self, owner: Signer, name: str, scope: Scope) -> Signer:
        """Adds a key of a scope to a principal."""
        key = self.new_key()
        await self._client.add_key(key, scope, signer=owner)
        return Signer(key, owner.principal, name)

    async def party(
        self, name: str, unit: UnitId, scopes: Sequence[Scope], kind: PrincipalType
    ) -> Party:
        """Registers somebody with an account and keys that work every day."""
        owner = await self.principal(name, kind)
        account, workers = await asyncio.gather(
            self._client.open_account(unit, signer=owner),
            asyncio.gather(
                *(
                    self.worker(owner, f"{name}-{scope.name.lower()}-{place}", scope)
                    for place, scope in enumerate(scopes, start=1)
                )
            ),
        )
        return Party(name, owner, tuple(workers), account.id)


async def register(client: AsyncClient, plan: Plan, entropy: Entropy) -> Cast:
    """Registers everybody.

    Args:
        client: Signs as the operator.
        plan: Who there is.
        entropy: Returns so many random bytes, for seeds.

    Raises:
        TallystickError: The ledger refused something, or could not be reached.
    """
    registrar = Registrar(client, entropy)
    bank = await registrar.principal("bank")
    registry = await registrar.principal("registry")
    unit = (await client.create_unit(MONEY_SYMBOL, MONEY_EXPONENT, bank.principal)).id
    operator = client.signer

    async def consumer(each: Consumer) -> Party:
        return await registrar.party(
            each.name, unit, [Scope.SPEND] * each.role.spend_keys, each.role.principal_type
        )

    async def provider(name: str) -> Party:
        scopes = (Scope.METER, Scope.PRICE)
        return await registrar.party(name, unit, scopes, PrincipalType.ORGANISATION)

    auditor, providers, consumers = await asyncio.gather(
        registrar.worker(operator, "auditor", Scope.AUDIT),
        asyncio.gather(*(provider(each.provider) for each in PRICE_LISTS)),
        asyncio.gather(*(consumer(each) for each in plan.consumers)),
    )
    return Cast(
        bank,
        auditor,
        registry,
        unit,
        {each.name: each for each in providers},
        tuple(consumers),
    )


async def pay_in(client: AsyncClient, cast: Cast, deposits_nano: Sequence[int]) -> None:
    """Has the bank issue each consumer's deposit."""
    await asyncio.gather(
        *(
            client.issue(cast.money_unit, party.money, amount, signer=cast.bank)
            for party, amount in zip(cast.consumers, deposits_nano, strict=True)
        )
    )
