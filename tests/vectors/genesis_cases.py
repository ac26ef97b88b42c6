"""Cases of genesis.json: valid ones with their ids, and one broken one for every rule."""

from dataclasses import replace
from typing import Final

from tests.vectors import fixed
from tests.vectors.fixed import GENESIS, Json, patched

from tallystick_ledger import ed25519_zip215 as curve
from tallystick_ledger.genesis import Caps, Genesis, GenesisNode, Predecessor
from tallystick_ledger.ids import LedgerId

BYTES: Final = GENESIS.encode()
SECOND_NS: Final = 1_000_000_000
LARGEST: Final = 2**64 - 1
OPERATOR_AT: Final = 320
NODES_AT: Final = OPERATOR_AT + 32


def cases() -> list[Json]:
    return [*_valid(), *_fixed_part(), *_ranges(), *_keys()]


def _valid() -> list[Json]:
    predecessor = Predecessor(
        LedgerId(fixed.digest("predecessor")), 77, fixed.digest("root"), fixed.digest("state")
    )
    one_node = GENESIS.nodes[:1]
    largest = replace(
        GENESIS,
        origin="a-9./" + "z" * 58,
        operators=[fixed.key(f"operator {index}").public_key for index in range(16)],
        operator_quorum=16,
        nodes=[_node(raft_id) for raft_id in (*range(1, 9), 65_535)],
        max_lifetime_ns=3600 * SECOND_NS,
        reference_window_ns=400 * 86_400 * SECOND_NS,
        hold_max_lifetime_ns=LARGEST,
        hold_retention_ns=LARGEST,
        caps=Caps(*[2**32 - 1] * 6),
        predecessor=predecessor,
    )
    smallest = replace(
        GENESIS,
        random_bytes=bytes(32),
        origin="x",
        nodes=one_node,
        max_lifetime_ns=SECOND_NS,
        reference_window_ns=SECOND_NS,
        hold_max_lifetime_ns=SECOND_NS,
        hold_retention_ns=0,
        caps=Caps(*[1] * 6),
    )
    return [
        _case("defaults", "one operator, three nodes", GENESIS),
        _case("smallest", "each number at its lower bound", smallest),
        _case("largest", "each number at its upper bound", largest),
    ]


def _fixed_part() -> list[Json]:
    upper = patched(BYTES, 40, b"E")
    return [
        _bad("empty", "no bytes at all", b""),
        _bad("short", "319 bytes", BYTES[:319]),
        _bad("torn", "the last byte is missing", BYTES[:-1]),
        _bad("trailing", "a byte behind the last node", BYTES + b"\0"),
        _bad("magic", "another magic", patched(BYTES, 0, b"TSG2")),
        _bad("version-0", "format version 0", patched(BYTES, 4, b"\0\0")),
        _bad("version-2", "format version 2", patched(BYTES, 4, b"\2\0")),
        _bad("rules-0", "rules version 0", patched(BYTES, 6, b"\0\0")),
        _bad("rules-2", "rules that nobody knows yet", patched(BYTES, 6, b"\2\0")),
        _bad("origin-empty", "no origin", patched(BYTES, 40, bytes(64))),
        _bad("origin-64", "an origin of 64 bytes", patched(BYTES, 40, b"a" * 64)),
        _bad("origin-upper", "a capital letter", upper),
        _bad("origin-gap", "bytes behind the padding", patched(BYTES, 40 + 30, b"a")),
        _bad("origin-utf-8", "a byte above ASCII", patched(BYTES, 41, b"\xc3")),
        _bad("reserved-276", "first of the reserved bytes", patched(BYTES, 276, b"\1")),
        _bad("reserved-319", "last of the reserved bytes", patched(BYTES, 319, b"\1")),
        _bad(
            "node-reserved-104", "reserved bytes of a node", patched(BYTES, NODES_AT + 104, b"\1")
        ),
        _bad(
            "node-reserved-127", "reserved bytes of a node", patched(BYTES, NODES_AT + 127, b"\1")
        ),
        _bad("predecessor-size", "a size without a predecessor", patched(BYTES, 200, b"\1")),
        _bad("predecessor-root", "a root without a predecessor", patched(BYTES, 208, b"\1")),
        _bad("predecessor-digest", "a digest without a predecessor", patched(BYTES, 240, b"\1")),
    ]


def _ranges() -> list[Json]:
    def number(offset: int, size: int, value: int) -> bytes:
        return patched(BYTES, offset, value.to_bytes(size, "little"))

    times = (
        ("max-lifetime-low", 104, SECOND_NS - 1),
        ("max-lifetime-high", 104, 3600 * SECOND_NS + 1),
        ("reference-window-low", 112, SECOND_NS - 1),
        ("reference-window-high", 112, 400 * 86_400 * SECOND_NS + 1),
        ("hold-max-lifetime-low", 152, SECOND_NS - 1),
    )
    caps = (
        ("live-ids", 132),
        ("accounts", 136),
        ("open-holds", 140),
        ("keys", 144),
        ("names", 148),
        ("references", 272),
    )
    no_operator = patched(BYTES[:OPERATOR_AT] + BYTES[NODES_AT:], 124, b"\0")
    many = sorted(fixed.key(f"operator {index}").public_key for index in range(17))
    return [
        *(_bad(name, f"{value} ns", number(offset, 8, value)) for name, offset, value in times),
        *(_bad(f"cap-{name}", "a cap of 0", number(offset, 4, 0)) for name, offset in caps),
        _bad("quorum-0", "a quorum of 0", number(120, 4, 0)),
        _bad("quorum-2", "a quorum above the operators", number(120, 4, 2)),
        _bad("operators-0", "no operator, and a quorum of 1", no_operator),
        _bad(
            "operators-17",
            "seventeen operators",
            patched(BYTES[:OPERATOR_AT] + b"".join(many) + BYTES[NODES_AT:], 124, b"\x11"),
        ),
        _bad("nodes-0", "no node", patched(BYTES[:NODES_AT], 128, b"\0")),
        _bad("nodes-10", "ten nodes", _with_nodes(range(1, 11))),
        _bad("nodes-order", "nodes not ascending", _with_nodes((1, 3, 2))),
        _bad("nodes-twice", "two nodes with one Raft id", _with_nodes((1, 2, 2))),
        _bad("raft-id-0", "Raft id 0", _with_nodes((0, 1, 2))),
        _bad("raft-id-65536", "Raft id 65,536", _with_nodes((1, 2, 65_536))),
    ]


def _keys() -> list[Json]:
    two = sorted(fixed.key(f"operator {index}").public_key for index in range(2))
    descending = b"".join(reversed(two))
    node_key = BYTES[NODES_AT + 40 : NODES_AT + 72]
    with_two = patched(BYTES[:OPERATOR_AT] + descending + BYTES[NODES_AT:], 124, b"\2")
    twice = patched(BYTES[:OPERATOR_AT] + two[0] * 2 + BYTES[NODES_AT:], 124, b"\2")
    bad_keys = (
        ("identity", fixed.IDENTITY_KEY),
        ("above-p", fixed.IDENTITY_PLUS_P),
        ("mixed-order", fixed.MIXED_KEY),
        ("small-order", curve.compress(fixed.TORSION[1])),
        ("no-point", fixed.NOT_A_POINT),
    )
    result = [
        _bad("operators-order", "operators not ascending", with_two),
        _bad("operators-twice", "one operator twice", twice),
        _bad(
            "ledger-key-twice",
            "two nodes with one ledger key",
            patched(BYTES, NODES_AT + 128 + 40, node_key),
        ),
        _bad(
            "ledger-key-operator",
            "a node's ledger key is an operator's",
            patched(BYTES, NODES_AT + 40, BYTES[OPERATOR_AT:NODES_AT]),
        ),
    ]
    for name, key in bad_keys:
        result.append(_bad(f"operator-{name}", "by section 2", patched(BYTES, OPERATOR_AT, key)))
        spoiled = patched(BYTES, NODES_AT + 40, key)
        result.append(_bad(f"ledger-key-{name}", "by section 2", spoiled))
    return result


def _node(raft_id: int) -> GenesisNode:
    return GenesisNode(
        raft_id,
        fixed.digest(f"transport {raft_id}"),
        fixed.key(f"ledger {raft_id}").public_key,
        fixed.key(f"cosigner {raft_id}").public_key,
    )


def _with_nodes(raft_ids: tuple[int, ...] | range) -> bytes:
    """The genesis with these nodes in this order; each place has its own keys."""
    nodes = b"".join(
        raft_id.to_bytes(8, "little")
        + fixed.digest(f"transport {place}")
        + fixed.key(f"ledger {place}").public_key
        + fixed.key(f"cosigner {place}").public_key
        + bytes(24)
        for place, raft_id in enumerate(raft_ids)
    )
    return patched(BYTES[:NODES_AT], 128, bytes([len(raft_ids)])) + nodes


def _case(name: str, why: str, genesis: Genesis) -> Json:
    return {
        "name": name,
        "valid": True,
        "why": why,
        "data": genesis.encode().hex(),
        "ledger_id": genesis.ledger_id.hex(),
    }


def _bad(name: str, why: str, data: bytes) -> Json:
    return {"name": name, "valid": False, "why": why, "data": data.hex()}
