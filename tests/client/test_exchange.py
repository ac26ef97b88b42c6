"""Exchange quotes: signed and read off the ledger, taken once and again."""

import pytest
from tests.client.conftest import Market
from tests.client.fake_node import OPERATOR
from tests.client.test_cli import Run, cluster, run
from tests.client.test_cli import market as market_of_cli

from tallystick import AsyncClient, errors
from tallystick.exchanges import ExchangeQuote, make_exchange_quote
from tallystick.history import HistoryRecord
from tallystick.statements.posting import Owned, Side, postings_of
from tallystick_ledger import records
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import (
    NO_ID,
    AccountId,
    Amount,
    CardId,
    HoldId,
    PrincipalId,
    SequenceNumber,
    TimestampNs,
)
from tallystick_ledger.results import Cause, Effect

__all__ = ["cluster", "market_of_cli", "run"]

LIFE_NS = 10**12


class Desk:
    """The payee sells coins for the payer's tokens."""

    def __init__(self, market: Market, stock: AccountId, wallet: AccountId) -> None:
        self.market, self.stock, self.wallet = market, stock, wallet

    @classmethod
    async def of(cls, market: Market) -> "Desk":
        client, payee, cluster = market.client, market.payee, market.cluster
        operator = AsyncClient(
            cluster.endpoints,
            cluster.genesis,
            tls=None,
            signer=OPERATOR,
            surroundings=market.surroundings,
        )
        async with operator:
            coin = (await operator.create_unit("COIN", 2, payee.principal)).id
        stock = (await client.open_account(coin, signer=payee)).id
        await client.issue(coin, stock, 1_000, signer=payee)
        return cls(market, stock, (await client.open_account(coin)).id)

    def quote(self, cap: int = 100, taker: PrincipalId | None = None) -> ExchangeQuote:
        market = self.market
        return make_exchange_quote(
            market.payee,
            market.client.ledger_id,
            self.stock,
            market.payee_account,
            3,
            2,
            cap=cap,
            taker=taker or market.payer.principal,
            not_after_ns=TimestampNs(market.cluster.clock.now_ns + LIFE_NS),
        )


async def test_a_quote_is_taken_until_it_is_used_up(market: Market) -> None:
    desk, client = await Desk.of(market), market.client
    made = desk.quote(cap=50)
    quote = ExchangeQuote.from_hex(made.hex())
    quote.verify()
    assert (quote, len(quote.encode())) == (made, 256)
    assert quote.output_of(31) == 46
    await client.exchange(market.payer_account, desk.wallet, 31, quote=quote)
    assert await client.balance(desk.wallet) == 46
    assert await client.balance(market.payee_account, signer=market.payee) == 31
    with pytest.raises(errors.QuoteRefused) as caught:
        await client.exchange(market.payer_account, desk.wallet, 4, quote=quote)
    assert caught.value.code == "QUOTE_EXCEEDED"
    with pytest.raises(errors.InvalidArgument, match="gives nothing"):
        quote.output_of(0)
    market.cluster.clock.now_ns += 2 * LIFE_NS
    with pytest.raises(errors.QuoteRefused) as late:
        await client.exchange(market.payer_account, desk.wallet, 2, quote=quote)
    assert late.value.code == "QUOTE_EXPIRED"


async def test_others_and_forged_quotes_are_refused(market: Market) -> None:
    desk, client = await Desk.of(market), market.client
    data = bytearray(desk.quote().encode())
    data[120] ^= 1  # what is given
    forged = ExchangeQuote.decode(bytes(data))
    with pytest.raises(errors.InvalidQuote):
        forged.verify()
    with pytest.raises(errors.QuoteRefused) as caught:
        await client.exchange(market.payer_account, desk.wallet, 2, quote=forged)
    assert caught.value.code == "BAD_QUOTE"
    strange = desk.quote(taker=market.payee.principal)
    with pytest.raises(errors.QuoteNotFound):
        await client.exchange(market.payer_account, desk.wallet, 2, quote=strange)
    dear = desk.quote(cap=10**6)
    with pytest.raises(errors.MakerCannotPay) as poor:
        await client.exchange(market.payer_account, desk.wallet, 1_000, quote=dear)
    assert poor.value.retryable


async def test_both_halves_are_booked_in_their_units(market: Market) -> None:
    desk = await Desk.of(market)
    quote = desk.quote()
    taken = records.Exchange(desk.wallet, 46, quote.signed)
    record = records.Transfer(market.payer_account, market.payee_account, 31, exchange=taken)
    effect = Effect(
        Cause.EXCHANGE, 0, desk.stock, desk.wallet, Amount(46), HoldId(NO_ID), CardId(quote.id)
    )
    head = record.encode(b"n" * record.nonce_bytes)[:128]
    booked = {}
    for account, effects in (
        (market.payer_account, ()),
        (market.payee_account, ()),
        (desk.stock, (effect,)),
        (desk.wallet, (effect,)),
    ):
        entry = HistoryRecord(
            SequenceNumber(9),
            TimestampNs(5),
            False,
            None,
            SequenceNumber(9),
            None,
            Code.OK,
            0,
            head,
            effects,
        )
        owned = Owned(account, market.payer.principal, market.client.ledger_id)
        (posting,) = postings_of(entry, owned, {}).postings
        booked[account] = (posting.cause, posting.side, posting.amount)
    assert booked == {
        market.payer_account: ("TRANSFER", Side.DEBIT, 31),
        market.payee_account: ("TRANSFER", Side.CREDIT, 31),
        desk.stock: ("EXCHANGE", Side.DEBIT, 46),
        desk.wallet: ("EXCHANGE", Side.CREDIT, 46),
    }


def test_what_is_no_exchange_quote() -> None:
    for data in (b"", bytes(256), b"TSX1" + bytes(252), b"TSX1\1\0" + bytes(250)):
        with pytest.raises(errors.InvalidArgument):
            ExchangeQuote.decode(data)
    with pytest.raises(errors.InvalidArgument):
        ExchangeQuote.from_hex("no digits")


@pytest.mark.usefixtures("market_of_cli")
def test_on_the_command_line(run: Run) -> None:
    for line in (
        "unit new TOK --exponent 2 --issuer bob",
        "account open --unit TOK --name stock -k bob",
        "account open --unit TOK --name wallet -k alice",
        "issue stock 50 TOK -k bob",
    ):
        ran = run(*line.split())
        assert ran.exit_code == 0, ran.err
    sign = ["quote", "exchange", "stock", "shop", "30", "TOK", "-k", "bob"]
    quote = run(*sign, "--rate", "10 TOK=3 USD").out.splitlines()[-1]
    assert run("quote", "check", quote).exit_code == 0
    assert run("quote", "show", quote, "--json").json["cap"] == "3000"
    assert "1000 steps" in run("quote", "show", quote).out
    assert run("quote", "check", quote[:-1] + ("0" if quote[-1] != "0" else "1")).exit_code == 2
    take = ["exchange", "till", "wallet", "6", "USD", "--quote", quote, "-k", "alice"]
    ran = run(*take)
    assert ran.exit_code == 0, ran.err
    said = "Paid 6.00 USD from till, got 20.00 TOK in wallet; sequence number "
    assert ran.out.splitlines()[0].startswith(said) or said in ran.out
    assert run(*take).exit_code == 3
    assert run(*take[:3], "3", *take[4:], "--json").json["output"] == "1000"
    for rate in ("10 TOK", "10=3 USD", "10 USD=3 TOK"):
        assert run(*sign, "--rate", rate).exit_code == 2, rate
    assert run(*take[:6], quote[:-2], "-k", "alice").exit_code == 2
