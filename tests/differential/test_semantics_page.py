"""docs/semantics.md against the code: its examples are run, its codes are those of the rules."""

import inspect
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from tests.differential import raw, raw_exchange, raw_grants, raw_quotes, raw_recovery
from tests.differential.book import SECOND_NS, Book, MakeEngine, Person
from tests.differential.cases import SIGNER, KindCases
from tests.differential.cases_prices import names_of
from tests.differential.test_order import KINDS

from tallystick_ledger.codes import Code
from tallystick_ledger.limits import MIN_NOTICE_NS
from tallystick_ledger.results import Effect
from tallystick_ledger.spec import (
    cards,
    channels,
    corrections,
    debts,
    delegation,
    exchanges,
    grants,
    limits,
    mandates,
    metering,
    meters,
    money,
    netting,
    recovery,
    registry,
    system,
    units,
)
from tallystick_ledger.state_rows import PairRow, Table
from tallystick_ledger.zones import zone_id

PAGE: Final = (Path(__file__).resolve().parents[2] / "docs" / "semantics.md").read_text("utf-8")
ROW: Final = re.compile(r"^\|(.*)\|$", re.MULTILINE)
RECORD: Final = re.compile(
    r"(?P<kind>[A-Z_]+)(?: (?P<made>[HCMG]\d))?(?: #(?P<cited>\d+))?"
    r"(?: (?:to|for) (?P<other>\w+))?(?: (?P<amount>\d+))?"
    r"(?: exchange X1 (?P<output>\d+))?(?: usage (?P<usage>\d+))?(?: each (?P<each>\d+))?"
    r"(?: until (?P<until>\d+) s)?(?: paying (?P<ratio>\d+) %)?"
    r"(?: card (?P<card>K\d)| quote (?P<quote>Q1))?"
    r"(?: reference (?P<reference>\d+))?(?: DEBT (?P<limit>\d+))?(?P<flags>(?: [A-Z]+)*)"
    r"(?: by (?P<mandate>M\d))?(?P<forged> forged)?"
)
OF_KEYS: Final = re.compile(
    r"LIMIT (?P<whose>\w+) (?P<window>[A-Z]+) (?P<amount>\d+)(?P<zone> in Z1)?"
    r"|DELEGATE (?P<key>\w+) under (?P<parent>\w+)|KILL (?P<killed>\w+)"
    r"|RECOVER to (?P<heir>\w+) after (?P<after>\d+) s|VETO (?P<vetoed>\w+)"
    r"|REVOKE (?P<revoked>\w+)"
)
WINDOWS: Final = {"DAY": raw.DAY, "TOTAL": raw.TOTAL}
DAY_S: Final = 86_400
CHALLENGE_NS: Final = 10 * SECOND_NS
FLAGS: Final = {
    "": 0,
    "UNIQUE": raw.UNIQUE,
    "FINAL": raw.FINAL,
    "CAP": 0,
    "IOU": 0,
    "WAIVE": 0,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of an example."""

    signer: str
    record: str
    code: Code
    effects: list[str]
    available: str


@dataclass(slots=True)
class Step:
    """The rows of one envelope."""

    number: int
    at_ns: int
    atomic: bool
    same_as: int
    id_of: int
    lines: list[Line] = field(default_factory=list)


def examples() -> dict[str, list[Step]]:
    """The tables of section 5, by the sentence before each."""
    section = PAGE.partition("\n## 5. ")[2]
    parts = re.split(r"^\*\*(.+?)\*\*", section, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], map(_steps, parts[1::2]), strict=True))


def _steps(text: str) -> list[Step]:
    steps: list[Step] = []
    for row in ROW.findall(text)[2:]:
        env, at, signer, record, code, effects, available = (
            cell.strip() for cell in row.split("|")
        )
        if env:
            seconds, _, nanoseconds = at.removesuffix(" ns").partition(" s")
            at_ns = int(seconds) * SECOND_NS - int(nanoseconds.replace("\N{MINUS SIGN}", "") or 0)
            words = env.split()
            refers = int(words[-1]) if len(words) > 2 else 0
            same_as, id_of = (refers, 0) if "as" in words else (0, refers)
            steps.append(Step(int(words[0]), at_ns, "ATOMIC" in words, same_as, id_of))
        listed = [] if effects == "\N{EN DASH}" else effects.split(", ")
        steps[-1].lines.append(Line(signer, record, Code[code], listed, available))
    return steps


EXAMPLES: Final = examples()


class Stage:
    """Plays an example."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.people = {"Alice": book.alice, "Bob": book.bob, "Carol": book.customer()}
        self.people["Bank"] = book.bank
        self.people["nobody"] = Person(raw.ZERO_ID, b"nobody".ljust(32, b"."))
        self.names = names_of(book)
        self.card = self.published_card()
        self.cheaper = self.published_card(1_000_000)
        self.unit = book.deferred_unit()
        self.iou = {
            name: book.account(self.people[name], self.unit) for name in ("Alice", "Bob", "Carol")
        }
        for name in ("Agent", "Tool"):
            key = book.add_key(book.alice, raw.SPEND)
            self.people[name] = Person(book.alice.principal, key, book.alice.account)
        for name in ("Vault", "Safe"):
            key = book.add_key(book.alice, raw.RECOVERY)
            self.people[name] = Person(book.alice.principal, key, book.alice.account)
        for name in ("Heir", "Rival"):
            key = book.fresh_key()
            book.owns(key, book.alice.principal)
            self.people[name] = Person(book.alice.principal, key, book.alice.account)
        self.start_ns = (book.now_ns // SECOND_NS + 2) * SECOND_NS
        self.zone = self.published_zone()
        self.quote, self.signed_quote = self.quoted()
        self.wallet, self.exchange_quote = self.exchange()
        self.made: dict[str, bytes] = {}  # holds, channels and grants
        self.channel_key = self.book.channel_key(self.book.alice)
        self.sent: dict[int, raw.Envelope] = {}
        self.cited: dict[int, int] = {}  # sequence number of an envelope's first record

    def record(self, line: Line, own_id: bytes) -> bytes:  # noqa: C901, PLR0911 - one a kind
        of_keys = OF_KEYS.fullmatch(line.record)
        if of_keys:
            return self.of_keys(of_keys)
        match = RECORD.fullmatch(line.record)
        assert match, line.record
        signer = self.people[line.signer]
        amount = int(match["amount"] or 0)
        flags = FLAGS[match["flags"].strip()]
        reference = int(match["reference"] or 0)
        until_ns = self.start_ns + int(match["until"]) * SECOND_NS if match["until"] else 0
        if match["kind"] == "TICK":
            return raw.tick()
        if match["cited"]:
            return self.correction(match, self.cited[int(match["cited"])], amount, until_ns)
        if match["kind"] in ("JOIN", "WINDOW_CLOSE", "SETTLE", "FAIL"):
            return self.netting(match, signer, amount)
        if not match["other"]:
            return self.about(signer, match, amount, until_ns)
        accounts = (signer.account, self.people[match["other"]].account)
        if match["flags"].strip() == "IOU":
            accounts = (self.iou[line.signer], self.iou[match["other"]])
        if match["kind"] == "CREDIT_LIMIT":
            return raw.credit_limit(self.book.usd, accounts[1], amount)
        if match["kind"] == "TRANSFER":
            record = raw.transfer(*accounts, amount, reference, flags=flags)
            return self.exchanged(record, int(match["output"])) if match["output"] else record
        if match["kind"] == "METER":
            return self.metered(match, accounts, reference, flags)
        self.made[match["made"]] = own_id
        if match["kind"] == "MANDATE":
            payee = self.people[match["other"]].principal
            each = int(match["each"])
            return raw.mandate(signer.account, payee, amount, each, until_ns)
        if match["kind"] == "GRANT":
            ratio, grantee = 10_000 * int(match["ratio"]), self.people[match["other"]].principal
            return raw_grants.grant(accounts[0], grantee, amount, until_ns, ratio=ratio)
        if match["kind"] == "CHANNEL":
            return raw.channel(*accounts, amount, self.channel_key.public_key, CHALLENGE_NS)
        assert match["kind"] == "RESERVE"
        record = raw.reserve(*accounts, amount, until_ns, reference, flags=flags)
        return self.priced(match, record) if match["card"] or match["quote"] else record

    def priced(self, match: re.Match[str], record: bytes) -> bytes:
        """A RESERVE by the card or the quote."""
        limit = int(match["limit"] or 0)
        overrun = raw.CAP if match["flags"].strip() == "CAP" else raw.REJECT
        overrun = raw.DEBT if limit else overrun
        prices = raw_quotes.quote_id(self.quote) if match["quote"] else self.card
        terms = raw.terms(prices, self.names.model, overrun=overrun, debt_limit=limit)
        if match["quote"]:
            return raw_quotes.quoted(record, terms, self.signed_quote)
        return raw.priced(record, terms)

    def netting(self, match: re.Match[str], signer: Person, amount: int) -> bytes:
        """A record of the deferred unit IOU."""
        match match["kind"]:
            case "JOIN":
                (account,) = [self.iou[name] for name in self.iou if self.people[name] is signer]
                return raw.join(account, signer.account, amount)
            case "WINDOW_CLOSE":
                return raw.window_close(self.unit, amount)
            case "FAIL":
                return raw.fail(self.unit, amount, self.iou[match["other"]])
        rows = map(PairRow.decode, self.book.engine.rows(Table.PAIR))
        debts = [
            (row.debtor_account, row.creditor_account, row.amount)
            for row in rows
            if row.window == amount
        ]
        return self.book.settle(self.unit, amount, debts)

    def metered(
        self, match: re.Match[str], accounts: tuple[bytes, bytes], reference: int, flags: int
    ) -> bytes:
        """A METER: by the payer, or by the payee under a mandate; under K1 or the quote Q1."""
        amount, model = int(match["amount"]), self.names.model
        used = raw.usage([(self.names.meter, int(match["usage"]))])
        mandate = self.made.get(match["mandate"], raw.ZERO_ID)
        content = raw.metered(self.card, model, used, raw.ZERO_ID, mandate_id=mandate)
        payer, payee = accounts[::-1] if match["mandate"] else accounts
        record = raw.meter(payer, payee, amount, content, reference, flags=flags)
        if not match["quote"]:
            return record
        content = raw.metered(raw_quotes.quote_id(self.quote), model, used)
        return raw_quotes.meter_quoted(record, content, self.signed_quote)

    def published_card(self, only: int = 0) -> bytes:
        """A card of Bob's, already effective: K1, or one with a single price."""
        book, names, bob = self.book, self.names, self.book.bob
        envelope_id = book.new_id()
        card = book.derived(bob.principal, envelope_id, 0)
        lines = [
            raw.price(card, names.model, names.meter, 1_500_000, window=(720, 1_440, 0x7F)),
            raw.price(card, names.model, names.meter, 1_000_000, window=(0, 720, 0x7F)),
            raw.price(card, names.model, names.meter, 3_000_000, above=100),
        ]
        if only:
            lines = [raw.price(card, names.model, names.meter, only)]
        starts_ns = book.now_ns + MIN_NOTICE_NS + SECOND_NS
        root = raw.lines_root(lines)
        head = raw.card(book.usd, starts_ns, len(lines), root, [names.meter])
        book.ok(bob.key, head, *lines, raw.card_publish(card), envelope_id=envelope_id)
        book.now_ns = starts_ns
        return card

    def published_zone(self) -> bytes:
        """The zone Z1, a day of which ends 30 s after the start."""
        start_s, rest_ns = divmod(self.start_ns, SECOND_NS)
        assert rest_ns == 0
        offset_s = DAY_S - 30 - start_s % DAY_S
        end_ns = (start_s + 2 * DAY_S) * SECOND_NS
        record = raw.zone(b"Z1", 1, self.start_ns - SECOND_NS, end_ns, offset_s)
        self.book.ok(self.book.operator.key, record)
        return zone_id(self.book.genesis.ledger_id, "Z1")

    def of_keys(self, match: re.Match[str]) -> bytes:
        """A record about keys: what they may spend, which is above, which are no more."""
        if match["key"]:
            return raw.delegate(self.people[match["key"]].key, self.people[match["parent"]].key)
        if match["killed"]:
            return raw.kill(self.people[match["killed"]].key)
        if match["heir"]:
            heir = self.people[match["heir"]]
            return raw_recovery.recover(heir.key, heir.principal, int(match["after"]) * SECOND_NS)
        if match["vetoed"]:
            return raw_recovery.veto(self.people[match["vetoed"]].key)
        if match["revoked"]:
            revoked = self.people[match["revoked"]]
            return raw.key(raw.REVOKE, revoked.key, revoked.principal)
        return raw.limit(
            raw.OF_KEY,
            WINDOWS[match["window"]],
            self.people[match["whose"]].key,
            self.book.usd,
            int(match["amount"]),
            zone_id=self.zone if match["zone"] else raw.ZERO_ID,
        )

    def quoted(self) -> tuple[bytes, bytes]:
        """The quote Q1 of Bob's, without and with its signature."""
        book, names = self.book, self.names
        key = book.price_key(book.bob)
        lines = [raw_quotes.quote_line(names.model, names.meter, 1_000_000)]
        not_after_ns = self.start_ns + 30 * SECOND_NS
        alice = book.alice.principal
        body = raw_quotes.quote_body(key.public_key, alice, book.usd, 100, not_after_ns, lines)
        return body, book.quote(key, body)

    def exchange(self) -> tuple[bytes, bytes]:
        """Alice's account in the second unit, and the exchange quote X1 of Bob's."""
        book, alice, bob = self.book, self.book.alice, self.book.bob
        tokens = book.unit(b"TOK")
        stock, wallet = book.account(bob, tokens), book.account(alice, tokens)
        book.issue(stock, 1_000, tokens)
        key = book.signing_key(bob, raw.SPEND)
        accounts, until_ns = (stock, bob.account), self.start_ns + 30 * SECOND_NS
        body = raw_exchange.body(key.public_key, accounts, (3, 2), 100, until_ns)
        return wallet, book.exchange_quote(key, body)

    def exchanged(self, transfer: bytes, output: int) -> bytes:
        return raw_exchange.exchanged(transfer, self.wallet, output, self.exchange_quote)

    def correction(self, match: re.Match[str], cited: int, amount: int, until_ns: int) -> bytes:
        """A record that cites the first one of an earlier envelope."""
        match match["kind"]:
            case "REFUND":
                return raw.refund(cited, amount)
            case "DISPUTE":
                return raw.dispute(cited, amount, until_ns)
            case "REPRICE":
                used = raw.usage([(self.names.meter, int(match["usage"]))])
                card = {"K1": self.card, "K2": self.cheaper}[match["card"]]
                return raw.reprice(cited, amount, raw.repriced(card, self.names.model, used))
            case kind:
                assert kind == "DISPUTE_ANSWER"
                return raw.dispute_answer(cited, amount)

    def about(self, signer: Person, match: re.Match[str], amount: int, until_ns: int) -> bytes:
        """A record about a hold, channel or the like that is there."""
        made = self.made[match["made"]]
        match match["kind"]:
            case "EXTEND":
                record = raw.extend(made, amount, until_ns)
            case "CAPTURE":
                record = raw.capture(made, amount, flags=FLAGS[match["flags"].strip()])
                if match["usage"]:
                    used = [(self.names.meter, int(match["usage"]))]
                    record = raw.used(record, raw.usage(used))
            case "RELEASE":
                record = raw.release(made)
            case "MANDATE_END":
                record = raw.mandate_end(made)
            case "PAY_CLAIM":
                is_waived = match["flags"].strip() == "WAIVE"
                pays = raw.pay_claim(made, amount, signer.account)
                record = raw.waive_claim(made) if is_waived else pays
            case "CLAW_BACK":
                record = raw_grants.claw_back(made)
            case "TOP_UP":
                record = raw.top_up(made, amount)
            case "VOUCHER":
                record = self.book.voucher(self.channel_key, made, amount)
            case kind:
                assert kind == "CHANNEL_CLOSE"
                record = raw.channel_close(made)
        return raw.patched(record, 64, bytes(32)) if match["forged"] else record

    def play(self, step: Step) -> None:
        book, signer = self.book, self.people[step.lines[0].signer]
        book.now_ns = self.start_ns + step.at_ns
        envelope_id = self.sent[step.id_of].envelope_id if step.id_of else book.new_id()
        records: list[bytes] = []
        indexes = []
        for line in step.lines:
            indexes.append(len(b"".join(records)) // raw.RECORD_BYTES)
            own_id = book.derived(signer.principal, envelope_id, indexes[-1])
            records.append(self.record(line, own_id))
        envelope = book.envelope(signer.key, *records, atomic=step.atomic, envelope_id=envelope_id)
        if step.same_as:
            envelope = self.sent[step.same_as]
            assert list(envelope.records) == records
        self.sent[step.number] = envelope
        self.cited[step.number] = book.next_sequence
        receipt = book.apply(envelope)[0]
        assert receipt.codes == [line.code for line in step.lines], step.number
        for index, line in zip(indexes, step.lines, strict=True):
            own = [effect for effect in receipt.effects if effect.record_index == index]
            assert [_words(effect) for effect in own] == line.effects, (step.number, index)
        expected = step.lines[-1].available
        if expected:
            available = [book.available(self.people[name]) for name in ("Alice", "Bob")]
            assert expected == f"{available[0]}, {available[1]}", step.number
        failed = [line.code is not Code.ATOMIC_ABORTED for line in step.lines]
        for result in receipt.results:
            if result.code is Code.ATOMIC_ABORTED:
                assert result.detail == indexes[failed.index(True)]


def _words(effect: Effect) -> str:
    return f"{effect.cause.name} {effect.amount}"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_worked_examples(name: str, engine: MakeEngine) -> None:
    stage = Stage(Book(engine))
    for step in EXAMPLES[name]:
        stage.play(step)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 21
    assert sum(len(step.lines) for steps in EXAMPLES.values() for step in steps) > 30


RULES: Final = {
    "PRINCIPAL": registry.principal,
    "KEY ADD": registry.key_add,
    "KEY REVOKE": registry.key_revoke,
    "KEY ROTATE": registry.key_rotate,
    "RECOVER": recovery.recover,
    "VETO": recovery.veto,
    "NAME": registry.name,
    "UNIT": units.unit,
    "ISSUE": units.issue,
    "BURN": units.burn,
    "CREDIT_LIMIT": units.credit_limit,
    "TRANSFER": money.transfer,
    "TRANSFER exchange": exchanges.exchange,
    "RESERVE": metering.reserve,
    "EXTEND": metering.extend,
    "CAPTURE": metering.capture,
    "RELEASE": metering.release,
    "METER": meters.meter,
    "MANDATE": mandates.mandate,
    "MANDATE_END": mandates.mandate_end,
    "PAY_CLAIM PAY": debts.pay,
    "PAY_CLAIM WAIVE": debts.waive,
    "CHANNEL": channels.channel,
    "TOP_UP": channels.top_up,
    "VOUCHER": channels.voucher,
    "CHANNEL_CLOSE": channels.channel_close,
    "CARD": cards.card,
    "PRICE": cards.price,
    "CARD_PUBLISH": cards.card_publish,
    "LIST": grants.list_,
    "GRANT": grants.grant,
    "CLAW_BACK": grants.claw_back,
    "RELATION": grants.relation,
    "LIMIT": limits.limit,
    "ZONE": limits.zone,
    "DELEGATE": delegation.delegate,
    "KILL": delegation.kill,
    "REFUND": corrections.refund,
    "DISPUTE": corrections.dispute,
    "DISPUTE_ANSWER": corrections.dispute_answer,
    "REPRICE": corrections.reprice,
    "TICK": system.tick,
    "JOIN": netting.join,
    "WINDOW_CLOSE": netting.window_close,
    "SETTLE": netting.settle,
    "FAIL": netting.fail,
}
# Checked, and tested elsewhere or out of reach: see test_idempotency.py and semantics.md.
WITHOUT_CASE: Final = {
    ("PRINCIPAL", Code.ID_CONFLICT),
    ("NAME", Code.ID_CONFLICT),
    ("UNIT", Code.ID_CONFLICT),
    ("RESERVE", Code.ID_CONFLICT),
    ("RESERVE", Code.AMOUNT_OVERFLOW),
    # Of priced holds: test_order.py has their order.
    ("RESERVE", Code.CARD_NOT_FOUND),
    ("RESERVE", Code.NOT_PROVIDER),
    ("RESERVE", Code.CARD_NOT_EFFECTIVE),
    ("RESERVE", Code.UNPRICED),
    ("RESERVE", Code.QUOTE_NOT_FOUND),
    ("RESERVE", Code.UNIT_NOT_FOUND),
    ("RESERVE", Code.BAD_QUOTE),
    ("RESERVE", Code.QUOTE_EXPIRED),
    ("RESERVE", Code.QUOTE_EXCEEDED),
    ("EXTEND", Code.QUOTE_EXPIRED),
    ("EXTEND", Code.QUOTE_EXCEEDED),
    ("CAPTURE", Code.PRICE_NOT_AGREED),
    ("CAPTURE", Code.UNPRICED),
    ("CAPTURE", Code.PRICE_MISMATCH),
    ("RESERVE", Code.CLAIM_OPEN),
    ("CAPTURE", Code.CAP_EXCEEDED),  # of holds on debt
    ("PAY_CLAIM", Code.NOT_A_MEMBER),  # any account may pay; test_order.py has it of METER
    ("PAY_CLAIM PAY", Code.NOT_A_MEMBER),
    ("EXTEND", Code.AMOUNT_OVERFLOW),
    ("CARD", Code.ID_CONFLICT),
    ("MANDATE", Code.ID_CONFLICT),
    # Under a mandate: test_order.py has their order.
    ("METER", Code.MANDATE_NOT_FOUND),
    ("METER", Code.NOT_PAYEE),
    ("METER", Code.MANDATE_ENDED),
    ("METER", Code.PRICE_NOT_AGREED),
    ("METER", Code.MANDATE_EXCEEDED),
    # With a quote: likewise.
    ("METER", Code.QUOTE_NOT_FOUND),
    ("METER", Code.UNIT_NOT_FOUND),
    ("METER", Code.BAD_QUOTE),
    ("METER", Code.QUOTE_EXPIRED),
    ("METER", Code.QUOTE_EXCEEDED),
    ("PRICE", Code.ID_CONFLICT),
    ("CHANNEL", Code.ID_CONFLICT),
    ("CHANNEL", Code.AMOUNT_OVERFLOW),
    ("TOP_UP", Code.AMOUNT_OVERFLOW),
    # test_limits.py
    ("LIMIT", Code.CAP_EXCEEDED),
    ("ZONE", Code.CAP_EXCEEDED),
    ("EXTEND", Code.CAP_EXCEEDED),
    ("TOP_UP", Code.CAP_EXCEEDED),
    # Of what spends, all the same: TRANSFER and RESERVE have it.
    ("EXTEND", Code.ZONE_HORIZON),
    ("CHANNEL", Code.ZONE_HORIZON),
    ("TOP_UP", Code.ZONE_HORIZON),
    ("METER", Code.ZONE_HORIZON),
    ("ISSUE", Code.ISSUANCE_ACCOUNT),
    ("BURN", Code.ISSUANCE_ACCOUNT),
    ("REFUND", Code.CITATIONS_FULL),  # test_corrections.py
    ("DISPUTE", Code.CITATIONS_FULL),
    ("REPRICE", Code.CITATIONS_FULL),
    ("JOIN", Code.CAP_EXCEEDED),  # test_netting.py
    # Would take a trillion records: see MAX_DEBIT.
    ("JOIN", Code.AMOUNT_OVERFLOW),
    ("WINDOW_CLOSE", Code.AMOUNT_OVERFLOW),
    ("FAIL", Code.AMOUNT_OVERFLOW),
    ("DISPUTE_ANSWER", Code.CITATIONS_FULL),
    ("LIST", Code.ID_CONFLICT),
    ("GRANT", Code.ID_CONFLICT),
}
CODE_NAMES: Final = {code.name for code in Code}


def codes_in(text: str) -> list[Code]:
    """The codes that a text names, each where it comes first."""
    words = re.findall(r"[A-Z][A-Z_]+", text)
    return list(dict.fromkeys(Code[word] for word in words if word in CODE_NAMES and word != "OK"))


def codes_after_shape(kind: KindCases) -> list[Code]:
    first = kind.violations.index(SIGNER[0])
    return list(dict.fromkeys(rule.code for rule in kind.violations[first:]))


# ACCOUNT's docstrings are spread over its operations; test_order.py has their order.
DOCUMENTED: Final = [kind for kind in KINDS if kind.name in RULES]


@pytest.mark.parametrize("kind", DOCUMENTED, ids=lambda kind: kind.name)
def test_docstrings_list_all_codes_in_the_order_of_the_checks(kind: KindCases) -> None:
    rule = RULES[kind.name]
    documentation = inspect.getdoc(rule) or ""
    listed = codes_in(documentation.partition("Refused:")[2])
    cases = [code for code in listed if (kind.name, code) not in WITHOUT_CASE]
    assert cases == codes_after_shape(kind)


SECTIONS: Final = re.findall(r"^### ([A-Z_]+)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", SECTIONS)
def test_the_page_names_no_code_without_a_case(name: str) -> None:
    section = re.search(rf"^### {name}\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    assert section
    kinds = [kind for kind in KINDS if kind.name.split()[0] == name]
    covered = {rule.code for kind in kinds for rule in kind.violations}
    named = {code for code in codes_in(section[1]) if (name, code) not in WITHOUT_CASE}
    assert named - covered == set()
