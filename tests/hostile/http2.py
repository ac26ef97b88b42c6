"""As much of HTTP/2 (RFC 9113) as an attacker needs: no flow control, no manners.

gRPC's own clients cannot be slow or deaf; this one says exactly what it is told, when it is told.
"""

import socket
import ssl
import struct
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE: Final = 4
FRAME_BYTES: Final = 16_384
_HEAD: Final = struct.Struct(">BHBBI")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    size = len(payload)
    return _HEAD.pack(size >> 16, size & 0xFFFF, kind, flags, stream) + payload


def literal(name: str, value: str) -> bytes:
    """A header field as a literal without indexing (RFC 7541, section 6.2.2)."""
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def grpc_message(content: bytes) -> bytes:
    """gRPC's frame around a message: not compressed, length, content."""
    return b"\x00" + struct.pack(">I", len(content)) + content


class RawConnection:
    """A connection to a client port.

    It keeps to the windows that the node gives it, since breaking them only ends the connection,
    and gives the node none beyond `window_bytes` a stream: with 0 no answer can ever be sent to it.

    Attributes:
        seen: (kind, flags, stream, payload) of the frames that have come.
    """

    def __init__(
        self,
        address: str,
        ca_pem: bytes | None,
        *,
        window_bytes: int = 65_535,
        timeout_s: float = 10.0,
    ) -> None:
        """Connect.

        Args:
            address: host:port.
            ca_pem: The authority of its certificate; None for a port without TLS.
            window_bytes: What the node may send on each stream.
            timeout_s: For connecting and for each sending.
        """
        host, _, port = address.rpartition(":")
        self.socket: socket.socket = socket.create_connection((host, int(port)), timeout_s)
        if ca_pem is not None:
            context = ssl.create_default_context(cadata=ca_pem.decode())
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname=host)
        self.socket.settimeout(timeout_s)
        self.seen: list[tuple[int, int, int, bytes]] = []
        self._unread = b""
        self._stream_window = 65_535
        self._sent: dict[int, int] = {}
        self._granted: dict[int, int] = {0: 65_535}
        settings = struct.pack(">HI", INITIAL_WINDOW_SIZE, window_bytes)
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, content: bytes) -> None:
        """Sends bytes as they are."""
        self.socket.sendall(content)

    def call(self, stream: int, path: str) -> None:
        """Opens a call: its headers, and nothing of its request."""
        fields = (
            (":method", "POST"),
            (":scheme", "https"),
            (":path", path),
            (":authority", "node"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        )
        block = b"".join(literal(name, value) for name, value in fields)
        self.send(frame(HEADERS, END_HEADERS, stream, block))

    def data(self, stream: int, content: bytes, *, patience_s: float) -> int:
        """Sends as much as the node's windows allow, waiting so long for more; returns how much."""
        at = 0
        until_s = time.monotonic() + patience_s
        while at < len(content) and time.monotonic() < until_s and not self.has_ended(stream):
            room = min(self._room(0), self._room(stream), FRAME_BYTES, len(content) - at)
            if room <= 0:
                self.pump(0.01)
                continue
            self.send(frame(DATA, 0, stream, content[at : at + room]))
            for window in (0, stream):
                self._sent[window] = self._sent.get(window, 0) + room
            at += room
            until_s = time.monotonic() + patience_s
        return at

    def open_window(self, stream: int, size: int) -> None:
        """Lets the node send so many bytes more on a stream."""
        self.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size)))

    def _room(self, stream: int) -> int:
        granted = self._granted.get(stream, 0) + (self._stream_window if stream else 0)
        return granted - self._sent.get(stream, 0)

    def has_ended(self, stream: int) -> bool:
        """Whether the node has ended this call, by trailers, reset or farewell."""
        return any(
            kind == GOAWAY
            or (on == stream and (kind == RST_STREAM or (kind == HEADERS and flags & END_STREAM)))
            for kind, flags, on, _ in self.seen
        )

    def pump(self, wait_s: float) -> bool:
        """Takes in what has come or comes within so long; False once the node has closed."""
        self.socket.settimeout(wait_s)
        is_open = False
        try:
            while part := self.socket.recv(1 << 16):
                self._unread += part
        except (TimeoutError, ssl.SSLWantReadError):
            is_open = True
        except OSError:
            pass
        self.socket.settimeout(10)
        self._parse()
        return is_open

    def _parse(self) -> None:
        at = 0
        while at + _HEAD.size <= len(self._unread):
            high, low, kind, flags, stream = _HEAD.unpack_from(self._unread, at)
            end = at + _HEAD.size + (high << 16 | low)
            if end > len(self._unread):
                break
            self._take(kind, flags, stream, self._unread[at + _HEAD.size : end])
            at = end
        self._unread = self._unread[at:]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self.seen.append((kind, flags, stream, payload))
        if kind == WINDOW_UPDATE:
            (size,) = struct.unpack(">I", payload)
            self._granted[stream] = self._granted.get(stream, 0) + size
        elif kind == SETTINGS and not flags & ACK:
            for name, value in struct.iter_unpack(">HI", payload):
                if name == INITIAL_WINDOW_SIZE:
                    self._stream_window = value
            # Only then does the node hold to what it has granted; it may have closed meanwhile.
            with suppress(OSError):
                self.send(frame(SETTINGS, ACK, 0))
