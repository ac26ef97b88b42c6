"""The chapter of the story of `execution.json` about REFUND, DISPUTE and DISPUTE_ANSWER."""

from typing import TYPE_CHECKING, Final

from tests.differential import raw

from tallystick_ledger.limits import CORRECTION_WINDOW_NS, MAX_CITED_RECORDS

if TYPE_CHECKING:
    from tests.vectors.execution_story import Cast, Story

SECOND_NS: Final = 1_000_000_000


def corrections(story: "Story", cast: "Cast") -> None:
    """Alice has paid Bob; he gives back, she disputes."""
    story.send("money for all this", cast.bank_key, raw.issue(cast.usd, cast.alice_usd, 2_000))
    paid = story.state.next_sequence_number
    story.send("Alice pays", cast.alice_key, raw.transfer(cast.alice_usd, cast.bob_usd, 100))
    story.send(
        "refunds, up to what was paid",
        cast.bob_key,
        raw.refund(paid, 30),
        raw.refund(paid, 10, 77, flags=raw.UNIQUE, reason=4, occurred_at_ns=story.now_ns),
        raw.refund(paid, 10, 77, flags=raw.UNIQUE),
        raw.refund(paid, 61),
        raw.refund(paid, 1, reason=7),
        raw.refund(paid, 0),
        raw.refund(0, 1),
        raw.patched(raw.refund(paid, 1), 16, b"\x01"),
        raw.refund(story.state.next_sequence_number + 1, 1),
        raw.refund(paid + 1, 1),
    )
    deadline_ns = story.now_ns + 20 * SECOND_NS
    story.send(
        "Alice disputes",
        cast.alice_key,
        raw.refund(paid, 1),
        raw.dispute(paid, 61, deadline_ns),
        raw.dispute(paid, 1, story.now_ns + SECOND_NS),
        raw.dispute(paid, 50, deadline_ns),
        raw.dispute(paid, 1, deadline_ns),
    )
    story.send("no stranger answers", cast.bank_key, raw.dispute_answer(paid, 1))
    story.send(
        "Bob accepts a part of it",
        cast.bob_key,
        raw.dispute(paid, 1, deadline_ns),
        raw.dispute_answer(paid, 51),
        raw.dispute_answer(paid, 40),
        raw.dispute_answer(paid, 1),
    )
    story.send("again", cast.alice_key, raw.dispute(paid, 5, story.now_ns + 3 * SECOND_NS))
    story.send("rejected", cast.bob_key, raw.dispute_answer(paid))
    story.send("and again", cast.alice_key, raw.dispute(paid, 5, story.now_ns + 3 * SECOND_NS))
    story.now_ns += 10 * SECOND_NS
    story.send(
        "the deadline has passed", cast.bob_key, raw.dispute_answer(paid, 5), raw.refund(paid, 20)
    )
    first, count = story.state.next_sequence_number, MAX_CITED_RECORDS + 1
    payment = raw.transfer(cast.alice_usd, cast.bob_usd, 1)
    story.send("many payments", cast.alice_key, *[payment] * count)
    refunds = [raw.refund(first + place, 1) for place in range(count)]
    story.send("more than a block looks up, and than the cap", cast.bob_key, *refunds)
    story.now_ns += CORRECTION_WINDOW_NS
    story.send("what is long ago stays as it is", cast.bob_key, raw.refund(paid, 1))
