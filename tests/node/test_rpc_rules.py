"""Who may call what: the .proto files, the rules in code and docs/security.md say the same."""

import re
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from tallystick_node.access import RULES, Token
from tallystick_node.fairness import ConnectionBook
from tallystick_node.services.turnstile import client_server
from tallystick_proto.v1 import ledger_pb2, peer_pb2

PAGE: Final = Path(__file__).parents[2] / "docs" / "security.md"
ROW: Final = re.compile(r"^\| `([\w.]+/\w+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)
PROOFS: Final = {
    "none": Token.NONE,
    "mutual TLS": Token.NONE,
    "read token for the digest": Token.ON_DEMAND,
    "read token": Token.REQUIRED,
}


def declared() -> set[str]:
    """Paths of all RPCs of all services that a node may offer."""
    return {
        f"/{service.full_name}/{method.name}"
        for module in (ledger_pb2, peer_pb2, health_pb2, reflection_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


def test_each_declared_rpc_has_a_rule() -> None:
    assert set(RULES) == declared()


def test_the_page_has_the_rules_word_for_word() -> None:
    rows = ROW.findall(PAGE.read_text("utf-8"))
    assert {f"/{path}": (who, PROOFS[proof]) for path, who, proof in rows} == {
        path: (rule.who, rule.token) for path, rule in RULES.items()
    }
    assert len(rows) == len(RULES)


def test_only_peers_are_told_apart_by_their_certificate() -> None:
    rows = ROW.findall(PAGE.read_text("utf-8"))
    assert {path for path, _, proof in rows if proof == "mutual TLS"} == {
        path.removeprefix("/") for path in RULES if path.startswith("/tallystick.v1.Peer/")
    }


async def test_a_method_without_a_rule_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    async def echo(request: bytes, context: "aio.ServicerContext[bytes, bytes]") -> bytes:
        del context
        return request

    server = client_server(ConnectionBook())
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(echo)
    methods = {"Ruled": handler, "Forgotten": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.B", methods),))
    monkeypatch.setitem(RULES, "/a.B/Ruled", RULES["/grpc.health.v1.Health/Check"])
    port = server.add_insecure_port("localhost:0")
    await server.start()
    try:
        async with aio.insecure_channel(f"localhost:{port}") as channel:
            ruled: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/a.B/Ruled")
            assert await ruled(b"hello", timeout=10) == b"hello"
            other: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/a.B/Forgotten")
            with pytest.raises(aio.AioRpcError) as caught:
                await other(b"hello", timeout=10)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    finally:
        await server.stop(None)
