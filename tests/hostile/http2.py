"""As much of HTTP/2 (RFC 9113) as an attacker needs: no flow control, no manners.

gRPC's own clients cannot be slow or deaf; this one says exactly what it is told, when it is told.
"""

import socket
import ssl
import struct
from types import TracebackType
from typing import Final, Self

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
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
    """A connection to a client port."""

    def __init__(self, address: str, ca_pem: bytes, *, timeout_s: float = 5.0) -> None:
        host, _, port = address.rpartition(":")
        context = ssl.create_default_context(cadata=ca_pem.decode())
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection((host, int(port)), timeout_s)
        self.socket = context.wrap_socket(plain, server_hostname=host)
        self.socket.settimeout(timeout_s)
        self.send(PREFACE + frame(SETTINGS, 0, 0))

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

    def frames(self) -> "list[tuple[int, int, int, bytes]]":
        """(kind, flags, stream, payload) of all that arrives until silence or the end."""
        content = b""
        try:
            while part := self.socket.recv(1 << 16):
                content += part
        except (TimeoutError, OSError):
            pass
        found, at = [], 0
        while at + _HEAD.size <= len(content):
            high, low, kind, flags, stream = _HEAD.unpack_from(content, at)
            size = high << 16 | low
            at += _HEAD.size
            found.append((kind, flags, stream, content[at : at + size]))
            at += size
        return found
