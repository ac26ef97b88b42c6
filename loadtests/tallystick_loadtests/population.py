"""Who transfers in a load test: principals with keys, accounts of one unit, and money in them.

A population is made of envelopes in groups; each group needs those before it. It can be written to
a file, so that other processes can sign for it. Its keys guard no value.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tallystick_ledger.envelope import seal
from tallystick_ledger.ids import (
    AccountId,
    Amount,
    EnvelopeId,
    LedgerId,
    PrincipalId,
    TimestampNs,
    UnitId,
    new_envelope_id,
    object_id,
    operator_principal,
)
from tallystick_ledger.keys import SigningKey, prove_possession
from tallystick_ledger.limits import ID_BYTES, ID_RANDOM_BYTES, MAX_RECORDS, NONCE_BYTES
from tallystick_ledger.records import (
    Account,
    AccountOperation,
    Issue,
    Principal,
    PrincipalType,
    Unit,
)

# Ten seconds below what a genesis allows by default.
LIFETIME_NS: Final = 590_000_000_000
FUNDS: Final = 1 << 60


@dataclass(frozen=True, slots=True)
class Party:
    """One payer.

    Attributes:
        seed: 32 bytes of its key.
        principal: Its id.
        accounts: 16 bytes for each of its accounts.
    """

    seed: bytes
    principal: PrincipalId
    accounts: bytes

    @property
    def account_ids(self) -> list[AccountId]:
        """Its accounts, one by one."""
        return [
            AccountId(self.accounts[at : at + ID_BYTES])
            for at in range(0, len(self.accounts), ID_BYTES)
        ]


@dataclass(frozen=True, slots=True)
class Payee:
    """Who redeems vouchers.

    Attributes:
        seed: 32 bytes of its key.
        channels: 16 bytes for the id of each channel that pays it.
        channel_seeds: 32 bytes for the key of each of these, which is the payer's.
    """

    seed: bytes
    channels: bytes
    channel_seeds: bytes


@dataclass(frozen=True, slots=True)
class Offers:
    """What the payees sell by cards.

    Attributes:
        model: 16 bytes of its name.
        meters: Likewise, of tokens in and of tokens out.
        cards: 16 bytes for the card of each payee.
        priced_from_ns: When all of them are in force.
    """

    model: bytes
    meters: tuple[bytes, bytes]
    cards: bytes
    priced_from_ns: int


@dataclass(frozen=True, slots=True)
class Population:
    """All payers of one load test.

    Attributes:
        ledger_id: The ledger's id, 32 bytes.
        parties: The payers, each with equally many accounts.
        payees: Who is paid by channels, if there are any; they are not written to a file.
        offers: What is sold by cards, if anything; likewise.
    """

    ledger_id: LedgerId
    parties: tuple[Party, ...]
    payees: tuple[Payee, ...] = ()
    offers: Offers | None = None

    def write(self, path: Path) -> None:
        """Writes a JSON file that only its owner can read."""
        content = {
            "ledger_id": self.ledger_id.hex(),
            "parties": [
                {
                    "seed": party.seed.hex(),
                    "principal": party.principal.hex(),
                    "accounts": party.accounts.hex(),
                }
                for party in self.parties
            ],
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(content))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads what `write` wrote."""
        content = json.loads(path.read_text())
        parties = tuple(
            Party(
                bytes.fromhex(each["seed"]),
                PrincipalId(bytes.fromhex(each["principal"])),
                bytes.fromhex(each["accounts"]),
            )
            for each in content["parties"]
        )
        return cls(LedgerId(bytes.fromhex(content["ledger_id"])), parties)


@dataclass(frozen=True, slots=True)
class Plan:
    """A population and the envelopes that make it.

    Attributes:
        population: The payers.
        groups: Envelopes that register everybody; each group needs the ones before.
        unit: What all accounts are of.
    """

    population: Population
    groups: tuple[tuple[bytes, ...], ...]
    unit: UnitId


def fresh_id() -> EnvelopeId:
    """An envelope id made now."""
    return new_envelope_id(time.time_ns() // 1_000_000, os.urandom(ID_RANDOM_BYTES))


def sealed(ledger_id: LedgerId, key: SigningKey, envelope_id: EnvelopeId, records: bytes) -> bytes:
    """A signed envelope that is valid for nearly ten minutes."""
    return seal(key, ledger_id, envelope_id, TimestampNs(time.time_ns() + LIFETIME_NS), records)


def plan_population(
    ledger_id: LedgerId,
    operator: SigningKey,
    *,
    parties: int,
    accounts_each: int,
    funds: int = FUNDS,
) -> Plan:
    """Makes principals, a unit, accounts and money.

    Args:
        ledger_id: The ledger's id.
        operator: The only operator key of its genesis.
        parties: How many principals pay.
        accounts_each: Accounts of each.
        funds: What is issued to each account.
    """
    keys = [SigningKey(os.urandom(32)) for _ in range(parties + 1)]
    principals, registration = _register(ledger_id, operator, keys)
    unit, unit_envelope = _make_unit(ledger_id, operator, principals[-1])
    openings: list[bytes] = []
    made: list[Party] = []
    for key, principal in zip(keys[:-1], principals[:-1], strict=True):
        accounts, envelopes = _open_accounts(ledger_id, key, principal, unit, accounts_each)
        openings += envelopes
        made.append(Party(key.seed, principal, accounts))
    every = [account for party in made for account in party.account_ids]
    issues = tuple(_issue_all(ledger_id, keys[-1], unit, every, Amount(funds)))
    groups = ((registration,), (unit_envelope,), tuple(openings), issues)
    return Plan(Population(ledger_id, tuple(made)), groups, unit)


def _register(
    ledger_id: LedgerId, operator: SigningKey, keys: list[SigningKey]
) -> tuple[list[PrincipalId], bytes]:
    envelope_id = fresh_id()
    signer = operator_principal(ledger_id, 0)
    principals, records = [], []
    for index, key in enumerate(keys):
        principal = PrincipalId(object_id(ledger_id, signer, envelope_id, index))
        record = Principal(
            principal_type=PrincipalType.ORGANISATION,
            key=key.public_key,
            possession=prove_possession(key, ledger_id, principal),
            principal=principal,
        )
        principals.append(principal)
        records.append(record.encode(b""))
    return principals, sealed(ledger_id, operator, envelope_id, b"".join(records))


def _make_unit(
    ledger_id: LedgerId, operator: SigningKey, issuer: PrincipalId
) -> tuple[UnitId, bytes]:
    envelope_id = fresh_id()
    unit = UnitId(object_id(ledger_id, operator_principal(ledger_id, 0), envelope_id, 0))
    # Symbols are taken once for all; a ledger may be loaded more than once.
    record = Unit(exponent=0, issuer=issuer, symbol=f"L{os.urandom(4).hex().upper()}")
    return unit, sealed(ledger_id, operator, envelope_id, record.encode(os.urandom(NONCE_BYTES)))


def _open_accounts(
    ledger_id: LedgerId, key: SigningKey, principal: PrincipalId, unit: UnitId, count: int
) -> tuple[bytes, list[bytes]]:
    accounts, envelopes = [], []
    for start in range(0, count, MAX_RECORDS):
        envelope_id = fresh_id()
        size = min(MAX_RECORDS, count - start)
        records = b"".join(
            Account(operation=AccountOperation.OPEN, unit=unit).encode(os.urandom(NONCE_BYTES))
            for _ in range(size)
        )
        accounts += [object_id(ledger_id, principal, envelope_id, index) for index in range(size)]
        envelopes.append(sealed(ledger_id, key, envelope_id, records))
    return b"".join(accounts), envelopes


def _issue_all(
    ledger_id: LedgerId, issuer: SigningKey, unit: UnitId, accounts: list[AccountId], funds: Amount
) -> Iterator[bytes]:
    for start in range(0, len(accounts), MAX_RECORDS):
        records = b"".join(
            Issue(unit=unit, credit_account=account, amount=funds).encode(os.urandom(NONCE_BYTES))
            for account in accounts[start : start + MAX_RECORDS]
        )
        yield sealed(ledger_id, issuer, fresh_id(), records)
