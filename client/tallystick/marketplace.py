"""An internal marketplace: who takes part, what is counted, and setting it up on a running ledger.

One group's labs sell to its business units on a ledger of their own. A *plan* (TOML, made by
`tallystick genesis new --template marketplace`) says who there is: a market that registers the
standard words, a treasury that issues the units, labs and business units with accounts and keys.
`SetUp` makes it so, step by step, and may be run again at any time: after a failure, or when the
plan has grown. What is there stays as it is; nothing is ever done twice.

That is not left to luck. Each step is one envelope, which is written to the journal beside the plan
before it is sent. A later run sends the same bytes again: the ledger answers with the results of
the first time if they took effect, takes them now, or says that they are too late for ever.
"""

import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tallystick.draft import Draft, build
from tallystick.errors import ConfigurationError, RecordRefused, Refused
from tallystick.keyfile import KeyFile, Signer, existing_or_new, write_key_file
from tallystick_ledger.ids import AccountId, Amount, PrincipalId, UnitId
from tallystick_ledger.keys import prove_possession
from tallystick_ledger.limits import MAX_UNIT_EXPONENT
from tallystick_ledger.records import (
    Account,
    AccountOperation,
    Issue,
    Key,
    KeyOperation,
    NameKind,
    Principal,
    PrincipalType,
    Record,
    Scope,
    Unit,
)

if TYPE_CHECKING:
    from tallystick.client import Client

PLAN_FILE: Final = "marketplace.toml"
JOURNAL_SUFFIX: Final = ".journal.json"
KEYS: Final = "keys"
# The one who registers the words, and the one who issues.
MARKET: Final = "market"
TREASURY: Final = "treasury"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_NAME_KINDS: Final = {
    "meters": NameKind.METER,
    "tiers": NameKind.TIER,
    "regions": NameKind.REGION,
}

TEMPLATE: Final = """\
# The plan of an internal marketplace: the labs of a group sell to its business units.
# `tallystick marketplace set-up` makes it so on a running ledger. Add to it and run it again.

# Words that all price lists use, registered by the principal "market".
[names]
meters = ["input", "output", "cache_read", "cache_write", "reasoning", "gpu_second", "data_gb"]
tiers = ["standard", "batch", "priority"]
regions = ["eu", "us"]

# What amounts are counted in; the principal "treasury" issues it. "decimals" of the smallest step.
[units.USD]
decimals = 9

[units.TOKEN]
decimals = 0

# Who sells. Each gets an account in each unit, as "lab-research.USD", and keys for daily work:
# PRICE publishes rate cards, METER bills.
[labs]
names = ["lab-research", "lab-speech"]

# Who buys. Each gets an account in each unit and a SPEND key; "budgets" is issued once, to each.
[business-units]
names = ["unit-sales", "unit-support"]
budgets = { USD = "1000", TOKEN = "50000000" }
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a marketplace is to have.

    Attributes:
        names: Texts to register, by kind.
        units: Decimals, by symbol.
        labs: Principals that sell.
        business_units: Principals that buy.
        budgets: What is issued to each of these, in the smallest step, by symbol.
    """

    names: Mapping[NameKind, tuple[str, ...]]
    units: Mapping[str, int]
    labs: tuple[str, ...]
    business_units: tuple[str, ...]
    budgets: Mapping[str, int]

    @property
    def principals(self) -> tuple[str, ...]:
        """Everybody, in the order of registration."""
        return (MARKET, TREASURY, *self.labs, *self.business_units)


def read_plan(path: Path) -> Plan:
    """Reads a plan.

    Raises:
        ConfigurationError: There is no such file, or something in it is no plan.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    try:
        return _plan(content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path} is no plan: {error}.") from error


def _plan(content: dict[str, Any]) -> Plan:
    unknown = set(content) - {"names", "units", "labs", "business-units"}
    if unknown:
        raise ValueError(f"nothing is called {', '.join(sorted(unknown))}")
    texts = content.get("names", {})
    if set(texts) - set(_NAME_KINDS):
        raise ValueError(f"names are {', '.join(_NAME_KINDS)}")
    units = {symbol: _decimals(unit) for symbol, unit in content["units"].items()}
    buyers = content.get("business-units", {})
    budgets = {
        symbol: _steps(symbol, amount, units)
        for symbol, amount in buyers.get("budgets", {}).items()
    }
    plan = Plan(
        {_NAME_KINDS[kind]: tuple(map(_text, each)) for kind, each in texts.items()},
        units,
        tuple(map(_principal, content.get("labs", {}).get("names", ()))),
        tuple(map(_principal, buyers.get("names", ()))),
        budgets,
    )
    if len(set(plan.principals)) != len(plan.principals):
        raise ValueError("two principals have one name")
    return plan


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is no text")
    return value


def _principal(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no name: letters a-z, digits and dashes")
    return value


def _decimals(unit: Mapping[str, object]) -> int:
    decimals = unit["decimals"]
    if type(decimals) is not int or not 0 <= decimals <= MAX_UNIT_EXPONENT:
        raise ValueError(f"{decimals!r} decimals")
    return decimals


def _steps(symbol: str, amount: object, units: Mapping[str, int]) -> int:
    """An amount as text, so that no float comes near it."""
    if symbol not in units:
        raise ValueError(f"there is no unit {symbol}")
    whole, _, rest = str(amount).partition(".") if isinstance(amount, str) else ("", "", "")
    decimals = units[symbol]
    if not (whole + rest).isdecimal() or not whole or len(rest) > decimals:
        raise ValueError(f"{amount!r} is no amount of {symbol}, as text")
    return int(whole + rest.ljust(decimals, "0"))


@dataclass(slots=True)
class Journal:
    """What was begun, what it makes, and whether it is known to be done.

    Attributes:
        path: Its file.
        steps: By name: the envelope, the id of what it makes, and whether it is known to be done.
    """

    path: Path
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Journal":
        """Reads it; there need not be one yet.

        Raises:
            ConfigurationError: It is damaged.
        """
        try:
            return cls(path, dict(json.loads(path.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            return cls(path)
        except (OSError, TypeError, ValueError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}.") from error

    def note(self, step: str, sealed: bytes, made: bytes, *, done: bool) -> None:
        """Writes a step down, whole or not at all."""
        self.steps[step] = {"envelope": sealed.hex(), "made": made.hex(), "done": done}
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.write(json.dumps(self.steps, indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be written: {error.strerror}.") from error


@dataclass(slots=True)
class SetUp:
    """Makes a plan so. One run at a time.

    Attributes:
        client: Signs as an operator.
        plan: What there has to be.
        journal: What earlier runs did.
        keys: Where the principals' keys are.
        made: Steps that this run did.
        units, accounts, principals: Ids, by symbol and name.
    """

    client: "Client"
    plan: Plan
    journal: Journal
    keys: Path
    made: list[str] = field(default_factory=list)
    units: dict[str, UnitId] = field(default_factory=dict)
    accounts: dict[str, tuple[AccountId, str]] = field(default_factory=dict)
    principals: dict[str, PrincipalId] = field(default_factory=dict)

    def run(self) -> None:
        """Does what is missing.

        Raises:
            TallystickError: A step failed; run it again once the cause is mended.
        """
        owners = {name: self._registered(name) for name in self.plan.principals}
        self.principals = {name: owner.principal for name, owner in owners.items()}
        treasury = owners[TREASURY]
        for symbol, decimals in self.plan.units.items():
            record = build(Unit, symbol, decimals, treasury.principal)
            made = self._once(f"unit {symbol}", self.client.signer, partial(_create, record))
            self.units[symbol] = UnitId(made)
        for name in self.plan.labs:
            self._keys_of(owners[name], Scope.PRICE, Scope.METER)
            self._accounts_of(owners[name])
        for name in self.plan.business_units:
            self._keys_of(owners[name], Scope.SPEND)
            self._accounts_of(owners[name])
            self._fund(name, treasury)
        self._register_words(owners)

    def _registered(self, name: str) -> Signer:
        path = self.keys / f"{name}.key"
        held = existing_or_new(path, name)

        def register(draft: Draft) -> bytes:
            principal = PrincipalId(draft.next_id())
            possession = prove_possession(held.key, draft.ledger_id, principal)
            kind = PrincipalType.ORGANISATION
            draft.add(build(Principal, kind, held.key.public_key, possession, principal))
            return principal

        principal = PrincipalId(self._once(f"principal {name}", self.client.signer, register))
        if held.principal != principal:
            write_key_file(path, KeyFile(held.key, principal, name), replace=True)
        return Signer(held.key, principal, name)

    def _keys_of(self, owner: Signer, *scopes: Scope) -> None:
        for scope in scopes:
            name = f"{owner.name}.{scope.name.lower()}"
            path = self.keys / f"{name}.key"
            held = existing_or_new(path, name)

            def add(draft: Draft, held: KeyFile = held, scope: Scope = scope) -> bytes:
                public_key = held.key.public_key
                possession = prove_possession(held.key, draft.ledger_id, owner.principal)
                operation = KeyOperation.ADD
                draft.add(build(Key, operation, public_key, owner.principal, scope, possession))
                return b""

            self._once(f"key {name}", owner, add)
            if held.principal != owner.principal:
                write_key_file(path, KeyFile(held.key, owner.principal, name), replace=True)

    def _accounts_of(self, owner: Signer) -> None:
        for symbol, unit in self.units.items():
            name = f"{owner.name}.{symbol}"
            record = build(Account, AccountOperation.OPEN, unit)
            made = self._once(f"account {name}", owner, partial(_create, record))
            self.accounts[name] = (AccountId(made), symbol)

    def _fund(self, name: str, treasury: Signer) -> None:
        for symbol, steps in self.plan.budgets.items():
            account, _ = self.accounts[f"{name}.{symbol}"]
            record = build(Issue, self.units[symbol], account, Amount(steps))
            self._once(f"budget {name}.{symbol}", treasury, partial(_create, record))

    def _register_words(self, owners: Mapping[str, Signer]) -> None:
        """Names are found by their texts, so these steps need no journal."""
        words = [(kind, text) for kind, texts in self.plan.names.items() for text in texts]
        for name, wanted in (
            (MARKET, words),
            *((lab, [(NameKind.PROVIDER, lab)]) for lab in self.plan.labs),
        ):
            there = {
                (kind, each.text)
                for kind in {kind for kind, _ in wanted}
                for each in self.client.names(kind)
                if each.owner == owners[name].principal
            }
            missing = [each for each in wanted if each not in there]
            if missing:
                self.client.ensure_names(missing, signer=owners[name])
                self.made += [f"name {text}" for _, text in missing]

    def _once(self, step: str, signer: Signer, fill: Callable[[Draft], bytes]) -> bytes:
        """Does a step unless it is done; returns the id of what it made."""
        noted = self.journal.steps.get(step)
        if noted is not None:
            made, sealed = bytes.fromhex(noted["made"]), bytes.fromhex(noted["envelope"])
            if noted["done"] or self._is_taken(sealed, signer):
                if not noted["done"]:
                    self._note_done(step, sealed, made)
                return made
        draft = self.client.draft(signer)
        made = fill(draft)
        sealed = draft.seal(atomic=True).envelope
        self.journal.note(step, sealed, made, done=False)
        self.client.submit(sealed, signer=signer).require_ok()
        self._note_done(step, sealed, made)
        return made

    def _is_taken(self, sealed: bytes, signer: Signer) -> bool:
        """Sends an earlier run's envelope once more; whether it took effect, then or now."""
        try:
            self.client.submit(sealed, signer=signer).require_ok()
        except (Refused, RecordRefused):
            return False  # it changed nothing and never will
        return True

    def _note_done(self, step: str, sealed: bytes, made: bytes) -> None:
        self.journal.note(step, sealed, made, done=True)
        self.made.append(step)


def _create(record: Record, draft: Draft) -> bytes:
    return draft.add_creating(record)
