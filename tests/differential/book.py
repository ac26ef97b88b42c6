"""A ledger to write scenarios on: one envelope a block, one line a step, on either engine.

book = Book(engine)                      # a bank that issues, two people with accounts
book.ok(book.alice.key, raw.transfer(book.alice.account, book.bob.account, 5))
assert book.codes(...) == [Code.FUNDS_HELD]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from tests.differential import raw, raw_exchange, raw_grants, raw_quotes
from tests.differential.engines import Engine, Outcome

from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Caps, Genesis, GenesisNode
from tallystick_ledger.ids import (
    AccountId,
    ChannelId,
    EnvelopeId,
    PrincipalId,
    PublicKey,
    UnitId,
    new_envelope_id,
    node_principal,
    object_id,
    operator_principal,
)
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.netting import net_positions, positions_hash
from tallystick_ledger.results import Effect, Result, decode_effects
from tallystick_ledger.state_rows import AccountRow, ChannelRow, HoldRow
from tallystick_ledger.vouchers import sign_voucher

SECOND_NS: Final = 1_000_000_000
START_NS: Final = 1_790_000_000 * SECOND_NS
STEP_NS: Final = 1_000_000
MAX_U128: Final = (1 << 128) - 1
START_AMOUNT: Final = 1_000

MakeEngine = Callable[[bytes], Engine]


def genesis_for_tests(
    caps: Caps | None = None,
    *,
    max_lifetime_ns: int = 60 * SECOND_NS,
    reference_window_ns: int = 100 * SECOND_NS,
    hold_max_lifetime_ns: int = 1_000 * SECOND_NS,
    hold_retention_ns: int = 50 * SECOND_NS,
) -> Genesis:
    keys = [SigningKey(bytes([number]) * 32).public_key for number in range(1, 5)]
    return Genesis(
        random_bytes=b"r" * 32,
        origin="test/book",
        operators=keys[:1],
        nodes=[GenesisNode(7, b"t" * 32, keys[1], keys[2])],
        max_lifetime_ns=max_lifetime_ns,
        reference_window_ns=reference_window_ns,
        hold_max_lifetime_ns=hold_max_lifetime_ns,
        hold_retention_ns=hold_retention_ns,
        caps=caps or Caps(),
    )


@dataclass(frozen=True, slots=True)
class Person:
    """A principal, its OWNER key, and an account in the first unit (none for the bank)."""

    principal: bytes
    key: bytes
    account: bytes = raw.ZERO_ID


@dataclass(frozen=True, slots=True)
class Member:
    """Who takes part in netting: an account in the deferred unit, and one that settles."""

    person: Person
    account: bytes
    settlement: bytes

    @property
    def key(self) -> bytes:
        return self.person.key


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one envelope.

    Attributes:
        envelope: As sent.
        first_sequence: Sequence number of its first record.
        timestamp_ns: Of its first record.
        outcome: All that the engine said.
        results: One a record, CONTs included.
        codes: One a head.
        ids: The id that each head derives.
    """

    envelope: raw.Envelope
    first_sequence: int
    timestamp_ns: int
    outcome: Outcome
    results: list[Result]
    codes: list[Code]
    ids: list[bytes]

    @property
    def effects(self) -> list[Effect]:
        return decode_effects(self.outcome.effects)


class Book:
    """A ledger with a bank that issues USD, and Alice and Bob with 1,000 each."""

    def __init__(self, make_engine: MakeEngine, genesis: Genesis | None = None) -> None:
        self.genesis = genesis or genesis_for_tests()
        self.engine = make_engine(self.genesis.encode())
        self.now_ns = START_NS
        self.next_sequence = 1
        self._numbers = count(1)
        self._principals: dict[bytes, bytes] = {}
        ledger_id = self.genesis.ledger_id
        self.operator = Person(operator_principal(ledger_id, 0), self.genesis.operators[0])
        node = self.genesis.nodes[0]
        self.node = Person(node_principal(ledger_id, node.raft_id), node.ledger_key)
        for person in (self.operator, self.node):
            self._principals[person.key] = person.principal
        self.bank = self.register()
        self.usd = self.unit(b"USD")
        self.alice = self.customer()
        self.bob = self.customer()

    # What a test builds on.

    def fresh_key(self) -> bytes:
        return b"key".ljust(24, b".") + next(self._numbers).to_bytes(8, "big")

    def register(self) -> Person:
        key, envelope_id = self.fresh_key(), self.new_id()
        principal = self.derived(self.operator.principal, envelope_id, 0)
        record = raw.principal(principal, key)
        self.ok(self.operator.key, record, envelope_id=envelope_id)
        self._principals[key] = principal
        return Person(principal, key)

    def unit(self, symbol: bytes) -> bytes:
        record = raw.unit(self.bank.principal, symbol.ljust(16, b"\0"))
        return self.ok(self.operator.key, record).ids[0]

    def deferred_unit(self, symbol: bytes = b"IOU", settlement: bytes | None = None) -> bytes:
        """A unit of obligations, which the bank nets and USD settles."""
        record = raw.unit(
            self.bank.principal,
            symbol.ljust(16, b"\0"),
            settlement=settlement or self.usd,
            flags=raw.DEFERRED,
        )
        return self.ok(self.operator.key, record).ids[0]

    def member(self, person: Person, unit: bytes, maximum: int, money: int = 0) -> Member:
        """A new member of a deferred unit, with some money to settle with."""
        account, settlement = self.account(person, unit), self.account(person)
        if money:
            self.issue(settlement, money)
        self.ok(person.key, raw.join(account, settlement, maximum))
        return Member(person, account, settlement)

    def settle(self, unit: bytes, window: int, pairs: Sequence[tuple[bytes, bytes, int]]) -> bytes:
        """A SETTLE of a window with these debts: debtor, creditor, amount."""
        named = [
            (AccountId(debtor), AccountId(creditor), amount) for debtor, creditor, amount in pairs
        ]
        expected = net_positions(named)
        ledger_id = self.genesis.ledger_id
        return raw.settle(unit, window, positions_hash(ledger_id, UnitId(unit), window, expected))

    def account(self, person: Person, unit: bytes | None = None) -> bytes:
        return self.ok(person.key, raw.open_account(unit or self.usd)).ids[0]

    def customer(self, amount: int = START_AMOUNT) -> Person:
        person = self.register()
        account = self.account(person)
        if amount:
            self.issue(account, amount)
        return Person(person.principal, person.key, account)

    def issue(self, account: bytes, amount: int, unit: bytes | None = None) -> None:
        self.ok(self.bank.key, raw.issue(unit or self.usd, account, amount))

    def add_key(self, person: Person, scope: int, until_ns: int = 0) -> bytes:
        key = self.fresh_key()
        record = raw.key(raw.ADD, key, person.principal, scope=scope, until_ns=until_ns)
        self.ok(person.key, record)
        self._principals[key] = person.principal
        return key

    def audit_key(self) -> bytes:
        """A key with scope AUDIT, added by the operator."""
        return self.add_key(self.operator, raw.AUDIT)

    def rotate_key(self, key: bytes, until_ns: int = 0) -> bytes:
        new, principal = self.fresh_key(), self._principals[key]
        self.ok(key, raw.key(raw.ROTATE, new, principal, until_ns=until_ns))
        self._principals[new] = principal
        return new

    def revoke_key(self, person: Person, key: bytes) -> None:
        self.ok(person.key, raw.key(raw.REVOKE, key, person.principal))

    def reserve(
        self, payer: Person, payee: Person, maximum: int, lifetime_ns: int = 100 * SECOND_NS
    ) -> bytes:
        expires_at_ns = self.now_ns + lifetime_ns
        record = raw.reserve(payer.account, payee.account, maximum, expires_at_ns)
        return self.ok(payer.key, record).ids[0]

    def grant(
        self,
        sponsor: Person,
        grantee: Person,
        amount: int,
        *,
        lifetime_ns: int = 500 * SECOND_NS,
        **terms: int | bytes,
    ) -> bytes:
        """A grant from the sponsor's account; `terms` as those of `raw_grants.grant`."""
        until_ns, given = self.now_ns + lifetime_ns, (grantee.principal, amount)
        pool = sponsor.account
        record = raw_grants.grant(pool, *given, until_ns, **terms)  # type: ignore[arg-type]
        return self.ok(sponsor.key, record).ids[0]

    def id_list(self, owner: Person, *ids: bytes) -> bytes:
        return self.ok(owner.key, raw_grants.id_list(sorted(ids))).ids[0]

    def channel_key(self, person: Person, until_ns: int = 0) -> SigningKey:
        """A key of the person with scope CHANNEL, which can really sign."""
        return self.signing_key(person, raw.CHANNEL_SCOPE, until_ns)

    def signing_key(self, person: Person, scope: int, until_ns: int = 0) -> SigningKey:
        """A key of the person which can really sign."""
        key = SigningKey(self.fresh_key())
        record = raw.key(raw.ADD, key.public_key, person.principal, scope=scope, until_ns=until_ns)
        self.ok(person.key, record)
        self._principals[key.public_key] = person.principal
        return key

    def price_key(self, person: Person) -> SigningKey:
        """A key of the person with scope PRICE, which can really sign."""
        return self.signing_key(person, raw.PRICE_SCOPE)

    def quote(self, key: SigningKey, body: bytes) -> bytes:
        """The content of a quote with a good signature."""
        prefix = b"tallystick/quote/v1\0"
        return raw_quotes.quote(body, key.sign(prefix + self.genesis.ledger_id + body))

    def exchange_quote(self, key: SigningKey, body: bytes) -> bytes:
        """An exchange quote with a good signature."""
        return body + key.sign(raw_exchange.DOMAIN + self.genesis.ledger_id + body)

    def channel(
        self,
        payer: Person,
        payee: Person,
        deposit: int,
        key: SigningKey,
        challenge_ns: int = 10 * SECOND_NS,
    ) -> bytes:
        record = raw.channel(payer.account, payee.account, deposit, key.public_key, challenge_ns)
        return self.ok(payer.key, record).ids[0]

    def voucher(
        self, key: SigningKey, channel: bytes, cumulative: int, commitment: bytes = b"c" * 24
    ) -> bytes:
        """A VOUCHER with a good signature."""
        signature = sign_voucher(
            key, self.genesis.ledger_id, ChannelId(channel), cumulative, commitment
        )
        return raw.voucher(channel, cumulative, commitment, signature)

    # What a test looks at.

    def row(self, account: bytes) -> AccountRow:
        row = self.engine.account(account)
        assert row is not None
        return row

    def hold(self, hold: bytes) -> HoldRow:
        row = self.engine.hold(hold)
        assert row is not None
        return row

    def channel_row(self, channel: bytes) -> ChannelRow:
        row = self.engine.channel(channel)
        assert row is not None
        return row

    def available(self, person: Person) -> int:
        return self.row(person.account).available

    # Sending.

    def new_id(self) -> bytes:
        return new_envelope_id(self.now_ns // STEP_NS, next(self._numbers).to_bytes(10, "big"))

    def derived(self, principal: bytes, envelope_id: bytes, index: int) -> bytes:
        ledger_id = self.genesis.ledger_id
        return object_id(ledger_id, PrincipalId(principal), EnvelopeId(envelope_id), index)

    def principal_of(self, key: bytes) -> bytes:
        return self._principals.get(key, raw.ZERO_ID)

    def owns(self, key: bytes, principal: bytes) -> None:
        """Tells the book about a key that a test registered by itself."""
        self._principals[PublicKey(key)] = principal

    def envelope(
        self,
        key: bytes,
        *records: bytes,
        atomic: bool = False,
        envelope_id: bytes | None = None,
        valid_until_ns: int | None = None,
    ) -> raw.Envelope:
        return raw.Envelope(
            signing_key=key,
            envelope_id=envelope_id or self.new_id(),
            valid_until_ns=valid_until_ns or self.now_ns + 30 * SECOND_NS,
            records=records,
            atomic=atomic,
        )

    def apply(self, *envelopes: raw.Envelope, at_ns: int | None = None) -> list[Receipt]:
        """Applies one block of these envelopes, now or at a given time."""
        timestamp_ns = self.now_ns if at_ns is None else at_ns
        block = raw.Block(timestamp_ns, envelopes)
        data = block.encode(self.genesis.ledger_id, self.next_sequence)
        outcome = self.engine.apply(data)
        receipts = []
        records_before = effects_before = 0
        for place, envelope in enumerate(envelopes):
            records_after = records_before + envelope.record_count
            effects_after = effects_before + outcome.effect_counts[place]
            part = Outcome(
                results=outcome.results[16 * records_before : 16 * records_after],
                effects=outcome.effects[128 * effects_before : 128 * effects_after],
                effect_counts=outcome.effect_counts[place : place + 1],
                leaf_hashes=outcome.leaf_hashes[place : place + 1],
                envelope_codes=outcome.envelope_codes[place : place + 1],
                originals=outcome.originals[place : place + 1],
            )
            receipts.append(self._receipt(envelope, part, timestamp_ns, records_before))
            records_before, effects_before = records_after, effects_after
        self.next_sequence += block.record_count
        self.now_ns = max(self.now_ns, timestamp_ns) + block.record_count + STEP_NS
        return receipts

    def send(
        self,
        key: bytes,
        *records: bytes,
        atomic: bool = False,
        at_ns: int | None = None,
        envelope_id: bytes | None = None,
    ) -> Receipt:
        """Applies one envelope, as a block of its own."""
        if at_ns is not None:
            self.now_ns = at_ns
        envelope = self.envelope(key, *records, atomic=atomic, envelope_id=envelope_id)
        return self.apply(envelope)[0]

    def codes(self, key: bytes, *records: bytes, at_ns: int | None = None) -> list[Code]:
        return self.send(key, *records, at_ns=at_ns).codes

    def ok(self, key: bytes, *records: bytes, envelope_id: bytes | None = None) -> Receipt:
        receipt = self.send(key, *records, envelope_id=envelope_id)
        assert set(receipt.codes) == {Code.OK}, receipt.codes
        return receipt

    def _receipt(
        self, envelope: raw.Envelope, outcome: Outcome, timestamp_ns: int, records_before: int
    ) -> Receipt:
        results = [
            Result.decode(outcome.results[at : at + 16])
            for at in range(0, len(outcome.results), 16)
        ]
        places = [envelope.index_of(position) for position in range(len(envelope.records))]
        principal = self.principal_of(envelope.signing_key)
        return Receipt(
            envelope=envelope,
            first_sequence=self.next_sequence + records_before,
            timestamp_ns=timestamp_ns + records_before,
            outcome=outcome,
            results=results,
            codes=[results[place].code for place in places],
            ids=[self.derived(principal, envelope.envelope_id, place) for place in places],
        )
