"""Random bytes to every RPC there is, on both ports: a status, and nothing else happens.

The RPCs are walked from the descriptors of the .proto files and of the health service.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator

import grpc
import psutil
import pytest
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from grpc import aio
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from tests.hostile.arena import MIB, Arena, channel, report
from tests.hostile.peers import peer_channel

from tallystick_node import limits
from tallystick_proto.v1 import ledger_pb2, peer_pb2

pytestmark = pytest.mark.cluster

PEER_SERVICE = "tallystick.v1.Peer"
# What a node may say to noise; an empty request is a good one for some.
EXPECTED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
}


def methods() -> Iterator[MethodDescriptor]:
    for module in (ledger_pb2, peer_pb2, health_pb2, reflection_pb2):
        file: FileDescriptor = module.DESCRIPTOR
        for service in file.services_by_name.values():
            yield from service.methods


def path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def noise(seed: int) -> list[bytes]:
    """Bytes that are no protobuf, that nearly are, and that are large."""
    generator = random.Random(seed)
    sizes = (0, 1, 2, 3, 7, 16, 31, 64, 127, 200, 500, 4_000, 70_000, MIB - 10)
    fields = [
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a length of 2^64 - 1
        b"\x0a\x05ab",  # longer than the message
        b"\x08" + b"\xff" * 20,  # a varint without end
        b"\x08\x01" * 100_000,  # a number, a hundred thousand times
        b"\x0a\x00" * 30,  # a repeated field
        b"\xfa\xff\xff\xff\x0f\x03abc",  # an unknown field
        b"\x0b" * 200,  # groups in groups
        b"\x12\x02\x12\x00" * 50,
        b"\x0a\x04\xff\xfe\xfd\xfc",  # no UTF-8
    ]
    return [generator.randbytes(size) for size in sizes] + fields


async def _end(call: aio.Call) -> grpc.StatusCode:
    async with asyncio.timeout(60):
        return await call.code()


def unary(through: aio.Channel, name: str) -> "aio.UnaryUnaryMultiCallable[bytes, bytes]":
    """An RPC by its path; bytes as they are."""
    return through.unary_unary(name)


async def _send_all(through: aio.Channel, method: MethodDescriptor, seed: int) -> Counter[str]:
    """Every piece of noise, each as a call of its own and all on one stream."""
    told: Counter[str] = Counter()
    for content in noise(seed):
        if method.client_streaming or method.server_streaming:
            call: aio.StreamStreamCall[bytes, bytes] = through.stream_stream(path(method))(
                timeout=3
            )
            try:
                await call.write(content)
                await call.done_writing()
                # A stream that answers is left after one answer: watching never ends.
                await call.read()
                call.cancel()
            except (aio.AioRpcError, asyncio.InvalidStateError):
                pass
            code = await _end(call)
            code = grpc.StatusCode.OK if code == grpc.StatusCode.CANCELLED else code
        else:
            code = await _end(unary(through, path(method))(content, timeout=10))
        told[code.name] += 1
        assert code in EXPECTED, f"{path(method)}: {code} to {content[:40].hex()}"
    return told


async def test_random_bytes_to_every_rpc_of_every_node(arena: Arena) -> None:
    lines = []
    for method in methods():
        told: Counter[str] = Counter()
        for raft_id in arena.nodes.raft_ids:
            if method.containing_service.full_name == PEER_SERVICE:
                through = peer_channel(arena, raft_id, as_node=None)
                # Without a peer's certificate nothing of it is read.
                async with through:
                    told[(await _end(unary(through, path(method))(b"x", timeout=10))).name] += 1
                assert set(told) == {"UNAVAILABLE"}
                continue
            async with channel(arena.address(raft_id), arena.ca_pem) as through:
                told += await _send_all(through, method, seed=raft_id)
        lines.append(f"{path(method)}: {dict(told)}")
    report("random bytes to every RPC of three nodes", lines)


async def test_the_client_port_does_not_answer_peers(arena: Arena) -> None:
    async with channel(arena.target, arena.ca_pem) as through:
        for name in ("/tallystick.v1.Peer/Bulk", "/tallystick.v1.Peer/Control", "/a.b/C", "/x"):
            call = unary(through, name)(os.urandom(500), timeout=10)
            assert await _end(call) == grpc.StatusCode.UNIMPLEMENTED


async def test_noise_leaves_no_log_that_grows_with_it(arena: Arena) -> None:
    """Who sends rubbish must not be able to fill the disk with complaints about it."""
    leader = arena.leader
    size_before = len(arena.nodes.log(leader))
    async with channel(arena.target, arena.ca_pem) as through:
        for _ in range(200):
            for name in ("Submit", "GetAccounts", "GetStatus"):
                await _end(unary(through, f"/tallystick.v1.Ledger/{name}")(b"\xff\xff"))
    grown = len(arena.nodes.log(leader)) - size_before
    report("log after 600 calls of noise", [f"{grown} bytes more"])
    assert grown < 2_000, arena.nodes.log(leader)[-2_000:]


async def test_a_megabyte_of_tiny_fields_is_refused_at_once(arena: Arena) -> None:
    process = psutil.Process(arena.nodes.pid(arena.leader))
    content = b"\x78\x01" * (MIB // 2)
    used_before = sum(process.cpu_times()[:2])
    async with channel(arena.target, arena.ca_pem) as through:
        for _ in range(20):
            call = unary(through, "/tallystick.v1.Ledger/Submit")(content, timeout=10)
            assert await _end(call) == grpc.StatusCode.INVALID_ARGUMENT
    used_s = sum(process.cpu_times()[:2]) - used_before
    report("1 MiB of two-byte fields", [f"{1_000 * used_s / 20:.1f} ms of CPU each"])
    assert used_s / 20 < 0.1


async def test_a_bomb_of_zeros_is_not_unpacked(arena: Arena) -> None:
    """A quarter of a GiB in a quarter of a MiB."""
    leader = arena.leader
    before = arena.rss_mib()[leader]
    async with channel(arena.target, arena.ca_pem) as through:
        submit = unary(through, "/tallystick.v1.Ledger/Submit")
        for _ in range(4):
            call = submit(bytes(60 * MIB), compression=grpc.Compression.Gzip, timeout=20)
            assert await _end(call) == grpc.StatusCode.RESOURCE_EXHAUSTED
    grown = arena.rss_mib()[leader] - before
    report("four times 60 MiB of zeros, compressed", [f"{grown:+.1f} MiB"])
    assert grown < 30


async def test_metadata_above_the_limit_is_refused(arena: Arena) -> None:
    async with channel(arena.target, arena.ca_pem) as through:
        call = unary(through, "/tallystick.v1.Ledger/GetStatus")(
            b"", metadata=(("x-large", "y" * 3 * limits.MAX_METADATA_BYTES),), timeout=10
        )
        assert await _end(call) == grpc.StatusCode.RESOURCE_EXHAUSTED
