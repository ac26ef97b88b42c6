"""Who may read what, under Hypothesis: keys come, are rotated, revoked, run out; tokens are spoilt.

The services, the gate and the kernel are the real ones; the network and the log on disk are not
there. `expected` is docs/security.md in some forty lines, and each answer must be what it says: the
status of the call, or for each object whether it is shown. What is not shown must answer byte for
byte as an object that does not exist.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NoReturn, cast

import grpc
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests import stateful
from tests.differential import raw
from tests.differential.book import SECOND_NS, START_NS, Book
from tests.differential.engines import KernelEngine

from tallystick_ledger.codes import Code
from tallystick_ledger.ids import LedgerId, PublicKey, TimestampNs, new_envelope_id
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.read_token import METADATA_KEY, ReadToken, sign
from tallystick_ledger.records import Scope
from tallystick_node import access
from tallystick_node.history_reads import HistoryReads, Page
from tallystick_node.reads import FoundEnvelope, Reads
from tallystick_node.services import gate as gates
from tallystick_node.services.gate import Gate
from tallystick_node.services.history import HistoryService
from tallystick_node.services.ledger import LedgerService
from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2 as pb

PATH: Final = f"/{wire.SERVICE}/"
NOBODY: Final = b"\xab" * 16
SEQUENCE: Final = 7  # of alice's payment
MAX_LIFETIME_NS: Final = 60 * SECOND_NS
METHODS: Final = ("GetAccounts", "GetHolds", "GetEnvelope", "ListRecords", "GetStatus")
UNAUTHENTICATED: Final = grpc.StatusCode.UNAUTHENTICATED
DENIED: Final = grpc.StatusCode.PERMISSION_DENIED
SEES_ACCOUNTS: Final = {Scope.OWNER, Scope.SPEND, Scope.METER, Scope.READ, Scope.AUDIT}
SEES_ENVELOPES: Final = SEES_ACCOUNTS | {Scope.OPERATE, Scope.NODE}
PARTY_SCOPES: Final = (Scope.OWNER, Scope.SPEND, Scope.METER, Scope.READ, Scope.CHANNEL)


@dataclass(slots=True)
class ModelKey:
    """A key as far as reads are concerned; `scope` None: it was never registered."""

    signing: SigningKey
    principal: bytes = b""
    scope: Scope | None = None
    until_ns: int = 0
    is_revoked: bool = False

    def is_good(self, now_ns: int) -> bool:
        return (
            self.scope is not None
            and not self.is_revoked
            and (not self.until_ns or now_ns < self.until_ns)
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A read: what is asked for, and whose each thing is (for an absent one nobody's)."""

    method: str
    request: bytes
    owners: tuple[frozenset[bytes], ...] = ()
    named: bytes | None = None  # principal that the request names
    never: bool = False  # what is not shown is known never to come


Answer = grpc.StatusCode | list[Any]


class Refused(Exception):  # noqa: N818 - what happened
    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler asks of its call."""

    tokens: tuple[bytes, ...]

    def invocation_metadata(self) -> list[tuple[str, bytes]]:
        return [(METADATA_KEY, token) for token in self.tokens]

    async def abort(self, code: grpc.StatusCode, _details: str) -> NoReturn:
        raise Refused(code)


@dataclass(frozen=True, slots=True)
class Details:
    method: str


class Past:
    """The log without a disk: one payment, and some history of every account."""

    def __init__(self, book: Book, key: bytes, principal: bytes, envelope_id: bytes) -> None:
        self._book = book
        self._id = (principal, envelope_id)
        envelope = bytes(48) + key + envelope_id + bytes(288)
        self._found = FoundEnvelope(envelope, SEQUENCE, 1, 1, 0, bytes(16), b"")

    async def settle(self, **_: object) -> None:
        """The state is always recent."""

    @property
    def next_sequence(self) -> int:
        return self._book.engine.position()[0]

    @property
    def log_time_ns(self) -> int:
        return self._book.engine.position()[1]

    def find(self, sequence: int) -> FoundEnvelope | None:
        return self._found if sequence == SEQUENCE else None

    def find_by_id(self, principal: bytes, envelope_id: bytes) -> FoundEnvelope | None:
        return self._found if (principal, envelope_id) == self._id else None

    async def page(self, *_: object) -> Page:
        return Page(records=b"a record")


def _signed(
    machine: "AccessMachine",
    key: SigningKey,
    wanted: Wanted,
    **other: Any,  # noqa: ANN401 - a field of the token each
) -> bytes:
    fields = {"method": wanted.method, "request": wanted.request, "seconds": 30.0, **other}
    expiry = TimestampNs(machine.clock_ns + int(fields["seconds"] * SECOND_NS))
    ledger_id = fields.get("ledger_id", machine.book.genesis.ledger_id)
    return sign(key, ledger_id, PATH + fields["method"], fields["request"], expiry).encode()


def _named_otherwise(machine: "AccessMachine", key: SigningKey, wanted: Wanted) -> bytes:
    """Signed by one key, and says that it is another's."""
    token = ReadToken.parse(_signed(machine, key, wanted))
    other = next(each for each in machine.keys if each.signing.public_key != key.public_key)
    return ReadToken(other.signing.public_key, token.expires_at_ns, token.signature).encode()


Spoil = Callable[["AccessMachine", SigningKey, Wanted], tuple[bytes, ...]]
SPOILT: Final[dict[str, Spoil]] = {
    "none": lambda *_: (),
    "two": lambda m, k, w: (_signed(m, k, w), _signed(m, k, w)),
    "expired": lambda m, k, w: (_signed(m, k, w, seconds=0),),
    "too far": lambda m, k, w: (_signed(m, k, w, seconds=65.001),),
    "method": lambda m, k, w: (_signed(m, k, w, method="GetBalance"),),
    "request": lambda m, k, w: (_signed(m, k, w, request=w.request + w.request),),
    "ledger": lambda m, k, w: (_signed(m, k, w, ledger_id=LedgerId(b"\x01" * 32)),),
    "signature": lambda m, k, w: (_signed(m, k, w)[:-1] + b"\xff",),
    "length": lambda m, k, w: (_signed(m, k, w) + b"\0",),
    "name": lambda m, k, w: (_named_otherwise(m, k, w),),
}
LIFETIMES: Final = st.sampled_from([0.001, 30.0, 65.0])


class AccessMachine(RuleBasedStateMachine):
    """A ledger with alice, who has paid bob and reserves for him, and a node that answers reads."""

    totals: ClassVar[Counter[str]] = Counter()

    @initialize()
    def start(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.book = book = Book(KernelEngine)
        self.alice, self.bob = book.alice, book.bob
        self.hold = book.reserve(self.alice, self.bob, 7, 900 * SECOND_NS)
        self.clock_ahead_ns = 0
        self.made = 0
        self.seen: Counter[str] = Counter()
        genesis_keys = [SigningKey(bytes([number]) * 32) for number in (1, 2)]
        self.keys = [
            ModelKey(genesis_keys[0], book.operator.principal, Scope.OPERATE),
            ModelKey(genesis_keys[1], book.node.principal, Scope.NODE),
            ModelKey(self.fresh_key()),
        ]
        self.payment_id = new_envelope_id(book.now_ns // 1_000_000, b"payment.id")
        self.absent_id = new_envelope_id(book.now_ns // 1_000_000, b"nobody's i")
        past = Past(book, self.alice.key, self.alice.principal, self.payment_id)
        engine = book.engine
        assert isinstance(engine, KernelEngine)
        gate = Gate(
            ledger_id=book.genesis.ledger_id,
            kernel=engine.kernel,
            log_time_ns=lambda: past.log_time_ns,
            clock_ns=lambda: self.clock_ns,
        )
        ledger = LedgerService(
            pipeline=cast("Any", None),  # reads only
            reads=cast("Reads", past),
            gate=gate,
            kernel=engine.kernel,
            status=lambda: pb.GetStatusResponse(next_sequence=past.next_sequence),
            max_lifetime_ns=MAX_LIFETIME_NS,
        )
        history = HistoryService(
            reads=cast("Reads", past),
            history=cast("HistoryReads", past),
            gate=gate,
            kernel=engine.kernel,
        )
        self.handlers = [ledger.handler(), history.handler()]

    def fresh_key(self) -> SigningKey:
        self.made += 1
        return SigningKey(b"machine".ljust(28, b".") + self.made.to_bytes(4, "big"))

    @property
    def clock_ns(self) -> int:
        """The node's clock."""
        return self.book.now_ns + self.clock_ahead_ns

    @property
    def now_ns(self) -> int:
        """What ends keys: log time, or the node's clock if that is later."""
        return max(self.book.engine.position()[1], self.clock_ns)

    # -- keys --------------------------------------------------------------------------------------

    @rule(
        is_alice=st.booleans(),
        scope=st.sampled_from(PARTY_SCOPES),
        seconds=st.sampled_from([0, 0, 3, 30]),
    )
    def add(self, is_alice: bool, scope: Scope, seconds: int) -> None:
        party = self.alice if is_alice else self.bob
        self._add(party.key, party.principal, scope, seconds)

    @rule(seconds=st.sampled_from([0, 5]))
    def add_auditor(self, seconds: int) -> None:
        self._add(self.book.operator.key, self.book.operator.principal, Scope.AUDIT, seconds)

    def _add(self, signer: bytes, principal: bytes, scope: Scope, seconds: int) -> None:
        key = self.fresh_key()
        until_ns = self.book.now_ns + seconds * SECOND_NS if seconds else 0
        record = raw.key(raw.ADD, key.public_key, principal, scope=scope, until_ns=until_ns)
        self.book.ok(signer, record)
        self.book.owns(key.public_key, principal)
        self.keys.append(ModelKey(key, principal, scope, until_ns))

    @rule(drawn=st.integers(0, 99), seconds=st.sampled_from([0, 4, 40]))
    def rotate(self, drawn: int, seconds: int) -> None:
        """By the key itself, if it still may."""
        old, new = self.keys[drawn % len(self.keys)], self.fresh_key()
        if old.scope is None:
            return
        until_ns = self.book.now_ns + seconds * SECOND_NS if seconds else 0
        record = raw.key(raw.ROTATE, new.public_key, old.principal, until_ns=until_ns)
        if self.book.codes(old.signing.public_key, record) != [Code.OK]:
            self.keys.append(ModelKey(new))  # not registered
            return
        self.seen["rotated"] += 1
        self.book.owns(new.public_key, old.principal)
        self.keys.append(ModelKey(new, old.principal, old.scope))
        old.is_revoked = not until_ns
        if until_ns:
            old.until_ns = min(old.until_ns or until_ns, until_ns)

    @rule(drawn=st.integers(0, 99))
    def revoke(self, drawn: int) -> None:
        key = self.keys[drawn % len(self.keys)]
        if key.scope in (None, Scope.OPERATE, Scope.NODE):
            return
        owners = {each.principal: each.key for each in (self.alice, self.bob)}
        signer = owners.get(key.principal, self.book.operator.key)
        record = raw.key(raw.REVOKE, key.signing.public_key, key.principal)
        if self.book.codes(signer, record) == [Code.OK]:
            self.seen["revoked"] += 1
            key.is_revoked = True

    # -- time --------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 3, 10, 40]), is_idle=st.booleans())
    def pass_time(self, seconds: int, is_idle: bool) -> None:
        """Log time goes only while something is ordered; the hold does not see its end."""
        if self.book.now_ns > START_NS + 800 * SECOND_NS:
            return
        self.book.now_ns += seconds * SECOND_NS
        if not is_idle:
            self.book.ok(self.book.node.key, raw.tick())

    @rule(seconds=st.sampled_from([-20, 0, 0, 2]))
    def set_the_clock(self, seconds: int) -> None:
        self.clock_ahead_ns = seconds * SECOND_NS

    # -- reads -------------------------------------------------------------------------------------

    @rule(data=st.data(), count=st.integers(1, 4))
    def read(self, data: st.DataObject, count: int) -> None:
        """With a token that is right."""
        for _ in range(count):
            key = self.keys[data.draw(st.integers(0, 99), "key") % len(self.keys)]
            wanted = self.draw_wanted(data)
            token = _signed(self, key.signing, wanted, seconds=data.draw(LIFETIMES, "lifetime"))
            self.check(wanted, self.expected(key, wanted), (token,))

    @rule(data=st.data(), spoilt=st.sampled_from(sorted(SPOILT)), drawn=st.integers(0, 99))
    def read_with_a_spoilt_token(self, data: st.DataObject, spoilt: str, drawn: int) -> None:
        key = self.keys[drawn % len(self.keys)]
        wanted = self.draw_wanted(data)
        self.check(wanted, UNAUTHENTICATED, SPOILT[spoilt](self, key.signing, wanted))

    def draw_wanted(self, data: st.DataObject) -> Wanted:
        method = data.draw(st.sampled_from(METHODS), "method")
        alice, bob = frozenset({self.alice.principal}), frozenset({self.bob.principal})
        nobody: frozenset[bytes] = frozenset()
        accounts = {self.alice.account: alice, self.bob.account: bob, NOBODY: nobody}
        if method == "GetAccounts":
            ids = data.draw(st.lists(st.sampled_from(sorted(accounts)), min_size=1, max_size=4))
            request: Any = pb.GetAccountsRequest(ids=b"".join(ids))
            return Wanted(
                method, request.SerializeToString(), tuple(accounts[each] for each in ids)
            )
        if method == "GetHolds":
            holds = {self.hold: alice | bob, NOBODY: nobody}
            ids = data.draw(st.lists(st.sampled_from(sorted(holds)), min_size=1, max_size=4))
            request = pb.GetHoldsRequest(ids=b"".join(ids))
            return Wanted(method, request.SerializeToString(), tuple(holds[each] for each in ids))
        if method == "ListRecords":
            account = data.draw(st.sampled_from(sorted(accounts)))
            request = pb.ListRecordsRequest(account=account)
            return Wanted(method, request.SerializeToString(), (accounts[account],))
        if method == "GetStatus":
            request = pb.GetStatusRequest(with_state_digest=True)
            return Wanted(method, request.SerializeToString())
        return self._draw_envelope(data)

    def _draw_envelope(self, data: st.DataObject) -> Wanted:
        alice, nobody = frozenset({self.alice.principal}), frozenset[bytes]()
        if data.draw(st.booleans(), "by number"):
            sequence = data.draw(st.sampled_from([SEQUENCE, SEQUENCE + 1]))
            request = pb.GetEnvelopeRequest(sequence=sequence)
            owners = alice if sequence == SEQUENCE else nobody
            return Wanted("GetEnvelope", request.SerializeToString(), (owners,))
        principal = data.draw(st.sampled_from([self.alice.principal, self.bob.principal, NOBODY]))
        envelope_id = data.draw(st.sampled_from([self.payment_id, self.absent_id]))
        is_there = (principal, envelope_id) == (self.alice.principal, self.payment_id)
        key = pb.EnvelopeKey(envelope_id=envelope_id, principal=principal)
        made_ns = (int.from_bytes(envelope_id, "little") >> 80) * 1_000_000
        return Wanted(
            "GetEnvelope",
            pb.GetEnvelopeRequest(key=key).SerializeToString(),
            (alice if is_there else nobody,),
            named=principal,
            never=self.book.engine.position()[1] > made_ns + MAX_LIFETIME_NS,
        )

    # -- what must come of it ----------------------------------------------------------------------

    def expected(self, key: ModelKey, wanted: Wanted) -> Answer:
        """docs/security.md: a status, or for each object whether it is shown."""
        if not key.is_good(self.now_ns):
            return UNAUTHENTICATED
        sees = SEES_ENVELOPES if wanted.method == "GetEnvelope" else SEES_ACCOUNTS
        if wanted.method == "GetStatus":
            return [True]
        if key.scope not in sees:
            return DENIED
        is_auditor = key.scope is Scope.AUDIT
        if wanted.named is not None and not is_auditor and wanted.named != key.principal:
            return DENIED
        return [
            bool(owners) and (is_auditor or key.principal in owners) for owners in wanted.owners
        ]

    def check(self, wanted: Wanted, expected: Answer, tokens: tuple[bytes, ...]) -> None:
        answer = self.ask(wanted, tokens)
        told = f"{wanted.method}: {answer}, not {expected}"
        if isinstance(answer, grpc.StatusCode) or isinstance(expected, grpc.StatusCode):
            assert answer == expected, told
            self.seen[str(answer)] += 1
            return
        shown = [part != self.blank(wanted) for part in answer]
        assert shown == expected, told
        for is_shown in shown:
            self.seen[f"{wanted.method} {'shown' if is_shown else 'blank'}"] += 1

    def ask(self, wanted: Wanted, tokens: tuple[bytes, ...]) -> Answer:
        """The status, or the parts of the answer."""
        details = cast("grpc.HandlerCallDetails", Details(PATH + wanted.method))
        method: Any = next(filter(None, (each.service(details) for each in self.handlers)))
        try:
            answer = self.loop.run_until_complete(method.unary_unary(wanted.request, Call(tokens)))
        except Refused as refused:
            return refused.code
        if isinstance(answer, pb.GetAccountsResponse | pb.GetHoldsResponse):
            size = len(answer.rows) // len(wanted.owners)
            return [answer.rows[at : at + size] for at in range(0, len(answer.rows), size)]
        if isinstance(answer, pb.GetStatusResponse):
            return [answer.state_digest]
        return [answer.SerializeToString()]

    def blank(self, wanted: Wanted) -> bytes:
        """The answer about an object that is not there."""
        next_sequence = self.book.engine.position()[0]
        if wanted.method == "GetEnvelope":
            absent = (
                pb.GetEnvelopeResponse.NEVER if wanted.never else pb.GetEnvelopeResponse.NOT_YET
            )
            answer: Any = pb.GetEnvelopeResponse(presence=absent, next_sequence=next_sequence)
            return bytes(answer.SerializeToString())
        if wanted.method == "ListRecords":
            return bytes(pb.ListRecordsResponse(next_sequence=next_sequence).SerializeToString())
        sizes = {"GetAccounts": len(access.NO_ACCOUNT), "GetHolds": 112, "GetStatus": 0}
        return bytes(sizes[wanted.method])

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.totals.update(self.seen)
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()


def test_reads_are_answered_as_the_page_on_security_says() -> None:
    totals = AccessMachine.totals
    totals.clear()
    stateful.run_machine(AccessMachine, examples=250, steps=40)
    # The examples do what they are meant to do.
    assert not {name: totals[name] for name in WANTED if totals[name] < 5}, totals


WANTED = (
    "GetAccounts blank",
    "GetAccounts shown",
    "GetEnvelope blank",
    "GetEnvelope shown",
    "GetHolds blank",
    "GetHolds shown",
    "GetStatus shown",
    "ListRecords blank",
    "ListRecords shown",
    "StatusCode.PERMISSION_DENIED",
    "StatusCode.UNAUTHENTICATED",
    "revoked",
    "rotated",
)


# -- faults that the checks must notice ------------------------------------------------------------


def ever_good(_key: PublicKey, row: bytes | None, _now_ns: int) -> access.Reader:
    """Looks neither at the status of a key nor at its time."""
    return access.reader_of(_key, None if row is None else row[:50] + b"\1\0" + row[52:], 0)


def ever_fresh(_token: ReadToken, _now_ns: int) -> None:
    """Takes old tokens."""


def all_accounts(_reader: access.Reader, rows: bytes) -> bytes:
    return rows


@pytest.mark.parametrize(
    ("place", "name", "fault", "match"),
    [
        (gates, "reader_of", ever_good, "not StatusCode.UNAUTHENTICATED"),
        (ReadToken, "check_time", ever_fresh, "not StatusCode.UNAUTHENTICATED"),
        (gates, "verify_ed25519", lambda *_: True, "not StatusCode.UNAUTHENTICATED"),
        (access, "_OF_ACCOUNTS", frozenset(Scope), "not StatusCode.PERMISSION_DENIED"),
        (access, "visible_accounts", all_accounts, "GetAccounts: "),
        (access, "may_read_envelope", lambda *_: True, "GetEnvelope: "),
        (access, "may_read_account", lambda *_: True, "ListRecords: "),
    ],
)
def test_a_hole_is_noticed(
    monkeypatch: pytest.MonkeyPatch, place: object, name: str, fault: object, match: str
) -> None:
    monkeypatch.setattr(place, name, fault)
    stateful.require_caught(AccessMachine, examples=1000, steps=40, match=match)
