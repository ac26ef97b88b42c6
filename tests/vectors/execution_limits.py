"""The chapter of the story of `execution.json` about LIMIT, ZONE, DELEGATE and KILL."""

from typing import TYPE_CHECKING, Final, NamedTuple

from tests.differential import raw
from tests.vectors.fixed import key

from tallystick_ledger.keys import SigningKey
from tallystick_ledger.zones import zone_id

if TYPE_CHECKING:
    from tests.vectors.execution_story import Cast, Story

SECOND_NS: Final = 1_000_000_000
DAY_S: Final = 86_400
STRANGE_ID: Final = b"no such object.."
NAME: Final = "Europe/Berlin"


class _Agents(NamedTuple):
    """Whose keys spend."""

    carol: bytes
    account: bytes
    carol_key: SigningKey
    agent: SigningKey
    tool: SigningKey


def _zone(story: "Story", version: int, ahead_s: int, before_midnight_s: int) -> bytes:
    """A table in which a day ends in some seconds, and clocks are put back two days later."""
    second = story.now_ns // SECOND_NS
    offset_s = DAY_S - second % DAY_S - before_midnight_s
    back = [((second + 2 * DAY_S) * SECOND_NS, offset_s - 3_600)] if ahead_s > 3 * DAY_S else []
    from_ns, horizon_ns = (second - DAY_S) * SECOND_NS, (second + ahead_s) * SECOND_NS
    return raw.zone(NAME.encode(), version, from_ns, horizon_ns, offset_s, back)


def limits(story: "Story", cast: "Cast") -> None:
    """Carol's agents spend within her limits."""
    carol_key, agent, tool, spare = map(key, ("carol", "carol's agent", "her tool", "her spare"))
    envelope_id = story.new_id()
    carol = story.derived(cast.operator.public_key, envelope_id, 0)
    registers = story.envelope(
        cast.operator, cast.principal_record(carol, carol_key), envelope_id=envelope_id
    )
    story.apply("an operator registers Carol", registers)
    (account,) = story.send("her account", carol_key, raw.open_account(cast.usd))
    story.send("money for it", cast.bank_key, raw.issue(cast.usd, account, 1_000))
    spend = [story.key_record(raw.ADD, new, carol, scope=raw.SPEND) for new in (agent, tool, spare)]
    story.send("SPEND keys of hers", carol_key, *spend)
    usd, zone = cast.usd, zone_id(story.ledger_id, NAME)
    of_agent = (raw.OF_KEY, raw.DAY, agent.public_key, usd)
    story.send(
        "zones have versions",
        cast.operator,
        _zone(story, 2, 90 * DAY_S, 20),
        _zone(story, 1, 90 * DAY_S, 20),
        _zone(story, 1, 90 * DAY_S, 20),
        raw.patched(_zone(story, 2, 90 * DAY_S, 20), 6, b"\x41"),
        raw.patched(_zone(story, 2, 90 * DAY_S, 20), 64, b"\x01"),
        raw.zone(b"no name", 1, 1, 2, 0),
        raw.zone(b"Old", 1, 1, 2, 0),
    )
    story.send("Bob publishes none", cast.bob_key, _zone(story, 2, 90 * DAY_S, 20))
    old = zone_id(story.ledger_id, "Old")
    story.send(
        "Carol delegates and limits",
        carol_key,
        raw.delegate(tool.public_key, agent.public_key),
        raw.delegate(agent.public_key, tool.public_key),
        raw.delegate(agent.public_key, agent.public_key),
        raw.delegate(carol_key.public_key, agent.public_key),
        raw.limit(*of_agent, 100, zone_id=zone),
        raw.limit(*of_agent, 100, zone_id=STRANGE_ID),
        raw.limit(raw.OF_KEY, raw.MONTH, tool.public_key, usd, 100, zone_id=old),
        raw.limit(raw.OF_KEY, raw.TOTAL, tool.public_key, usd, 70),
        raw.limit(raw.OF_KEY, raw.HELD, tool.public_key, usd, 70),
        raw.limit(raw.OF_KEY, raw.TOTAL, tool.public_key, STRANGE_ID, 70),
        raw.limit(raw.OF_ACCOUNT, raw.MONTH, account + bytes(16), usd, 900),
        raw.limit(raw.OF_ACCOUNT, raw.DAY, cast.bob_usd + bytes(16), usd, 900),
        raw.limit(raw.OF_ACCOUNT, raw.MONTH, account + bytes(16), cast.eur, 900),
        raw.limit(raw.OF_PRINCIPAL, raw.TOTAL, carol + bytes(16), usd, 800),
        raw.limit(raw.OF_PRINCIPAL, raw.TOTAL, cast.bob + bytes(16), usd, 800),
        raw.limit(raw.OF_PAYEE, raw.HELD, account + cast.bob_usd, usd, 60),
        raw.limit(raw.OF_PAYEE, raw.HELD, account + STRANGE_ID, usd, 60),
    )
    _spend(story, cast, _Agents(carol, account, carol_key, agent, tool))


def _spend(story: "Story", cast: "Cast", who: _Agents) -> None:
    """They spend until they may no more, then their keys are revoked."""
    carol, account, agent, tool = who.carol, who.account, who.agent, who.tool
    usd, zone = cast.usd, zone_id(story.ledger_id, NAME)
    of_agent = (raw.OF_KEY, raw.DAY, agent.public_key, usd)
    until_ns = story.now_ns + 90 * SECOND_NS
    hold, *_ = story.send(
        "the tool spends what it may",
        tool,
        raw.reserve(account, cast.bob_usd, 50, until_ns),
        raw.reserve(account, cast.bob_usd, 11, until_ns),
        raw.transfer(account, cast.bob_usd, 21),
        raw.transfer(account, cast.bob_usd, 20),
        raw.limit(raw.OF_KEY, raw.TOTAL, tool.public_key, usd, 71),
        raw.limit(raw.OF_KEY, raw.TOTAL, tool.public_key, usd, operation=raw.END),
        raw.limit(*of_agent, 1, zone_id=zone),
        raw.limit(raw.OF_PRINCIPAL, raw.TOTAL, carol + bytes(16), usd, 1),
        raw.delegate(tool.public_key),
        raw.kill(agent.public_key),
    )
    story.send("half of it is captured", cast.bob_key, raw.capture(hold, 10))
    more = [raw.extend(hold, 31), raw.transfer(account, cast.bob_usd, 30)]
    story.send("the agent spends the rest of the day", agent, *more)
    story.send("what is left comes back", cast.bob_key, raw.capture(hold, 15, flags=raw.FINAL))
    heir = key("her tool, rotated")
    story.send(
        "a rotation keeps limits",
        tool,
        story.key_record(raw.ROTATE, heir, carol, until_ns=story.now_ns + 60 * SECOND_NS),
        raw.transfer(account, cast.bob_usd, 30),
    )
    story.now_ns += 20 * SECOND_NS
    pays = (raw.transfer(account, cast.bob_usd, amount) for amount in (6, 5))
    story.send("another day, and the same total", heir, *pays)
    story.send("of which less is known", cast.operator, _zone(story, 2, 60, 3))
    story.now_ns += DAY_S * SECOND_NS
    story.send("no day is guessed", agent, raw.transfer(account, cast.bob_usd, 1))
    story.send("the agent's keys go", agent, raw.kill(tool.public_key), raw.kill(tool.public_key))
    story.send("they are no more", heir, raw.transfer(account, cast.bob_usd, 1))
    story.send(
        "and all that Carol has",
        who.carol_key,
        raw.kill(agent.public_key),
        raw.kill(who.carol_key.public_key),
        raw.limit(*of_agent, operation=raw.END),
        raw.limit(*of_agent, operation=raw.END),
    )
