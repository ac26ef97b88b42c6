"""What an account did in a period: opening, movements, closing. Pure; no I/O.

The movements are broken down in several ways, each of which has to lead from the opening to the
closing, to the last unit. Opening and closing come from running balances that were kept when the
postings were booked, the movements from the postings themselves: so the check can fail, and says
that the projection is damaged.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from tallystick.statements.posting import Posting, Side
from tallystick.statements.usage import Usage
from tallystick_ledger.ids import AccountId, PrincipalId, UnitId


@dataclass(frozen=True, slots=True)
class Columns:
    """An account's four columns, in the unit's smallest step; as `AccountRow` has them."""

    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0

    @property
    def balance(self) -> int:
        """What was received less what was paid."""
        return self.credits_posted - self.debits_posted

    def after(self, posting: Posting) -> Self:
        """Returns them with one more posting."""
        pending, posted = posting.pending * posting.amount, posting.posted * posting.amount
        if posting.side is Side.DEBIT:
            debits = self.debits_pending + pending, self.debits_posted + posted
            return type(self)(*debits, self.credits_pending, self.credits_posted)
        credits_ = self.credits_pending + pending, self.credits_posted + posted
        return type(self)(self.debits_pending, self.debits_posted, *credits_)

    def plus(self, other: Self) -> Self:
        """Returns the sums, column by column."""
        return type(self)(
            self.debits_pending + other.debits_pending,
            self.debits_posted + other.debits_posted,
            self.credits_pending + other.credits_pending,
            self.credits_posted + other.credits_posted,
        )

    def as_json(self) -> dict[str, str]:
        """Exact decimal strings."""
        return {
            "debits_pending": str(self.debits_pending),
            "debits_posted": str(self.debits_posted),
            "credits_pending": str(self.credits_pending),
            "credits_posted": str(self.credits_posted),
        }


@dataclass(frozen=True, slots=True)
class Flow:
    """Postings of one sort, summed up: how many, and what they add to the columns.

    A pending column may go down: then `change` is below zero there.
    """

    count: int = 0
    change: Columns = field(default_factory=Columns)

    def after(self, posting: Posting) -> Self:
        """Returns it with one more posting."""
        return type(self)(self.count + 1, self.change.after(posting))

    def as_json(self) -> dict[str, Any]:
        """Exact decimal strings."""
        return {"count": self.count, **self.change.as_json()}


@dataclass(frozen=True, slots=True)
class Consumed:
    """How much of one meter charges were for.

    Attributes:
        count: Charges.
        debit: Quantity that the account pays for.
        credit: Quantity that it is paid for.
    """

    count: int = 0
    debit: int = 0
    credit: int = 0

    def after(self, usage: Usage) -> Self:
        """Returns it with one more."""
        debit, credit = self.debit, self.credit
        if usage.side is Side.DEBIT:
            debit += usage.quantity
        else:
            credit += usage.quantity
        return type(self)(self.count + 1, debit, credit)


# What a statement is broken down by; a posting without the key is counted under "".
BREAKDOWNS: Final[Mapping[str, Callable[[Posting], str]]] = {
    "cause": lambda posting: posting.cause,
    "counterparty": lambda posting: posting.counterparty.hex(),
    "authority": lambda posting: posting.authority.value,
    "source": lambda posting: posting.source,
    "end_state": lambda posting: posting.end_state,
    "card": lambda posting: posting.card.hex(),
    "grant": lambda posting: posting.grant.hex(),
    "model": lambda posting: posting.model.hex(),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """An account in a period.

    Attributes:
        account: Whose.
        owner: Its principal.
        unit: What it counts in.
        from_ns: First instant of the period.
        to_ns: First instant after it.
        is_final: Log time had passed `to_ns`: nothing can be added to the period any more.
        opening: Columns before the period.
        closing: Columns after it, as they were booked.
        flows: By the names of `BREAKDOWNS`, then by key, in order of the keys.
        usage: By model and meter, in order of their ids; the model is empty where nothing tells it.
    """

    account: AccountId
    owner: PrincipalId
    unit: UnitId
    from_ns: int
    to_ns: int
    is_final: bool
    opening: Columns
    closing: Columns
    flows: Mapping[str, Mapping[str, Flow]]
    usage: Mapping[tuple[bytes, bytes], Consumed] = field(default_factory=dict)

    @property
    def movements(self) -> Flow:
        """All of them."""
        flows = self.flows["cause"].values()
        total = Columns()
        for flow in flows:
            total = total.plus(flow.change)
        return Flow(sum(flow.count for flow in flows), total)

    @property
    def adds_up(self) -> bool:
        """Whether each breakdown leads from the opening to the closing."""
        for flows in self.flows.values():
            total = self.opening
            for flow in flows.values():
                total = total.plus(flow.change)
            if total != self.closing:
                return False
        return True

    def as_json(self) -> dict[str, Any]:
        """The statement as plain values: ids hexadecimal, amounts decimal strings."""
        return {
            "account": self.account.hex(),
            "owner": self.owner.hex(),
            "unit": self.unit.hex(),
            "from_ns": self.from_ns,
            "to_ns": self.to_ns,
            "is_final": self.is_final,
            "adds_up": self.adds_up,
            "opening": self.opening.as_json(),
            "movements": self.movements.as_json(),
            "closing": self.closing.as_json(),
            **{
                f"by_{name}": {key: flow.as_json() for key, flow in flows.items()}
                for name, flows in self.flows.items()
            },
            "usage": [
                {
                    "model": model.hex(),
                    "meter": meter.hex(),
                    "count": each.count,
                    "debit_quantity": str(each.debit),
                    "credit_quantity": str(each.credit),
                }
                for (model, meter), each in self.usage.items()
            ],
        }


def break_down(postings: Iterable[Posting]) -> dict[str, dict[str, Flow]]:
    """Sums postings up by each of `BREAKDOWNS`."""
    found: dict[str, dict[str, Flow]] = {name: {} for name in BREAKDOWNS}
    nothing = Flow()
    for posting in postings:
        for name, key_of in BREAKDOWNS.items():
            key = key_of(posting)
            found[name][key] = found[name].get(key, nothing).after(posting)
    return {name: dict(sorted(flows.items())) for name, flows in found.items()}


def sum_up(usages: Iterable[Usage]) -> dict[tuple[bytes, bytes], Consumed]:
    """Sums quantities up by model and meter."""
    found: dict[tuple[bytes, bytes], Consumed] = {}
    nothing = Consumed()
    for usage in usages:
        key = usage.model, usage.meter
        found[key] = found.get(key, nothing).after(usage)
    return dict(sorted(found.items()))
