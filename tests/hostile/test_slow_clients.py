"""Clients that take their time: idle, half a request, deaf. They are cut off; the node serves on.

Real nodes with their real limits, so the tests last a little longer than these; they wait for all
kinds of slowness at once.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from tests.hostile.arena import MIB, Arena, pay, report
from tests.hostile.forgery import forged_message, spoilt
from tests.hostile.http2 import (
    DATA,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    RawConnection,
    frame,
    grpc_message,
)

from tallystick_node import limits
from tallystick_proto import wire

pytestmark = pytest.mark.cluster

CONNECTIONS = 1_000
FULL = 2_730
PAY_S = 2.5


@contextmanager
def held(sockets: list[socket.socket]) -> Iterator[None]:
    try:
        yield
    finally:
        for each in sockets:
            each.close()


def _connect(arena: Arena, count: int) -> list[socket.socket]:
    """Finished TLS and HTTP/2 handshakes, and nothing more."""
    host, _, port = arena.target.rpartition(":")
    context = ssl.create_default_context(cadata=arena.ca_pem.decode())
    context.set_alpn_protocols(["h2"])
    made: list[socket.socket] = []
    for _ in range(count):
        plain = socket.create_connection((host, int(port)), 5)
        secure = context.wrap_socket(plain, server_hostname=host)
        secure.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
        made.append(secure)
    return made


def _is_open(connection: socket.socket) -> bool:
    connection.settimeout(0.05)
    try:
        while part := connection.recv(65_536):
            del part
    except (TimeoutError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False


async def test_a_thousand_idle_connections(arena: Arena) -> None:
    leader = arena.leader
    alone = await pay(arena, PAY_S)
    before = arena.rss_mib()[leader]
    sockets = await asyncio.to_thread(_connect, arena, CONNECTIONS)
    with held(sockets):
        during = arena.rss_mib()[leader]
        among = await pay(arena, PAY_S)
        still_open = sum(map(_is_open, sockets[::20]))
    assert still_open == CONNECTIONS // 20
    after = await asyncio.to_thread(lambda: arena.rss_mib()[leader])
    ratio = among.per_second / alone.per_second
    report(
        f"{CONNECTIONS:,} idle connections",
        [
            f"RSS of the leader {before:.0f} MiB, with them {during:.0f}, afterwards {after:.0f}",
            f"{1_024 * (during - before) / CONNECTIONS:.0f} KiB each",
            f"payer alone {alone}",
            f"payer among them {among}: ratio {ratio:.2f}",
        ],
    )
    assert during - before < 300
    assert ratio > 0.4


def _headers_only(connection: RawConnection) -> None:
    for number in range(40):
        connection.call(2 * number + 1, wire.SUBMIT_METHOD)


async def _byte_a_second(connection: RawConnection, content: bytes, until_s: float) -> None:
    connection.call(1, wire.SUBMIT_METHOD)
    for at in range(len(content)):
        if time.monotonic() > until_s:
            return
        try:
            connection.send(frame(DATA, 0, 1, content[at : at + 1]))
        except OSError:
            return
        await asyncio.sleep(1)


def _ended(connections: list[RawConnection], calls: int) -> int:
    """How many of their calls the node has ended."""
    for each in connections:
        each.pump(0.02)
    return sum(each.has_ended(2 * number + 1) for each in connections for number in range(calls))


@dataclass(slots=True)
class Deaf:
    """What became of a client that streams messages and lets the node send no answer.

    Attributes:
        sent: Bytes that the node took.
        ended_early: Whether it ended the call before that could be told.
        told: The call's end, once the client listens: status text of the trailers.
    """

    sent: int = 0
    ended_early: bool = False
    told: bytes = b""


def _flood_unread(arena: Arena, message: bytes, until_s: float) -> Deaf:
    """Streams with a window of zero for answers; in the end opens it and listens."""
    deaf = Deaf()
    with RawConnection(arena.target, arena.ca_pem, window_bytes=0) as connection:
        connection.call(1, wire.SUBMIT_STREAM_METHOD)
        while time.monotonic() < until_s:
            deaf.sent += connection.data(1, message, patience_s=1)
            connection.pump(0)
        deaf.ended_early = connection.has_ended(1)
        connection.open_window(1, MIB)
        for _ in range(50):
            connection.pump(0.1)
            if connection.has_ended(1):
                break
        deaf.told = b"".join(
            payload for kind, _, on, payload in connection.seen if (kind, on) == (HEADERS, 1)
        )
    return deaf


def _never_hello(arena: Arena) -> float:
    """After how many seconds the node closes a connection that says nothing."""
    host, _, port = arena.target.rpartition(":")
    started_s = time.monotonic()
    with socket.create_connection((host, int(port))) as connection:
        connection.settimeout(3 * limits.HANDSHAKE_TIMEOUT_MS / 1_000)
        assert connection.recv(1) == b""
    return time.monotonic() - started_s


async def test_slow_and_deaf_clients_are_cut_off(arena: Arena) -> None:
    """Headers only; a byte a second; half a MiB and then nothing; deaf. All, beside a payer."""
    leader = arena.leader
    before = arena.rss_mib()[leader]
    request = grpc_message(wire.encode_submit_request(forged_message(arena.payment(), FULL)))
    half = request[: len(request) // 2]
    foreign = spoilt(arena.payment(), 16, bytes(32)) * 2_000
    unread = grpc_message(wire.encode_submit_request(foreign))
    with ExitStack() as stack:

        def connect(count: int) -> list[RawConnection]:
            return [
                stack.enter_context(RawConnection(arena.target, arena.ca_pem)) for _ in range(count)
            ]

        silent, dribbling, halves = connect(20), connect(10), connect(10)
        for connection in silent:
            _headers_only(connection)
        for connection in halves:
            for number in range(8):
                connection.call(2 * number + 1, wire.SUBMIT_METHOD)
                assert connection.data(2 * number + 1, half, patience_s=5) == len(half)
        limit_s = max(limits.REQUEST_TIMEOUT_S, limits.ANSWER_WRITE_TIMEOUT_S)
        over_s = time.monotonic() + limit_s + 3
        async with asyncio.TaskGroup() as group:
            deaf = group.create_task(asyncio.to_thread(_flood_unread, arena, unread, over_s))
            hello = group.create_task(asyncio.to_thread(_never_hello, arena))
            for connection in dribbling:
                group.create_task(_byte_a_second(connection, request, over_s))
            served = group.create_task(pay(arena, lambda: time.monotonic() > over_s))
            await asyncio.sleep(limits.REQUEST_TIMEOUT_S / 2)  # not to synchronise: half-way
            held_mib = arena.rss_mib()[leader]
        ended = [
            await asyncio.to_thread(_ended, *kind)
            for kind in ((silent, 40), (dribbling, 1), (halves, 8))
        ]
        at_the_end = arena.rss_mib()[leader]
    heard = deaf.result()
    report(
        "800 calls of headers, 10 of a byte a second, 80 of half a MiB and no more, one deaf",
        [
            f"ended by the node after {limits.REQUEST_TIMEOUT_S:.0f} s: {ended}",
            f"of the deaf one {heard.sent / MIB:.1f} MiB were taken",
            f"RSS of the leader {before:.0f} MiB, half-way {held_mib:.0f}",
            f"at the end {at_the_end:.0f} MiB",
            f"payer beside them {served.result()}",
        ],
    )
    assert ended == [20 * 40, 10, 10 * 8]
    assert heard.sent < 40 * MIB
    # To a client without a window nothing can be sent, not even the end; then it hears of it.
    assert not heard.ended_early
    assert b"an answer was not taken" in heard.told
    assert hello.result() < 2 * limits.HANDSHAKE_TIMEOUT_MS / 1_000
    assert held_mib - before < 200
    assert at_the_end - before < 150


def test_pings_without_end_end_the_connection(arena: Arena) -> None:
    with RawConnection(arena.target, arena.ca_pem, timeout_s=2) as connection:
        for _ in range(200):
            try:
                connection.send(frame(PING, 0, 0, bytes(8)))
            except OSError:
                break
        connection.pump(2)
        kinds = [payload for kind, _, _, payload in connection.seen if kind == GOAWAY]
    assert kinds, "no GOAWAY"
    assert b"too_many_pings" in kinds[0]


def test_streams_above_the_limit_of_a_connection_are_refused(arena: Arena) -> None:
    with RawConnection(arena.target, arena.ca_pem) as connection:
        for number in range(limits.MAX_CONNECTION_STREAMS + 50):
            connection.call(2 * number + 1, wire.SUBMIT_METHOD)
        connection.pump(1)
        refused = {stream for kind, _, stream, _ in connection.seen if kind == RST_STREAM}
    assert len(refused) == 50
