"""The demo's proofs: they hold over good evidence, and each kind of damage fails the right one."""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import pytest

from tallystick import Receipt, Signer
from tallystick_cluster.data import ClientWeight, Usage
from tallystick_cluster.demo.plan import Offer, Plan, make_plan
from tallystick_cluster.demo.population import Party, Population
from tallystick_cluster.demo.proofs import Evidence, Proof, Told, prove, usd
from tallystick_cluster.demo.replay import Executed, NodeReplay
from tallystick_ledger.ids import (
    AccountId,
    Amount,
    EnvelopeId,
    HoldId,
    PrincipalId,
    SequenceNumber,
    TimestampNs,
    UnitId,
)
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records import Reserve
from tallystick_ledger.state_rows import AccountRow

USAGE = (Usage(1, 374, 44), Usage(2, 396, 109), Usage(3, 879, 55))
OFFERS = (Offer("one", 150, 600, share=1), Offer("two", 400, 1_600, share=1))
PROOFS = [
    "exactly_once",
    "same_log",
    "same_state",
    "debits_equal_credits",
    "tokens_as_in_the_trace",
    "money_as_priced",
    "balances_as_paid",
]
REFUSED = (150).to_bytes(2, "little") + bytes(14)
# The refused RESERVE of request 3, and five envelopes that did what they say.
RESULTS = (b"", b"", b"", b"", REFUSED * 2)


def _id(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()[:16]


def _party(name: str) -> Party:
    signer = Signer(
        SigningKey(hashlib.sha256(name.encode()).digest()), PrincipalId(_id(name)), name
    )
    return Party(name, signer, signer, AccountId(_id(name, "USD")), AccountId(_id(name, "TOKEN")))


def _population(plan: Plan) -> Population:
    consumers = tuple(_party(each.name) for each in plan.consumers)
    providers = tuple(_party(each.provider) for each in plan.offers)
    issuer = _party("issuer").owner
    return Population(issuer, UnitId(_id("USD")), UnitId(_id("TOKEN")), consumers, providers)


def _node(raft_id: int, plan: Plan, population: Population, settled: set[int]) -> NodeReplay:
    """The replay of a ledger that settled these requests and refused the others."""
    debits: dict[AccountId, int] = defaultdict(int)
    credits_: dict[AccountId, int] = defaultdict(int)
    node = NodeReplay(raft_id, entries=[b"a", b"b"], state_digest=b"state", tree_root=b"root")
    node.tree_size = 6
    node.digest_at = {9: b"state"}
    node.checkpoints = [(2, b"state", b"state")]
    money_issuance = AccountId(population.money_unit)
    token_issuance = AccountId(population.token_unit)
    for consumer, party in zip(plan.consumers, population.consumers, strict=True):
        credits_[party.money] += consumer.deposit_nano
        debits[money_issuance] += consumer.deposit_nano
        credits_[party.tokens] += consumer.deposit_tokens
        debits[token_issuance] += consumer.deposit_tokens
    for job in (job for job in plan.jobs if job.usage.number in settled):
        payer, payee = population.consumers[job.consumer], population.providers[job.provider]
        for unit, debit, credit, amount in (
            ("USD", payer.money, payee.money, plan.cost_nano(job)),
            ("TOKEN", payer.tokens, payee.tokens, job.usage.tokens),
        ):
            hold = HoldId(_id(job.usage.number, unit))
            node.reserved[hold] = Reserve(
                debit, credit, 10**9, TimestampNs(1), reference=job.usage.number
            )
            node.captured[hold] = amount
            debits[debit] += amount
            credits_[credit] += amount
    tokens = {party.tokens for party in (*population.consumers, *population.providers)}
    for account in debits.keys() | credits_.keys():
        in_tokens = account in tokens or account == token_issuance
        counts_in = population.token_unit if in_tokens else population.money_unit
        node.accounts[account] = AccountRow(
            account,
            PrincipalId(_id("owner")),
            counts_in,
            debits_posted=Amount(debits[account]),
            credits_posted=Amount(credits_[account]),
        )
    for position, result_bytes in enumerate(RESULTS):
        digest = hashlib.sha256(bytes([position])).digest()
        node.executed[digest].append(Executed(2 * position + 1, result_bytes))
    return node


def _evidence() -> Evidence:
    plan = make_plan(
        USAGE, (ClientWeight(7, 2), ClientWeight(3, 1)), in_flight=2, seed=3, offers=OFFERS
    )
    population = _population(plan)
    settled = {1, 2}
    nodes = [_node(raft_id, plan, population, settled) for raft_id in (1, 2, 3)]
    acknowledged = {
        hashlib.sha256(bytes([position])).digest(): Receipt(
            EnvelopeId(_id(position)),
            SequenceNumber(2 * position + 1),
            TimestampNs(1),
            2,
            result_bytes,
        )
        for position, result_bytes in enumerate(RESULTS)
    }
    told = [Told(raft_id, 9, b"state") for raft_id in (1, 2, 3)]
    return Evidence(
        nodes, acknowledged, settled, told, dict(nodes[0].accounts), USAGE, plan, population
    )


def _failing(evidence: Evidence) -> list[str]:
    return [proof.name for proof in prove(evidence) if not proof.holds]


def test_all_hold_over_good_evidence() -> None:
    proofs = prove(_evidence())
    assert [proof.name for proof in proofs] == PROOFS
    assert all(proof.holds for proof in proofs), proofs


def _first_executed(node: NodeReplay) -> list[Executed]:
    return next(iter(node.executed.values()))


def _change(
    evidence: Evidence, account: AccountId, change: Callable[[AccountRow], AccountRow]
) -> None:
    accounts = evidence.nodes[1].accounts
    accounts[account] = change(accounts[account])


def _debit(amount: int) -> Callable[[AccountRow], AccountRow]:
    return lambda row: replace(row, debits_posted=Amount(row.debits_posted + amount))


def _credit(amount: int) -> Callable[[AccountRow], AccountRow]:
    return lambda row: replace(row, credits_posted=Amount(row.credits_posted + amount))


def _lose(evidence: Evidence) -> None:
    _first_executed(evidence.nodes[1]).clear()


def _execute_twice(evidence: Evidence) -> None:
    executed = _first_executed(evidence.nodes[2])
    executed.append(Executed(99, b""))


def _move(evidence: Evidence) -> None:
    executed = _first_executed(evidence.nodes[2])
    executed[0] = Executed(99, executed[0].result_bytes)


def _answer_otherwise(evidence: Evidence) -> None:
    executed = _first_executed(evidence.nodes[0])
    executed[0] = Executed(executed[0].sequence, REFUSED)


def _other_entry(evidence: Evidence) -> None:
    evidence.nodes[2].entries[1] = b"c"


def _shorter_log(evidence: Evidence) -> None:
    evidence.nodes[0].entries.pop()


def _other_root(evidence: Evidence) -> None:
    evidence.nodes[2].tree_root = b"other"


def _other_state(evidence: Evidence) -> None:
    evidence.nodes[1].state_digest = b"other"


def _told_otherwise(evidence: Evidence) -> None:
    evidence.nodes[1].digest_at[9] = b"other"


def _told_of_nothing(evidence: Evidence) -> None:
    del evidence.nodes[1].digest_at[9]


def _checkpointed_otherwise(evidence: Evidence) -> None:
    evidence.nodes[1].checkpoints[0] = (2, b"other", b"state")


def _violation(evidence: Evidence) -> None:
    evidence.nodes[1].violations.append("something")


def _open_hold(evidence: Evidence) -> None:
    evidence.nodes[1].open_holds = 1


def _unbalanced(evidence: Evidence) -> None:
    _change(evidence, AccountId(evidence.population.money_unit), _debit(1))


def _pending(evidence: Evidence) -> None:
    issuance = AccountId(evidence.population.token_unit)
    _change(evidence, issuance, lambda row: replace(row, debits_pending=Amount(1)))


DAMAGE: tuple[tuple[str, Callable[[Evidence], None]], ...] = (
    ("exactly_once", _lose),
    ("exactly_once", _execute_twice),
    ("exactly_once", _move),
    ("exactly_once", _answer_otherwise),
    ("same_log", _other_entry),
    ("same_log", _shorter_log),
    ("same_log", _other_root),
    ("same_state", _other_state),
    ("same_state", _told_otherwise),
    ("same_state", _told_of_nothing),
    ("same_state", _checkpointed_otherwise),
    ("debits_equal_credits", _violation),
    ("debits_equal_credits", _open_hold),
    ("debits_equal_credits", _unbalanced),
    ("debits_equal_credits", _pending),
)


@pytest.mark.parametrize(("name", "damage"), DAMAGE, ids=lambda each: getattr(each, "__name__", ""))
def test_damage_on_one_node_fails_its_proof(name: str, damage: Callable[[Evidence], None]) -> None:
    evidence = _evidence()
    damage(evidence)
    assert _failing(evidence) == [name]


@pytest.mark.parametrize(
    ("unit", "name"), [("USD", "money_as_priced"), ("TOKEN", "tokens_as_in_the_trace")]
)
def test_one_unit_too_much_in_one_capture_is_found(unit: str, name: str) -> None:
    evidence = _evidence()
    evidence.nodes[2].captured[HoldId(_id(1, unit))] += 1
    assert _failing(evidence) == [name]


def test_a_missing_capture_is_found() -> None:
    evidence = _evidence()
    del evidence.nodes[2].captured[HoldId(_id(2, "USD"))]
    assert _failing(evidence) == ["money_as_priced"]


def test_a_capture_that_nobody_acknowledged_is_found() -> None:
    evidence = _evidence()
    evidence = replace(evidence, settled={1})
    assert "tokens_as_in_the_trace" in _failing(evidence)
    assert "money_as_priced" in _failing(evidence)


def test_a_capture_from_somebody_else_is_found() -> None:
    evidence = _evidence()
    node = evidence.nodes[0]
    hold = HoldId(_id(1, "USD"))
    stranger = AccountId(_id("stranger"))
    node.reserved[hold] = replace(node.reserved[hold], payer_account=stranger)
    assert _failing(evidence) == ["money_as_priced"]


def test_a_providers_balance_that_is_not_its_captures_is_found() -> None:
    evidence = _evidence()
    account = evidence.population.providers[evidence.plan.jobs[0].provider].tokens
    _change(evidence, account, _credit(1))
    assert _failing(evidence) == ["debits_equal_credits", "tokens_as_in_the_trace"]


def test_money_that_moved_between_consumers_is_found() -> None:
    evidence = _evidence()
    first, second = (party.money for party in evidence.population.consumers)
    _change(evidence, first, _debit(5))
    _change(evidence, second, _credit(5))
    assert _failing(evidence) == ["balances_as_paid"]


def test_what_the_client_read_is_compared() -> None:
    evidence = _evidence()
    account = evidence.population.consumers[0].money
    balances = dict(evidence.balances)
    del balances[account]
    assert _failing(replace(evidence, balances=balances)) == ["balances_as_paid"]


def test_nodes_that_said_nothing_prove_nothing() -> None:
    evidence = _evidence()
    assert _failing(replace(evidence, told=evidence.told[:2])) == ["same_state"]


def test_proofs_over_nothing_do_not_hold() -> None:
    evidence = _evidence()
    nothing = replace(
        evidence,
        nodes=[NodeReplay(raft_id) for raft_id in (1, 2, 3)],
        acknowledged={},
        settled=set(),
        told=[],
        balances={},
    )
    assert _failing(nothing) == PROOFS


def test_a_failed_proof_says_what_is_wrong() -> None:
    evidence = _evidence()
    for node in evidence.nodes:
        _first_executed(node).clear()
    proof: Proof = prove(evidence)[0]
    assert proof.text.startswith("NOT SO: 5 acknowledged envelopes")
    assert "node 1: 1 missing; node 2: 1 missing; node 3: 1 missing" in proof.text


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0.000000000"),
        (1, "0.000000001"),
        (1_234_567_890_123, "1,234.567890123"),
        (-1, "-0.000000001"),
    ],
)
def test_usd_is_written_with_all_digits(nano: int, text: str) -> None:
    assert usd(nano) == text
