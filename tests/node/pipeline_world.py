"""A kernel with a few parties that can pay each other, without any node around it."""

import os
import time
from dataclasses import dataclass

from tallystick_core import Kernel, build_block

from tallystick_cluster.traffic import PARTIES, Party, Traffic, encoded, fresh_envelope_id, sealed
from tallystick_ledger.genesis import Genesis, GenesisNode
from tallystick_ledger.ids import AccountId, Amount, PrincipalId, UnitId, object_id
from tallystick_ledger.ids import operator_principal as operator_id_of
from tallystick_ledger.keys import SigningKey, prove_possession
from tallystick_ledger.records import (
    Account,
    AccountOperation,
    Issue,
    Principal,
    PrincipalType,
    Unit,
)


@dataclass(frozen=True, slots=True)
class World:
    """A kernel and who can pay in it."""

    kernel: Kernel
    genesis: Genesis
    traffic: Traffic


def make_world() -> World:
    """Registers parties, a unit, accounts and money, block by block."""
    operator, node, cosigner = (SigningKey(os.urandom(32)) for _ in range(3))
    genesis = Genesis(
        random_bytes=os.urandom(32),
        origin="tallystick.test/pipeline",
        operators=(operator.public_key,),
        nodes=(
            GenesisNode(
                raft_id=1,
                transport_identity=os.urandom(32),
                ledger_key=node.public_key,
                cosigner_key=cosigner.public_key,
            ),
        ),
    )
    kernel = Kernel(genesis.encode())
    ledger_id = genesis.ledger_id
    operator_id = operator_id_of(ledger_id, 0)
    keys = [SigningKey(os.urandom(32)) for _ in range(PARTIES)]
    registration = fresh_envelope_id()
    principals = [
        PrincipalId(object_id(ledger_id, operator_id, registration, index))
        for index in range(PARTIES)
    ]
    records = b"".join(
        Principal(
            PrincipalType.ORGANISATION,
            key.public_key,
            prove_possession(key, ledger_id, principal),
            principal,
        ).encode(b"")
        for key, principal in zip(keys, principals, strict=True)
    )
    apply(kernel, sealed(ledger_id, operator, registration, records), PARTIES)
    unit_envelope = fresh_envelope_id()
    unit = UnitId(object_id(ledger_id, operator_id, unit_envelope, 0))
    record = encoded(Unit(symbol="TOK", exponent=0, issuer=principals[0]).encode)
    apply(kernel, sealed(ledger_id, operator, unit_envelope, record), 1)
    parties = []
    for key, principal in zip(keys, principals, strict=True):
        opening = fresh_envelope_id()
        account = AccountId(object_id(ledger_id, principal, opening, 0))
        record = encoded(Account(AccountOperation.OPEN, unit).encode)
        apply(kernel, sealed(ledger_id, key, opening, record), 1)
        parties.append(Party(key, principal, account))
    issues = b"".join(
        encoded(Issue(unit, party.account, Amount(1 << 60)).encode) for party in parties
    )
    apply(kernel, sealed(ledger_id, keys[0], fresh_envelope_id(), issues), PARTIES)
    return World(kernel, genesis, Traffic(ledger_id, unit, tuple(parties)))


def apply(kernel: Kernel, envelope: bytes, record_count: int) -> None:
    """Applies one envelope as a block of its own; it must succeed."""
    status = kernel.status()
    block = build_block(
        [envelope],
        timestamp_ns=max(time.time_ns(), status.min_next_timestamp_ns),
        first_sequence=status.next_sequence,
        rules_version=1,
        envelope_count=1,
        record_count=record_count,
    )
    applied = kernel.apply(block)
    if not applied.plain:
        message = f"the world was refused: {applied.results.hex()}"
        raise RuntimeError(message)
