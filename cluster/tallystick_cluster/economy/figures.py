"""The outcome: what `--json` prints and the report shows.

Money comes from what the auditor read. Tokens are the traces', for requests that were found billed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tallystick.statements.posting import Authority
from tallystick_cluster.economy.audit import Charged, charges_by_offer
from tallystick_cluster.economy.books import Closing
from tallystick_cluster.economy.checks import Check
from tallystick_cluster.economy.plan import Role
from tallystick_cluster.economy.stage import Shown, Stage
from tallystick_ledger.ids import AccountId
from tallystick_ledger.results import Cause


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What one model sold.

    Attributes:
        provider: Whose it is.
        model: Which.
        requests: How many.
        input_tokens: Tokens in, not cached.
        cached_tokens: Tokens in, cached.
        output_tokens: Tokens out.
        money_nano: What they paid, nano-USD.
    """

    provider: str
    model: str
    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    money_nano: int

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.input_tokens + self.cached_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class PartyFigures:
    """Some accounts' statements, summed up.

    Attributes:
        name: Whose.
        opening_nano: Balance at midnight.
        in_nano: What came in.
        out_nano: What went out.
        closing_nano: Balance in the evening.
        claimed_nano: Of what came in, what rests on the payee's word: captures within a hold.
        signed_nano: Of what came in, what its payer signed: vouchers, what was given back.
        back_nano: Of what went out, what was given back.
    """

    name: str
    opening_nano: int
    in_nano: int
    out_nano: int
    closing_nano: int
    claimed_nano: int
    signed_nano: int
    back_nano: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The outcome.

    Attributes:
        requests: Requests of the day.
        models: What each sold.
        providers: Their statements.
        consumers: Theirs, all companies of one person as one.
        tables: The acts' own.
        told: What the acts say: labels and values.
        checks: What was checked.
        day_s: Real seconds of the day.
        wall_s: From the first node's start to the last check.
    """

    requests: int
    models: Sequence[ModelFigures]
    providers: Sequence[PartyFigures]
    consumers: Sequence[PartyFigures]
    tables: Sequence[Shown]
    told: Mapping[str, str]
    checks: Sequence[Check]
    day_s: float
    wall_s: float

    @property
    def ok(self) -> bool:
        """Whether every check is."""
        return bool(self.checks) and all(each.ok for each in self.checks)

    @property
    def settled(self) -> int:
        """Requests that were paid."""
        return sum(each.requests for each in self.models)

    @property
    def tokens(self) -> int:
        """All that was used."""
        return sum(each.tokens for each in self.models)

    @property
    def money_nano(self) -> int:
        """All that was charged, nano-USD."""
        return sum(each.money_nano for each in self.models)

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints; amounts are whole numbers of the smallest step."""
        return {
            "ok": self.ok,
            "requests": self.requests,
            "settled": self.settled,
            "tokens": self.tokens,
            "money_nano_usd": self.money_nano,
            "day_s": round(self.day_s, 1),
            "wall_s": round(self.wall_s, 1),
            "models": [
                {
                    "provider": each.provider,
                    "model": each.model,
                    "requests": each.requests,
                    "input_tokens": each.input_tokens,
                    "cached_tokens": each.cached_tokens,
                    "output_tokens": each.output_tokens,
                    "money_nano_usd": each.money_nano,
                }
                for each in self.models
            ],
            "parties": [
                {
                    "name": each.name,
                    "opening_nano_usd": each.opening_nano,
                    "in_nano_usd": each.in_nano,
                    "out_nano_usd": each.out_nano,
                    "closing_nano_usd": each.closing_nano,
                    "payee_claimed_nano_usd": each.claimed_nano,
                    "payer_signed_nano_usd": each.signed_nano,
                }
                for each in (*self.providers, *self.consumers)
            ],
            "tables": [
                {"columns": each.columns, "rows": each.rows, "note": each.note}
                for each in self.tables
            ],
            "told": dict(self.told),
            "checks": [
                {"name": each.name, "ok": each.ok, "text": each.text} for each in self.checks
            ],
        }


def models_of(charged: Sequence[Charged]) -> list[ModelFigures]:
    """What each model sold, in order of provider and model."""
    found = []
    for (provider, model), charges in sorted(charges_by_offer(charged).items()):
        arrivals = [each.job.arrival for each in charges]
        found.append(
            ModelFigures(
                provider,
                model,
                len(charges),
                sum(each.input_tokens for each in arrivals),
                sum(each.cached_tokens for each in arrivals),
                sum(each.output_tokens for each in arrivals),
                sum(each.amount for each in charges),
            )
        )
    return found


def providers_of(stage: Stage, closing: Closing) -> list[PartyFigures]:
    """The providers' statements."""
    parties = stage.cast.providers.values()
    return [_party(party.name, [party.money], closing) for party in parties]


def consumers_of(stage: Stage, closing: Closing) -> list[PartyFigures]:
    """Statements of the gateway, of each company, and of all that are one person."""
    found, solos = [], []
    for party, consumer in zip(stage.cast.consumers, stage.plan.consumers, strict=True):
        if consumer.role is Role.SOLO:
            solos.append(party.money)
        else:
            found.append(_party(party.name, [party.money], closing))
    found.append(_party(f"{len(solos)} companies of one person", solos, closing))
    return found


def _party(name: str, accounts: Sequence[AccountId], closing: Closing) -> PartyFigures:
    statements = [closing.statements[account] for account in accounts]
    moved = [each.movements.change for each in statements]

    def on_word_of(authority: Authority) -> int:
        flows = [each.flows["authority"].get(authority.value) for each in statements]
        changes = [flow.change for flow in flows if flow is not None]
        return sum(each.credits_posted for each in changes)

    return PartyFigures(
        name,
        sum(each.opening.balance for each in statements),
        sum(each.credits_posted for each in moved),
        sum(each.debits_posted for each in moved),
        sum(each.closing.balance for each in statements),
        on_word_of(Authority.PAYEE),
        on_word_of(Authority.PAYER),
        sum(
            each.flows["cause"][cause.name].change.debits_posted
            for each in statements
            for cause in (Cause.REFUND, Cause.DISPUTE)
            if cause.name in each.flows["cause"]
        ),
    )
