"""Small signed traffic for campaigns: a few principals that pay each other.

`setup_traffic` registers them on a running cluster; `Traffic.envelope` then makes one envelope of
one transfer at a time. Choices come from the generator that is passed in; ids and nonces are random
bytes of the system, because they must never repeat.
"""

import os
import random
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import grpc

from tallystick.keyfile import Signer
from tallystick_cluster.errors import ClusterError
from tallystick_cluster.layout import ClusterLayout
from tallystick_cluster.manage import node_states
from tallystick_ledger.bulk import transfers
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import seal
from tallystick_ledger.genesis import Genesis
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
from tallystick_ledger.limits import ID_RANDOM_BYTES, MAX_RECORDS, NONCE_BYTES
from tallystick_ledger.records import (
    Account,
    AccountOperation,
    Issue,
    Principal,
    PrincipalType,
    Transfer,
    Unit,
)
from tallystick_proto import wire

PARTIES: Final = 8
FUNDS: Final = 1 << 60
MAX_TRANSFER: Final = 1_000
LIFETIME_NS: Final = 300_000_000_000
SETUP_TIMEOUT_S: Final = 30.0
OUTCOME_BYTES: Final = 32
# The signer's public key in an envelope's header.
SIGNER: Final = slice(48, 80)


@dataclass(frozen=True, slots=True)
class Party:
    """A principal with one key and one account."""

    key: SigningKey
    principal: PrincipalId
    account: AccountId


@dataclass(frozen=True, slots=True)
class Traffic:
    """Who pays whom on one ledger."""

    ledger_id: LedgerId
    unit: UnitId
    parties: tuple[Party, ...]

    def party_of(self, key: bytes) -> Party:
        """Whose public key this is."""
        return next(party for party in self.parties if party.key.public_key == key)

    def signer_of(self, envelope: bytes) -> Signer:
        """Who signed this envelope."""
        party = self.party_of(envelope[SIGNER])
        return Signer(party.key, party.principal)

    def envelope(self, generator: random.Random) -> bytes:
        """One signed transfer between two parties."""
        payer, payee = generator.sample(self.parties, 2)
        amount = Amount(generator.randint(1, MAX_TRANSFER))
        record = Transfer(payer.account, payee.account, amount).encode(os.urandom(NONCE_BYTES))
        return sealed(self.ledger_id, payer.key, fresh_envelope_id(), record)

    def bulk_envelope(self, generator: random.Random) -> bytes:
        """One signed envelope of 1 MiB: as many transfers from one party to another as fit."""
        payer, payee = generator.sample(self.parties, 2)
        amounts = array("Q", generator.choices(range(1, MAX_TRANSFER), k=MAX_RECORDS))
        records = transfers(
            payer.account * MAX_RECORDS,
            payee.account * MAX_RECORDS,
            amounts,
            os.urandom(NONCE_BYTES * MAX_RECORDS),
        )
        return sealed(self.ledger_id, payer.key, fresh_envelope_id(), records)


def fresh_envelope_id() -> EnvelopeId:
    """An id made now."""
    return new_envelope_id(time.time_ns() // 1_000_000, os.urandom(ID_RANDOM_BYTES))


def sealed(ledger_id: LedgerId, key: SigningKey, envelope_id: EnvelopeId, records: bytes) -> bytes:
    """A signed envelope that is valid for some minutes."""
    valid_until_ns = TimestampNs(time.time_ns() + LIFETIME_NS)
    return seal(key, ledger_id, envelope_id, valid_until_ns, records)


def setup_traffic(layout: ClusterLayout) -> Traffic:
    """Registers parties, a unit, accounts and money on a running cluster.

    Raises:
        ClusterError: Something was refused, or nobody leads.
    """
    ledger_id = Genesis.decode(layout.genesis).ledger_id
    operator = layout.operator_key
    operator_id = operator_principal(ledger_id, 0)
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
    submit_all(layout, [sealed(ledger_id, operator, registration, records)])
    unit_envelope = fresh_envelope_id()
    unit = UnitId(object_id(ledger_id, operator_id, unit_envelope, 0))
    # Symbols are taken once for all; traffic may be set up more than once on a ledger.
    symbol = f"T{os.urandom(4).hex().upper()}"
    unit_record = Unit(symbol=symbol, exponent=0, issuer=principals[0])
    submit_all(layout, [sealed(ledger_id, operator, unit_envelope, encoded(unit_record.encode))])
    parties, openings = [], []
    for key, principal in zip(keys, principals, strict=True):
        opening = fresh_envelope_id()
        account = AccountId(object_id(ledger_id, principal, opening, 0))
        parties.append(Party(key, principal, account))
        open_record = Account(AccountOperation.OPEN, unit)
        openings.append(sealed(ledger_id, key, opening, encoded(open_record.encode)))
    submit_all(layout, openings)
    issues = b"".join(
        encoded(Issue(unit, party.account, Amount(FUNDS)).encode) for party in parties
    )
    submit_all(layout, [sealed(ledger_id, keys[0], fresh_envelope_id(), issues)])
    return Traffic(ledger_id, unit, tuple(parties))


def encoded(encode: Callable[[bytes], bytes]) -> bytes:
    """A record's bytes under a fresh nonce."""
    return encode(os.urandom(NONCE_BYTES))


def submit_all(layout: ClusterLayout, envelopes: list[bytes]) -> None:
    """Submits one message to the leader and insists on plain success.

    Raises:
        ClusterError: Something was refused, or nobody leads.
    """
    leading = [
        state.address
        for state in node_states(layout)
        if state.status is not None and state.status.role == "leader"
    ]
    if not leading:
        message = "nobody leads"
        raise ClusterError(message)
    credentials = grpc.ssl_channel_credentials(layout.ca_pem)
    with grpc.secure_channel(leading[0], credentials) as channel:
        submit = channel.unary_unary(
            wire.SUBMIT_METHOD,
            request_serializer=wire.encode_submit_request,
            response_deserializer=wire.decode_submit_response,
        )
        answer: wire.SubmitResponse = submit(b"".join(envelopes), timeout=SETUP_TIMEOUT_S)
    codes = {
        Code(int.from_bytes(answer.outcomes[at : at + 2], "little"))
        for at in range(0, len(answer.outcomes), OUTCOME_BYTES)
    }
    if codes != {Code.OK} or answer.results:
        names = ", ".join(sorted(code.name for code in codes))
        message = f"set-up was refused: {names}, results {answer.results.hex()}"
        raise ClusterError(message)
