"""The chapter of the story of `execution.json` about LIST, GRANT, CLAW_BACK and RELATION."""

from typing import TYPE_CHECKING, Final

from tests.differential import raw, raw_grants

from tallystick_ledger.limits import MAX_GRANT_NS

if TYPE_CHECKING:
    from tests.vectors.execution_story import Cast, Story

SECOND_NS: Final = 1_000_000_000


def grants(story: "Story", cast: "Cast") -> None:
    """The bank grants Alice money for what Bob serves; part of it comes back, on three ways."""
    pool = story.send("a pool", cast.bank_key, raw.open_account(cast.usd))[0]
    story.send("filled", cast.bank_key, raw.issue(cast.usd, pool, 1_000))
    story.send("Alice is in funds", cast.bank_key, raw.issue(cast.usd, cast.alice_usd, 1_000))
    alice, bob, bank = cast.alice, cast.bob, cast.bank
    lists = story.send(
        "lists of providers, right and wrong",
        cast.bank_key,
        raw_grants.id_list([bob]),
        raw_grants.id_list(sorted([bob, alice])),
        raw_grants.id_list(sorted([bob, alice], reverse=True)),
        raw_grants.id_list([bob], 2),
        raw_grants.id_list([number.to_bytes(16, "big") for number in range(1, 257)]),
        raw_grants.id_list([raw.ZERO_ID]),
        raw.with_conts(raw_grants.id_list([bob])[:128], []),
    )
    until_ns = story.now_ns + 60 * SECOND_NS

    def grant(amount: int = 100, until: int = until_ns, **terms: int | bytes) -> bytes:
        return raw_grants.grant(pool, alice, amount, until, **terms)  # type: ignore[arg-type]

    made = story.send(
        "grants, right and wrong",
        cast.bank_key,
        grant(ratio=300_000, priority=2, providers=lists[0], exclusivity=b"the programme..."),
        grant(50, ratio=500_000, cap=20, priority=1, registrar=bank),
        grant(exclusivity=b"the programme..."),
        grant(ratio=0),
        grant(ratio=1_000_001),
        grant(0),
        grant(901),
        grant(models=b"no such list...."),
        grant(registrar=b"no such registr."),
        grant(registrar=alice),
        grant(until=story.now_ns),
        grant(until=story.now_ns + MAX_GRANT_NS + SECOND_NS),
        raw_grants.grant(pool, b"no such grantee.", 1, until_ns),
        raw_grants.grant(cast.alice_usd, alice, 1, until_ns),
        raw.patched(grant(1), 112, bytes(15) + b"\1"),
        raw.with_conts(grant(1)[:128], []),
    )
    story.send("its account is nobody's", cast.bank_key, raw.transfer(made[0], pool, 1))
    hold = raw.reserve(cast.alice_usd, cast.bob_usd, 100, story.now_ns + 40 * SECOND_NS)
    first, second = story.send("two grants pay shares", cast.alice_key, hold, hold)
    paid = story.state.next_sequence_number
    story.send("captured in steps", cast.bob_key, raw.capture(first, 33), raw.capture(first, 61))
    story.send("freed", cast.bob_key, raw.capture(first, 61, flags=raw.FINAL))
    _ends(story, cast, made, (first, second, hold), paid)


def _ends(
    story: "Story",
    cast: "Cast",
    made: list[bytes],
    holds: tuple[bytes, bytes, bytes],
    paid: int,
) -> None:
    """Relations, a claw-back, what is given back; and what time does."""
    (_, second, hold), alice = holds, cast.alice
    pair = sorted((alice, cast.bob))
    story.send("nobody declares themselves", cast.alice_key, raw_grants.relation(pair))
    story.send(
        "the bank is a registrar, too",
        cast.bank_key,
        raw_grants.relation(pair),
        raw_grants.relation(pair),
        raw_grants.relation(pair, 3),
        raw_grants.relation(list(reversed(pair))),
        raw_grants.relation(sorted((alice, b"nobody.........."))),
    )
    third = story.send("one of them pays a related party nothing", cast.alice_key, hold)[0]
    story.send("Alice cannot end it", cast.alice_key, raw_grants.claw_back(made[0]))
    story.send("Bob does not know it", cast.bob_key, raw_grants.claw_back(made[0]))
    story.send(
        "clawed back", cast.bank_key, raw_grants.claw_back(made[0]), raw_grants.claw_back(made[0])
    )
    story.send("a refund goes where the money came from", cast.bob_key, raw.refund(paid, 10))
    deadline_ns = story.now_ns + 20 * SECOND_NS
    story.send("Alice disputes", cast.alice_key, raw.dispute(paid + 1, 28, deadline_ns))
    story.send("Bob accepts", cast.bob_key, raw.dispute_answer(paid + 1, 28))
    story.send("what is freed follows", cast.bob_key, raw.release(third))
    story.send("no longer related", cast.bank_key, *[raw_grants.relation(pair, raw.END)] * 2)
    story.now_ns += 35 * SECOND_NS
    story.send("a hold with shares expires", cast.bob_key, raw.capture(second, 1))
    story.now_ns += 30 * SECOND_NS
    story.send("a grant expires", cast.bob_key, raw.capture(second, 1))
