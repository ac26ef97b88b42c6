"""Channels and vouchers: what is signed off the ledger, and what the ledger makes of it."""

import hashlib
import os
from dataclasses import replace

import pytest
from tests.client.conftest import Market

from tallystick import Channel, SigningKey, Voucher, errors
from tallystick.channels import id_in
from tallystick.vouchers import NO_COMMITMENT, commitment_to
from tallystick_ledger import ed25519_zip215
from tallystick_ledger.ids import ChannelId, LedgerId, Signature, TimestampNs
from tallystick_ledger.records import Scope

KEY = SigningKey(b"\x41" * 32)
LEDGER, CHANNEL = LedgerId(b"\x07" * 32), ChannelId(b"\x09" * 16)


def _voucher(cumulative: int = 1_250) -> Voucher:
    return Voucher.sign(KEY, LEDGER, CHANNEL, cumulative, commitment_to(b"usage"))


def test_a_voucher_has_the_stated_layout() -> None:
    voucher = _voucher()
    data = voucher.encode()
    assert len(data) == 160
    assert data[:8] == b"TSV1\x01\0\0\0"
    assert data[8:40] == LEDGER
    assert data[40:56] == CHANNEL
    assert int.from_bytes(data[56:72], "little") == 1_250
    assert data[72:96] == hashlib.sha256(b"usage").digest()[:24]
    signed = b"tallystick/voucher/v1\0" + data[8:96]
    assert ed25519_zip215.verify(KEY.public_key, signed, data[96:])
    assert Voucher.decode(data) == voucher == Voucher.from_hex(f" {voucher.hex()}\n")


@pytest.mark.parametrize("place", [8, 40, 56, 71, 72, 95, 96, 159])
def test_a_changed_voucher_does_not_verify(place: int) -> None:
    _voucher().verify(KEY.public_key)
    data = bytearray(_voucher().encode())
    data[place] ^= 1
    changed = Voucher.decode(bytes(data))
    with pytest.raises(errors.InvalidVoucher) as caught:
        changed.verify(KEY.public_key)
    assert caught.value.code == "BAD_VOUCHER"


def test_a_voucher_of_another_key_does_not_verify() -> None:
    with pytest.raises(errors.InvalidVoucher):
        _voucher().verify(SigningKey(b"\x42" * 32).public_key)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        _voucher().encode()[:-1],
        _voucher().encode() + b"\0",
        b"TSV2" + _voucher().encode()[4:],
        b"TSV1\x02" + _voucher().encode()[5:],
        b"TSV1\x01\0\x01" + _voucher().encode()[7:],
        _voucher().encode()[:56] + bytes(16) + _voucher().encode()[72:],
    ],
)
def test_what_is_no_voucher_is_refused(data: bytes) -> None:
    with pytest.raises(errors.InvalidArgument):
        Voucher.decode(data)


def test_a_voucher_of_impossible_values_is_not_made() -> None:
    for cumulative in (0, -1, 1 << 128):
        with pytest.raises(errors.InvalidArgument):
            _voucher(cumulative)
    with pytest.raises(TypeError):
        _voucher(1.5)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgument):
        Voucher.sign(KEY, LEDGER, CHANNEL, 1, b"too short")
    with pytest.raises(errors.InvalidArgument):
        Voucher(LEDGER, CHANNEL, 1, NO_COMMITMENT, Signature(b"x"))
    with pytest.raises(errors.InvalidArgument):
        Voucher.from_hex("no digits")


async def _open(market: Market, deposit: int = 1_000) -> Channel:
    return await market.client.open_channel(
        market.payer_account,
        market.payee_account,
        deposit,
        SigningKey(os.urandom(32)),
        add_key=True,
    )


async def _paid(market: Market) -> int:
    return await market.client.balance(market.payee_account, signer=market.payee)


async def test_the_id_of_a_channel_is_known_without_an_answer(market: Market) -> None:
    await market.client.add_key(KEY, Scope.CHANNEL)
    for key, add_key in ((SigningKey(b"\x44" * 32), True), (KEY, False)):
        channel = await market.client.open_channel(
            market.payer_account, market.payee_account, 10, key, add_key=add_key
        )
        unknown = errors.OutcomeUnknown(
            b"", channel.receipt.envelope_id, market.payer.principal, TimestampNs(0)
        )
        assert id_in(unknown, market.client.ledger_id, add_key=add_key) == channel.id


async def test_only_the_last_voucher_is_needed(market: Market) -> None:
    channel = await _open(market)
    before = await market.client.balance(market.payer_account)
    vouchers = [channel.voucher(sum_so_far) for sum_so_far in (100, 250, 400)]
    for voucher in vouchers:
        voucher.verify(channel.key.public_key)
    await market.client.redeem(vouchers[2], signer=market.payee)
    assert await _paid(market) == 400
    await market.client.redeem(vouchers[2], signer=market.payee)  # again: nothing more
    (row,) = await market.client.get_channels([channel.id], signer=market.payee)
    assert row is not None
    assert (row.key, row.payee_account) == (channel.key.public_key, market.payee_account)
    assert (row.paid, row.highest, row.rest) == (400, 400, 600)
    assert await _paid(market) == 400
    with pytest.raises(errors.VoucherLowered):
        await market.client.redeem(vouchers[1], signer=market.payee)
    assert await market.client.balance(market.payer_account) == before
    await market.client.close_channel(channel.id, signer=market.payee)
    assert await market.client.balance(market.payer_account) == before + 600
    with pytest.raises(errors.ChannelEnded):
        await market.client.redeem(channel.voucher(500), signer=market.payee)


async def test_above_the_deposit_it_pays_up_to_it_and_the_rest_after_a_top_up(
    market: Market,
) -> None:
    channel = await _open(market, 300)
    voucher = channel.voucher(450)
    await market.client.redeem(voucher, signer=market.payee)
    assert await _paid(market) == 300
    with pytest.raises(errors.ChannelExhausted) as caught:
        await market.client.redeem(channel.voucher(460), signer=market.payee)
    assert caught.value.retryable
    await market.client.top_up(channel.id, 100)
    await market.client.redeem(voucher, signer=market.payee)
    assert await _paid(market) == 400


async def test_a_payer_closes_with_notice(market: Market) -> None:
    channel = await market.client.open_channel(
        market.payer_account, market.payee_account, 100, KEY, add_key=True, challenge_s=10
    )
    await market.client.close_channel(channel.id)
    with pytest.raises(errors.ChannelClosing):
        await market.client.close_channel(channel.id)
    with pytest.raises(errors.ChannelClosing):
        await market.client.top_up(channel.id, 1)
    await market.client.redeem(channel.voucher(30), signer=market.payee)
    before = await market.client.balance(market.payer_account)
    market.cluster.clock.advance_s(11)
    with pytest.raises(errors.ChannelEnded):
        await market.client.redeem(channel.voucher(40), signer=market.payee)
    assert await _paid(market) == 30
    assert await market.client.balance(market.payer_account) == before + 70


async def test_what_the_ledger_refuses_is_a_typed_error(market: Market) -> None:
    channel = await _open(market)
    client, stranger = market.client, SigningKey(b"\x43" * 32)
    forged = Voucher.sign(stranger, client.ledger_id, channel.id, 10)
    with pytest.raises(errors.BadVoucher):
        await client.redeem(forged, signer=market.payee)
    with pytest.raises(errors.WrongSide) as caught:
        await client.redeem(channel.voucher(10))
    assert isinstance(caught.value, errors.ChannelRefused)
    with pytest.raises(errors.WrongSide):
        await client.top_up(channel.id, 1, signer=market.payee)
    with pytest.raises(errors.ChannelNotFound):
        await client.top_up(ChannelId(b"\x01" * 16), 1)
    with pytest.raises(errors.InvalidArgument):
        await client.redeem(_voucher(), signer=market.payee)  # of another ledger
    with pytest.raises(errors.AlreadyExists):
        await client.open_channel(
            market.payer_account, market.payee_account, 1, channel.key, add_key=True
        )
    with pytest.raises(errors.KeyNotFound):
        await client.open_channel(market.payer_account, market.payee_account, 1, stranger)
    assert await _paid(market) == 0


async def test_a_key_that_is_registered_serves_many_channels(market: Market) -> None:
    await market.client.add_key(KEY, Scope.CHANNEL)
    first, second = [
        await market.client.open_channel(market.payer_account, market.payee_account, 50, KEY)
        for _ in range(2)
    ]
    assert first.id != second.id
    moved = replace(first.voucher(10), channel=second.id)
    with pytest.raises(errors.BadVoucher):
        await market.client.redeem(moved, signer=market.payee)


async def test_many_are_redeemed_by_the_last_of_each_channel(market: Market) -> None:
    channels = [await _open(market, 100) for _ in range(3)]
    vouchers = [channel.voucher(amount) for amount in (10, 90, 40) for channel in channels]
    lost = replace(channels[0].voucher(5), channel=ChannelId(b"\x01" * 16))
    redeemed = await market.client.redeem_many([*vouchers, lost], signer=market.payee)
    assert [(each.voucher.channel, each.ok) for each in redeemed] == [
        *((channel.id, True) for channel in channels),
        (lost.channel, False),
    ]
    assert [each.voucher.cumulative for each in redeemed] == [90, 90, 90, 5]
    assert redeemed[0].error is None
    assert isinstance(redeemed[3].error, errors.ChannelNotFound)
    assert await _paid(market) == 270
    assert await market.client.redeem_many([], signer=market.payee) == []


async def test_more_vouchers_than_an_envelope_holds(market: Market) -> None:
    """Of channels that do not exist, so that opening them takes no time."""
    signature = _voucher().signature
    vouchers = [
        Voucher(
            market.client.ledger_id,
            ChannelId(number.to_bytes(16, "big")),
            number,
            NO_COMMITMENT,
            signature,
        )
        for number in range(1, 8_193)
    ]
    redeemed = await market.client.redeem_many(vouchers, signer=market.payee)
    assert [each.voucher for each in redeemed] == vouchers
    assert [each.receipt.record_count for each in redeemed[::8_191]] == [8_190, 2]
    assert [each.index for each in redeemed[8_189:]] == [8_189, 0, 1]
    assert all(isinstance(each.error, errors.ChannelNotFound) for each in redeemed)
