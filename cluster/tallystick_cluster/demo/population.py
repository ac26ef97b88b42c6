"""Registers everybody and everything that the demo needs, through the SDK.

    operator (of the genesis) ── registers ──▶ issuer, providers, consumers; units USD and TOKEN
    each party (OWNER key)    ── opens ──────▶ an account of each unit; adds the key that works
    issuer                    ── issues ─────▶ each consumer's deposit of money and of tokens

The keys that work every day are not the OWNER keys: a consumer reserves with a SPEND key, a
provider captures with a METER key. USD counts in nano-USD (exponent 9), TOKEN in whole tokens.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tallystick import AsyncClient, Signer
from tallystick_cluster.demo.plan import Consumer, Plan
from tallystick_ledger.ids import AccountId, UnitId
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.limits import SEED_BYTES
from tallystick_ledger.records import PrincipalType, Scope

MONEY_SYMBOL: Final = "USD"
MONEY_EXPONENT: Final = 9
TOKEN_SYMBOL: Final = "TOKEN"  # noqa: S105 - the name of a unit
TOKEN_EXPONENT: Final = 0

Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Party:
    """A provider or consumer.

    Attributes:
        name: As in the plan.
        owner: Its OWNER key.
        worker: Its SPEND or METER key.
        money: Its account of nano-USD.
        tokens: Its account of tokens.
    """

    name: str
    owner: Signer
    worker: Signer
    money: AccountId
    tokens: AccountId


@dataclass(frozen=True, slots=True)
class Population:
    """Who is there.

    Attributes:
        issuer: Issues both units.
        money_unit: USD; also its issuance account.
        token_unit: TOKEN; also its issuance account.
        consumers: In the plan's order.
        providers: In the plan's order.
    """

    issuer: Signer
    money_unit: UnitId
    token_unit: UnitId
    consumers: tuple[Party, ...]
    providers: tuple[Party, ...]

    @property
    def signers(self) -> list[Signer]:
        """All keys that were made here; a party's two have different names."""
        parties = (*self.consumers, *self.providers)
        return [self.issuer, *(key for party in parties for key in (party.owner, party.worker))]


async def populate(client: AsyncClient, plan: Plan, entropy: Entropy) -> Population:
    """Registers everybody and pays the deposits.

    Args:
        client: Signs as the operator.
        plan: Who there is, and what each consumer gets.
        entropy: Returns so many random bytes, for seeds.

    Raises:
        TallystickError: The ledger refused something, or could not be reached.
    """
    issuer = await _register(client, "issuer", entropy)
    money_unit, token_unit = await asyncio.gather(
        client.create_unit(MONEY_SYMBOL, MONEY_EXPONENT, issuer.principal),
        client.create_unit(TOKEN_SYMBOL, TOKEN_EXPONENT, issuer.principal),
    )

    async def settle_in(name: str, scope: Scope) -> Party:
        owner = await _register(client, name, entropy)
        key = SigningKey(entropy(SEED_BYTES))
        worker = Signer(key, owner.principal, f"{name}-{scope.name.lower()}")
        money, tokens, _ = await asyncio.gather(
            client.open_account(money_unit.id, signer=owner),
            client.open_account(token_unit.id, signer=owner),
            client.add_key(key, scope, signer=owner),
        )
        return Party(name, owner, worker, money.id, tokens.id)

    consumers = await asyncio.gather(
        *(settle_in(each.name, Scope.SPEND) for each in plan.consumers)
    )
    providers = await asyncio.gather(
        *(settle_in(each.provider, Scope.METER) for each in plan.offers)
    )
    population = Population(
        issuer, money_unit.id, token_unit.id, tuple(consumers), tuple(providers)
    )
    await asyncio.gather(
        *(
            _pay_in(client, population, party, consumer)
            for party, consumer in zip(consumers, plan.consumers, strict=True)
        )
    )
    return population


async def _register(client: AsyncClient, name: str, entropy: Entropy) -> Signer:
    key = SigningKey(entropy(SEED_BYTES))
    principal = await client.register_principal(key, PrincipalType.ORGANISATION)
    return Signer(key, principal.id, name)


async def _pay_in(
    client: AsyncClient, population: Population, party: Party, consumer: Consumer
) -> None:
    issuer = population.issuer
    await asyncio.gather(
        client.issue(population.money_unit, party.money, consumer.deposit_nano, signer=issuer),
        client.issue(population.token_unit, party.tokens, consumer.deposit_tokens, signer=issuer),
    )
