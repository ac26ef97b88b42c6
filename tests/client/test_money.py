"""The high-level calls, against the executable specification behind real gRPC."""

from array import array
from typing import Any

import pytest
from tests.client.conftest import Market

from tallystick import SigningKey, errors
from tallystick.envelopes import Stored
from tallystick.reads import Presence
from tallystick_ledger.ids import AccountId, HoldId, TimestampNs
from tallystick_ledger.records import NameKind, Scope, Transfer
from tallystick_ledger.results import Cause
from tallystick_ledger.state_rows import AccountFlags, HoldStatus


async def test_transfer_moves_money_and_tells_where_it_stands(market: Market) -> None:
    receipt = await market.client.transfer(market.payer_account, market.payee_account, 250)
    assert receipt.ok
    assert receipt.record_count == 1
    assert not receipt.duplicate
    assert receipt[0].sequence == receipt.sequence == 7
    assert await market.client.balance(market.payee_account, signer=market.payee) == 250
    row = await market.client.get_account(market.payer_account)
    assert row is not None
    assert row.debits_posted == 250
    assert row.available == 999_750


@pytest.mark.parametrize("amount", [1.0, True, "1", None])
async def test_an_amount_that_is_no_int_is_a_type_error(
    market: Market,
    amount: Any,  # noqa: ANN401 - the point
) -> None:
    payer, payee = market.payer_account, market.payee_account
    with pytest.raises(TypeError):
        await market.client.transfer(payer, payee, amount)
    with pytest.raises(TypeError):
        await market.client.transfers([payer], [payee], [amount])
    with pytest.raises(TypeError):
        market.client.reserve(payer, payee, amount)
    assert market.cluster.nodes[0].messages == []


@pytest.mark.parametrize(("amount", "code"), [(0, "ZERO_AMOUNT"), (-1, ""), (1 << 128, "")])
async def test_an_amount_out_of_range_is_not_sent(market: Market, amount: int, code: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        await market.client.transfer(market.payer_account, market.payee_account, amount)
    assert caught.value.code == (code or "INVALID_ARGUMENT")
    assert isinstance(caught.value, ValueError)
    assert market.cluster.nodes[0].messages == []


async def test_more_than_there_is_and_more_than_is_free_are_told_apart(market: Market) -> None:
    with pytest.raises(errors.InsufficientFunds) as caught:
        await market.client.transfer(market.payer_account, market.payee_account, 1_000_001)
    error = caught.value
    assert (error.code, error.index, error.retryable) == ("INSUFFICIENT_FUNDS", 0, False)
    assert "Credit the account" in error.advice
    assert error.receipt.sequence > 0  # the refusal itself stands in the ledger
    await market.client.reserve(market.payer_account, market.payee_account, 999_999)
    with pytest.raises(errors.FundsHeld) as held:
        await market.client.transfer(market.payer_account, market.payee_account, 2)
    assert held.value.retryable


async def test_unknown_and_foreign_accounts(market: Market) -> None:
    nobody = AccountId(b"\x09" * 16)
    with pytest.raises(errors.AccountNotFound):
        await market.client.transfer(nobody, market.payee_account, 1)
    with pytest.raises(errors.AccountNotFound):  # another's account answers as if it were none
        await market.client.transfer(market.payee_account, market.payer_account, 1)
    with pytest.raises(errors.InvalidArgument):
        await market.client.transfer(AccountId(b"short"), market.payee_account, 1)
    assert await market.client.get_accounts([nobody, market.payer_account]) == [
        None,
        await market.client.get_account(market.payer_account),
    ]
    with pytest.raises(LookupError):
        await market.client.balance(nobody)


async def test_unique_reference_is_taken_once(market: Market) -> None:
    pair = (market.payer_account, market.payee_account)
    await market.client.transfer(*pair, 5, reference=77, unique=True)
    with pytest.raises(errors.ReferenceUsed):
        await market.client.transfer(*pair, 5, reference=77, unique=True)
    await market.client.transfer(*pair, 5, reference=77)
    assert await market.client.balance(market.payee_account, signer=market.payee) == 10


async def test_bulk_spreads_over_envelopes_and_reports_each_refusal(market: Market) -> None:
    count = 8_190 + 10
    amounts = array("Q", [1] * count)
    amounts[8_195] = 2_000_000
    receipts = await market.client.transfers(
        market.payer_account * count, market.payee_account * count, amounts
    )
    assert [receipt.record_count for receipt in receipts] == [8_190, 10]
    assert receipts[0].ok
    refusals = dict(receipts[1].refusals)
    assert list(refusals) == [5]
    assert refusals[5].code.name == "INSUFFICIENT_FUNDS"
    assert refusals[5].sequence == receipts[1].sequence + 5
    assert receipts[1].ok_count == 9
    assert await market.client.balance(market.payee_account, signer=market.payee) == count - 1


async def test_atomic_bulk_blames_the_record_at_fault(market: Market) -> None:
    debits = [market.payer_account] * 3
    credits_ = [market.payee_account] * 3
    with pytest.raises(errors.InsufficientFunds) as caught:
        await market.client.transfers(debits, credits_, [1, 2_000_000, 1], atomic=True)
    assert caught.value.index == 1
    assert [result.code.name for result in caught.value.receipt.results] == [
        "ATOMIC_ABORTED",
        "INSUFFICIENT_FUNDS",
        "ATOMIC_ABORTED",
    ]
    assert await market.client.balance(market.payee_account, signer=market.payee) == 0
    with pytest.raises(errors.InvalidArgument):
        await market.client.transfers(debits, credits_, [1, 1])


async def test_a_draft_knows_ids_before_it_is_sent(market: Market) -> None:
    draft = market.client.draft()
    draft.add(Transfer(market.payer_account, market.payee_account, 3))
    stored = draft.seal()
    assert Stored.from_bytes(stored.envelope, stored.principal) == stored
    receipt = await market.client.submit(stored.envelope)
    again = await market.client.submit(stored)
    assert (again.sequence, again.timestamp_ns, again.ok) == (
        receipt.sequence,
        receipt.timestamp_ns,
        True,
    )
    assert again.duplicate
    info = await market.client.get_envelope(stored.envelope_id)
    assert info.presence is Presence.FOUND
    assert info.envelope == stored.envelope
    assert await market.client.get_envelope(receipt.sequence) == info
    missing = await market.client.get_envelope(market.client.draft().envelope_id)
    assert missing.presence is Presence.NOT_YET


async def test_accounts_freeze_and_close(market: Market) -> None:
    client = market.client
    created = await client.open_accounts(market.unit, 3)
    assert len({each.id for each in created}) == 3
    account = created[1].id
    await client.freeze_account(account)
    with pytest.raises(errors.AccountRefused):
        await client.transfer(market.payer_account, account, 1)
    with pytest.raises(errors.AccountRefused):
        await client.freeze_account(account)
    await client.unfreeze_account(account)
    await client.transfer(market.payer_account, account, 1)
    with pytest.raises(errors.AccountRefused) as caught:
        await client.close_account(account)
    assert caught.value.code == "ACCOUNT_NOT_EMPTY"
    await client.close_account(created[2].id)
    row = await client.get_account(created[2].id)
    assert row is not None
    assert row.flags == AccountFlags.CLOSED


async def test_keys_are_added_rotated_and_revoked(market: Market) -> None:
    client = market.client
    spend = SigningKey(b"\x41" * 32)
    await client.add_key(spend, Scope.SPEND)
    spender = market.payer.__class__(spend, market.payer.principal)
    await client.transfer(market.payer_account, market.payee_account, 1, signer=spender)
    with pytest.raises(errors.KeyRefused):
        await client.open_account(market.unit, signer=spender)
    fresh = SigningKey(b"\x42" * 32)
    await client.rotate_key(fresh)
    assert client.signer.public_key == fresh.public_key
    await client.transfer(market.payer_account, market.payee_account, 1)
    with pytest.raises(errors.KeyRefused) as caught:
        await client.transfer(market.payer_account, market.payee_account, 1, signer=market.payer)
    assert caught.value.code == "KEY_REVOKED"
    await client.revoke_key(spend.public_key)
    with pytest.raises(errors.KeyNotFound):
        await client.revoke_key(market.payee.public_key)
    with pytest.raises(errors.AlreadyExists):
        await client.add_key(spend, Scope.SPEND)


async def test_names(market: Market) -> None:
    long = "модель-" * 19
    created = await market.client.register_name(NameKind.MODEL, long)
    assert created.receipt.record_count > 1
    assert created.hex == created.id.hex()
    with pytest.raises(errors.AlreadyExists):
        await market.client.register_name(NameKind.MODEL, long)
    with pytest.raises(errors.InvalidArgument):
        await market.client.register_name(NameKind.MODEL, "a\nb")


async def test_a_hold_is_captured_cumulatively_and_released_at_the_end(market: Market) -> None:
    client = market.client
    reservation = client.reserve(
        market.payer_account, market.payee_account, 4_000, payee=market.payee
    )
    async with reservation as hold:
        assert await client.balance(market.payer_account) == 996_000
        await hold.capture(1_000)
        receipt = await hold.capture(1_250)
        info = await client.get_envelope(receipt.sequence, signer=market.payee)
        assert [(effect.cause, effect.amount) for effect in info.effects] == [(Cause.CAPTURE, 250)]
        assert (hold.captured, hold.is_open) == (1_250, True)
    (row,) = await client.get_holds([hold.id])
    assert row is not None
    assert (row.status, row.captured) == (HoldStatus.RELEASED, 1_250)
    assert await client.balance(market.payer_account) == 998_750


async def test_a_hold_is_extended_by_its_payer(market: Market) -> None:
    client = market.client
    async with client.reserve(
        market.payer_account, market.payee_account, 100, expires_in_s=2, payee=market.payee
    ) as hold:
        begun_ns = hold.expires_at_ns
        with pytest.raises(errors.HoldRefused):
            await hold.capture(101)
        await hold.extend(50)
        assert (hold.maximum, hold.expires_at_ns) == (150, begun_ns)
        await hold.extend(expires_in_s=60)
        assert hold.expires_at_ns > begun_ns
        market.cluster.clock.advance_s(3)
        await hold.capture(150)
        (row,) = await client.get_holds([hold.id])
        assert row is not None
        assert (row.maximum, row.expires_at_ns) == (hold.maximum, hold.expires_at_ns)
        with pytest.raises(errors.InvalidArgument):
            await client.extend(hold.id)
        with pytest.raises(errors.HoldRefused):
            await client.extend(hold.id, 1, signer=market.payee)
        with pytest.raises(errors.HoldRefused):
            await client.extend(hold.id, expires_at_ns=begun_ns)
        with pytest.raises(errors.InsufficientFunds):
            await hold.extend(1_000_000)
    with pytest.raises(errors.HoldRefused):
        await hold.extend(1)


async def test_a_final_capture_ends_a_hold(market: Market) -> None:
    client = market.client
    async with client.reserve(
        market.payer_account, market.payee_account, 100, payee=market.payee
    ) as hold:
        await hold.capture(100, final=True)
        assert not hold.is_open
    with pytest.raises(errors.HoldRefused):
        await client.capture(hold.id, 50, signer=market.payee)


async def test_a_payer_leaves_a_hold_to_its_expiry(market: Market) -> None:
    client = market.client
    async with client.reserve(
        market.payer_account, market.payee_account, 100, expires_in_s=2
    ) as hold:
        with pytest.raises(errors.InvalidArgument):
            await hold.capture(1)
    with pytest.raises(errors.HoldRefused):
        await client.release(hold.id)  # signed by the payer
    market.cluster.clock.advance_s(3)
    with pytest.raises(errors.HoldExpired):
        await client.capture(hold.id, 1, signer=market.payee)
    with pytest.raises(errors.HoldNotFound):
        await client.release(HoldId(b"\x05" * 16), signer=market.payee)


async def test_an_expired_hold_is_no_error_at_the_end_of_its_block(market: Market) -> None:
    client = market.client
    async with client.reserve(
        market.payer_account, market.payee_account, 100, expires_in_s=2, payee=market.payee
    ) as hold:
        market.cluster.clock.advance_s(3)
    assert not hold.is_open
    with pytest.raises(errors.HoldRefused):
        await client.reserve(
            market.payer_account, market.payee_account, 100, expires_at_ns=TimestampNs(1)
        )
