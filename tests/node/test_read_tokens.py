"""Hostile read tokens and requests, on a whole node with TLS, called by hand."""

import hashlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

import grpc
import pytest
import pytest_asyncio
from tests.node.access_tools import NOBODY, PATH, Refused, World, world_in

from tallystick import SigningKey
from tallystick_ledger import ed25519_zip215 as curve
from tallystick_ledger import limits
from tallystick_ledger.ids import LedgerId, PublicKey, Signature, TimestampNs
from tallystick_ledger.read_token import ReadToken, signed_bytes
from tallystick_node.limits import MAX_READ_IDS, MAX_READ_REQUEST_BYTES
from tallystick_proto.v1 import ledger_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNAUTHENTICATED: Final = grpc.StatusCode.UNAUTHENTICATED
INVALID: Final = grpc.StatusCode.INVALID_ARGUMENT


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world_in(tmp_path_factory.mktemp("tokens") / "cluster") as made:
        yield made


# --- hostile tokens ------------------------------------------------------------------------------

Spoil = Callable[[World, bytes], bytes]
METHOD: Final = "GetAccounts"


def _accounts_call(world: World, key: SigningKey, *ids: bytes) -> tuple[str, bytes, bytes]:
    request = pb.GetAccountsRequest(ids=b"".join(ids)).SerializeToString()
    return METHOD, request, world.token(key, METHOD, request)


def _of_other_method(world: World, request: bytes) -> bytes:
    return world.token(world.alice.owner.key, "GetHolds", request)


def _of_other_request(world: World, request: bytes) -> bytes:
    return world.token(world.alice.owner.key, METHOD, request + request)


def _of_other_ledger(world: World, request: bytes) -> bytes:
    other = LedgerId(b"\x01" * 32)
    return world.token(world.alice.owner.key, METHOD, request, ledger_id=other)


def _expired(world: World, request: bytes) -> bytes:
    return world.token(world.alice.owner.key, METHOD, request, seconds=-0.001)


def _far_future(world: World, request: bytes) -> bytes:
    return world.token(world.alice.owner.key, METHOD, request, seconds=66)


def _for_ever(world: World, request: bytes) -> bytes:
    return _signed(world, world.alice.owner.key, request, limits.MAX_U64)


def _wrong_key(world: World, request: bytes) -> bytes:
    """Bob signs, and names alice."""
    expiry = time.time_ns() + 10**10
    alice = world.alice.owner.public_key
    signed = signed_bytes(world.ledger_id, alice, PATH + METHOD, request, expiry)
    return ReadToken(alice, TimestampNs(expiry), world.bob.owner.key.sign(signed)).encode()


def _short(world: World, request: bytes) -> bytes:
    return world.token(world.alice.owner.key, METHOD, request)[:-1]


def _long(world: World, request: bytes) -> bytes:
    return world.token(world.alice.owner.key, METHOD, request) + b"\0"


def _empty(world: World, request: bytes) -> bytes:
    del world, request
    return b""


def _other_version(world: World, request: bytes) -> bytes:
    token = world.token(world.alice.owner.key, METHOD, request)
    return token[:4] + b"\2" + token[5:]


def _reserved(world: World, request: bytes) -> bytes:
    token = world.token(world.alice.owner.key, METHOD, request)
    return token[:6] + b"\1" + token[7:]


def _later_expiry(world: World, request: bytes) -> bytes:
    token = ReadToken.parse(world.token(world.alice.owner.key, METHOD, request))
    later = TimestampNs(token.expires_at_ns + 1)
    return ReadToken(token.key, later, token.signature).encode()


def _flipped(world: World, request: bytes) -> bytes:
    token = world.token(world.alice.owner.key, METHOD, request)
    return token[:-1] + bytes([token[-1] ^ 0x01])


def _no_signature(world: World, request: bytes) -> bytes:
    return world.token(world.alice.owner.key, METHOD, request)[:48] + bytes(64)


def _s_above_the_order(world: World, request: bytes) -> bytes:
    token = world.token(world.alice.owner.key, METHOD, request)
    s = int.from_bytes(token[80:], "little") + curve.L
    return token[:80] + s.to_bytes(32, "little")


def _signed(world: World, key: SigningKey, request: bytes, expiry: int) -> bytes:
    signed = signed_bytes(world.ledger_id, key.public_key, PATH + METHOD, request, expiry)
    return ReadToken(key.public_key, TimestampNs(expiry), Signature(key.sign(signed))).encode()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_of_other_method, "over this method"),
        (_of_other_request, "over this method, these request bytes"),
        (_of_other_ledger, "and this ledger"),
        (_expired, "it expired .* ms ago by this node's clock"),
        (_far_future, "more than 60 s ahead"),
        (_for_ever, "more than 60 s ahead"),
        (_wrong_key, "not one of its key"),
        (_short, "111 bytes, not 112"),
        (_long, "113 bytes, not 112"),
        (_empty, "0 bytes, not 112"),
        (_other_version, "no read token of format version 1"),
        (_reserved, "reserved"),
        (_later_expiry, "signature"),
        (_flipped, "signature"),
        (_no_signature, "signature"),
        (_s_above_the_order, "signature"),
    ],
)
async def test_a_hostile_token(world: World, spoil: Spoil, complaint: str) -> None:
    request = pb.GetAccountsRequest(ids=world.alice.account).SerializeToString()
    with pytest.raises(Refused, match=complaint) as caught:
        await world.call(METHOD, request, spoil(world, request))
    assert caught.value.code is UNAUTHENTICATED
    assert await world.accounts(world.alice.owner.key, world.alice.account) != [b""]


async def test_a_signature_with_a_non_canonical_r_is_refused(world: World) -> None:
    """The bare equation holds for it, so that only the rule for new bytes stands in its way."""
    request = pb.GetAccountsRequest(ids=world.alice.account).SerializeToString()
    expiry = time.time_ns() + 10**10
    secret = 12_345
    public = PublicKey(curve.compress(curve.multiply(secret, curve.BASE)))
    signed = signed_bytes(world.ledger_id, public, PATH + METHOD, request, expiry)
    identity = (1 + curve.P).to_bytes(32, "little")
    challenge = int.from_bytes(hashlib.sha512(identity + public + signed).digest(), "little")
    signature = identity + (challenge * secret % curve.L).to_bytes(32, "little")
    assert curve.verify(public, signed, signature)
    token = b"TSR1\1\0\0\0" + public + expiry.to_bytes(8, "little") + signature
    with pytest.raises(Refused, match="signature") as caught:
        await world.call(METHOD, request, token)
    assert caught.value.code is UNAUTHENTICATED


async def test_no_token_and_two_tokens(world: World) -> None:
    method, request, token = _accounts_call(world, world.alice.owner.key, world.alice.account)
    with pytest.raises(Refused, match=r"there is no read token.*tallystick-read-bin") as caught:
        await world.call(method, request)
    assert caught.value.code is UNAUTHENTICATED
    with pytest.raises(Refused, match="more than one read token") as caught:
        await world.call(method, request, token, token)
    assert caught.value.code is UNAUTHENTICATED


async def test_the_bytes_that_came_are_what_counts(world: World) -> None:
    """Another encoding of the same message is another request: nothing is encoded again."""
    ids = world.alice.account
    plain = pb.GetAccountsRequest(ids=ids).SerializeToString()
    longer = plain[:1] + bytes([plain[1] | 0x80, 0]) + plain[2:]  # the length with one byte more
    assert pb.GetAccountsRequest.FromString(longer) == pb.GetAccountsRequest.FromString(plain)
    key = world.alice.owner.key
    assert await world.call(METHOD, longer, world.token(key, METHOD, longer))
    with pytest.raises(Refused, match="request bytes"):
        await world.call(METHOD, longer, world.token(key, METHOD, plain))


async def test_the_same_call_may_be_repeated_until_it_expires(world: World) -> None:
    call = _accounts_call(world, world.alice.owner.key, world.alice.account)
    assert await world.call(*call) == await world.call(*call)


async def test_a_token_is_good_up_to_the_last_moment(world: World) -> None:
    method, request, _ = _accounts_call(world, world.alice.owner.key, world.alice.account)
    for seconds in (5, 60, 64):
        token = world.token(world.alice.owner.key, method, request, seconds=seconds)
        assert await world.call(method, request, token)


# --- hostile requests ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GetAccounts", "GetHolds", "GetEnvelope"])
async def test_bytes_that_are_no_request_are_told_apart_only_with_a_token(
    world: World, method: str
) -> None:
    garbage = b"\xff" * 40
    with pytest.raises(Refused) as caught:
        await world.call(method, garbage)
    assert caught.value.code is UNAUTHENTICATED
    with pytest.raises(Refused) as caught:
        await world.read(method, garbage, world.alice.owner.key)
    assert caught.value.code is INVALID


async def test_a_request_that_is_too_long_is_refused_before_it_is_hashed(world: World) -> None:
    with pytest.raises(Refused, match="at most") as caught:
        await world.call("GetAccounts", bytes(MAX_READ_REQUEST_BYTES + 1), b"nonsense")
    assert caught.value.code is INVALID
    ids = NOBODY * MAX_READ_IDS
    request = pb.GetAccountsRequest(
        ids=ids, options=pb.ReadOptions(stale=True, at_least_sequence=1)
    ).SerializeToString()
    assert len(request) <= MAX_READ_REQUEST_BYTES
    answer = await world.read("GetAccounts", request, world.alice.owner.key)
    assert not any(pb.GetAccountsResponse.FromString(answer).rows)
