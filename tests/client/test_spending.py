"""Limits, keys under keys and zones, from the SDK: against nodes that run the specification."""

from datetime import UTC, datetime

import pytest
from tests.client.conftest import Market
from tests.client.fake_node import OPERATOR

from tallystick import LimitOf, Signer, SigningKey, errors, zone_tables
from tallystick_ledger.ids import TimestampNs, operator_principal
from tallystick_ledger.records import LimitTarget, LimitWindow, Scope
from tallystick_ledger.zones import SECOND_NS

AGENT, TOOL = SigningKey(b"\x61" * 32), SigningKey(b"\x62" * 32)


async def _agents(market: Market) -> tuple[Signer, Signer]:
    """An agent's key, and its tool's under it."""
    signers = []
    for key in (AGENT, TOOL):
        await market.client.add_key(key, Scope.SPEND)
        signers.append(Signer(key, market.payer.principal))
    await market.client.delegate(TOOL.public_key, AGENT.public_key)
    return signers[0], signers[1]


async def test_a_limit_refuses_and_says_whose_it_is(market: Market) -> None:
    client, unit = market.client, market.unit
    _, tool = await _agents(market)
    await client.set_limit(LimitOf.key(AGENT.public_key), unit, 100)
    accounts = (market.payer_account, market.payee_account)
    await client.transfer(*accounts, 60, signer=tool)
    with pytest.raises(errors.LimitExceeded) as caught:
        await client.transfer(*accounts, 41, signer=tool)
    error = caught.value
    assert (error.scope, error.window, error.above) == (LimitTarget.KEY, LimitWindow.DAY, 1)
    (row,) = await client.limits()
    assert (row.amount, row.used) == (100, 60)
    assert error.resets_at_ns is not None
    assert 0 <= error.resets_at_ns - row.ends_at_ns < SECOND_NS
    assert "resets in" in str(error)
    await client.end_limit(LimitOf.key(AGENT.public_key), unit)
    assert await client.limits() == []
    await client.transfer(*accounts, 41, signer=tool)


async def test_limits_of_accounts_principals_and_payees(market: Market) -> None:
    client, unit = market.client, market.unit
    total = LimitWindow.TOTAL
    await client.set_limit(LimitOf.account(market.payer_account), unit, 70, total)
    await client.set_limit(LimitOf.principal(market.payer.principal), unit, 80, total)
    pair = LimitOf.payee(market.payer_account, market.payee_account)
    await client.set_limit(pair, unit, 50, LimitWindow.HELD)
    with pytest.raises(errors.LimitExceeded) as caught:
        await client.reserve(market.payer_account, market.payee_account, 51)
    assert (caught.value.scope, caught.value.resets_at_ns) == (LimitTarget.PAYEE, None)
    hold = await client.reserve(market.payer_account, market.payee_account, 50)
    await hold.release(signer=market.payee)
    with pytest.raises(errors.LimitExceeded) as caught:
        await client.transfer(market.payer_account, market.payee_account, 71)
    assert caught.value.scope is LimitTarget.ACCOUNT
    assert len(await client.limits(market.payer.principal)) == 3
    assert await client.limits(market.payer.principal, signer=market.payee) == []


async def test_a_spend_key_only_narrows(market: Market) -> None:
    client, unit = market.client, market.unit
    agent, _ = await _agents(market)
    of = LimitOf.key(TOOL.public_key)
    await client.set_limit(of, unit, 50, signer=agent)
    await client.set_limit(of, unit, 40, signer=agent)
    with pytest.raises(errors.LimitWidened):
        await client.set_limit(of, unit, 41, signer=agent)
    with pytest.raises(errors.LimitWidened):
        await client.end_limit(of, unit, signer=agent)
    with pytest.raises(errors.DelegationInvalid):
        await client.delegate(AGENT.public_key, TOOL.public_key)


async def test_kill_stops_an_agent_and_all_under_it(market: Market) -> None:
    client = market.client
    agent, tool = await _agents(market)
    await client.kill(AGENT.public_key)
    for signer in (agent, tool):
        with pytest.raises(errors.KeyRefused) as caught:
            await client.transfer(market.payer_account, market.payee_account, 1, signer=signer)
        assert caught.value.code == "KEY_REVOKED"
    with pytest.raises(errors.KeyRefused):
        await client.kill(AGENT.public_key)


async def test_zones_are_published_read_and_used(market: Market) -> None:
    client, unit = market.client, market.unit
    operator = Signer(OPERATOR, operator_principal(client.ledger_id, 0))
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
    table = zone_tables.make("Asia/Shanghai", since, until)
    assert table.spans() == ((table.from_ns, table.horizon_ns, 28_800),)
    of = LimitOf.account(market.payer_account)
    with pytest.raises(errors.ZoneRefused):
        await client.set_limit(of, unit, 9, zone="Asia/Shanghai")
    with pytest.raises(errors.ZoneRefused):
        await client.publish_zone("Asia/Shanghai", 2, table, signer=operator)
    await client.publish_zone("Asia/Shanghai", 1, table, signer=operator)
    row, none = await client.zones(["Asia/Shanghai", "Europe/Berlin"])
    assert none is None
    assert row is not None
    assert (row.version, row.table) == (1, table)
    await client.set_limit(of, unit, 9, LimitWindow.MONTH, zone="Asia/Shanghai")
    (limit,) = await client.limits()
    assert (limit.ends_at_ns // SECOND_NS + 28_800) % 86_400 == 0


def test_tables_have_the_changes_of_the_database() -> None:
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    table = zone_tables.make("Europe/Berlin", since, until)
    spring, autumn = (
        TimestampNs(int(datetime(2026, *day, 1, tzinfo=UTC).timestamp()) * SECOND_NS)
        for day in ((3, 29), (10, 25))
    )
    assert table.first_offset_s == 3_600
    assert table.transitions == ((spring, 7_200), (autumn, 3_600))
    west = zone_tables.make("America/St_Johns", since, until)
    assert west.first_offset_s == -12_600


@pytest.mark.parametrize(
    ("name", "since", "until"),
    [
        ("Nowhere/At_All", datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2027, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 1, 1), datetime(2027, 1, 1, tzinfo=UTC)),  # noqa: DTZ001
        ("Europe/Berlin", datetime(2026, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)),
    ],
)
def test_no_tables(name: str, since: datetime, until: datetime) -> None:
    with pytest.raises(errors.InvalidArgument):
        zone_tables.make(name, since, until)
