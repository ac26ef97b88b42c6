"""Submits above a connection's share of open calls: answered, not only ended with a status."""

from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
import pytest
import pytest_asyncio
from grpc import aio

from tallystick_ledger.codes import Code
from tallystick_ledger.envelope import seal
from tallystick_ledger.ids import LedgerId, TimestampNs, new_envelope_id
from tallystick_ledger.keys import SigningKey
from tallystick_ledger.records.system import Tick
from tallystick_node.fairness import ConnectionBook
from tallystick_node.limits import MAX_TURNED_AWAY, RETRY_AFTER_MS
from tallystick_node.services import turnstile
from tallystick_proto import wire

ENVELOPES: Final = 3
OUTCOME_BYTES: Final = 32
ENVELOPE: Final = seal(
    SigningKey(b"\x11" * 32),
    LedgerId(bytes(32)),
    new_envelope_id(1_000, bytes(10)),
    TimestampNs(60_000_000_000),
    Tick().encode(b"\1" + bytes(15)),
)
MESSAGE: Final = ENVELOPE * ENVELOPES
ORDERED: Final = wire.SubmitResponse(bytes(OUTCOME_BYTES) * ENVELOPES, b"")


class Book(ConnectionBook):
    """Has room, or none."""

    is_full = False

    def enter(self, connection: str) -> bool:
        return not self.is_full and super().enter(connection)


class Port:
    """A client port whose Submit notes what it gets, and a channel to it."""

    def __init__(self, channel: aio.Channel, book: Book, taken: list[bytes]) -> None:
        self.book = book
        self.taken = taken
        self._submit: aio.UnaryUnaryMultiCallable[bytes, wire.SubmitResponse] = channel.unary_unary(
            wire.SUBMIT_METHOD, response_deserializer=wire.decode_submit_response
        )

    async def submit(self, request: bytes) -> wire.SubmitResponse:
        return await self._submit(request, timeout=10)


@pytest_asyncio.fixture
async def port() -> AsyncIterator[Port]:
    book, taken = Book(), list[bytes]()

    async def submit(message: bytes, _: object) -> wire.SubmitResponse:
        taken.append(message)
        return ORDERED

    handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
        submit,
        request_deserializer=wire.decode_submit_request,
        response_serializer=wire.encode_submit_response,
    )
    server = turnstile.client_server(book)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(wire.SERVICE, {"Submit": handler}),)
    )
    number = server.add_insecure_port("localhost:0")
    await server.start()
    try:
        async with aio.insecure_channel(f"localhost:{number}") as channel:
            yield Port(channel, book, taken)
    finally:
        await server.stop(None)


async def test_each_envelope_is_told_that_it_was_not_ordered(port: Port) -> None:
    request = wire.encode_submit_request(MESSAGE)
    port.book.is_full = True
    answer = await port.submit(request)
    outcome = Code.OVERLOADED.to_bytes(2, "little") + bytes(OUTCOME_BYTES - 2)
    assert answer == wire.SubmitResponse(outcome * ENVELOPES, b"", RETRY_AFTER_MS)
    assert port.taken == []
    port.book.is_full = False
    assert await port.submit(request) == ORDERED
    assert port.taken == [MESSAGE]
    assert port.book.open_calls == 0


async def test_only_so_many_are_read_for_that(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    port.book.is_full = True
    monkeypatch.setattr(turnstile, "MAX_TURNED_AWAY", 0)
    with pytest.raises(aio.AioRpcError) as caught:
        await port.submit(wire.encode_submit_request(MESSAGE))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    trailing = dict(caught.value.trailing_metadata() or ())
    assert trailing[turnstile.PUSHBACK_KEY] == str(RETRY_AFTER_MS)


async def test_what_is_no_message_is_turned_away_as_such(port: Port) -> None:
    port.book.is_full = True
    for _ in range(2 * MAX_TURNED_AWAY):  # each gives its place back
        with pytest.raises(aio.AioRpcError) as caught:
            await port.submit(b"\xff\xff")
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
