"""The demo's data and plan: the trace's own sums, exact prices, deposits, determinism."""

from collections import Counter

import pytest

from tallystick_cluster.data import TRACE_ROWS, ClientWeight, Usage, load_usage, load_weights
from tallystick_cluster.demo.plan import (
    CENT_NANO,
    CONTEXT_LIMIT_TOKENS,
    NANO_PER_USD,
    OFFERS,
    OUTPUT_LIMIT_TOKENS,
    WORST_CASE_TOKENS,
    Offer,
    make_plan,
)
from tallystick_cluster.errors import DataError, DemoError

WEIGHTS = (ClientWeight(7, 60), ClientWeight(3, 30), ClientWeight(9, 9), ClientWeight(1, 1))
USAGE = tuple(Usage(number, 100 + number, number % 50) for number in range(1, 401))


def test_the_slice_is_the_traces_first_rows() -> None:
    usage = load_usage(TRACE_ROWS)
    assert usage[:2] == (Usage(1, 374, 44), Usage(2, 396, 109))
    assert [each.number for each in usage] == list(range(1, TRACE_ROWS + 1))
    # Computed from the published file by other means.
    assert sum(each.context_tokens for each in usage) == 15_051_774
    assert sum(each.generated_tokens for each in usage) == 2_457_971
    assert max(each.context_tokens for each in usage) == 14_050
    assert max(each.generated_tokens for each in usage) == 1_000


@pytest.mark.parametrize("count", [0, -1, TRACE_ROWS + 1])
def test_more_than_the_slice_is_refused(count: int) -> None:
    with pytest.raises(DataError, match="12,000 requests"):
        load_usage(count)


def test_a_few_clients_make_nearly_all_requests() -> None:
    requests = [each.requests for each in load_weights()]
    assert len(requests) == 43
    assert requests == sorted(requests, reverse=True)
    assert sum(requests) == 1_420_558_786
    assert requests[0] * 1_000 // sum(requests) == 298
    assert sum(requests[:10]) * 1_000 // sum(requests) == 928


def test_a_charge_is_exact() -> None:
    assert Offer("any", 3, 5, 1).charge_nano(374, 44) == 3 * 374 + 5 * 44
    assert Offer("any", 3, 5, 1).charge_nano(0, 0) == 0


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.provider)
def test_no_request_of_the_trace_costs_more_than_its_worst_case(offer: Offer) -> None:
    for usage in load_usage(TRACE_ROWS):
        charge = offer.charge_nano(usage.context_tokens, usage.generated_tokens)
        assert 0 < charge <= offer.worst_case_nano
        assert usage.tokens <= WORST_CASE_TOKENS


def test_a_plan_is_a_function_of_its_arguments() -> None:
    first = make_plan(USAGE, WEIGHTS, in_flight=8, seed=5)
    assert make_plan(USAGE, WEIGHTS, in_flight=8, seed=5) == first
    assert make_plan(USAGE, WEIGHTS, in_flight=8, seed=6).jobs != first.jobs


def test_every_request_is_planned_once_in_order() -> None:
    plan = make_plan(USAGE, WEIGHTS, in_flight=8, seed=5)
    assert tuple(job.usage for job in plan.jobs) == USAGE


def test_consumers_ask_by_their_weights() -> None:
    plan = make_plan(load_usage(6_000), WEIGHTS, in_flight=8, seed=5)
    asked = Counter(job.consumer for job in plan.jobs)
    assert [asked[each] // 60 for each in range(3)] == pytest.approx([60, 30, 9], abs=2)


def test_who_is_not_short_can_hold_the_worst_case_as_often_as_requests_run() -> None:
    plan = make_plan(USAGE, WEIGHTS, in_flight=8, seed=5)
    dearest = max(offer.worst_case_nano for offer in OFFERS)
    for position, consumer in enumerate(plan.consumers):
        cost = sum(plan.cost_nano(job) for job in plan.jobs if job.consumer == position)
        tokens = sum(job.usage.tokens for job in plan.jobs if job.consumer == position)
        assert consumer.deposit_tokens == tokens + 8 * WORST_CASE_TOKENS
        if not consumer.is_short:
            assert 0 <= consumer.deposit_nano - cost - 8 * dearest < NANO_PER_USD


def test_every_sixth_gets_half() -> None:
    plan = make_plan(load_usage(3_000), load_weights(), in_flight=8, seed=1)
    short = [position for position, each in enumerate(plan.consumers) if each.is_short]
    assert short
    assert all(position % 6 == 3 for position in short)
    largest = short[0]
    cost = sum(plan.cost_nano(job) for job in plan.jobs if job.consumer == largest)
    assert 0 <= cost // 2 - plan.consumers[largest].deposit_nano < CENT_NANO


def test_everybody_gets_something_that_can_be_issued() -> None:
    plan = make_plan(USAGE[:1], load_weights(), in_flight=1, seed=1)
    assert all(each.deposit_nano > 0 and each.deposit_tokens > 0 for each in plan.consumers)


@pytest.mark.parametrize(
    "usage", [Usage(1, CONTEXT_LIMIT_TOKENS + 1, 1), Usage(1, 1, OUTPUT_LIMIT_TOKENS + 1)]
)
def test_a_request_above_the_limits_is_refused(usage: Usage) -> None:
    with pytest.raises(DemoError, match="request 1"):
        make_plan((usage,), WEIGHTS, in_flight=1, seed=1)
