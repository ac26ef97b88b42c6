"""Sizing of holds: the strategies as numbers, and what `observe` makes of them on a ledger."""

import asyncio

import pytest
from tests.client.conftest import Market
from tests.client.fake_node import Manner

from tallystick import (
    Client,
    PastCaptures,
    RollingP95,
    Signer,
    SigningKey,
    WorstCase,
    errors,
    holds,
)
from tallystick.client import BlockingHold
from tallystick.holds import Hold
from tallystick_ledger.ids import AccountId, HoldId
from tallystick_ledger.records import Scope
from tallystick_ledger.state_rows import HoldRow, HoldStatus

PAYEE, OTHER = AccountId(b"p" * 16), AccountId(b"q" * 16)


def _past(amounts: range, window: int = 1_000) -> PastCaptures:
    past = PastCaptures(window)
    for amount in amounts:
        past.add(PAYEE, "m", amount)
    return past


def test_the_worst_case_pins_everything_once() -> None:
    worst = WorstCase()
    assert worst.first(PAYEE, 900) == 900
    assert worst.more(900, 900, 900) == worst.smaller(900) == 0


def test_a_percentile_is_of_one_payee_and_label_by_nearest_rank() -> None:
    past = _past(range(100, 0, -1))
    assert [past.percentile(PAYEE, "m", percent) for percent in (1, 50, 95, 100)] == [
        1,
        50,
        95,
        100,
    ]
    assert past.count(PAYEE, "n") == past.count(OTHER, "m") == 0
    with pytest.raises(LookupError):
        past.percentile(OTHER, "m", 95)
    with pytest.raises(errors.InvalidArgument):
        PastCaptures(0)


def test_the_window_forgets_the_oldest_and_labels_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    past = _past(range(1, 101), window=10)
    assert past.count(PAYEE, "m") == 10
    assert past.percentile(PAYEE, "m", 1) == 91
    monkeypatch.setattr("tallystick.sizing.MAX_LABELS", 2)
    past.add(PAYEE, "n", 1)
    past.add(PAYEE, "m", 1)  # asked for last, so it stays
    past.add(PAYEE, "o", 1)
    assert [past.count(PAYEE, label) for label in "mno"] == [10, 0, 1]


def test_p95_is_pinned_once_there_is_a_past() -> None:
    few = RollingP95(_past(range(1, 20)), "m")
    assert few.first(PAYEE, 900) == 900
    enough = RollingP95(_past(range(1, 21)), "m")
    assert enough.first(PAYEE, 900) == 19
    assert enough.first(PAYEE, 7) == 7
    assert enough.first(OTHER, 900) == 900
    enough.learn(PAYEE, 500)
    assert RollingP95(_past(range(20)), "m", percent=1).first(PAYEE, 900) == 1  # never 0


def test_it_grows_in_slices_before_it_has_to() -> None:
    sizing = RollingP95(PastCaptures(), slice_size=100, ahead=20)
    assert sizing.more(80, 100, 900) == 0
    assert sizing.more(81, 100, 900) == 100
    assert sizing.more(330, 100, 900) == 300
    assert sizing.more(880, 850, 900) == 50
    assert sizing.more(950, 900, 900) == 0
    assert sizing.smaller(350) == 175
    assert [sizing.smaller(150), sizing.smaller(100)] == [100, 0]


@pytest.mark.parametrize(
    "wrong", [{"percent": 0}, {"percent": 101}, {"slice_size": 0}, {"ahead": -1}]
)
def test_arguments_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(errors.InvalidArgument):
        RollingP95(PastCaptures(), **wrong)  # type: ignore[arg-type]


def _sizing(market: Market, usual: int = 100) -> RollingP95:
    past = PastCaptures()
    for _ in range(20):
        past.add(market.payee_account, "m", usual)
    return RollingP95(past, "m", slice_size=50, ahead=10)


async def _row(market: Market, hold: Hold) -> HoldRow:
    (row,) = await market.client.get_holds([hold.id])
    assert row is not None
    return row


async def test_a_stream_is_extended_and_charged_what_was_observed(market: Market) -> None:
    sizing = _sizing(market)
    async with market.client.reserve(
        market.payer_account, market.payee_account, 1_000, sizing=sizing, payee=market.payee
    ) as hold:
        assert hold.maximum == 100
        for used in range(30, 301, 30):
            await hold.observe(used)
            assert hold.observed == used <= hold.maximum
        assert (await _row(market, hold)).maximum == hold.maximum == 350
        assert hold.room == 50
        assert hold.captured == 0
    row = await _row(market, hold)
    assert (row.status, row.captured) == (HoldStatus.CAPTURED, 300)
    assert await market.client.balance(market.payer_account) == 1_000_000 - 300
    # One request of 300 among twenty of 100: the 95th percentile stays, the 100th is new.
    assert sizing.first(market.payee_account, 1_000) == 100
    for _ in range(2):
        sizing.learn(market.payee_account, 300)
    assert sizing.first(market.payee_account, 1_000) == 300


async def test_a_gateway_needs_no_more_than_a_spend_and_a_meter_key(market: Market) -> None:
    spend, meter = SigningKey(b"\x61" * 32), SigningKey(b"\x62" * 32)
    await market.client.add_key(spend, Scope.SPEND)
    await market.client.add_key(meter, Scope.METER, signer=market.payee)
    gateway = market.new_client(Signer(spend, market.payer.principal))
    async with gateway:
        reservation = gateway.reserve(
            market.payer_account,
            market.payee_account,
            1_000,
            sizing=_sizing(market),
            payee=Signer(meter, market.payee.principal),
        )
        async with reservation as hold:
            await hold.observe(120)
    assert (await _row(market, hold)).captured == 120


class UpstreamError(Exception):
    pass


async def test_what_was_observed_is_charged_when_an_error_leaves_the_block(market: Market) -> None:
    sizing = _sizing(market)
    reservation = market.client.reserve(
        market.payer_account, market.payee_account, 1_000, sizing=sizing, payee=market.payee
    )

    async def serve() -> None:
        async with reservation as hold:
            await hold.observe(40)
            raise UpstreamError

    with pytest.raises(UpstreamError):
        await serve()
    assert (await _row(market, await reservation)).captured == 40


async def test_nothing_observed_is_released(market: Market) -> None:
    reservation = market.client.reserve(
        market.payer_account, market.payee_account, 1_000, payee=market.payee
    )
    with pytest.raises(UpstreamError):
        async with reservation:
            raise UpstreamError
    row = await _row(market, await reservation)
    assert (row.status, row.captured) == (HoldStatus.RELEASED, 0)


async def test_a_client_that_disconnects_is_charged_even_if_cancelled_twice(market: Market) -> None:
    opened: asyncio.Future[Hold] = asyncio.get_running_loop().create_future()

    async def serve() -> None:
        async with market.client.reserve(
            market.payer_account, market.payee_account, 1_000, payee=market.payee
        ) as hold:
            await hold.observe(70)
            opened.set_result(hold)
            await asyncio.Event().wait()

    task = asyncio.create_task(serve())
    hold = await opened
    task.cancel()
    await asyncio.sleep(0)  # it is at its block's end now
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.gather(*holds._ENDING)
    row = await _row(market, hold)
    assert (row.status, row.captured) == (HoldStatus.CAPTURED, 70)


async def test_a_stream_that_cannot_be_extended_uses_up_what_is_pinned(market: Market) -> None:
    client, sizing = market.client, _sizing(market)
    await client.transfer(market.payer_account, market.payee_account, 1_000_000 - 110)
    async with client.reserve(
        market.payer_account, market.payee_account, 1_000, sizing=sizing, payee=market.payee
    ) as hold:
        await hold.observe(95)  # would like more, and is refused; 5 are left
        assert (hold.room, hold.is_cut) == (5, False)
        await hold.observe(100)
        with pytest.raises(errors.HoldExhausted) as caught:
            await hold.observe(101)
        assert isinstance(caught.value.__cause__, errors.InsufficientFunds | errors.FundsHeld)
        assert (caught.value.pinned, hold.observed, hold.is_cut) == (100, 100, True)
    assert (await _row(market, hold)).captured == 100
    assert await client.balance(market.payer_account) == 10


async def test_no_stream_goes_beyond_its_ceiling(market: Market) -> None:
    async with market.client.reserve(
        market.payer_account, market.payee_account, 120, sizing=_sizing(market), payee=market.payee
    ) as hold:
        await hold.observe(120)
        with pytest.raises(errors.HoldExhausted):
            await hold.observe(121)
    assert (await _row(market, hold)).captured == 120


async def test_the_first_hold_shrinks_to_what_a_poor_payer_has(market: Market) -> None:
    client = market.client
    await client.transfer(market.payer_account, market.payee_account, 1_000_000 - 60)
    reservation = client.reserve(
        market.payer_account,
        market.payee_account,
        1_000,
        sizing=_sizing(market, usual=200),
        payee=market.payee,
    )
    async with reservation as hold:
        assert hold.maximum == 50
        poor = client.reserve(
            market.payer_account, market.payee_account, 99, sizing=WorstCase(), payee=market.payee
        )
        with pytest.raises(errors.InsufficientFunds):
            await poor


async def test_what_is_observed_is_a_sum_of_an_open_hold(market: Market) -> None:
    async with market.client.reserve(
        market.payer_account, market.payee_account, 100, payee=market.payee
    ) as hold:
        await hold.observe(50)
        with pytest.raises(errors.InvalidArgument):
            await hold.observe(49)
        with pytest.raises(TypeError):
            await hold.observe(50.5)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgument):
        await hold.observe(51)


async def test_a_long_stream_puts_its_expiry_off(market: Market) -> None:
    async with market.client.reserve(
        market.payer_account, market.payee_account, 100, expires_in_s=10, payee=market.payee
    ) as hold:
        for used in range(1, 8):
            market.cluster.clock.advance_s(6)
            await hold.observe(used)
    assert (await _row(market, hold)).captured == 7


@pytest.mark.parametrize("failure", [None, UpstreamError()])
async def test_a_hold_that_expired_is_told_unless_something_worse_happened(
    market: Market, failure: Exception | None
) -> None:
    async def serve() -> None:
        async with market.client.reserve(
            market.payer_account, market.payee_account, 100, expires_in_s=10, payee=market.payee
        ) as hold:
            await hold.observe(1)
            market.cluster.clock.advance_s(11)
            if failure is not None:
                raise failure

    with pytest.raises(errors.HoldExpired if failure is None else UpstreamError) as caught:
        await serve()
    if failure is not None:
        assert "was not charged" in caught.value.__notes__[0]


async def test_an_extension_whose_answer_is_lost_does_not_stop_what_is_pinned(
    market: Market,
) -> None:
    async with market.client.reserve(
        market.payer_account,
        market.payee_account,
        1_000,
        sizing=_sizing(market),
        payee=market.payee,
    ) as hold:
        market.cluster.nodes[0].manners.append(Manner.DROP_ANSWER)
        await hold.observe(150)  # the same bytes are sent again: one extension, not two
        assert (await _row(market, hold)).maximum == hold.maximum == 200
    assert (await _row(market, hold)).captured == 150


async def test_a_payee_that_serves_alone_asks_the_payer(market: Market) -> None:
    payer = market.client
    pinned = await payer.reserve(market.payer_account, market.payee_account, 100)
    asked: list[int] = []

    async def ask(hold: HoldId, amount: int) -> None:
        asked.append(amount)
        if len(asked) < 3:  # afterwards it promises, and does nothing
            await payer.extend(hold, amount)

    sizing = _sizing(market)
    async with market.new_client(market.payee) as payee:
        async with payee.serve(pinned.id, 1_000, sizing=sizing, ask_payer=ask) as hold:
            for used in (80, 95, 150):
                await hold.observe(used)
            assert (hold.maximum, asked) == (200, [50, 50])
            with pytest.raises(errors.HoldExhausted):
                await hold.observe(230)
        row = await _row(market, hold)
        assert (row.status, row.captured) == (HoldStatus.CAPTURED, 200)
        with pytest.raises(errors.InvalidArgument):
            await payee.serve(pinned.id, 1_000, sizing=sizing, ask_payer=ask)
        with pytest.raises(LookupError):
            await payee.serve(HoldId(b"\x09" * 16), 1, sizing=sizing, ask_payer=ask)


async def test_a_payer_alone_extends_and_leaves_the_capture_to_the_payee(market: Market) -> None:
    async with market.client.reserve(
        market.payer_account, market.payee_account, 1_000, sizing=_sizing(market)
    ) as hold:
        await hold.observe(130)
    row = await _row(market, hold)
    assert (row.status, row.maximum, row.captured) == (HoldStatus.OPEN, 150, 0)
    await market.client.capture(hold.id, 130, final=True, signer=market.payee)


async def test_the_blocking_client_observes_alike(market: Market) -> None:
    def ask(hold: HoldId, amount: int) -> None:
        with _blocking(market, market.payer) as payer:
            payer.extend(hold, amount)

    def fail_after(hold: BlockingHold, amount: int) -> None:
        hold.observe(amount)
        raise UpstreamError

    def work() -> tuple[HoldId, HoldId]:
        with _blocking(market, market.payer) as payer, _blocking(market, market.payee) as payee:
            with payer.reserve(
                market.payer_account,
                market.payee_account,
                1_000,
                sizing=_sizing(market),
                payee=market.payee,
            ) as hold:
                hold.observe(130)
                assert (hold.observed, hold.room, hold.is_cut) == (130, 20, False)
            pinned = payer.reserve(market.payer_account, market.payee_account, 10)
            sizing = _sizing(market)
            served = payee.serve(pinned.id, 99, sizing=sizing, ask_payer=ask)
            with pytest.raises(UpstreamError), served:
                fail_after(served, 30)
            return hold.id, served.id

    rows = await market.client.get_holds(await asyncio.to_thread(work))
    assert [row and row.captured for row in rows] == [130, 30]


def _blocking(market: Market, signer: Signer) -> Client:
    return Client(
        market.cluster.endpoints,
        market.cluster.genesis,
        tls=None,
        signer=signer,
        surroundings=market.surroundings,
    )
