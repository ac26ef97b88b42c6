"""The chapter of the story of `execution.json` about exchanges: Faye sells euros for dollars."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.differential import raw, raw_exchange
from tests.vectors.fixed import key

from tallystick_ledger.keys import SigningKey

if TYPE_CHECKING:
    from tests.vectors.execution_story import Cast, Story

SECOND_NS: Final = 1_000_000_000
_STRANGE: Final = b"\x5a" * 16


@dataclass
class Counter:
    """Where Faye's quotes are made, and what Gil sends because of them."""

    story: "Story"
    maker_key: SigningKey
    stock: bytes
    till: bytes
    purse: bytes
    wallet: bytes

    def quote(
        self,
        nonce: int,
        taker: bytes = raw.ZERO_ID,
        ratio: tuple[int, int] = (7, 3),
        life_ns: int = 20 * SECOND_NS,
        signer: SigningKey | None = None,
    ) -> bytes:
        """Up to 100 euros."""
        body = raw_exchange.body(
            self.maker_key.public_key,
            (self.stock, self.till),
            ratio,
            100,
            self.story.now_ns + life_ns,
            taker=taker,
            nonce=nonce.to_bytes(16, "little"),
        )
        message = raw_exchange.DOMAIN + self.story.state.ledger_id + body
        return body + (signer or self.maker_key).sign(message)

    def take(
        self, quote: bytes, amount: int, output: int, to: bytes = b"", paid_to: bytes = b""
    ) -> bytes:
        flat = raw.transfer(self.purse, paid_to or self.till, amount)
        return raw_exchange.exchanged(flat, to or self.wallet, output, quote)


def exchange(story: "Story", cast: "Cast") -> None:
    """A quote is taken again and again, up to its cap, until its end or that of its key."""
    faye_key, gil_key, agent = key("Faye"), key("Gil"), key("Faye's agent")
    envelope_id = story.new_id()
    operator = cast.operator.public_key
    faye, gil = (story.derived(operator, envelope_id, index) for index in range(2))
    records = (cast.principal_record(faye, faye_key), cast.principal_record(gil, gil_key))
    envelope = story.envelope(cast.operator, *records, envelope_id=envelope_id)
    story.apply("an operator registers Faye and Gil", envelope)
    opened = (raw.open_account(cast.usd), raw.open_account(cast.eur))
    till, stock = story.send("Faye's accounts", faye_key, *opened)
    purse, wallet = story.send("Gil's accounts", gil_key, *opened)
    story.send("Gil has dollars", cast.bank_key, raw.issue(cast.usd, purse, 500))
    story.send("somebody has euros", cast.bob_key, raw.transfer(cast.bob_eur, stock, 150))
    spend = story.key_record(raw.ADD, agent, faye, scope=raw.SPEND)
    story.send("Faye's agent may spend", faye_key, spend)
    desk = Counter(story, agent, stock, till, purse, wallet)
    first, own = desk.quote(1), desk.quote(2, taker=gil)
    story.send(
        "an exchange, and what is none",
        gil_key,
        desk.take(first, 10, 23),
        desk.take(first, 10, 24),
        desk.take(first, 1, 2),
        desk.take(own, 3, 7),
        desk.take(first, 10, 0),
        desk.take(first, 0, 1),
        desk.take(first, 10, 23, paid_to=_STRANGE),
        desk.take(first, 10, 23, to=_STRANGE),
        desk.take(first, 10, 23, to=purse),
        desk.take(desk.quote(3, taker=faye), 10, 23),
        desk.take(desk.quote(4, signer=faye_key), 10, 23),
        desk.take(desk.quote(5, life_ns=401 * 86_400 * SECOND_NS), 10, 23),
        desk.take(desk.quote(6, ratio=(0, 1)), 10, 1),
        desk.take(first, 33, 77),
        desk.take(first, 32, 74),
        desk.take(first, 900, 2_100),
        desk.take(own, 39, 91),
        raw.patched(desk.take(first, 1, 2), 72, b"\x01"),
    )
    again = desk.take(desk.quote(7), 3, 7), desk.take(desk.quote(8), 60, 140)
    story.send("both halves, or all of it is undone", gil_key, *again, atomic=True)
    story.send(
        "a limit of the agent's",
        faye_key,
        raw.limit(raw.OF_KEY, raw.TOTAL, agent.public_key, cast.eur, 10),
    )
    story.send(
        "counts what the agent gives",
        gil_key,
        desk.take(desk.quote(9), 3, 7),
        desk.take(desk.quote(9), 3, 7),
    )
    story.send("no more of the agent", faye_key, raw.kill(agent.public_key))
    story.send("nor of what it has signed", gil_key, desk.take(own, 1, 2))
    desk.maker_key = faye_key
    last = desk.quote(10)
    story.send("but of what Faye has", gil_key, desk.take(last, 1, 2))
    story.now_ns += 25 * SECOND_NS
    story.send("until it is over", gil_key, desk.take(last, 1, 2))
