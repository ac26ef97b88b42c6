"""Recovery of a lost key, from the SDK: against nodes that run the specification."""

import pytest
from tests.client.conftest import Market

from tallystick import Signer, SigningKey, errors
from tallystick_ledger.limits import MAX_RECOVERY_NS, MIN_RECOVERY_NS
from tallystick_ledger.records import Scope

VAULT, HEIR, OTHER = (SigningKey(bytes((number,)) * 32) for number in (0x71, 0x72, 0x73))


async def _vault(market: Market) -> Signer:
    """A RECOVERY key of the payer's."""
    await market.client.add_key(VAULT, Scope.RECOVERY)
    return Signer(VAULT, market.payer.principal)


async def test_a_recovery_is_announced_and_vetoed(market: Market) -> None:
    client, vault = market.client, await _vault(market)
    assert await client.pending_recovery() is None
    receipt = await client.recover(HEIR, signer=vault)
    row = await client.pending_recovery()
    assert row is not None
    assert (row.principal, row.key) == (market.payer.principal, HEIR.public_key)
    assert (row.recovery_key, row.begun_at) == (VAULT.public_key, receipt.sequence)
    assert row.due_ns == receipt.timestamp_ns + MIN_RECOVERY_NS
    with pytest.raises(errors.RecoveryRefused) as caught:
        await client.recover(OTHER, signer=vault)
    assert caught.value.code == "RECOVERY_PENDING"
    with pytest.raises(errors.RecoveryRefused):
        await client.revoke_key(VAULT.public_key)
    with pytest.raises(errors.RecoveryRefused) as caught:
        await client.veto(OTHER.public_key)
    assert caught.value.code == "RECOVERY_NOT_FOUND"
    await client.veto(row.key)
    assert await client.pending_recovery() is None
    with pytest.raises(errors.KeyRefused):
        await client.recover(HEIR, signer=vault)


async def test_what_cannot_be_announced(market: Market) -> None:
    client, vault = market.client, await _vault(market)
    with pytest.raises(errors.AlreadyExists):
        await client.recover(VAULT, signer=vault)
    for delay_ns in (MIN_RECOVERY_NS - 1, MAX_RECOVERY_NS + 1):
        with pytest.raises(errors.InvalidArgument):
            await client.recover(HEIR, delay_ns=delay_ns, signer=vault)
    with pytest.raises(errors.KeyRefused):
        await client.recover(HEIR)
    with pytest.raises(errors.KeyRefused):
        await client.rotate_key(HEIR, signer=vault)


async def test_what_is_pending_is_for_its_principal(market: Market) -> None:
    client, vault = market.client, await _vault(market)
    await client.recover(HEIR, signer=vault)
    stranger = market.payee
    assert await client.pending_recovery(market.payer.principal, signer=stranger) is None
    with pytest.raises(errors.AccessDenied):
        await client.pending_recovery(signer=vault)
