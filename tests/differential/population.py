"""A small ledger to be mean to: its genesis, its first block, and how to choose from its state.

Everything is drawn from one seeded `random.Random`. Populations are small and caps low, so that
things collide: the same accounts, keys, holds, references and symbols come up again and again.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeVar

from tests.differential import raw, raw_grants

from tallystick_ledger.citations import Citation, Postings
from tallystick_ledger.genesis import Caps, Genesis, GenesisNode
from tallystick_ledger.ids import (
    EnvelopeId,
    LedgerId,
    PrincipalId,
    PublicKey,
    new_envelope_id,
    object_id,
    operator_principal,
)
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.spec import State
from tallystick_ledger.state_rows import AccountFlags, AccountRow, ChannelRow, HoldRow, KeyRow

SECOND_NS: Final = 1_000_000_000
START_NS: Final = 1_780_000_000 * SECOND_NS
MAX_U128: Final = (1 << 128) - 1
SYMBOLS: Final = tuple(text.ljust(16, b"\0") for text in (b"USD", b"TOK", b"EUR", b"X-1", b"A.B_C"))

Item = TypeVar("Item")


def is_plain(row: AccountRow) -> bool:
    """Whether money can move through an account, as far as its flags say."""
    return row.flags in (AccountFlags.NONE, AccountFlags.DEFERRED)


def random_genesis(rng: Random) -> Genesis:
    """A genesis with short windows and low caps."""
    keys = [SigningKey(rng.randbytes(32)).public_key for _ in range(5)]
    return Genesis(
        random_bytes=rng.randbytes(32),
        origin="test/differential",
        operators=keys[:2],
        operator_quorum=rng.randint(1, 2),
        nodes=[
            GenesisNode(raft_id, rng.randbytes(32), key, PublicKey(rng.randbytes(32)))
            for raft_id, key in zip((1, rng.randint(2, 65_535)), keys[2:4], strict=True)
        ],
        max_lifetime_ns=rng.choice((1, 5, 30)) * SECOND_NS,
        reference_window_ns=rng.choice((1, 3, 20)) * SECOND_NS,
        hold_max_lifetime_ns=rng.choice((1, 2, 10, 60)) * SECOND_NS,
        hold_retention_ns=rng.choice((0, 1, SECOND_NS, 5 * SECOND_NS, (1 << 64) - 1)),
        caps=Caps(
            live_ids=1,
            accounts=rng.choice((7, 10, 30)),
            open_holds=rng.choice((1, 3, 50)),
            keys=rng.choice((3, 6, 30)),
            names=rng.choice((5, 6, 20)),
            references=rng.choice((1, 3, 50)),
        ),
    )


@dataclass(slots=True)
class CardPlan:
    """A draft on its way: the lines that are still to be sent."""

    card: bytes
    lines: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Offer:
    """A quote that somebody has signed: its lines are (model, meter, price, tier)."""

    quote: bytes
    content: bytes
    beneficiary: bytes
    provider: bytes
    unit: bytes
    lines: list[tuple[bytes, bytes, int, bytes]]


@dataclass(frozen=True, slots=True)
class Bid:
    """An exchange quote that somebody has signed, with its signature, and what it is about."""

    quote: bytes
    maker: bytes
    taker: bytes
    gives: bytes
    taking: bytes
    takes: bytes
    ratio: tuple[int, int]
    cap: int


@dataclass(slots=True)
class World:
    """A ledger under test, seen through the specification's state.

    Attributes:
        rng: Where all chance comes from.
        state: The specification's; only read here.
        malice: 0 to 1, drawn for each envelope: how much of what could be odd is.
        sent: Envelopes of earlier blocks, to be sent again.
        fresh_accounts: (id, unit) made by records of the block being written, perhaps refused.
        fresh_holds: Ids of holds, likewise.
        fresh_channels: (id, payee account, key), likewise.
        card_plans: Drafts on their way, by owner.
        offers: Quotes that were made, redeemed or not.
        bids: Exchange quotes that were made, taken or not.
        postings: What all records have moved: whoever applies the blocks adds to it.
        busy: Principals that debts are about.
        signing_keys: All that were ever made, by public key: vouchers need real signatures.
    """

    rng: Random
    state: State
    malice: float = 1.0
    sent: list[raw.Envelope] = field(default_factory=list)
    fresh_accounts: list[tuple[bytes, bytes]] = field(default_factory=list)
    fresh_holds: list[bytes] = field(default_factory=list)
    fresh_channels: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)
    postings: Postings = field(default_factory=Postings)
    signing_keys: dict[bytes, SigningKey] = field(default_factory=dict)
    card_plans: dict[bytes, list[CardPlan]] = field(default_factory=dict)
    offers: list[Offer] = field(default_factory=list)
    bids: list[Bid] = field(default_factory=list)
    accounts: list[AccountRow] = field(default_factory=list)
    keys: list[KeyRow] = field(default_factory=list)
    holds: list[HoldRow] = field(default_factory=list)
    channels: list[ChannelRow] = field(default_factory=list)
    moved: list[Citation] = field(default_factory=list)
    by_owner: dict[bytes, list[AccountRow]] = field(default_factory=dict)
    rich: set[bytes] = field(default_factory=set)
    busy: set[bytes] = field(default_factory=set)

    @property
    def ledger_id(self) -> LedgerId:
        return self.state.ledger_id

    def look(self) -> None:
        """Takes stock of the state before a block is written."""
        self.accounts = list(self.state.accounts)
        self.keys = list(self.state.keys)
        self.holds = list(self.state.holds)
        self.channels = list(self.state.channels)
        self.moved = list(self.postings)
        self.by_owner = {}
        for row in self.accounts:
            self.by_owner.setdefault(row.owner, []).append(row)
        self.rich = {row.owner for row in self.accounts if row.available > 0 and is_plain(row)}
        self.busy = self._with_debts()
        self.fresh_accounts.clear()
        self.fresh_holds.clear()
        self.fresh_channels.clear()

    def _with_debts(self) -> set[bytes]:
        """Who can charge on debt, owes or is owed: rare, and so to be looked at closely."""
        state = self.state
        debts = {row.hold for row in state.terms if row.debt_limit}
        ids = {row.payee_account for row in self.holds if row.hold in debts and row.is_open}
        for row in state.claims:
            if row.is_open:
                ids |= {row.payer_account, row.payee_account}
        return {state.accounts[account].owner for account in ids}

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def odd(self, probability: float) -> bool:
        """Whether to do something that is likely to be refused."""
        return self.rng.random() < probability * self.malice

    def pick(self, items: list[Item] | tuple[Item, ...]) -> Item:
        return items[int(self.rng.random() * len(items))]

    def new_id(self) -> bytes:
        return self.rng.randbytes(16)

    def new_key(self) -> bytes:
        """The public half of a key that can sign."""
        key = SigningKey(self.rng.randbytes(32))
        self.signing_keys[key.public_key] = key
        return key.public_key

    def new_envelope_id(self, now_ns: int) -> EnvelopeId:
        return new_envelope_id(now_ns // 1_000_000, self.rng.randbytes(10))

    def derived(self, principal: bytes, envelope_id: bytes, index: int) -> bytes:
        return object_id(self.ledger_id, PrincipalId(principal), EnvelopeId(envelope_id), index)


def first_block(world: World) -> raw.Block:
    """Registers principals, units and accounts, and issues money: the ledger comes to life."""
    rng, ledger_id = world.rng, world.ledger_id
    now_ns = START_NS + rng.randrange(SECOND_NS)
    valid_until_ns = now_ns + SECOND_NS
    operator_key = world.state.genesis.operators[0]
    operator = operator_principal(ledger_id, 0)
    setup_id = world.new_envelope_id(now_ns)
    owners = [
        (world.derived(operator, setup_id, index), world.new_key())
        for index in range(rng.randint(3, 5))
    ]
    records = [raw.principal(principal, key) for principal, key in owners]
    units = []
    for symbol in SYMBOLS[:2]:
        units.append(world.derived(operator, setup_id, len(records)))
        records.append(raw.unit(world.pick(owners)[0], symbol, rng.randint(0, 18)))
    deferred = world.derived(operator, setup_id, len(records))
    exponent = records[-2][6]
    netted = raw.unit(
        world.pick(owners)[0], b"IOU", exponent, settlement=units[0], flags=raw.DEFERRED
    )
    records.append(netted)
    envelopes = [raw.Envelope(operator_key, setup_id, valid_until_ns, tuple(records))]
    accounts: list[tuple[bytes, bytes]] = []
    for principal, key in owners:
        envelope_id = world.new_envelope_id(now_ns)
        opened = [units[0], world.pick(units), world.pick(units)]
        accounts += [
            (world.derived(principal, envelope_id, index), unit)
            for index, unit in enumerate(opened)
        ]
        envelopes.append(
            raw.Envelope(key, envelope_id, valid_until_ns, tuple(map(raw.open_account, opened)))
        )
    for place, owner in enumerate(owners):
        envelopes.append(_member(world, owner, deferred, accounts[3 * place][0], now_ns))
    for principal, key in owners:
        record = raw.key(raw.ADD, world.new_key(), principal, scope=raw.CHANNEL_SCOPE)
        envelope_id = world.new_envelope_id(now_ns)
        spend = [raw.key(raw.ADD, world.new_key(), principal, scope=raw.SPEND) for _ in range(2)]
        late = raw.key(raw.ADD, world.new_key(), principal, scope=raw.RECOVERY)
        envelopes.append(raw.Envelope(key, envelope_id, valid_until_ns, (record, *spend, late)))
    named = _names(world, owners[0], now_ns)
    ids = [world.derived(owners[0][0], named.envelope_id, place) for place in range(5)]
    envelopes.append(named)
    for place, owner in enumerate(owners[:2]):
        envelopes.append(_card(world, owner, accounts[3 * place][1], ids, now_ns))
    for _, key in owners:
        amount = world.pick((1_000, 10**9, MAX_U128 // 16, MAX_U128 - 5))
        issues = [raw.issue(unit, account, amount) for account, unit in accounts]
        envelope_id = world.new_envelope_id(now_ns)
        envelopes.append(raw.Envelope(key, envelope_id, valid_until_ns, tuple(issues)))
    for place, owner in enumerate(owners):
        pools = accounts[3 * place : 3 * place + 3]
        envelopes.append(_grants(world, owner, pools, owners[place - 1][0], now_ns))
    return raw.Block(now_ns, tuple(envelopes))


def _grants(
    world: World,
    owner: tuple[bytes, bytes],
    pools: list[tuple[bytes, bytes]],
    grantee: bytes,
    now_ns: int,
) -> raw.Envelope:
    """A grant from each of three pools to a neighbour, for long; two of them pay in part."""
    records = tuple(
        raw_grants.grant(
            pool,
            grantee,
            world.pick((40, 400)),
            now_ns + world.pick((50, 500, 10**7)) * SECOND_NS,
            ratio=ratio,
            priority=world.rng.randrange(3),
        )
        for (pool, _), ratio in zip(pools, (500_000, 333_333, 1_000_000), strict=True)
    )
    envelope_id = world.new_envelope_id(now_ns)
    return raw.Envelope(owner[1], envelope_id, now_ns + SECOND_NS, records)


def _member(
    world: World, owner: tuple[bytes, bytes], unit: bytes, settlement: bytes, now_ns: int
) -> raw.Envelope:
    """An account in a deferred unit that joins at once."""
    principal, key = owner
    envelope_id = world.new_envelope_id(now_ns)
    account = world.derived(principal, envelope_id, 0)
    maximum = world.pick((10, 300, 10**6))
    records = (raw.open_account(unit), raw.join(account, settlement, maximum))
    return raw.Envelope(key, envelope_id, now_ns + SECOND_NS, records)


def _names(world: World, owner: tuple[bytes, bytes], now_ns: int) -> raw.Envelope:
    """A model, two meters, a tier and a region."""
    kinds = (
        raw.MODEL_NAME,
        raw.METER_NAME,
        raw.METER_NAME,
        raw.TIER_NAME,
        raw.REGION_NAME,
    )
    records = tuple(raw.name(b"first %d" % place, kind) for place, kind in enumerate(kinds))
    envelope_id = world.new_envelope_id(now_ns)
    return raw.Envelope(owner[1], envelope_id, now_ns + SECOND_NS, records)


def _card(
    world: World, owner: tuple[bytes, bytes], unit: bytes, names: list[bytes], now_ns: int
) -> raw.Envelope:
    """A published card of four lines, effective in about a minute."""
    principal, key = owner
    envelope_id = world.new_envelope_id(now_ns)
    card = world.derived(principal, envelope_id, 0)
    model, first, second, tier, region = names
    lines = (
        raw.price(card, model, first, 1_000_000),
        raw.price(card, model, first, 3_000_000, tier=tier, above=5),
        raw.price(card, model, second, 499_999, region=region),
        raw.price(card, model, second, 0, flags=raw.SAME_AS, same_as=first),
    )
    effective_from_ns = now_ns + 60 * SECOND_NS + 1_000
    head = raw.card(
        unit, effective_from_ns, len(lines), raw.lines_root(lines), sorted((first, second))
    )
    records = (head, *lines, raw.card_publish(card))
    return raw.Envelope(key, envelope_id, now_ns + SECOND_NS, records)
