"""The story of `execution.json`: one small ledger on which every kind and every code comes up.

All of it could be ordered by an honest node: signatures, proofs of possession, roots and the times
of the ids are right, also where the records are nonsense.
"""

from collections.abc import Callable
from typing import Final

from tests.differential import raw
from tests.vectors import (
    execution_channels,
    execution_corrections,
    execution_exchange,
    execution_grants,
    execution_limits,
    execution_netting,
    execution_prices,
    execution_recovery,
)
from tests.vectors.fixed import Json, digest, key

from tallystick_ledger import block
from tallystick_ledger.citations import Postings
from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import seal
from tallystick_ledger.genesis import Caps, Genesis, GenesisNode
from tallystick_ledger.ids import (
    EnvelopeId,
    LedgerId,
    PrincipalId,
    PublicKey,
    SequenceNumber,
    TimestampNs,
    new_envelope_id,
    object_id,
)
from tallystick_ledger.keys import SigningKey, prove_possession
from tallystick_ledger.spec import AppliedBlock, State, apply_block
from tallystick_ledger.spec import digest as state_digest

SECOND_NS: Final = 1_000_000_000
START_NS: Final = 1_767_225_600 * SECOND_NS  # 2026-01-01T00:00:00Z
STEP_NS: Final = SECOND_NS
MAX_U128: Final = (1 << 128) - 1
HALF: Final = MAX_U128 // 2

GENESIS: Final = Genesis(
    random_bytes=digest("execution"),
    origin="example.org/execution",
    operators=[key("execution operator").public_key],
    nodes=[
        GenesisNode(
            3,
            digest("execution transport"),
            key("execution node").public_key,
            key("execution cosigner").public_key,
        )
    ],
    max_lifetime_ns=60 * SECOND_NS,
    reference_window_ns=30 * SECOND_NS,
    hold_max_lifetime_ns=100 * SECOND_NS,
    hold_retention_ns=20 * SECOND_NS,
    caps=Caps(live_ids=1_000, accounts=7, open_holds=3, keys=5, names=2, references=3),
)


class Story:
    """Writes blocks, one after the other, and what the specification says about each."""

    def __init__(self) -> None:
        self.state = State.from_genesis(GENESIS)
        self.postings = Postings()
        self.now_ns = START_NS
        self.blocks: list[Json] = []
        self._count = 0

    @property
    def ledger_id(self) -> LedgerId:
        return self.state.ledger_id

    def new_id(self, made_ns: int | None = None) -> EnvelopeId:
        self._count += 1
        random_bytes = digest(f"envelope {self._count}")[:10]
        made_ms = (self.now_ns if made_ns is None else made_ns) // 1_000_000
        return new_envelope_id(made_ms, random_bytes)

    def derived(self, signer: PublicKey, envelope_id: EnvelopeId, index: int) -> bytes:
        principal = self.state.keys[signer].principal
        return object_id(self.ledger_id, principal, envelope_id, index)

    def envelope(
        self,
        signer: SigningKey,
        *records: bytes,
        atomic: bool = False,
        envelope_id: EnvelopeId | None = None,
        valid_until_ns: int | None = None,
    ) -> bytes:
        until_ns = self.now_ns + 30 * SECOND_NS if valid_until_ns is None else valid_until_ns
        return seal(
            signer,
            self.ledger_id,
            envelope_id or self.new_id(),
            TimestampNs(until_ns),
            b"".join(records),
            atomic=atomic,
        )

    def apply(self, note: str, *envelopes: bytes) -> AppliedBlock:
        """Applies a block of these envelopes and writes it down."""
        data = block.build(
            envelopes, TimestampNs(self.now_ns), SequenceNumber(self.state.next_sequence_number)
        )
        applied = apply_block(self.state, data, self.postings.of(data))
        self.postings.add(data, applied.results, applied.effects, applied.effect_counts)
        self.blocks.append({"note": note, **described(self.state, data, applied)})
        self.now_ns += STEP_NS
        return applied

    def send(
        self, note: str, signer: SigningKey, *records: bytes, atomic: bool = False
    ) -> list[bytes]:
        """Applies one envelope and returns the ids that its heads derive."""
        envelope_id = self.new_id()
        self.apply(note, self.envelope(signer, *records, atomic=atomic, envelope_id=envelope_id))
        ids, index = [], 0
        for record in records:
            ids.append(self.derived(signer.public_key, envelope_id, index))
            index += len(record) // raw.RECORD_BYTES
        return ids

    def key_record(
        self,
        operation: int,
        new: SigningKey,
        principal: bytes,
        *,
        scope: int = 0,
        until_ns: int = 0,
    ) -> bytes:
        """A KEY, with the proof that its operation needs."""
        proof = prove_possession(new, self.ledger_id, PrincipalId(principal))
        possession = bytes(64) if operation == raw.REVOKE else proof
        return raw.key(
            operation,
            new.public_key,
            principal,
            scope=scope,
            until_ns=until_ns,
            possession=possession,
        )


def described(state: State, data: bytes, applied: AppliedBlock) -> Json:
    """What a vector says about a block, after it was applied."""
    results = [result for item in applied.envelopes for result in item.outcome.results]
    effects = [effect for item in applied.envelopes for effect in item.outcome.effects]
    return {
        "data": data.hex(),
        "codes": [result.code.name for result in results],
        "results": [result.encode().hex() for result in results],
        "effect_counts": list(applied.effect_counts),
        "effects": [effect.encode().hex() for effect in effects],
        "leaf_hashes": [leaf_hash.hex() for leaf_hash in applied.leaf_hashes],
        "tree_size": state.log.size,
        "tree_root": state.log.root().hex(),
        "state_digest": state_digest(state).hex(),
    }


class Cast:
    """Who is in the story, and what they own."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.operator, self.node = key("execution operator"), key("execution node")
        self.bank_key, self.alice_key, self.bob_key = map(key, ("bank", "alice", "bob"))
        envelope_id = story.new_id()
        operator = self.operator.public_key
        self.bank, self.alice, self.bob = (
            story.derived(operator, envelope_id, index) for index in range(3)
        )
        self.usd, self.eur = (story.derived(operator, envelope_id, index) for index in (3, 4))
        records = [
            self.principal_record(principal, new)
            for principal, new in (
                (self.bank, self.bank_key),
                (self.alice, self.alice_key),
                (self.bob, self.bob_key),
            )
        ]
        records += [raw.unit(self.bank, symbol(b"USD"), 9), raw.unit(self.bank, symbol(b"EUR"), 2)]
        note = "an operator registers a bank, Alice and Bob, and two units of the bank"
        story.apply(note, story.envelope(self.operator, *records, envelope_id=envelope_id))
        opened = (raw.open_account(self.usd), raw.open_account(self.eur))
        self.alice_usd, self.alice_eur = story.send("Alice's accounts", self.alice_key, *opened)
        self.bank_usd = raw.ZERO_ID  # opened when it sells
        self.bob_usd, self.bob_eur = story.send("Bob's accounts", self.bob_key, *opened)
        story.send(
            "the bank issues",
            self.bank_key,
            raw.issue(self.usd, self.alice_usd, 1_000),
            raw.issue(self.usd, self.bob_usd, 1_000, 1, flags=raw.UNIQUE),
        )

    def principal_record(self, principal: bytes, new: SigningKey, kind: int = 1) -> bytes:
        proof = prove_possession(new, self.story.ledger_id, PrincipalId(principal))
        return raw.principal(principal, new.public_key, kind, proof)

    def pay(self, amount: int, reference: int = 0, *, flags: int = 0) -> bytes:
        return raw.transfer(self.alice_usd, self.bob_usd, amount, reference, flags=flags)

    def hold(self, maximum: int, seconds: int = 60) -> bytes:
        expires_at_ns = self.story.now_ns + seconds * SECOND_NS
        return raw.reserve(self.alice_usd, self.bob_usd, maximum, expires_at_ns)


def symbol(text: bytes) -> bytes:
    return text.ljust(16, b"\0")


def money(story: Story, cast: Cast) -> None:
    """TRANSFER and ISSUE: what they do and what they refuse."""
    stranger = b"\x5a" * 16
    story.send("transfers", cast.alice_key, cast.pay(100), cast.pay(1, 7, flags=raw.UNIQUE))
    story.send(
        "refused by their shape",
        cast.alice_key,
        raw.head(0x0777, 0, {}),
        cast.pay(1, flags=raw.FINAL),
        raw.patched(cast.pay(1), 72, b"\x01"),
        raw.patched(cast.pay(1), 111, b"\x01"),
        raw.with_conts(cast.pay(1), [b"not allowed here"]),
        cast.pay(1, 0, flags=raw.UNIQUE),
        cast.pay(0),
        raw.transfer(cast.alice_usd, cast.alice_usd, 1),
    )
    story.send(
        "refused by what there is",
        cast.alice_key,
        cast.pay(1, 7, flags=raw.UNIQUE),
        raw.transfer(stranger, cast.bob_usd, 1),
        raw.transfer(cast.bob_usd, cast.alice_usd, 1),
        raw.transfer(cast.alice_usd, stranger, 1),
        raw.transfer(cast.alice_usd, cast.usd, 1),
        raw.transfer(cast.alice_usd, cast.bob_eur, 1),
        cast.pay(10_000),
        raw.issue(cast.usd, cast.alice_usd, 1),
    )
    story.send(
        "every reference that the cap allows, and one more",
        cast.alice_key,
        *(cast.pay(1, reference, flags=raw.UNIQUE) for reference in (8, 9, 10)),
    )
    story.send(
        "the largest amounts",
        cast.bank_key,
        raw.issue(cast.eur, cast.alice_eur, MAX_U128),
        raw.issue(cast.eur, cast.bob_eur, 1),
        raw.issue(stranger, cast.bob_eur, 1),
    )
    story.send("away", cast.alice_key, raw.transfer(cast.alice_eur, cast.bob_eur, HALF))
    story.send(
        "and back: a column would leave 128 bits",
        cast.bob_key,
        raw.transfer(cast.bob_eur, cast.alice_eur, HALF),
    )


def issuers(story: Story, cast: Cast) -> None:
    """BURN and CREDIT_LIMIT: what a unit's issuer may do, and nobody else."""
    stranger = b"\x5a" * 16
    (till,) = story.send("a till", cast.bank_key, raw.open_account(cast.usd))
    story.send("filled", cast.bank_key, raw.issue(cast.usd, till, 50))
    story.send(
        "the bank burns what is its own",
        cast.bank_key,
        raw.burn(cast.usd, till, 20),
        raw.burn(cast.usd, till, 31),
        raw.burn(cast.usd, cast.alice_usd, 1),
        raw.burn(cast.eur, till, 1),
    )
    story.send("nobody else does", cast.alice_key, raw.burn(cast.usd, cast.alice_usd, 1))
    story.send(
        "credit, up to a limit",
        cast.bank_key,
        raw.credit_limit(cast.usd, till, 100),
        raw.credit_limit(stranger, till, 100),
        raw.credit_limit(cast.usd, stranger, 100),
        raw.credit_limit(cast.usd, cast.bob_eur, 100),
        raw.credit_limit(cast.usd, cast.usd, 100),
        raw.credit_limit(cast.eur, cast.alice_eur, MAX_U128),
    )
    story.send(
        "the limit is never below its use",
        cast.bank_key,
        raw.transfer(till, cast.alice_usd, 90),
        raw.credit_limit(cast.usd, till, 59),
        raw.credit_limit(cast.usd, till, 60),
    )


def holds(story: Story, cast: Cast) -> None:
    """RESERVE, CAPTURE, RELEASE and expiry."""
    first, second, third, *_ = story.send(
        "holds", cast.alice_key, cast.hold(300), cast.hold(200), cast.hold(100, 10), cast.hold(1)
    )
    story.send(
        "too much, too much for now, too soon, too far, a mode that is not known",
        cast.alice_key,
        raw.patched(cast.hold(1), 72, raw.u64(story.now_ns + SECOND_NS - 1)),
        cast.hold(1, 101),
        raw.patched(cast.hold(1), 6, raw.u16(1)),
        cast.pay(600),
        cast.pay(900),
    )
    story.send(
        "captures are cumulative",
        cast.bob_key,
        raw.capture(first, 100),
        raw.capture(first, 250),
        raw.capture(first, 250),
        raw.capture(first, 249),
        raw.capture(first, 301),
        raw.capture(first, 0),
        raw.capture(first, 250, source=4),
        raw.capture(first, 260, flags=raw.FINAL, source=2, occurred_at_ns=story.now_ns),
        raw.capture(first, 260),
        raw.capture(first, 270),
        raw.capture(b"\x5a" * 16, 1),
    )
    story.send("the payer cannot end it", cast.alice_key, raw.release(second))
    story.send("strangers see nothing", cast.bank_key, raw.release(second))
    story.send("the payee can, once", cast.bob_key, raw.release(second), raw.release(second))
    expires_at_ns = story.state.holds[third].expires_at_ns  # type: ignore[index]
    story.now_ns = expires_at_ns - 1
    note = "a capture in the last nanosecond, and one in the first that is too late"
    story.send(note, cast.bob_key, raw.capture(third, 40), raw.capture(third, 41))
    fourth, fifth = story.send("two more holds", cast.alice_key, cast.hold(50, 5), cast.hold(5, 5))
    story.send("one of them fully captured", cast.bob_key, raw.capture(fifth, 5))
    story.now_ns += 20 * SECOND_NS
    note = "a sweep at the start of an envelope: two holds by (expiry, id), one with a rest of 0"
    story.send(note, cast.node, raw.tick(), raw.tick())
    story.now_ns += 21 * SECOND_NS
    story.send("ended holds are forgotten", cast.bob_key, raw.release(fourth))


def registry(story: Story, cast: Cast) -> None:
    """PRINCIPAL, KEY, NAME, ACCOUNT and UNIT."""
    story.send(
        "an operator's refusals",
        cast.operator,
        cast.principal_record(cast.alice, key("carol")),
        cast.principal_record(cast.alice, key("carol"), 4),
        raw.unit(cast.bank, symbol(b"USD")),
        raw.unit(b"\x5a" * 16, symbol(b"NEW")),
        raw.unit(cast.bank, symbol(b"new")),
        cast.pay(1),
    )
    envelope_id = story.new_id()
    principal = story.derived(cast.operator.public_key, envelope_id, 0)
    taken = cast.principal_record(principal, cast.bob_key)
    story.apply(
        "a key belongs to one principal for ever",
        story.envelope(cast.operator, taken, envelope_id=envelope_id),
    )
    story.send(
        "names",
        cast.alice_key,
        raw.name("modèle-1".encode()),
        raw.name(b"n" * 200, 7),
        raw.name("modèle-1".encode()),
        raw.name(b"one too many"),
        raw.name(b"\xed\xa0\x80 is no UTF-8"),
        raw.name(b"too short", 1, 70),
    )
    spare, *_ = story.send("an account to spare", cast.alice_key, raw.open_account(cast.usd))
    story.send(
        "freeze, pay, unfreeze, close",
        cast.alice_key,
        raw.account(raw.FREEZE, account_id=spare),
        raw.account(raw.FREEZE, account_id=spare),
        raw.transfer(cast.alice_usd, spare, 1),
        raw.account(raw.UNFREEZE, account_id=spare),
        raw.account(raw.CLOSE, account_id=spare),
        raw.transfer(cast.alice_usd, spare, 1),
        raw.account(raw.CLOSE, account_id=cast.alice_usd),
        raw.account(raw.CLOSE, account_id=cast.bob_usd),
        raw.open_account(b"\x5a" * 16),
    )
    story.send(
        "the issuance account is not its owner's to change",
        cast.bank_key,
        raw.account(raw.FREEZE, account_id=cast.usd),
    )
    keys(story, cast)


def keys(story: Story, cast: Cast) -> None:
    """KEY: add, revoke and rotate."""
    spend, meter, late = map(key, ("alice spends", "alice meters", "alice, for a while"))
    until_ns = story.now_ns + 20 * SECOND_NS
    story.send(
        "keys are added, up to the cap",
        cast.alice_key,
        story.key_record(raw.ADD, spend, cast.alice, scope=raw.SPEND),
        story.key_record(raw.ADD, meter, cast.alice, scope=raw.METER_SCOPE),
        story.key_record(raw.ADD, late, cast.alice, scope=raw.SPEND, until_ns=until_ns),
        story.key_record(raw.ADD, late, cast.alice, scope=raw.SPEND),
        story.key_record(raw.ADD, key("x"), cast.alice, scope=raw.SPEND, until_ns=1),
        story.key_record(raw.ADD, key("x"), cast.bob, scope=raw.SPEND),
    )
    story.send("a METER key cannot pay", meter, cast.pay(1))
    new = key("alice spends, rotated")
    story.send(
        "rotation at once: the new key signs on",
        spend,
        cast.pay(1),
        story.key_record(raw.ROTATE, new, cast.alice),
        cast.pay(1),
    )
    story.send("with the new key", new, cast.pay(1))
    story.send(
        "one more key than the cap, and revocations that fail",
        cast.alice_key,
        story.key_record(raw.ADD, key("x"), cast.alice, scope=raw.SPEND),
        story.key_record(raw.REVOKE, key("x"), cast.alice),
        story.key_record(raw.REVOKE, spend, cast.alice),
        story.key_record(raw.REVOKE, cast.alice_key, cast.alice),
        story.key_record(raw.REVOKE, meter, cast.alice),
    )
    story.now_ns = max(story.now_ns, until_ns - 1)
    story.send("a key in its last nanosecond", late, cast.pay(1), cast.pay(1))


def envelopes(story: Story, cast: Cast) -> None:
    """ATOMIC, and what section 2 of the page refuses."""
    story.send(
        "all together", cast.bob_key, raw.name(b"b"), raw.open_account(cast.usd), atomic=True
    )
    opened = raw.open_account(cast.usd)
    parts = (opened, raw.name(b"c" * 90), raw.transfer(cast.bob_usd, cast.alice_usd, 9_999))
    story.send("all or none", cast.bob_key, *parts, opened, atomic=True)
    sent = story.envelope(cast.alice_key, cast.pay(2))
    envelope_id = EnvelopeId(sent[80:96])
    story.apply("an envelope twice in one block", sent, sent)
    other = story.envelope(cast.alice_key, cast.pay(3), envelope_id=envelope_id)
    story.apply("and another under its id", other, sent)
    made_ns = story.now_ns - SECOND_NS
    late_id = story.new_id(made_ns)
    late = story.envelope(
        cast.alice_key, cast.pay(2), envelope_id=late_id, valid_until_ns=story.now_ns - 1
    )
    story.apply("one that had expired", late, late)
    story.apply("one by nobody", story.envelope(key("nobody"), raw.tick()))
    story.now_ns += 70 * SECOND_NS
    story.apply(
        "an old one: its id is forgotten, its time is over",
        sent,
        story.envelope(cast.node, raw.tick()),
    )


CHAPTERS: Final[tuple[Callable[[Story, Cast], None], ...]] = (
    money,
    issuers,
    holds,
    registry,
    envelopes,
    execution_channels.extensions,
    execution_channels.scopes,
    execution_channels.channels,
    execution_channels.signatures,
    execution_prices.cards,
    execution_limits.limits,
    execution_corrections.corrections,
    execution_grants.grants,
    execution_netting.netting,
    execution_recovery.recovery,
    execution_exchange.exchange,
)


def render() -> Json:
    """Returns the content of the file."""
    story = Story()
    cast = Cast(story)
    for chapter in CHAPTERS:
        chapter(story, cast)
    return {
        "section": "semantics",
        "genesis": GENESIS.encode().hex(),
        "ledger_id": GENESIS.ledger_id.hex(),
        "signatures": "valid",
        "blocks": story.blocks,
    }


def uncovered(content: Json) -> set[str]:
    """Names of result codes that no block of the story gives."""
    given = {code for item in content["blocks"] for code in item["codes"]}
    return {code.name for code in Code if not code.is_refusal} - given
