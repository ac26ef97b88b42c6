"""Calls that take no answer, on the client port's own server without a ledger behind it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
import pytest
from grpc import aio
from tests.hostile.http2 import GOAWAY, HEADERS, RawConnection, grpc_message

from tallystick_node.access import RULES
from tallystick_node.fairness import ConnectionBook
from tallystick_node.limits import CLIENT_SERVER_OPTIONS
from tallystick_node.services import turnstile

METHOD: Final = "/a.B/Echo"


class Watched(ConnectionBook):
    """Says when the last open call has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.emptied = asyncio.Event()

    def leave(self, connection: str) -> None:
        super().leave(connection)
        if not self.open_calls:
            self.emptied.set()


async def _echo(_: object, context: "aio.ServicerContext[bytes, bytes]") -> None:
    while isinstance(message := await context.read(), bytes):
        await turnstile.write(context, message)


@contextlib.asynccontextmanager
async def echoing(
    monkeypatch: pytest.MonkeyPatch, *options: tuple[str, int]
) -> AsyncIterator[tuple[str, Watched]]:
    """A client port that answers each message of a stream with itself."""
    monkeypatch.setitem(RULES, METHOD, RULES["/grpc.health.v1.Health/Check"])
    changed = (dict(CLIENT_SERVER_OPTIONS) | dict(options)).items()
    monkeypatch.setattr(turnstile, "CLIENT_SERVER_OPTIONS", tuple(changed))
    monkeypatch.setattr(turnstile, "ANSWER_WRITE_TIMEOUT_S", 0.2)
    book = Watched()
    server = turnstile.client_server(book)
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(_echo)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("a.B", {"Echo": handler}),)
    )
    port = server.add_insecure_port("localhost:0")
    await server.start()
    try:
        yield f"localhost:{port}", book
    finally:
        await server.stop(None)


def _deaf(address: str) -> RawConnection:
    """A connection with one call, whose message is read and whose answer cannot be sent."""
    connection = RawConnection(address, None, window_bytes=0)
    connection.call(1, METHOD)
    connection.data(1, grpc_message(b"hello"), patience_s=5)
    return connection


def _trailers(connection: RawConnection, patience_s: float) -> bytes:
    """What the call's end says; empty if it does not come."""
    for _ in range(int(patience_s / 0.05)):
        if connection.has_ended(1) or not connection.pump(0.05):
            break
    return b"".join(payload for kind, *_, payload in connection.seen if kind == HEADERS)


async def test_who_takes_an_answer_too_late_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    async with echoing(monkeypatch) as (address, book):
        with await asyncio.to_thread(_deaf, address) as connection:
            # Twice what it has; longer only makes it later still.
            assert b"not taken" not in await asyncio.to_thread(_trailers, connection, 0.5)
            assert not connection.has_ended(1)
            assert book.open_calls == 1
            connection.open_window(1, 1_000)
            assert b"not taken within" in await asyncio.to_thread(_trailers, connection, 10)
            assert connection.has_ended(1)
        await asyncio.wait_for(book.emptied.wait(), 20)


async def test_who_takes_none_goes_with_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays and answers pings; nothing but the connection's age ends it."""
    age = ("grpc.max_connection_age_ms", 500), ("grpc.max_connection_age_grace_ms", 200)
    async with echoing(monkeypatch, *age) as (address, book):
        with await asyncio.to_thread(_deaf, address):
            await asyncio.wait_for(book.emptied.wait(), 20)


async def test_a_connection_without_calls_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with echoing(monkeypatch, ("grpc.max_connection_idle_ms", 300)) as (address, _):
        with await asyncio.to_thread(RawConnection, address, None) as connection:
            assert await asyncio.to_thread(_is_told_to_go, connection)
        with await asyncio.to_thread(_deaf, address) as busy:
            # One with a call is not idle, however little it does.
            assert not await asyncio.to_thread(_is_told_to_go, busy, patience_s=1.5)


def _is_told_to_go(connection: RawConnection, *, patience_s: float = 20) -> bool:
    until_s = time.monotonic() + patience_s
    while time.monotonic() < until_s and connection.pump(0.05):
        pass
    return any(kind == GOAWAY for kind, *_ in connection.seen)
