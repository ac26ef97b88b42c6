"""Compares what the nodes' directories hold with what was acknowledged and with the trace.

Pure functions over replays (`replay.py`), what the client kept (`settle.py`), the plan, and the
trace read anew from its file. Each gives a proof: whether it holds, and what was compared, or else
where it failed. A proof over nothing does not hold.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from tallystick import Receipt
from tallystick_cluster.data import Usage
from tallystick_cluster.demo.plan import NANO_PER_USD, Plan
from tallystick_cluster.demo.population import Party, Population
from tallystick_cluster.demo.replay import NodeReplay
from tallystick_ledger.ids import AccountId, UnitId
from tallystick_ledger.state_rows import AccountRow

SHOWN_PROBLEMS: Final = 3


@dataclass(frozen=True, slots=True)
class Proof:
    """Something that was checked.

    Attributes:
        name: A word for programs.
        holds: Whether it is so.
        text: What was compared; what is wrong if it does not hold.
    """

    name: str
    holds: bool
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a node said of its state while it ran.

    Attributes:
        raft_id: Who.
        next_sequence: Where its state stood.
        state_digest: 32 bytes.
    """

    raft_id: int
    next_sequence: int
    state_digest: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the proofs are about.

    Attributes:
        nodes: One replay of each node's directory.
        acknowledged: SHA-256 of an envelope's bytes to its receipt.
        settled: Numbers of the requests whose capture was acknowledged.
        told: What each node said last.
        balances: Accounts as the client read them, through a quorum, at the end.
        usage: The trace, read anew.
        plan: Who asked whom, at which price.
        population: The accounts.
    """

    nodes: Sequence[NodeReplay]
    acknowledged: Mapping[bytes, Receipt]
    settled: AbstractSet[int]
    told: Sequence[Told]
    balances: Mapping[AccountId, AccountRow]
    usage: Sequence[Usage]
    plan: Plan
    population: Population


def prove(evidence: Evidence) -> list[Proof]:
    """Checks everything; the order is that of the report."""
    checks: tuple[Callable[[Evidence], Proof], ...] = (
        exactly_once,
        same_log,
        same_state,
        debits_equal_credits,
        tokens_as_in_the_trace,
        money_as_priced,
        balances_as_paid,
    )
    return [check(evidence) for check in checks]


def exactly_once(evidence: Evidence) -> Proof:
    """Each acknowledged envelope is executed once on every node, with the answered results."""
    problems = []
    for node in evidence.nodes:
        missing = repeated = different = 0
        for digest, receipt in evidence.acknowledged.items():
            found = node.executed.get(digest, [])
            missing += not found
            repeated += len(found) > 1
            different += len(found) == 1 and (found[0].sequence, found[0].result_bytes) != (
                receipt.sequence,
                receipt.result_bytes,
            )
        for count, what in (
            (missing, "missing"),
            (repeated, "executed more than once"),
            (different, "with another place or other results than answered"),
        ):
            if count:
                problems.append(f"node {node.raft_id}: {count:,} {what}")
    count = len(evidence.acknowledged)
    return _proof(
        "exactly_once",
        f"{count:,} acknowledged envelopes: on the disk of all {len(evidence.nodes)} nodes, "
        "executed exactly once, as answered",
        problems if count else ["nothing was acknowledged"],
    )


def same_log(evidence: Evidence) -> Proof:
    """All logs are the same, entry by entry, and give the same tree."""
    first = evidence.nodes[0]
    problems = [
        f"node {node.raft_id} differs from node {first.raft_id}"
        for node in evidence.nodes[1:]
        if (node.entries, node.tree_size, node.tree_root)
        != (first.entries, first.tree_size, first.tree_root)
    ]
    if not any(first.entries):
        problems.append("the log is empty")
    return _proof(
        "same_log",
        f"{len(evidence.nodes)} equal logs of {len(first.entries):,} entries; tree root "
        f"{first.tree_root.hex()[:16]}… over {first.tree_size:,} envelopes",
        problems,
    )


def same_state(evidence: Evidence) -> Proof:
    """Each log replayed gives the same state, which is what each node said and checkpointed."""
    first = evidence.nodes[0]
    problems = [
        f"the replay of node {node.raft_id} differs from that of node {first.raft_id}"
        for node in evidence.nodes[1:]
        if node.state_digest != first.state_digest
    ]
    replays = {node.raft_id: node for node in evidence.nodes}
    problems += [
        f"node {told.raft_id} said another digest than its log gives"
        for told in evidence.told
        if replays[told.raft_id].digest_at.get(told.next_sequence) != told.state_digest
    ]
    if {told.raft_id for told in evidence.told} != replays.keys():
        problems.append("not every node said its digest")
    problems += [
        f"node {node.raft_id}'s checkpoint at entry {index:,} is not what its log gives"
        for node in evidence.nodes
        for index, saved, replayed in node.checkpoints
        if saved != replayed
    ]
    return _proof(
        "same_state",
        f"equal state digests {first.state_digest.hex()[:16]}…: replayed from each disk, told by "
        "the nodes, checkpointed",
        problems,
    )


def debits_equal_credits(evidence: Evidence) -> Proof:
    """Per unit Σ debits = Σ credits, nothing is pending, and no invariant is broken."""
    population = evidence.population
    problems = []
    for node in evidence.nodes:
        problems += [f"node {node.raft_id}: {each}" for each in node.violations]
        if node.open_holds:
            problems.append(f"node {node.raft_id}: {node.open_holds:,} holds are open")
        for unit in (population.money_unit, population.token_unit):
            rows = [row for row in node.accounts.values() if row.unit == unit]
            debits = sum(row.debits_posted for row in rows)
            if not debits or debits != sum(row.credits_posted for row in rows):
                problems.append(f"node {node.raft_id}: debits and credits differ")
            if any(row.debits_pending or row.credits_pending for row in rows):
                problems.append(f"node {node.raft_id}: something is pending")
    money, tokens = (
        _turnover(evidence.nodes[0], unit)
        for unit in (population.money_unit, population.token_unit)
    )
    return _proof(
        "debits_equal_credits",
        f"debits equal credits: {usd(money)} USD, {tokens:,} tokens, deposits included; no hold "
        "is open",
        problems,
    )


def tokens_as_in_the_trace(evidence: Evidence) -> Proof:
    """Captured tokens are the trace's, request by request and in sum."""
    expected = {usage.number: usage.tokens for usage in _settled_usage(evidence)}
    problems = _compare_captures(evidence, expected, lambda party: party.tokens)
    total = sum(expected.values())
    return _proof(
        "tokens_as_in_the_trace",
        f"{total:,} tokens captured by {len(expected):,} requests: the trace's, one by one and "
        "in sum",
        problems,
    )


def money_as_priced(evidence: Evidence) -> Proof:
    """Captured money is the trace's tokens at the providers' prices."""
    plan = evidence.plan
    expected = {
        usage.number: plan.offers[plan.jobs[usage.number - 1].provider].charge_nano(
            usage.context_tokens, usage.generated_tokens
        )
        for usage in _settled_usage(evidence)
    }
    problems = _compare_captures(evidence, expected, lambda party: party.money)
    return _proof(
        "money_as_priced",
        f"{usd(sum(expected.values()))} USD captured: the trace's tokens at the providers' "
        "prices, to the nano-USD",
        problems,
    )


def balances_as_paid(evidence: Evidence) -> Proof:
    """Each consumer has its deposit less what it paid, on every node and as the client read it."""
    plan, population = evidence.plan, evidence.population
    spent_nano: dict[int, int] = defaultdict(int)
    spent_tokens: dict[int, int] = defaultdict(int)
    for usage in _settled_usage(evidence):
        job = plan.jobs[usage.number - 1]
        spent_nano[job.consumer] += plan.cost_nano(job)
        spent_tokens[job.consumer] += usage.tokens
    expected = {}
    for position, (consumer, party) in enumerate(
        zip(plan.consumers, population.consumers, strict=True)
    ):
        expected[party.money] = consumer.deposit_nano - spent_nano[position]
        expected[party.tokens] = consumer.deposit_tokens - spent_tokens[position]
    problems = []
    sources = [(f"node {node.raft_id}", node.accounts) for node in evidence.nodes]
    for where, accounts in (*sources, ("what the client read", dict(evidence.balances))):
        wrong = [
            account
            for account, available in expected.items()
            if account not in accounts or accounts[account].available != available
        ]
        if wrong:
            problems.append(f"{where}: {len(wrong):,} accounts differ")
        if any(available < 0 for available in expected.values()):
            problems.append(f"{where}: somebody spent more than it had")
    return _proof(
        "balances_as_paid",
        f"{len(expected):,} accounts of consumers: deposit less payments, none below zero",
        problems,
    )


def _settled_usage(evidence: Evidence) -> list[Usage]:
    return [usage for usage in evidence.usage if usage.number in evidence.settled]


def _compare_captures(
    evidence: Evidence, expected: Mapping[int, int], account_of: Callable[[Party], AccountId]
) -> list[str]:
    """Problems with what each log captures into the providers' accounts of one unit."""
    plan, population = evidence.plan, evidence.population
    payees = {account_of(party): party for party in population.providers}
    problems = [] if expected else ["no request was settled"]
    for node in evidence.nodes:
        captured: dict[int, int] = {}
        strangers = 0
        for hold, reserve in node.reserved.items():
            if reserve.payee_account not in payees or hold not in node.captured:
                continue
            number = reserve.reference
            job = plan.jobs[number - 1]
            parties = population.consumers[job.consumer], population.providers[job.provider]
            accounts = account_of(parties[0]), account_of(parties[1])
            strangers += accounts != (reserve.payer_account, reserve.payee_account)
            strangers += number in captured
            captured[number] = node.captured[hold]
        if captured != expected or strangers:
            wrong = sum(captured.get(each) != amount for each, amount in expected.items())
            more = len(captured.keys() - expected.keys())
            problems.append(
                f"node {node.raft_id}: {wrong:,} captures differ, {more:,} are too many, "
                f"{strangers:,} are between others"
            )
        received = sum(
            node.accounts[account].credits_posted for account in payees if account in node.accounts
        )
        if received != sum(expected.values()):
            problems.append(f"node {node.raft_id}: the providers' balances are another sum")
    return problems


def _turnover(node: NodeReplay, unit: UnitId) -> int:
    return sum(row.debits_posted for row in node.accounts.values() if row.unit == unit)


def _proof(name: str, text: str, problems: Iterable[str]) -> Proof:
    found = list(problems)
    if not found:
        return Proof(name, holds=True, text=text)
    shown = "; ".join(found[:SHOWN_PROBLEMS])
    more = f"; and {len(found) - SHOWN_PROBLEMS} more" if len(found) > SHOWN_PROBLEMS else ""
    return Proof(name, holds=False, text=f"NOT SO: {text}: {shown}{more}")


def usd(nano: int) -> str:
    """Writes an amount of nano-USD with all its digits."""
    sign = "-" if nano < 0 else ""
    whole, rest = divmod(abs(nano), NANO_PER_USD)
    return f"{sign}{whole:,}.{rest:09d}"
