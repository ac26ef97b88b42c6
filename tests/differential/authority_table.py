"""Who may sign what: one row for each record kind and operation. This is the whole table.

To add a record kind, add a `Row` to `ROWS` and run `python -m tests.differential.authority`, which
writes docs/authority.md from it. `test_authority.py` then tries every signer there is on both
implementations, and fails for a kind without a row. A row says

- `name`: of the kind and its operation, as docs/semantics.md calls it;
- `kind`: its number;
- `make`: makes a record that is right in everything but, perhaps, its signer. It gets the world
  (`w.payer`, `w.payee`, `w.issuer`, `w.signer`, `w.book`, with all that a `Book` can do); what the
  record needs (a hold, a payment) it makes anew, since a right signer uses it up;
- `scopes`: which scopes may sign. All others answer SCOPE_DENIED, whoever they belong to;
- `answers`: what the ledger answers a key of these scopes, by whose key it is. "else" is for all
  that are not named. The parties: the payer (owner of the debit side), the payee (owner of the
  credit side), the issuer of the unit, a stranger (who has an account of the unit), the operator
  and the node of the genesis;
- `exceptions`: where party and scope together answer something else.

A new scope needs nothing: every principal gets a key of it, and no row allows it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.differential import raw, raw_grants, raw_quotes, raw_recovery
from tests.differential.authority_world import World
from tests.differential.book import SECOND_NS

from tallystick_ledger.codes import Code
from tallystick_ledger.records import Kind, Scope

PAYER, PAYEE, ISSUER, STRANGER = "payer", "payee", "issuer", "stranger"
PARTIES: Final = (PAYER, PAYEE, ISSUER, STRANGER)
OPERATOR, NODE, ELSE = "operator", "node", "else"

OWNER, SPEND, METER, OPERATE = Scope.OWNER, Scope.SPEND, Scope.METER, Scope.OPERATE
PRICE: Final = Scope.PRICE
NOT_SYSTEM: Final = frozenset(Scope) - {Scope.NODE, Scope.OPERATE}
EVERYBODY: Final = {ELSE: Code.OK}


@dataclass(frozen=True)
class Row:
    """One kind of record, or one operation of it; see the module."""

    name: str
    kind: Kind
    make: Callable[[World], bytes]
    scopes: frozenset[Scope]
    answers: Mapping[str, Code]
    exceptions: Mapping[tuple[str, Scope], Code] = field(default_factory=dict)

    def answer(self, party: str, scope: Scope) -> Code:
        """What the ledger has to answer."""
        if scope not in self.scopes:
            return Code.SCOPE_DENIED
        by_party = self.answers.get(party, self.answers.get(ELSE))
        if by_party is None:
            raise LookupError(f"{self.name} does not say what it answers the {party}")
        return self.exceptions.get((party, scope), by_party)


def only(party: str, others: Code) -> dict[str, Code]:
    """OK for one party."""
    return {party: Code.OK, ELSE: others}


def sides(payer: Code, payee: Code, others: Code) -> dict[str, Code]:
    """Answers for both sides of a hold, channel or payment, which strangers do not see."""
    return {PAYER: payer, PAYEE: payee, ELSE: others}


def scopes(*named: Scope) -> frozenset[Scope]:
    return frozenset(named)


def _adds(scope: Scope) -> Callable[[World], bytes]:
    """A KEY that gives the payer (AUDIT: the operator) one more key."""

    def make(w: World) -> bytes:
        owner = w.book.operator if scope is Scope.AUDIT else w.payer
        return raw.key(raw.ADD, w.book.fresh_key(), owner.principal, scope=scope)

    return make


def _recover(w: World) -> bytes:
    """By a key of its own: the veto that makes room for the next one revokes it."""
    w.end_recovery()
    w.signer.use_new_key()
    return raw_recovery.recover(w.book.fresh_key(), w.payer.principal)


def _account(operation: int) -> Callable[[World], bytes]:
    """ACCOUNT of another account of the payer's, in the state that the operation needs."""

    def make(w: World) -> bytes:
        account = w.book.account(w.payer)
        if operation == raw.UNFREEZE:
            w.book.ok(w.payer.key, raw.account(raw.FREEZE, account_id=account))
        return raw.account(operation, account_id=account)

    return make


def _reserve(w: World) -> bytes:
    until_ns = w.book.now_ns + 60 * SECOND_NS
    return raw.reserve(w.payer.account, w.payee.account, 1, until_ns)


def _meter(w: World) -> bytes:
    names = w.names()
    content = raw.metered(w.card(), names.model, raw.usage([(names.meter, 1)]))
    return raw.meter(w.payer.account, w.payee.account, 1, content)


def _meter_mandated(w: World) -> bytes:
    names = w.names()
    used = raw.usage([(names.meter, 1)])
    content = raw.metered(w.card(), names.model, used, raw.ZERO_ID, w.mandate())
    return raw.meter(w.payer.account, w.payee.account, 1, content)


def _reserve_quoted(w: World) -> bytes:
    quote, content = w.quote()
    return raw_quotes.quoted(_reserve(w), raw.terms(quote, w.names().model), content)


def _mandate(w: World) -> bytes:
    until_ns = w.book.now_ns + 60 * SECOND_NS
    return raw.mandate(w.payer.account, w.payee.principal, 10, 10, until_ns)


def _limit(target: int, window: int) -> Callable[[World], bytes]:
    """A LIMIT that nothing here reaches."""

    def make(w: World) -> bytes:
        first = w.payer.principal if target == raw.OF_PRINCIPAL else w.payer.account
        second = w.payee.account if target == raw.OF_PAYEE else bytes(16)
        return raw.limit(target, window, first + second, w.book.usd, 10**9)

    return make


def _channel(w: World) -> bytes:
    return raw.channel(
        w.payer.account, w.payee.account, 1, w.channel_key.public_key, 10 * SECOND_NS
    )


ROWS: Final = (
    Row(
        "PRINCIPAL",
        Kind.PRINCIPAL,
        lambda w: raw.principal(
            w.book.derived(w.signer.principal, w.signer.envelope_id, 0), w.new_key()
        ),
        scopes(OPERATE),
        only(OPERATOR, Code.SCOPE_DENIED),
    ),
    *(
        Row(
            f"KEY ADD {scope.name}",
            Kind.KEY,
            _adds(scope),
            scopes(OPERATE if scope is Scope.AUDIT else OWNER),
            only(OPERATOR if scope is Scope.AUDIT else PAYER, Code.PRINCIPAL_MISMATCH),
        )
        for scope in Scope
        if scope not in (Scope.NODE, Scope.OPERATE)
    ),
    Row(
        "KEY REVOKE of another key",
        Kind.KEY,
        lambda w: raw.key(raw.REVOKE, w.spare_key(w.payer), w.payer.principal),
        scopes(OWNER, OPERATE),
        only(PAYER, Code.PRINCIPAL_MISMATCH),
    ),
    Row(
        "KEY REVOKE of an AUDIT key",
        Kind.KEY,
        lambda w: raw.key(raw.REVOKE, w.book.audit_key(), w.book.operator.principal),
        scopes(OWNER, OPERATE),
        only(OPERATOR, Code.PRINCIPAL_MISMATCH),
    ),
    Row(
        "KEY REVOKE of itself",
        Kind.KEY,
        lambda w: raw.key(raw.REVOKE, w.signer.use_new_key(), w.signer.principal),
        NOT_SYSTEM,
        EVERYBODY,
    ),
    Row(
        "KEY ROTATE of itself",
        Kind.KEY,
        lambda w: raw.key(raw.ROTATE, w.successor_of(w.signer.use_new_key()), w.signer.principal),
        NOT_SYSTEM - {Scope.RECOVERY},
        EVERYBODY,
    ),
    Row(
        "RECOVER",
        Kind.RECOVER,
        _recover,
        scopes(Scope.RECOVERY),
        only(PAYER, Code.PRINCIPAL_MISMATCH),
    ),
    Row(
        "VETO",
        Kind.VETO,
        lambda w: raw_recovery.veto(w.announced()),
        scopes(OWNER),
        only(PAYER, Code.RECOVERY_NOT_FOUND),
    ),
    Row(
        "NAME",
        Kind.NAME,
        lambda w: raw.name(w.new_text()),
        scopes(OWNER),
        EVERYBODY,
    ),
    Row(
        "ACCOUNT OPEN",
        Kind.ACCOUNT,
        lambda w: raw.open_account(w.book.usd),
        scopes(OWNER),
        EVERYBODY,
    ),
    *(
        Row(
            f"ACCOUNT {name}",
            Kind.ACCOUNT,
            _account(operation),
            scopes(OWNER),
            only(PAYER, Code.ACCOUNT_NOT_FOUND),
        )
        for name, operation in (
            ("FREEZE", raw.FREEZE),
            ("UNFREEZE", raw.UNFREEZE),
            ("CLOSE", raw.CLOSE),
        )
    ),
    Row(
        "UNIT",
        Kind.UNIT,
        lambda w: raw.unit(w.issuer.principal, w.new_symbol()),
        scopes(OPERATE),
        only(OPERATOR, Code.SCOPE_DENIED),
    ),
    Row(
        "ISSUE",
        Kind.ISSUE,
        lambda w: raw.issue(w.book.usd, w.payer.account, 1),
        scopes(OWNER),
        only(ISSUER, Code.UNIT_NOT_FOUND),
    ),
    Row(
        "BURN from an own account",
        Kind.BURN,
        lambda w: raw.burn(w.book.usd, w.issuer.account, 1),
        scopes(OWNER),
        only(ISSUER, Code.UNIT_NOT_FOUND),
    ),
    Row(
        "BURN from the payer's",
        Kind.BURN,
        lambda w: raw.burn(w.book.usd, w.payer.account, 1),
        scopes(OWNER),
        {ISSUER: Code.DEBIT_NOT_FOUND, ELSE: Code.UNIT_NOT_FOUND},
    ),
    Row(
        "CREDIT_LIMIT",
        Kind.CREDIT_LIMIT,
        lambda w: raw.credit_limit(w.book.usd, w.payer.account, 1),
        scopes(OWNER),
        only(ISSUER, Code.UNIT_NOT_FOUND),
    ),
    Row(
        "TRANSFER",
        Kind.TRANSFER,
        lambda w: raw.transfer(w.payer.account, w.payee.account, 1),
        scopes(OWNER, SPEND),
        only(PAYER, Code.DEBIT_NOT_FOUND),
    ),
    Row(
        "TRANSFER with an exchange quote",
        Kind.TRANSFER,
        lambda w: w.exchange(),
        scopes(OWNER, SPEND),
        only(PAYER, Code.DEBIT_NOT_FOUND),
    ),
    Row("RESERVE", Kind.RESERVE, _reserve, scopes(OWNER, SPEND), only(PAYER, Code.DEBIT_NOT_FOUND)),
    Row(
        "EXTEND",
        Kind.EXTEND,
        lambda w: raw.extend(w.hold(), 1),
        scopes(OWNER, SPEND),
        sides(Code.OK, Code.NOT_PAYER, Code.HOLD_NOT_FOUND),
    ),
    Row(
        "CAPTURE",
        Kind.CAPTURE,
        lambda w: raw.capture(w.hold(), 1),
        scopes(OWNER, METER),
        sides(Code.NOT_PAYEE, Code.OK, Code.HOLD_NOT_FOUND),
    ),
    Row(
        "RELEASE",
        Kind.RELEASE,
        lambda w: raw.release(w.hold()),
        scopes(OWNER, METER),
        sides(Code.NOT_PAYEE, Code.OK, Code.HOLD_NOT_FOUND),
    ),
    Row("METER", Kind.METER, _meter, scopes(OWNER, SPEND), only(PAYER, Code.DEBIT_NOT_FOUND)),
    Row(
        "METER under a mandate",
        Kind.METER,
        _meter_mandated,
        scopes(OWNER, METER),
        sides(Code.NOT_PAYEE, Code.OK, Code.MANDATE_NOT_FOUND),
    ),
    Row(
        "RESERVE under a quote",
        Kind.RESERVE,
        _reserve_quoted,
        scopes(OWNER, SPEND),
        only(PAYER, Code.DEBIT_NOT_FOUND),
    ),
    Row("MANDATE", Kind.MANDATE, _mandate, scopes(OWNER), only(PAYER, Code.DEBIT_NOT_FOUND)),
    Row(
        "MANDATE_END",
        Kind.MANDATE_END,
        lambda w: raw.mandate_end(w.mandate()),
        scopes(OWNER),
        sides(Code.OK, Code.OK, Code.MANDATE_NOT_FOUND),
    ),
    Row(
        "PAY_CLAIM PAY",
        Kind.PAY_CLAIM,
        lambda w: raw.pay_claim(w.claim(), 1, w.payer.account),
        scopes(OWNER, SPEND),
        sides(Code.OK, Code.NOT_PAYER, Code.CLAIM_NOT_FOUND),
    ),
    Row(
        "PAY_CLAIM WAIVE",
        Kind.PAY_CLAIM,
        lambda w: raw.waive_claim(w.claim()),
        scopes(OWNER, METER),
        sides(Code.NOT_PAYEE, Code.OK, Code.CLAIM_NOT_FOUND),
    ),
    Row("CHANNEL", Kind.CHANNEL, _channel, scopes(OWNER, SPEND), only(PAYER, Code.DEBIT_NOT_FOUND)),
    Row(
        "TOP_UP",
        Kind.TOP_UP,
        lambda w: raw.top_up(w.channel(), 1),
        scopes(OWNER, SPEND),
        sides(Code.OK, Code.NOT_PAYER, Code.CHANNEL_NOT_FOUND),
    ),
    Row(
        "VOUCHER",
        Kind.VOUCHER,
        lambda w: w.book.voucher(w.channel_key, w.channel(), 1),
        scopes(OWNER, METER),
        sides(Code.NOT_PAYEE, Code.OK, Code.CHANNEL_NOT_FOUND),
    ),
    Row(
        "CHANNEL_CLOSE",
        Kind.CHANNEL_CLOSE,
        lambda w: raw.channel_close(w.channel()),
        scopes(OWNER, SPEND, METER),
        sides(Code.OK, Code.OK, Code.CHANNEL_NOT_FOUND),
        {(PAYER, METER): Code.SCOPE_DENIED, (PAYEE, SPEND): Code.SCOPE_DENIED},
    ),
    Row(
        "CARD",
        Kind.CARD,
        lambda w: raw.card(w.book.usd, w.book.now_ns + 120 * SECOND_NS, 1, b"r" * 32),
        scopes(OWNER, PRICE),
        EVERYBODY,
    ),
    Row(
        "PRICE",
        Kind.PRICE,
        lambda w: w.line(),
        scopes(OWNER, PRICE),
        only(PAYEE, Code.CARD_NOT_FOUND),
    ),
    Row(
        "CARD_PUBLISH",
        Kind.CARD_PUBLISH,
        lambda w: raw.card_publish(w.filled_draft().card),
        scopes(OWNER, PRICE),
        only(PAYEE, Code.CARD_NOT_FOUND),
    ),
    Row("LIST", Kind.LIST, lambda _: raw_grants.id_list([b"m" * 16]), scopes(OWNER), EVERYBODY),
    Row(
        "GRANT",
        Kind.GRANT,
        lambda w: raw_grants.grant(
            w.payer.account, w.payee.principal, 1, w.book.now_ns + 60 * SECOND_NS
        ),
        scopes(OWNER),
        only(PAYER, Code.DEBIT_NOT_FOUND),
    ),
    Row(
        "CLAW_BACK of the payer's grant to the payee",
        Kind.CLAW_BACK,
        lambda w: raw_grants.claw_back(w.grant()),
        scopes(OWNER),
        sides(Code.OK, Code.NOT_SPONSOR, Code.GRANT_NOT_FOUND),
    ),
    Row(
        "RELATION STATE of payer and payee",
        Kind.RELATION,
        lambda w: raw_grants.relation(w.payers_and_payees()),
        scopes(OWNER),
        {PAYER: Code.SELF_DECLARED, PAYEE: Code.SELF_DECLARED, ELSE: Code.OK},
    ),
    Row(
        "RELATION END of a stranger's",
        Kind.RELATION,
        lambda w: raw_grants.relation(w.related_by_stranger(), raw_grants.END),
        scopes(OWNER),
        only(STRANGER, Code.RELATION_NOT_FOUND),
    ),
    Row(
        "LIMIT KEY",
        Kind.LIMIT,
        lambda w: raw.limit(raw.OF_KEY, raw.TOTAL, w.agent(), w.book.usd, 10**9),
        scopes(OWNER, SPEND),
        only(PAYER, Code.KEY_NOT_FOUND),
        {(PAYER, SPEND): Code.SCOPE_DENIED},
    ),
    Row(
        "LIMIT KEY of itself",
        Kind.LIMIT,
        lambda w: raw.limit(raw.OF_KEY, raw.TOTAL, w.signer.use_new_key(), w.book.usd, 10**9),
        scopes(OWNER, SPEND),
        EVERYBODY,
        {(party, OWNER): Code.KEY_NOT_FOUND for party in PARTIES},
    ),
    *(
        Row(
            f"LIMIT {name}",
            Kind.LIMIT,
            _limit(target, window),
            scopes(OWNER),
            only(PAYER, other),
        )
        for name, target, window, other in (
            ("ACCOUNT", raw.OF_ACCOUNT, raw.DAY, Code.ACCOUNT_NOT_FOUND),
            ("PRINCIPAL", raw.OF_PRINCIPAL, raw.MONTH, Code.PRINCIPAL_MISMATCH),
            ("PAYEE", raw.OF_PAYEE, raw.HELD, Code.ACCOUNT_NOT_FOUND),
        )
    ),
    Row("ZONE", Kind.ZONE, lambda w: w.new_zone(), scopes(OPERATE), EVERYBODY),
    Row(
        "DELEGATE",
        Kind.DELEGATE,
        lambda w: raw.delegate(w.agent(), w.keys[PAYER, SPEND]),
        scopes(OWNER, SPEND),
        only(PAYER, Code.KEY_NOT_FOUND),
        {(PAYER, SPEND): Code.SCOPE_DENIED},
    ),
    Row(
        "DELEGATE further down",
        Kind.DELEGATE,
        lambda w: raw.delegate(w.agent(w.keys[PAYER, SPEND]), w.keys[PAYER, SPEND]),
        scopes(OWNER, SPEND),
        only(PAYER, Code.KEY_NOT_FOUND),
    ),
    Row(
        "KILL",
        Kind.KILL,
        lambda w: raw.kill(w.agent()),
        scopes(OWNER, SPEND),
        only(PAYER, Code.KEY_NOT_FOUND),
        {(PAYER, SPEND): Code.SCOPE_DENIED},
    ),
    Row(
        "KILL of a key under it",
        Kind.KILL,
        lambda w: raw.kill(w.agent(w.keys[PAYER, SPEND])),
        scopes(OWNER, SPEND),
        only(PAYER, Code.KEY_NOT_FOUND),
    ),
    Row(
        "REFUND",
        Kind.REFUND,
        lambda w: raw.refund(w.payment(), 1),
        scopes(OWNER, METER),
        sides(Code.NOT_PAYEE, Code.OK, Code.CITED_NOT_FOUND),
    ),
    Row(
        "DISPUTE",
        Kind.DISPUTE,
        lambda w: raw.dispute(w.payment(), 1, w.book.now_ns + 60 * SECOND_NS),
        scopes(OWNER, SPEND),
        sides(Code.OK, Code.NOT_PAYER, Code.CITED_NOT_FOUND),
    ),
    Row(
        "DISPUTE_ANSWER",
        Kind.DISPUTE_ANSWER,
        lambda w: raw.dispute_answer(w.disputed(), 1),
        scopes(OWNER, METER),
        sides(Code.NOT_PAYEE, Code.OK, Code.DISPUTE_NOT_FOUND),
    ),
    Row(
        "REPRICE",
        Kind.REPRICE,
        lambda w: w.repriced(),
        scopes(OWNER, METER),
        sides(Code.NOT_PAYEE, Code.OK, Code.CITED_NOT_FOUND),
    ),
    Row("TICK", Kind.TICK, lambda _: raw.tick(), scopes(Scope.NODE), EVERYBODY),
    Row(
        "UNIT of obligations",
        Kind.UNIT,
        lambda w: raw.unit(
            w.issuer.principal, w.new_symbol(), settlement=w.book.usd, flags=raw.DEFERRED
        ),
        scopes(OPERATE),
        only(OPERATOR, Code.SCOPE_DENIED),
    ),
    Row(
        "JOIN",
        Kind.JOIN,
        lambda w: raw.join(w.outsider(), w.payer.account, 1),
        scopes(OWNER),
        only(PAYER, Code.ACCOUNT_NOT_FOUND),
    ),
    Row(
        "WINDOW_CLOSE",
        Kind.WINDOW_CLOSE,
        lambda w: raw.window_close(w.debt().unit, 1),
        scopes(OWNER),
        only(ISSUER, Code.UNIT_NOT_FOUND),
    ),
    Row(
        "SETTLE",
        Kind.SETTLE,
        lambda w: w.closed_debt().settle(),
        scopes(OWNER),
        only(ISSUER, Code.UNIT_NOT_FOUND),
    ),
    Row(
        "FAIL",
        Kind.FAIL,
        lambda w: w.closed_debt(can_pay=False).fail(),
        scopes(OWNER),
        only(ISSUER, Code.UNIT_NOT_FOUND),
    ),
)
