"""Who transfers in a benchmark, and the envelopes they send.

All envelopes are made and signed before the clock starts, and all are distinct.

- ``bulk``: one principal with 10,000 accounts; envelopes of 8,190 transfers between random pairs.
- ``packed``: 256 principals with a key and some accounts each; envelopes of one transfer from a
  principal's account to a random account of anybody, as many in a message as fit into 1 MiB.
"""

import os
import random
import time
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tallystick_ledger.bulk import transfers
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
from tallystick_ledger.limits import ID_BYTES, MAX_ENVELOPE_BYTES, MAX_RECORDS, NONCE_BYTES
from tallystick_ledger.records import (
    Account,
    AccountOperation,
    Issue,
    Principal,
    PrincipalType,
    Unit,
)

LIFETIME_NS: Final = 590_000_000_000
BULK_ACCOUNTS: Final = 10_000
PACKED_KEYS: Final = 256
PACKED_ACCOUNTS_PER_KEY: Final = 40
PACKED_PER_MESSAGE: Final = MAX_ENVELOPE_BYTES // 384
FUNDS: Final = 1 << 60
MAX_TRANSFER: Final = 1_000
ID_RANDOM_BYTES: Final = 10
WORKERS: Final = 2


class Profile(StrEnum):
    """What is sent."""

    BULK = "bulk"
    PACKED = "packed"


@dataclass(frozen=True, slots=True)
class Party:
    """One payer.

    Attributes:
        seed: Of its key.
        principal: Its id.
        accounts: 16 bytes for each of its accounts.
    """

    seed: bytes
    principal: PrincipalId
    accounts: bytes


@dataclass(frozen=True, slots=True)
class Workload:
    """What one benchmark sends.

    Attributes:
        setup: Envelopes that register everybody, in groups; each group needs the ones before.
        parties: The payers.
    """

    setup: tuple[tuple[bytes, ...], ...]
    parties: tuple[Party, ...]


def _fresh_id() -> EnvelopeId:
    return new_envelope_id(time.time_ns() // 1_000_000, os.urandom(ID_RANDOM_BYTES))


class _Sealer:
    """Seals envelopes of one ledger with the present time."""

    def __init__(self, ledger_id: LedgerId) -> None:
        self.ledger_id = ledger_id

    def seal(self, key: SigningKey, envelope_id: EnvelopeId, records: bytes) -> bytes:
        return seal(
            key,
            self.ledger_id,
            envelope_id,
            TimestampNs(time.time_ns() + LIFETIME_NS),
            records,
        )


def build_workload(profile: Profile, ledger_id: LedgerId, operator: SigningKey) -> Workload:
    """Makes principals, a unit, accounts and money for a profile.

    Args:
        profile: Which.
        ledger_id: The ledger's id.
        operator: The only operator key of its genesis.
    """
    count, accounts_each = (
        (1, BULK_ACCOUNTS) if profile is Profile.BULK else (PACKED_KEYS, PACKED_ACCOUNTS_PER_KEY)
    )
    sealer = _Sealer(ledger_id)
    keys = [SigningKey(os.urandom(32)) for _ in range(count + 1)]
    principals, registration = _register(sealer, operator, keys)
    issuer = keys[-1]
    unit, unit_envelope = _make_unit(sealer, operator, principals[-1])
    openings: list[bytes] = []
    parties: list[Party] = []
    for key, principal in zip(keys[:-1], principals[:-1], strict=True):
        accounts, envelopes = _open_accounts(sealer, key, principal, unit, accounts_each)
        openings += envelopes
        parties.append(Party(key.seed, principal, accounts))
    every_account = b"".join(party.accounts for party in parties)
    issues = tuple(_issue_all(sealer, issuer, unit, every_account))
    return Workload(((registration,), (unit_envelope,), tuple(openings), issues), tuple(parties))


def _register(
    sealer: _Sealer, operator: SigningKey, keys: list[SigningKey]
) -> tuple[list[PrincipalId], bytes]:
    envelope_id = _fresh_id()
    signer = operator_principal(sealer.ledger_id, 0)
    principals, records = [], []
    for index, key in enumerate(keys):
        principal = PrincipalId(object_id(sealer.ledger_id, signer, envelope_id, index))
        record = Principal(
            principal_type=PrincipalType.ORGANISATION,
            key=key.public_key,
            possession=prove_possession(key, sealer.ledger_id, principal),
            principal=principal,
        )
        principals.append(principal)
        records.append(record.encode(b""))
    return principals, sealer.seal(operator, envelope_id, b"".join(records))


def _make_unit(sealer: _Sealer, operator: SigningKey, issuer: PrincipalId) -> tuple[UnitId, bytes]:
    envelope_id = _fresh_id()
    signer = operator_principal(sealer.ledger_id, 0)
    unit = UnitId(object_id(sealer.ledger_id, signer, envelope_id, 0))
    record = Unit(exponent=0, issuer=issuer, symbol="TOK").encode(os.urandom(NONCE_BYTES))
    return unit, sealer.seal(operator, envelope_id, record)


def _open_accounts(
    sealer: _Sealer, key: SigningKey, principal: PrincipalId, unit: UnitId, count: int
) -> tuple[bytes, list[bytes]]:
    accounts, envelopes = [], []
    for start in range(0, count, MAX_RECORDS):
        envelope_id = _fresh_id()
        size = min(MAX_RECORDS, count - start)
        records = b"".join(
            Account(operation=AccountOperation.OPEN, unit=unit).encode(os.urandom(NONCE_BYTES))
            for _ in range(size)
        )
        accounts += [
            object_id(sealer.ledger_id, principal, envelope_id, index) for index in range(size)
        ]
        envelopes.append(sealer.seal(key, envelope_id, records))
    return b"".join(accounts), envelopes


def _issue_all(
    sealer: _Sealer, issuer: SigningKey, unit: UnitId, accounts: bytes
) -> Iterator[bytes]:
    ids = [AccountId(accounts[at : at + ID_BYTES]) for at in range(0, len(accounts), ID_BYTES)]
    for start in range(0, len(ids), MAX_RECORDS):
        records = b"".join(
            Issue(unit=unit, credit_account=account, amount=Amount(FUNDS)).encode(
                os.urandom(NONCE_BYTES)
            )
            for account in ids[start : start + MAX_RECORDS]
        )
        yield sealer.seal(issuer, _fresh_id(), records)


# -- the envelopes that are measured -------------------------------------------------------------


def prepare(
    profile: Profile,
    ledger_id: LedgerId,
    parties: tuple[Party, ...],
    message_count: int,
    progress: Callable[[int], None],
) -> list[bytes]:
    """Makes and signs messages for the timed part.

    Args:
        profile: Which.
        ledger_id: The ledger's id.
        parties: Who pays.
        message_count: How many messages of up to 1 MiB.
        progress: Called with the number of messages made so far.

    Returns:
        The messages, each of distinct envelopes.
    """
    make = _bulk_message if profile is Profile.BULK else _packed_message
    messages: list[bytes] = []
    with ProcessPoolExecutor(WORKERS) as pool:
        seeds = [int.from_bytes(os.urandom(8), "little") for _ in range(message_count)]
        jobs = pool.map(make, seeds, [ledger_id] * message_count, [parties] * message_count)
        for message in jobs:
            messages.append(message)
            progress(len(messages))
    return messages


def _bulk_message(seed: int, ledger_id: LedgerId, parties: tuple[Party, ...]) -> bytes:
    """One envelope of 8,190 transfers between random distinct accounts of the first party."""
    generator = random.Random(seed)  # noqa: S311 - a workload, no secret
    party = parties[0]
    count = len(party.accounts) // ID_BYTES
    debits = generator.choices(range(count), k=MAX_RECORDS)
    steps = generator.choices(range(1, count), k=MAX_RECORDS)
    ids = [party.accounts[at : at + ID_BYTES] for at in range(0, len(party.accounts), ID_BYTES)]
    records = transfers(
        b"".join([ids[debit] for debit in debits]),
        b"".join([ids[(debit + step) % count] for debit, step in zip(debits, steps, strict=True)]),
        array("Q", generator.choices(range(1, MAX_TRANSFER), k=MAX_RECORDS)),
        os.urandom(NONCE_BYTES * MAX_RECORDS),
    )
    return _Sealer(ledger_id).seal(SigningKey(party.seed), _fresh_id(), records)


def _packed_message(seed: int, ledger_id: LedgerId, parties: tuple[Party, ...]) -> bytes:
    """As many one-transfer envelopes as fit into 1 MiB, from random parties."""
    generator = random.Random(seed)  # noqa: S311 - a workload, no secret
    sealer = _Sealer(ledger_id)
    keys = [SigningKey(party.seed) for party in parties]
    each = len(parties[0].accounts) // ID_BYTES
    envelopes = []
    for _ in range(PACKED_PER_MESSAGE):
        payer, payee = generator.sample(range(len(parties)), 2)
        debit, credit = ID_BYTES * generator.randrange(each), ID_BYTES * generator.randrange(each)
        record = transfers(
            parties[payer].accounts[debit : debit + ID_BYTES],
            parties[payee].accounts[credit : credit + ID_BYTES],
            array("Q", [generator.randrange(1, MAX_TRANSFER)]),
            os.urandom(NONCE_BYTES),
        )
        envelopes.append(sealer.seal(keys[payer], _fresh_id(), record))
    return b"".join(envelopes)
