"""The chapter of the story of `execution.json` about JOIN, WINDOW_CLOSE, SETTLE and FAIL."""

from typing import TYPE_CHECKING, Final

from tests.differential import raw
from tests.vectors.fixed import key

from tallystick_ledger.ids import AccountId, UnitId
from tallystick_ledger.netting import net_positions, positions_hash

if TYPE_CHECKING:
    from tests.vectors.execution_story import Cast, Story

SECOND_NS: Final = 1_000_000_000
_MOST: Final = 1 << 80


def netting(story: "Story", cast: "Cast") -> None:
    """Dora and Erik owe each other in a unit that is settled in another."""
    dora_key, erik_key = key("Dora"), key("Erik")
    envelope_id = story.new_id()
    dora, erik = (story.derived(cast.operator.public_key, envelope_id, index) for index in range(2))
    records = (cast.principal_record(dora, dora_key), cast.principal_record(erik, erik_key))
    envelope = story.envelope(cast.operator, *records, envelope_id=envelope_id)
    story.apply("an operator registers Dora and Erik", envelope)
    unit, *_ = story.send(
        "a unit of obligations, and what is none",
        cast.operator,
        raw.unit(dora, _symbol("DEBT"), 9, settlement=cast.usd, flags=raw.DEFERRED),
        raw.unit(dora, _symbol("LOAN"), 9, settlement=cast.usd),
        raw.unit(dora, _symbol("LOAN"), 9, flags=raw.DEFERRED),
        raw.unit(dora, _symbol("LOAN"), 2, settlement=cast.usd, flags=raw.DEFERRED),
        raw.unit(dora, _symbol("LOAN"), 9, settlement=b"\x5a" * 16, flags=raw.DEFERRED),
    )
    opened = (raw.open_account(unit), raw.open_account(cast.usd), raw.open_account(cast.usd))
    mine, till, other = story.send("Dora's accounts", dora_key, *opened)
    theirs, shop, _ = story.send("Erik's accounts", erik_key, *opened)
    story.send("Dora has money", cast.bank_key, raw.issue(cast.usd, till, 45))
    story.send("who joined can owe", erik_key, raw.join(theirs, shop, 1_000))
    story.send(
        "Dora joins, too",
        dora_key,
        raw.transfer(mine, theirs, 1),
        raw.join(mine, mine, 1),
        raw.join(mine, till, _MOST + 1),
        raw.join(mine, shop, 1),
        raw.join(till, other, 1),
        raw.join(mine, till, 100),
        raw.issue(unit, mine, 1),
        raw.credit_limit(unit, theirs, 1),
    )
    spare, *_ = story.send(
        "another account of Dora's cannot settle from the same one",
        dora_key,
        raw.open_account(unit),
    )
    story.send("and does not", dora_key, raw.join(spare, till, 1))
    paid = story.state.next_sequence_number
    story.send(
        "Dora owes Erik",
        dora_key,
        raw.transfer(mine, theirs, 70),
        raw.transfer(mine, theirs, 31),
        raw.join(mine, till, 69),
    )
    story.send("Erik owes Dora", erik_key, raw.transfer(theirs, mine, 5))
    dispute = raw.dispute(paid, 15, story.now_ns + 40 * SECOND_NS)
    story.send("of which Dora disputes a part", dora_key, dispute)
    _windows(story, unit, mine, theirs)
    story.send("a failed member stays out", dora_key, raw.join(mine, till, 100))
    story.send("Erik answers the dispute", erik_key, raw.dispute_answer(paid, 10))
    story.send("Dora has the rest", cast.bank_key, raw.issue(cast.usd, till, 10))
    story.send(
        "the next window",
        dora_key,
        raw.window_close(unit, 2),
        _settle(story, unit, 2, [(mine, theirs, 55)]),
    )
    story.send("joined again", dora_key, raw.join(mine, till, 10))
    close = raw.account(raw.CLOSE, account_id=theirs)
    story.send("who leaves closes the account", erik_key, close)


def _windows(story: "Story", unit: bytes, mine: bytes, theirs: bytes) -> None:
    """The first window: Dora, who is the operator herself, cannot pay and is failed."""
    signer = key("Dora")
    story.send("strangers close nothing", key("Erik"), raw.window_close(unit, 1))
    story.send(
        "the cut-off",
        signer,
        raw.window_close(unit, 0),
        raw.window_close(unit, 2),
        _settle(story, unit, 1, [(mine, theirs, 50)]),
        raw.window_close(unit, 1),
        raw.window_close(unit, 2),
        raw.account(raw.CLOSE, account_id=mine),
    )
    story.send(
        "Dora cannot pay",
        signer,
        _settle(story, unit, 1, [(mine, theirs, 49)]),
        _settle(story, unit, 1, [(mine, theirs, 50)]),
        raw.fail(unit, 1, theirs),
        raw.fail(unit, 1, unit),
        raw.fail(unit, 1, b"\x5a" * 16),
        raw.fail(unit, 1, mine),
        _settle(story, unit, 1, []),
    )


def _settle(
    story: "Story", unit: bytes, window: int, pairs: list[tuple[bytes, bytes, int]]
) -> bytes:
    named = [(AccountId(debtor), AccountId(creditor), amount) for debtor, creditor, amount in pairs]
    expected = net_positions(named)
    content = positions_hash(story.ledger_id, UnitId(unit), window, expected)
    return raw.settle(unit, window, content)


def _symbol(text: str) -> bytes:
    return text.encode().ljust(16, b"\0")
