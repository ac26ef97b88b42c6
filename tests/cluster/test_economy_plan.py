"""What the economy's day is made of, without a node: traces, plan, prices, times, checks."""

from dataclasses import replace

import pytest

from tallystick.prices import Meter, Served, Window
from tallystick_cluster.data import ClientWeight, load_weights
from tallystick_cluster.data.arrivals import Arrival, Trace, load_arrivals
from tallystick_cluster.economy.checks import check
from tallystick_cluster.economy.day import NS_PER_S, Day, clock
from tallystick_cluster.economy.netting import passed_on
from tallystick_cluster.economy.offers import (
    OFFERS,
    PRICE_LISTS,
    PRICES_AT_NS,
    Books,
    models_of,
    moved,
    price_list,
)
from tallystick_cluster.economy.plan import DAY_MS, Plan, Role, Way, make_plan
from tallystick_cluster.economy.tariffs import LEAD_NS, dearest_nano, set_times
from tallystick_cluster.economy.vouchers import chained
from tallystick_cluster.errors import DemoError

ALL = 20_000
WEIGHTS = load_weights()


@pytest.fixture(scope="module")
def books() -> Books:
    return Books()


@pytest.fixture(scope="module")
def plan() -> Plan:
    arrivals = [each for trace in Trace for each in load_arrivals(trace, ALL)]
    return make_plan(arrivals, WEIGHTS, seed=1)


@pytest.mark.parametrize(
    ("trace", "rows", "uncached", "cached", "output"),
    [
        # Computed from the published files by other means.
        (Trace.AZURE, 12_000, 15_051_774, 0, 2_457_971),
        (Trace.MOONCAKE, 12_031, 144_793_823 - 54_098_411, 54_098_411, 4_122_048),
    ],
)
def test_the_traces_sums(trace: Trace, rows: int, uncached: int, cached: int, output: int) -> None:
    arrivals = load_arrivals(trace, ALL)
    assert [each.number for each in arrivals] == list(range(1, rows + 1))
    assert sum(each.input_tokens for each in arrivals) == uncached
    assert sum(each.cached_tokens for each in arrivals) == cached
    assert sum(each.output_tokens for each in arrivals) == output
    assert arrivals[0].at_ms == 0
    assert all(each.input_tokens >= 0 for each in arrivals)


def test_an_arrival_keeps_the_traces_time() -> None:
    # 2023-11-16 18:15:46.6805900 and 18:15:50.9951690.
    assert load_arrivals(Trace.AZURE, 2)[1].at_ms == 4_315
    assert load_arrivals(Trace.MOONCAKE, 18)[17].at_ms == 3_000


def test_every_request_is_planned_once_in_order_of_the_day(plan: Plan) -> None:
    assert [job.number for job in plan.jobs] == list(range(1, 24_032))
    times = [job.day_ms for job in plan.jobs]
    assert times == sorted(times)
    assert (times[0], DAY_MS - times[-1] < 60_000) == (0, True)
    for trace in Trace:
        of_trace = [job.arrival for job in plan.jobs if job.arrival.trace is trace]
        assert tuple(of_trace) == load_arrivals(trace, ALL)


def test_a_plan_is_a_function_of_its_arguments() -> None:
    arrivals = [each for trace in Trace for each in load_arrivals(trace, 300)]
    first = make_plan(arrivals, WEIGHTS, seed=5)
    assert make_plan(arrivals, WEIGHTS, seed=5) == first
    assert make_plan(arrivals, WEIGHTS, seed=6) != first


def test_who_is_there(plan: Plan) -> None:
    roles = [each.role for each in plan.consumers]
    assert [roles.count(role) for role in Role] == [1, 9, 33]
    assert plan.consumers[0].name == "gateway"
    asked = [0] * len(roles)
    for job in plan.jobs:
        asked[job.consumer] += 1
    assert asked[0] > len(plan.jobs) // 4
    assert sum(asked[10:]) < len(plan.jobs) // 10


def test_regulars_pay_for_the_second_trace_by_vouchers(plan: Plan) -> None:
    vouchers = plan.paid_by(Way.CHANNEL)
    assert {job.consumer for job in vouchers} == {0, 1, 2}
    assert {job.offer.provider for job in vouchers} == {"moonshot"}
    metered = plan.paid_by(Way.METER)
    assert {plan.consumers[job.consumer].role for job in metered} == {Role.GATEWAY, Role.COMPANY}
    assert sum(len(plan.paid_by(way)) for way in Way) == len(plan.jobs)


def test_tokens_are_counted_on_one_meter_each(plan: Plan) -> None:
    job = next(job for job in plan.jobs if job.arrival.cached_tokens)
    usage = job.usage
    assert usage[Meter.INPUT] == job.arrival.input_tokens
    assert usage[Meter.CACHE_READ] == job.arrival.cached_tokens
    assert usage.input_length == job.worst_usage.input_length


def test_no_request_costs_more_than_its_worst_case(plan: Plan, books: Books) -> None:
    for job in plan.jobs[::97]:
        cost = dearest_nano(books, job.offer, job.usage)
        assert 0 < cost <= dearest_nano(books, job.offer, job.worst_usage)


@pytest.mark.parametrize("change", [{"trace": Trace.AZURE}, {"output_tokens": 2_049}])
def test_a_day_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    arrivals = [Arrival(Trace.AZURE, 1, 0, 5, 0, 5), Arrival(Trace.MOONCAKE, 1, 0, 5, 0, 5)]
    arrivals[1] = replace(arrivals[1], **change)  # type: ignore[arg-type]
    with pytest.raises(DemoError):
        make_plan(arrivals, (ClientWeight(1, 1),), seed=1)


def test_both_books_have_what_is_sold(books: Books) -> None:
    assert len({each.bundled for each in PRICE_LISTS}) == 2
    for of in PRICE_LISTS:
        for date_ns in of.dates_ns:
            assert set(models_of(of.provider)) <= books.card(of, date_ns).models


def test_the_card_that_changes_is_the_books_own_change(books: Books) -> None:
    of = price_list("openai")
    before, after = (books.card(of, date_ns) for date_ns in of.dates_ns)
    assert before.effective_from_ns < after.effective_from_ns
    prices = [
        {line.meter.label: line.price for line in card.lines_of("gpt-5.6-terra") if not line.above}
        for card in (before, after)
    ]
    assert [each["input"] for each in prices] == [2_500_000_000, 2_000_000_000]
    assert [each["output"] for each in prices] == [15_000_000_000, 12_000_000_000]


@pytest.mark.parametrize("minutes", [0, 1, 450, 451, 989, 990, 1_439])
def test_moved_hours_price_what_the_book_prices_earlier(books: Books, minutes: int) -> None:
    of = price_list("deepseek")
    (offer,) = (each for each in OFFERS if each.has_hours)
    card = books.card(of, PRICES_AT_NS)
    later = moved(card, minutes)
    for minute in range(0, 1_440, 30):
        at_ns = minute * 60 * NS_PER_S
        for meter in (Meter.INPUT, Meter.OUTPUT):
            there = later.find(meter, Served(offer.model, at_ns + minutes * 60 * NS_PER_S), 9)
            assert there.price == card.find(meter, Served(offer.model, at_ns), 9).price
    assert sum(line.window == Window() for line in later.lines) == sum(
        line.window == Window() for line in card.lines
    )


@pytest.mark.parametrize("seconds", [20, 75, 600])
@pytest.mark.parametrize("now_s", range(0, 60, 7))
def test_a_whole_minute_lies_well_inside_the_day(seconds: int, now_s: int) -> None:
    now_ns = PRICES_AT_NS + now_s * NS_PER_S + 123_456_789
    times = set_times(now_ns, seconds)
    day = times.day
    assert day.begins_ns - now_ns >= LEAD_NS
    assert day.begins_ns - now_ns <= LEAD_NS + 60 * NS_PER_S
    assert times.off_peak_ns % (60 * NS_PER_S) == 0
    part = (times.off_peak_ns - day.begins_ns) / (seconds * NS_PER_S)
    assert 0.1 <= part <= 0.9
    moved_to = (16 * 60 + 30 + times.moved_minutes) % 1_440
    assert moved_to == times.off_peak_ns // (60 * NS_PER_S) % 1_440


def test_a_day_in_seconds() -> None:
    day = Day(PRICES_AT_NS, 48)
    assert day.at_ns(0) == PRICES_AT_NS
    assert day.noon_ns - PRICES_AT_NS == 24 * NS_PER_S
    assert day.at_ns(DAY_MS // 24) - PRICES_AT_NS == 2 * NS_PER_S
    # It happened on the day before, at the traces' own time.
    assert PRICES_AT_NS - day.occurred_at_ns(0) == 86_400 * NS_PER_S
    assert day.occurred_at_ns(1_500) - day.occurred_at_ns(0) == 1_500_000_000
    assert clock(DAY_MS // 2 + 61_000) == "12:01"


def test_every_fourth_request_is_passed_on_to_somebody_else(plan: Plan) -> None:
    debts = passed_on(plan.jobs)
    azure = [job for job in plan.jobs if job.arrival.trace is Trace.AZURE]
    assert {debt.job.number for debt in debts} == {
        job.number for job in azure if job.number % 4 == 0
    }
    assert all(debt.debtor != debt.creditor == debt.job.offer.provider for debt in debts)
    # Everybody owes and is owed but the broker, which nobody owes.
    providers = {of.provider for of in PRICE_LISTS}
    assert {debt.creditor for debt in debts} == providers
    assert {debt.debtor for debt in debts} == providers - {"moonshot"} | {"broker"}


def test_a_commitment_covers_every_request_in_order(plan: Plan) -> None:
    first, second = plan.paid_by(Way.CHANNEL)[:2]
    assert chained(chained(b"", first), second) != chained(chained(b"", second), first)
    assert chained(b"", first) != chained(b"", replace(first, number=9))


def test_a_check_over_nothing_does_not_hold() -> None:
    assert check("a", "b", []).ok
    assert not check("a", "b", [], count=0).ok
    many = check("a", "four things", ["w", "x", "y", "z"])
    assert (many.ok, many.text) == (False, "four things: w; x; y and 1 more")
