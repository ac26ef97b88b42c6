"""Grants through the client: set aside, paid from, given back to, ended."""

from decimal import Decimal

import pytest
from tests.client.conftest import Market

from tallystick import errors, limits
from tallystick_ledger.ids import AccountId, GrantId
from tallystick_ledger.results import Cause
from tallystick_ledger.state_rows import GrantStatus

KEY = b"the programme..."


async def _granted(market: Market, ratio: str = "0.4") -> tuple[AccountId, GrantId]:
    """The payee sponsors the payer: its pool of 1,000, and a grant of 500."""
    client, sponsor = market.client, market.payee
    pool = (await client.open_account(market.unit, signer=sponsor)).id
    await client.issue(market.unit, pool, 1_000)
    made = await client.grant(
        pool,
        market.payer.principal,
        500,
        ends_in_s=3_600,
        ratio=Decimal(ratio),
        exclusivity=KEY,
        signer=sponsor,
    )
    return pool, made.id


async def test_a_grant_pays_its_share_and_gets_back_its_part(market: Market) -> None:
    client, sponsor = market.client, market.payee
    pool, grant = await _granted(market)
    before = await client.balance(market.payer_account)
    hold = await client.reserve(market.payer_account, market.payee_account, 100, expires_in_s=60)
    assert await client.balance(market.payer_account) == before - 60
    receipt = await client.capture(hold.id, 50, final=True, signer=market.payee)
    info = await client.get_envelope(receipt.envelope_id, signer=market.payee)
    paid = [(effect.cause, effect.amount) for effect in info.effects]
    assert paid == [
        (Cause.CAPTURE, 30),
        (Cause.CAPTURE, 20),
        (Cause.RELEASE, 30),
        (Cause.RELEASE, 20),
    ]
    assert info.effects[1].grant == grant
    assert await client.balance(AccountId(grant), signer=sponsor) == 480
    await client.refund(receipt.sequence, 10, signer=market.payee)
    assert await client.balance(AccountId(grant), signer=sponsor) == 484
    assert await client.balance(market.payer_account) == before - 24
    await client.claw_back(grant, signer=sponsor)
    assert await client.balance(pool, signer=sponsor) == 984


async def test_grants_are_listed_to_both_sides_in_pages(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GRANTS_PER_PAGE", 2)
    client, sponsor = market.client, market.payee
    pool, first = await _granted(market)
    more = [
        await client.grant(pool, market.payer.principal, 10, ends_in_s=60, signer=sponsor)
        for _ in range(3)
    ]
    await client.reserve(market.payer_account, market.payee_account, 100, expires_in_s=60)
    await client.claw_back(more[0].id, signer=sponsor)
    listed = await client.grants()
    assert {grant.terms.grant for grant in listed} == {first, *(made.id for made in more)}
    assert [grant.terms.grant for grant in listed] == sorted(row.terms.grant for row in listed)
    assert {grant.sponsor for grant in listed} == {sponsor.principal}
    assert await client.grants(signer=sponsor) == listed
    states = {row.terms.grant: row for row in listed}
    assert (states[first].left, states[first].held) == (500 - 40, 40)
    assert (states[more[0].id].left, states[more[0].id].held) == (0, 10)
    assert states[more[0].id].terms.status is GrantStatus.CLAWED_BACK
    with pytest.raises(errors.AccessDenied):
        await client.grants(sponsor.principal, signer=market.payer)


async def test_what_a_grant_refuses(market: Market) -> None:
    client, sponsor = market.client, market.payee
    pool, grant = await _granted(market)
    with pytest.raises(errors.GrantRefused):  # the key is taken
        await client.grant(
            pool, market.payer.principal, 1, ends_in_s=60, exclusivity=KEY, signer=sponsor
        )
    with pytest.raises(errors.GrantRefused):  # the grantee knows it, but it is not theirs
        await client.claw_back(grant)
    with pytest.raises(errors.AccountRefused):
        await client.transfer(AccountId(grant), pool, 1, signer=sponsor)
    with pytest.raises(errors.GrantNotFound):
        await client.claw_back(GrantId(KEY), signer=sponsor)
    for ratio in ("0", "1.1", "0.0000001"):
        with pytest.raises(errors.InvalidArgument):
            await _granted(market, ratio)


async def test_lists_and_relations(market: Market) -> None:
    client = market.client
    pair = (market.payer.principal, market.payee.principal)
    made = await client.make_list([pair[1], pair[0], pair[1]])
    pool = (await client.open_account(market.unit)).id
    await client.issue(market.unit, pool, 100)
    await client.grant(pool, pair[1], 50, ends_in_s=60, providers=made.id)
    with pytest.raises(errors.ListNotFound):
        await client.grant(pool, pair[1], 1, ends_in_s=60, models=type(made.id)(KEY))
    with pytest.raises(errors.GrantRefused):
        await client.relate(*pair)
    with pytest.raises(errors.RelationNotFound):
        await client.relate(*pair, related=False)
