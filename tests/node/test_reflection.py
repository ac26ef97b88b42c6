"""Reflection on the port of a real node: what it tells, and to whom it stops talking."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc import aio
from grpc_reflection.v1alpha.reflection_pb2 import (
    ServerReflectionRequest,
    ServerReflectionResponse,
)

from tallystick_node.access import RULES
from tallystick_node.fairness import ConnectionBook
from tallystick_node.services import reflection
from tallystick_node.services.turnstile import client_server

PATH = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
Call = aio.StreamStreamCall[bytes, bytes]


@pytest_asyncio.fixture
async def channel() -> AsyncIterator[aio.Channel]:
    server = client_server(ConnectionBook())
    reflection.offer_reflection(server)
    port = server.add_insecure_port("localhost:0")
    await server.start()
    async with aio.insecure_channel(f"localhost:{port}") as opened:
        yield opened
    await server.stop(None)


def start(channel: aio.Channel) -> Call:
    method: aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(PATH)
    return method(timeout=20)


async def ask(call: Call, request: ServerReflectionRequest) -> ServerReflectionResponse:
    await call.write(request.SerializeToString())
    answer = await call.read()
    assert isinstance(answer, bytes)
    return ServerReflectionResponse.FromString(answer)


async def test_the_services_that_clients_may_call_are_listed(channel: aio.Channel) -> None:
    answer = await ask(start(channel), ServerReflectionRequest(list_services=""))
    listed = {service.name for service in answer.list_services_response.service}
    ruled = {path.split("/")[1] for path in RULES}
    assert listed == ruled - {"tallystick.v1.Peer"}


async def test_each_listed_service_can_be_described(channel: aio.Channel) -> None:
    call = start(channel)
    for name in {path.split("/")[1] for path in RULES} - {"tallystick.v1.Peer"}:
        answer = await ask(call, ServerReflectionRequest(file_containing_symbol=name))
        files = [
            FileDescriptorProto.FromString(content)
            for content in answer.file_descriptor_response.file_descriptor_proto
        ]
        package, _, service = name.rpartition(".")
        (described,) = [
            each
            for file in files
            if file.package == package
            for each in file.service
            if each.name == service
        ]
        assert {f"/{name}/{method.name}" for method in described.method} == {
            path for path in RULES if path.startswith(f"/{name}/")
        }
    await call.done_writing()
    assert await call.code() is grpc.StatusCode.OK


async def test_what_is_not_there_is_not_found(channel: aio.Channel) -> None:
    answer = await ask(start(channel), ServerReflectionRequest(file_containing_symbol="no.Such"))
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@pytest.mark.parametrize("content", [b"\x0a\x05ab", b"\x1a\xff\x3f" + b"x" * 8_191])
async def test_bad_requests_end_the_stream(channel: aio.Channel, content: bytes) -> None:
    call = start(channel)
    await call.write(content)
    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_silent_stream_ends(channel: aio.Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflection, "REQUEST_TIMEOUT_S", 0.2)
    call = start(channel)
    await ask(call, ServerReflectionRequest(list_services=""))
    async with asyncio.timeout(10):
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
