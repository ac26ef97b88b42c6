"""Who may read what, on a whole node with TLS, called by hand."""

import time
from collections.abc import AsyncIterator
from typing import Final

import grpc
import pytest
import pytest_asyncio
from tests.node.access_tools import NOBODY, PAID, Refused, World, world_in

from tallystick import LimitOf, Presence, RecordRefused, Signer, SigningKey
from tallystick_ledger.codes import Code
from tallystick_ledger.ids import TimestampNs, node_principal, operator_principal
from tallystick_ledger.records import Scope, Transfer
from tallystick_ledger.state_rows import AccountRow, ChannelStatus, LimitRow, RecoveryRow
from tallystick_proto import wire
from tallystick_proto.v1 import ledger_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNAUTHENTICATED: Final = grpc.StatusCode.UNAUTHENTICATED
DENIED: Final = grpc.StatusCode.PERMISSION_DENIED
NOT_YET: Final = pb.GetEnvelopeResponse.NOT_YET
NEVER: Final = pb.GetEnvelopeResponse.NEVER
FOUND: Final = pb.GetEnvelopeResponse.FOUND
OWN_SCOPES: Final = (Scope.OWNER, Scope.SPEND, Scope.METER, Scope.READ)
# An envelope id made in 1970: log time is past any `valid_until` that it may carry.
OLD_ID: Final = b"\x07" * 10 + bytes(6)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world_in(tmp_path_factory.mktemp("reads") / "cluster") as made:
        yield made


def fresh_id() -> bytes:
    """An envelope id made now, which nobody has used."""
    return b"\x08" * 10 + (time.time_ns() // 1_000_000).to_bytes(6, "little")


# --- accounts and holds --------------------------------------------------------------------------


@pytest.mark.parametrize("scope", OWN_SCOPES)
async def test_accounts_are_for_keys_of_their_owner(world: World, scope: Scope) -> None:
    alice, bob = world.alice, world.bob
    (own,) = await world.accounts(alice.keys[scope], alice.account)
    assert AccountRow.decode(own).owner == alice.principal
    assert await world.accounts(alice.keys[scope], bob.account) == [b""]


async def test_a_foreign_account_answers_as_one_that_is_not_there(world: World) -> None:
    key, account = world.bob.owner.key, world.alice.account
    answers = []
    for asked in (account, NOBODY):
        request = pb.GetAccountsRequest(ids=asked).SerializeToString()
        answers.append(await world.read("GetAccounts", request, key))
    assert answers[0] == answers[1]


async def test_own_and_foreign_accounts_of_one_request_keep_their_places(world: World) -> None:
    alice, bob = world.alice, world.bob
    rows = await world.accounts(
        bob.owner.key, NOBODY, bob.account, alice.account, bob.account, bob.account[::-1]
    )
    assert [bool(row) for row in rows] == [False, True, False, True, False]
    assert AccountRow.decode(rows[1]).credits_posted == PAID


async def test_the_issuance_account_is_the_issuers(world: World) -> None:
    (own,) = await world.accounts(world.alice.owner.key, world.alice.account)
    unit = AccountRow.decode(own).unit
    (issuance,) = await world.accounts(world.alice.owner.key, unit)
    assert AccountRow.decode(issuance).owner == world.alice.principal
    assert await world.accounts(world.bob.owner.key, unit) == [b""]


async def test_operators_nodes_and_channels_read_no_accounts(world: World) -> None:
    """Also not by asking for ids that are not there: the scope alone decides."""
    channel = world.alice.keys[Scope.CHANNEL]
    for key in (world.operator, world.node.identity.ledger_key, channel):
        for account in (world.alice.account, NOBODY):
            with pytest.raises(Refused) as caught:
                await world.accounts(key, account)
            assert caught.value.code is DENIED
            assert "an AUDIT key reads all" in caught.value.details


async def test_an_auditor_reads_all_accounts_and_holds(world: World) -> None:
    accounts = [each.account for each in (world.alice, world.bob, world.stranger)]
    rows = await world.accounts(world.auditor, NOBODY, *accounts)
    assert rows[0] == b""
    owners = [AccountRow.decode(row).owner for row in rows[1:]]
    assert owners == [each.principal for each in (world.alice, world.bob, world.stranger)]
    (hold,) = await world.holds(world.auditor, world.hold)
    assert hold[:16] == world.hold


@pytest.mark.parametrize("scope", OWN_SCOPES)
async def test_holds_are_for_payer_and_payee(world: World, scope: Scope) -> None:
    for party in (world.alice, world.bob):
        rows = await world.holds(party.keys[scope], NOBODY, world.hold)
        assert rows[0] == b""
        assert rows[1][:48] == world.hold + world.alice.account + world.bob.account
    assert await world.holds(world.stranger.keys[scope], world.hold) == [b""]


async def test_a_foreign_hold_answers_as_one_that_is_not_there(world: World) -> None:
    answers = []
    for asked in (world.hold, NOBODY):
        request = pb.GetHoldsRequest(ids=asked).SerializeToString()
        answers.append(await world.read("GetHolds", request, world.stranger.owner.key))
    assert answers[0] == answers[1]


async def test_channels_are_for_payer_and_payee(world: World) -> None:
    alice, bob, stranger = world.alice, world.bob, world.stranger
    channel = await world.client.open_channel(
        alice.account, bob.account, 9, alice.keys[Scope.CHANNEL], signer=alice.owner
    )
    await world.client.close_channel(channel.id, signer=bob.owner)  # its money goes back
    for scope in OWN_SCOPES:
        for key in (alice.keys[scope], bob.keys[scope]):
            rows = await world.channels(key, NOBODY, channel.id)
            assert rows[0] == b""
            assert rows[1][:48] == channel.id + alice.account + bob.account
        assert await world.channels(stranger.keys[scope], channel.id) == [b""]
    assert (await world.channels(world.auditor, channel.id))[0][:16] == channel.id
    with pytest.raises(Refused) as caught:
        await world.channels(alice.keys[Scope.CHANNEL], channel.id)
    assert caught.value.code is DENIED
    (row,) = await world.client.get_channels([channel.id], signer=bob.owner)
    assert row is not None
    assert (row.deposit, row.paid, row.status) == (9, 0, ChannelStatus.CLOSED)
    assert row.key == channel.key.public_key


# --- limits --------------------------------------------------------------------------------------


async def test_limits_are_for_their_principal(world: World) -> None:
    alice = world.alice
    (row,) = await world.client.get_accounts([alice.account], signer=alice.owner)
    assert row is not None
    of = LimitOf.account(alice.account)
    await world.client.set_limit(of, row.unit, 10**9, signer=alice.owner)

    async def limits(key: SigningKey, principal: bytes) -> bytes:
        request = pb.GetLimitsRequest(principal=principal).SerializeToString()
        return await world.read("GetLimits", request, key)

    for scope in OWN_SCOPES:
        answer = pb.GetLimitsResponse.FromString(await limits(alice.keys[scope], alice.principal))
        assert LimitRow.decode(answer.rows).amount == 10**9
        stranger = world.stranger.keys[scope]
        assert await limits(stranger, alice.principal) == await limits(stranger, NOBODY)
    answer = pb.GetLimitsResponse.FromString(await limits(world.auditor, alice.principal))
    assert len(answer.rows) == 120
    with pytest.raises(Refused) as caught:
        await limits(alice.keys[Scope.CHANNEL], alice.principal)
    assert caught.value.code is DENIED
    # Zones are for everybody who has a key.
    answer = pb.GetLimitsResponse.FromString(await limits(alice.keys[Scope.CHANNEL], b""))
    assert (answer.rows, answer.zones) == (b"", b"")
    await world.client.end_limit(of, row.unit, signer=alice.owner)


async def test_a_recovery_is_shown_to_its_principal(world: World) -> None:
    alice, vault, heir = world.alice, SigningKey(b"\x51" * 32), SigningKey(b"\x52" * 32)
    await world.client.add_key(vault, Scope.RECOVERY, signer=alice.owner)
    await world.client.recover(heir, signer=Signer(vault, alice.principal))
    request = pb.GetLimitsRequest(principal=alice.principal).SerializeToString()
    for key in (*(alice.keys[scope] for scope in OWN_SCOPES), world.auditor):
        answer = pb.GetLimitsResponse.FromString(await world.read("GetLimits", request, key))
        assert RecoveryRow.decode(answer.recovery).key == heir.public_key
    stranger = world.stranger.keys[Scope.READ]
    answer = pb.GetLimitsResponse.FromString(await world.read("GetLimits", request, stranger))
    assert answer.recovery == b""
    with pytest.raises(Refused):
        await world.read("GetLimits", request, vault)
    await world.client.veto(heir.public_key, signer=alice.owner)


@pytest.mark.parametrize(
    ("principal", "zones"), [(bytes(15), b""), (b"", bytes(17)), (b"", bytes(65 * 16))]
)
async def test_odd_questions_about_limits(world: World, principal: bytes, zones: bytes) -> None:
    request = pb.GetLimitsRequest(principal=principal, zones=zones).SerializeToString()
    with pytest.raises(Refused) as caught:
        await world.read("GetLimits", request, world.alice.owner.key)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_mandates_claims_and_disputes_are_for_keys_of_their_principals(world: World) -> None:
    alice, bob, stranger = world.alice, world.bob, world.stranger
    cited = world.payment_sequence
    await world.client.dispute(cited, 1, signer=alice.owner)
    for party in (alice, bob):
        asked = pb.GetDisputesRequest(principal=party.principal).SerializeToString()
        for key in (*(party.keys[scope] for scope in OWN_SCOPES), world.auditor):
            answer = pb.GetDisputesResponse.FromString(await world.read("GetDisputes", asked, key))
            assert answer.rows[:8] == cited.to_bytes(8, "little")
            assert len(answer.rows) == 128
        denied = (stranger.owner.key, party.keys[Scope.CHANNEL], world.operator)
        for method in ("GetDisputes", "GetClaims", "GetMandates"):
            for key in denied:
                with pytest.raises(Refused) as caught:
                    await world.read(method, asked, key)
                assert caught.value.code is DENIED
    given = await world.client.give_mandate(
        alice.account, bob.principal, 9, expires_in_s=100, signer=alice.owner
    )
    for party in (alice, bob):
        own = pb.GetMandatesRequest(principal=party.principal).SerializeToString()
        read = await world.read("GetMandates", own, party.owner.key)
        rows = pb.GetMandatesResponse.FromString(read).rows
        assert (rows[:16], len(rows)) == (given.id, 136)
    own = pb.GetClaimsRequest(principal=alice.principal, limit=3).SerializeToString()
    claims = pb.GetClaimsResponse.FromString(await world.read("GetClaims", own, alice.owner.key))
    assert (claims.rows, claims.next_sequence > cited) == (b"", True)
    for wrong in (
        pb.GetClaimsRequest(),
        pb.GetClaimsRequest(principal=alice.principal, after=b"short"),
        pb.GetClaimsRequest(principal=alice.principal, limit=4_097),
    ):
        for method in ("GetClaims", "GetMandates"):
            with pytest.raises(Refused) as caught:
                await world.read(method, wrong.SerializeToString(), alice.owner.key)
            assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    await world.client.answer_dispute(cited, 0, signer=bob.owner)


async def test_grants_are_for_keys_of_their_principals(world: World) -> None:
    alice, bob, stranger = world.alice, world.bob, world.stranger
    made = await world.client.grant(
        alice.account, bob.principal, 1, ends_in_s=3_600, signer=alice.owner
    )
    for party in (alice, bob):
        asked = pb.GetGrantsRequest(principal=party.principal).SerializeToString()
        for key in (*(party.keys[scope] for scope in OWN_SCOPES), world.auditor):
            answer = pb.GetGrantsResponse.FromString(await world.read("GetGrants", asked, key))
            assert (answer.rows[:16], len(answer.rows)) == (made.id, 336)
        for key in (stranger.owner.key, party.keys[Scope.CHANNEL], world.operator):
            with pytest.raises(Refused) as caught:
                await world.read("GetGrants", asked, key)
            assert caught.value.code is DENIED
    for wrong in (
        pb.GetGrantsRequest(),
        pb.GetGrantsRequest(principal=alice.principal, after=b"x"),
        pb.GetGrantsRequest(principal=alice.principal, limit=1_025),
    ):
        with pytest.raises(Refused) as caught:
            await world.read("GetGrants", wrong.SerializeToString(), alice.owner.key)
        assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    await world.client.claw_back(made.id, signer=alice.owner)


# --- envelopes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", OWN_SCOPES)
async def test_envelopes_are_for_the_principal_that_signed_them(world: World, scope: Scope) -> None:
    alice, bob = world.alice, world.bob
    found = await world.envelope_at(alice.keys[scope], world.payment_sequence)
    assert (found.presence, found.envelope) == (FOUND, world.payment)
    envelope_id = world.payment[80:96]
    by_id = await world.envelope_by_id(alice.keys[scope], alice.principal, envelope_id)
    assert by_id.envelope == world.payment
    assert (await world.envelope_at(bob.keys[scope], world.payment_sequence)).presence == NOT_YET


async def test_a_foreign_number_answers_as_one_that_is_not_there(world: World) -> None:
    key = world.bob.owner.key
    answers = [
        (await world.envelope_at(key, sequence)).SerializeToString()
        for sequence in (world.payment_sequence, 1 << 40, 0)
    ]
    assert answers[0] == answers[1] == answers[2]


async def test_an_id_under_another_principal_is_refused_whatever_the_ledger_holds(
    world: World,
) -> None:
    """Never NEVER: that would tell somebody that paying again is safe."""
    key, principals = world.bob.owner.key, (world.alice.principal, NOBODY)
    refusals = set()
    for principal in principals:
        for envelope_id in (world.payment[80:96], OLD_ID, fresh_id()):
            with pytest.raises(Refused) as caught:
                await world.envelope_by_id(key, principal, envelope_id)
            refusals.add((caught.value.code, caught.value.details))
    ((code, details),) = refusals
    assert code is DENIED
    assert world.bob.principal.hex() in details


async def test_the_owner_is_told_what_became_of_an_id(world: World) -> None:
    key, principal = world.bob.owner.key, world.bob.principal
    assert (await world.envelope_by_id(key, principal, fresh_id())).presence == NOT_YET
    assert (await world.envelope_by_id(key, principal, OLD_ID)).presence == NEVER
    # Under one's own principal the id of somebody else's envelope is just an id.
    taken = await world.envelope_by_id(key, principal, world.payment[80:96])
    assert taken.presence == NOT_YET


async def test_operators_and_nodes_see_what_they_signed(world: World) -> None:
    (first,) = {(await world.envelope_at(world.operator, 1)).presence}
    assert first == FOUND
    node_key = world.node.identity.ledger_key
    assert (await world.envelope_at(node_key, 1)).presence == NOT_YET
    own = node_principal(world.ledger_id, 1)
    assert (await world.envelope_by_id(node_key, own, fresh_id())).presence == NOT_YET
    assert (await world.envelope_at(world.operator, world.payment_sequence)).presence == NOT_YET


async def test_an_auditor_sees_everybodys_envelopes(world: World) -> None:
    found = await world.envelope_at(world.auditor, world.payment_sequence)
    assert (found.presence, found.envelope) == (FOUND, world.payment)
    alice = world.alice.principal
    by_id = await world.envelope_by_id(world.auditor, alice, world.payment[80:96])
    assert by_id.envelope == world.payment
    assert (await world.envelope_by_id(world.auditor, alice, OLD_ID)).presence == NEVER
    assert (await world.envelope_at(world.auditor, 1 << 40)).presence == NOT_YET


async def test_a_channel_key_sees_no_envelopes(world: World) -> None:
    key, alice = world.alice.keys[Scope.CHANNEL], world.alice.principal
    for ask in (
        world.envelope_at(key, world.payment_sequence),
        world.envelope_by_id(key, alice, world.payment[80:96]),
    ):
        with pytest.raises(Refused, match="scope CHANNEL reads no envelopes") as caught:
            await ask
        assert caught.value.code is DENIED


# --- status --------------------------------------------------------------------------------------


async def test_the_status_is_for_anybody_and_its_digest_for_any_key(world: World) -> None:
    plain = pb.GetStatusRequest(linearizable=True).SerializeToString()
    status = pb.GetStatusResponse.FromString(await world.call("GetStatus", plain))
    assert (status.role, status.state_digest) == ("leader", b"")
    wanted = pb.GetStatusRequest(with_state_digest=True).SerializeToString()
    with pytest.raises(Refused) as caught:
        await world.call("GetStatus", wanted)
    assert caught.value.code is UNAUTHENTICATED
    for key in (world.operator, world.node.identity.ledger_key, *world.alice.keys.values()):
        answer = pb.GetStatusResponse.FromString(await world.read("GetStatus", wanted, key))
        assert len(answer.state_digest) == 32


async def test_a_token_that_nobody_asked_for_is_not_looked_at(world: World) -> None:
    request = pb.GetStatusRequest().SerializeToString()
    assert await world.call("GetStatus", request, b"nonsense")


# --- keys ----------------------------------------------------------------------------------------


async def test_a_key_that_is_not_registered_is_nobody(world: World) -> None:
    with pytest.raises(Refused, match="is not registered") as caught:
        await world.accounts(SigningKey(b"\xfe" * 32), world.alice.account)
    assert caught.value.code is UNAUTHENTICATED


async def test_a_key_reads_until_it_is_revoked(world: World) -> None:
    """From the very next linearizable read on."""
    key = SigningKey(b"\xfd" * 32)
    bob = world.bob
    await world.client.add_key(key, Scope.SPEND, signer=bob.owner)
    assert await world.accounts(key, bob.account) != [b""]
    request = pb.GetAccountsRequest(ids=bob.account).SerializeToString()
    call = ("GetAccounts", request, world.token(key, "GetAccounts", request))
    assert await world.call(*call)
    await world.client.revoke_key(key.public_key, signer=bob.owner)
    for again in (world.accounts(key, bob.account), world.call(*call)):
        with pytest.raises(Refused, match="is revoked") as caught:
            await again
        assert caught.value.code is UNAUTHENTICATED


async def test_a_key_reads_until_its_time_is_over(world: World) -> None:
    """By the node's clock: log time stands still while nothing happens."""
    key, bob = SigningKey(b"\xfc" * 32), world.bob
    until_ns = TimestampNs(time.time_ns() + 2_000_000_000)
    await world.client.add_key(key, Scope.SPEND, until_ns=until_ns, signer=bob.owner)
    assert await world.accounts(key, bob.account) != [b""]
    now_ns = world.node.gate._clock_ns
    world.node.gate._clock_ns = lambda: until_ns
    try:
        with pytest.raises(Refused, match=r"time of the key .* is over") as caught:
            await world.accounts(key, bob.account)
    finally:
        world.node.gate._clock_ns = now_ns
    assert caught.value.code is UNAUTHENTICATED


async def test_only_operators_make_auditors(world: World) -> None:
    key = SigningKey(b"\xfb" * 32)
    with pytest.raises(RecordRefused) as caught:
        await world.client.add_key(key, Scope.AUDIT, signer=world.alice.owner)
    assert caught.value.refusal is Code.SCOPE_DENIED
    with pytest.raises(Refused, match="is not registered"):
        await world.accounts(key, world.alice.account)


@pytest.mark.parametrize("name", ["auditor", "reader"])
async def test_a_key_that_only_reads_pays_nobody(world: World, name: str) -> None:
    alice, bob = world.alice, world.bob
    signer = {
        "auditor": Signer(world.auditor, operator_principal(world.ledger_id, 0)),
        "reader": Signer(alice.keys[Scope.READ], alice.principal),
    }[name]
    before = await world.accounts(world.auditor, alice.account)
    with pytest.raises(RecordRefused) as caught:
        await world.client.transfer(alice.account, bob.account, 1, signer=signer)
    assert caught.value.refusal is Code.SCOPE_DENIED
    assert await world.accounts(world.auditor, alice.account) == before


# --- writes --------------------------------------------------------------------------------------


async def test_writing_needs_no_token(world: World) -> None:
    draft = world.client.draft(Signer(world.alice.keys[Scope.SPEND], world.alice.owner.principal))
    draft.add(Transfer(world.alice.account, world.bob.account, 1))
    envelope = draft.seal()
    request = wire.encode_submit_request(envelope.envelope)
    answer = wire.decode_submit_response(await world.call("Submit", request))
    assert int.from_bytes(answer.outcomes[:2], "little") == 0
    info = await world.client.resolve(envelope)
    assert info.presence is Presence.FOUND
