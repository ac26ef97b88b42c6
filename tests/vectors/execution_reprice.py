"""A chapter of the story of `execution.json`: REPRICE.

The bank has charged by its card, at 3 each of a meter, and asks for less afterwards.
"""

from typing import TYPE_CHECKING, Final

from tests.differential import raw

if TYPE_CHECKING:
    from tests.vectors.execution_story import Cast, Story

SECOND_NS: Final = 1_000_000_000
STRANGER: Final = b"\x5a" * 16


def reprices(story: "Story", cast: "Cast", names: tuple[bytes, ...], card: bytes) -> None:
    """A METER, a slice of a hold and a TRANSFER are cited."""
    model, meter, other = names

    def used(quantity: int) -> bytes:
        return raw.usage([(meter, quantity)])

    def again(cited: int, amount: int, quantity: int, by: bytes = card) -> bytes:
        return raw.reprice(cited, amount, raw.repriced(by, model, used(quantity)))

    accounts = (cast.alice_usd, cast.bank_usd)
    flat = raw.reserve(*accounts, 100, story.now_ns + 50 * SECOND_NS)
    metered = story.state.next_sequence_number
    _, hold, *_ = story.send(
        "Alice pays and reserves",
        cast.alice_key,
        raw.meter(*accounts, 90, raw.metered(card, model, used(30))),
        raw.priced(flat, raw.terms(card, model)),
        raw.transfer(*accounts, 5),
    )
    transferred = story.state.next_sequence_number - 1
    story.send("the bank charges", cast.bank_key, raw.used(raw.capture(hold, 36), used(12)))
    slice_of_hold = story.state.next_sequence_number
    story.send("and the next slice", cast.bank_key, raw.used(raw.capture(hold, 72), used(24)))
    free = raw.repriced(card, model, raw.usage([]))
    unsorted = raw.repriced(card, model, raw.usage(sorted([(meter, 1), (other, 1)])[::-1]))
    story.send(
        "priced again",
        cast.bank_key,
        again(metered, 90, 30),
        again(metered, 61, 20),
        again(metered, 60, 20),
        again(metered, 60, 20),
        again(metered, 33, 11, STRANGER),
        again(transferred, 33, 11),
        again(slice_of_hold, 33, 11),
        again(slice_of_hold + 1, 33, 11),
        again(0, 33, 11),
        raw.reprice(metered, 0, unsorted),
        raw.patched(again(metered, 33, 11), 16, b"\x01"),
        raw.with_conts(again(metered, 33, 11)[:128], []),
        raw.refund(metered, 61),
        raw.reprice(metered, 0, free, occurred_at_ns=story.now_ns),
    )
    story.send("not by Alice", cast.alice_key, again(metered, 33, 11))
    story.send("nor by Bob", cast.bob_key, again(metered, 33, 11))
    story.send("what is left is let go", cast.bank_key, raw.release(hold))
