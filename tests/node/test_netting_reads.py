"""Who may read what of a deferred unit, on a whole node with TLS, called by hand."""

from pathlib import Path
from typing import Final

import grpc
import pytest
from tests.node.access_tools import NOBODY, Refused, World, world_in

from tallystick import SigningKey
from tallystick_ledger.ids import AccountId, UnitId
from tallystick_ledger.records import Scope
from tallystick_proto.v1 import ledger_pb2 as pb

DEBT: Final = 40


async def _netting(
    world: World, key: SigningKey, unit: bytes, account: bytes = b""
) -> pb.GetNettingResponse:
    request = pb.GetNettingRequest(unit=unit, account=account).SerializeToString()
    return pb.GetNettingResponse.FromString(await world.read("GetNetting", request, key))


async def _debt(world: World) -> tuple[UnitId, AccountId, AccountId]:
    """Alice, who nets the unit, owes Bob; the stranger has no part in it."""
    client, alice, bob = world.client, world.alice, world.bob
    row = await client.get_account(alice.account, signer=alice.owner)
    assert row is not None
    created = await client.create_unit("IOU", 0, alice.principal, settlement_unit=row.unit)
    tab = (await client.open_account(created.id, signer=alice.owner)).id
    slate = (await client.open_account(created.id, signer=bob.owner)).id
    await client.join_netting(tab, alice.account, 100, signer=alice.owner)
    await client.join_netting(slate, bob.account, 100, signer=bob.owner)
    await client.transfer(tab, slate, DEBT, signer=alice.owner)
    return created.id, tab, slate


async def test_the_issuer_and_auditors_see_all_a_member_its_own(tmp_path: Path) -> None:
    async with world_in(tmp_path / "cluster") as world:
        unit, tab, slate = await _debt(world)
        await world.client.close_window(unit, signer=world.alice.owner)
        for key in (world.auditor, world.alice.keys[Scope.READ]):
            whole = await _netting(world, key, unit, slate)
            assert (len(whole.members), len(whole.closed), len(whole.pairs)) == (112, 96, 72)
            assert int.from_bytes(whole.figures[:16], "little") == DEBT
        bob = world.bob.keys[Scope.SPEND]
        own = await _netting(world, bob, unit, slate)
        assert (len(own.members), len(own.closed), own.pairs) == (56, 48, whole.pairs)
        assert own.closed[:16] == slate
        assert (await _netting(world, bob, unit, tab)).pairs == b""
        foreign = await _netting(world, world.stranger.owner.key, unit, slate)
        assert (foreign.unit, foreign.windows, foreign.members) == (whole.unit, b"", b"")
        assert (await _netting(world, bob, NOBODY)).unit == b""
        await world.client.settle_window(unit, signer=world.alice.owner)
        assert await world.client.balance(world.bob.account, signer=world.bob.owner) >= DEBT
        await _refusals(world, unit)


async def _refusals(world: World, unit: bytes) -> None:
    with pytest.raises(Refused) as caught:
        await _netting(world, world.alice.keys[Scope.CHANNEL], unit)
    assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED
    for request in (pb.GetNettingRequest(), pb.GetNettingRequest(unit=unit, account=b"short")):
        sent = request.SerializeToString()
        with pytest.raises(Refused) as caught:
            await world.read("GetNetting", sent, world.alice.owner.key)
        assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(Refused) as caught:
        await world.call("GetNetting", pb.GetNettingRequest(unit=unit).SerializeToString())
    assert caught.value.code is grpc.StatusCode.UNAUTHENTICATED
