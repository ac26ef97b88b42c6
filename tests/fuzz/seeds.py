"""First inputs, made from the conformance vectors: a fuzzer starts from what is almost right.

The kept corpus grew out of these; they are made anew for each run, so that a new vector becomes a
new place to start from. What stands in front of the bytes of a format is described in the target
that reads it (`core/fuzz/src/targets`, `tests/fuzz/targets`).
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tallystick.keyfile import FORMAT

VECTORS: Final = Path(__file__).parents[1] / "vectors"
# Larger ones are mutated less often, and say little more.
MAX_SEED_BYTES: Final = 6_000
RECORD_BYTES: Final = 128
ENVELOPE_PREFIX_BYTES: Final = 256
BLOCK_HEADER_BYTES: Final = 64

# Repair everything; nothing; ledger id, signer, times, root and signature.
_REPAIRS: Final = (b"\xff", b"\x00", b"\x37")


def write(directory: Path) -> None:
    """Writes `directory`/<target>/<number> for every target that has seeds."""
    for target, seeds in all_seeds().items():
        place = directory / target
        place.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds):
            if len(seed) <= MAX_SEED_BYTES:
                (place / f"seed-{number:04}").write_bytes(seed)


def all_seeds() -> dict[str, list[bytes]]:
    """The seeds of each target."""
    envelopes = [*_cases("envelope")]
    blocks = [*_cases("block"), *_story()]
    genesis = [*_cases("genesis")]
    return {
        "admission": [
            repair + bytes((signer, 0, 0)) + envelope
            for envelope in envelopes
            for repair, signer in zip(_REPAIRS, (3, 0, 2), strict=True)
        ],
        "block": [
            repair + bytes((signer, header)) + block
            for block in blocks
            for repair, signer, header in zip(_REPAIRS, (3, 0, 2), (0xFF, 0, 0xF), strict=True)
        ],
        "checkpoint": [what + _checkpoint() for what in (b"\xff\x00", b"\xff\x03", b"\x01\x02")],
        "frame": [*_frames()],
        "genesis": [what + data for data in genesis for what in (b"\x00", b"\x07")],
        "kernel": [*_programs()],
        "formats": [
            bytes((number,)) + data
            for number, cases in enumerate((envelopes, blocks, genesis, [*_tokens()]))
            for data in cases
        ],
        "node": [*_scripts()],
        "settings": [*_files()],
        "signatures": [bytes((kind, which)) * 4 for kind in range(8) for which in range(4)],
        "wire": [
            b"\x00\x0a\x02ab",
            b"\xff\x0a\x01a\x12\x01b\x18\x05\x22\x04\x08\x01\x12\x00",
        ],
    }


def _load(name: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def _cases(name: str) -> Iterator[bytes]:
    for case in _load(name)["cases"]:
        yield bytes.fromhex(case["data"])


def _story() -> Iterator[bytes]:
    for block in _load("execution")["blocks"]:
        yield bytes.fromhex(block["data"])


def story_records() -> Iterator[bytes]:
    """All records of the executed story, envelope by envelope."""
    for block in _story():
        rest = block[BLOCK_HEADER_BYTES:]
        while rest:
            count = int.from_bytes(rest[12:16], "little")
            end = ENVELOPE_PREFIX_BYTES + RECORD_BYTES * count
            yield rest[ENVELOPE_PREFIX_BYTES:end]
            rest = rest[end:]


def _checkpoint() -> bytes:
    """A checkpoint in the middle of the story, when holds and references stand in it."""
    from tallystick_core import Kernel  # noqa: PLC0415 - native; the rest needs only bytes

    kernel = Kernel(bytes.fromhex(_load("execution")["genesis"]))
    for block in [*_story()][:20]:
        kernel.apply(block)
    return kernel.checkpoint()


def frame(
    kind: int,
    *,
    reject: bool = False,
    words: tuple[int, ...] = (2, 1, 3, 2, 5, 4, 0, 0),
    context: bytes = b"",
    entries: tuple[tuple[int, bytes], ...] = (),
) -> bytes:
    """A peer frame (core/src/raft/frame.rs).

    Args:
        kind: number of the message type.
        reject: its flag.
        words: from, to, term, log term, index, commit, commit term, reject hint.
        context: of reads and votes.
        entries: (term, payload).
    """
    head = struct.pack("<4sBBHI4x8Q", b"TSR1", kind, reject, len(context), len(entries), *words)
    table = b"".join(struct.pack("<QIB3x", term, len(data), 0) for term, data in entries)
    return b"".join((head, context, table, *(data for _, data in entries)))


def _frames() -> Iterator[bytes]:
    # Numbers of raft's eraftpb.MessageType that travel.
    for kind in (3, 4, 5, 6, 8, 9, 14, 15, 16, 17, 18):
        yield frame(kind)
        yield frame(kind, reject=True, context=b"x" * 24)
    yield frame(3, entries=((2, b"a"), (3, b"bc")))
    yield frame(5, context=b"CampaignTransfer")


def _programs() -> Iterator[bytes]:
    def step(*values: int) -> bytes:
        return bytes(values).ljust(8, b"\0")

    block = step(200, 0)
    for signer in (2, 3, 4):
        for kind in range(18):
            records = b"".join(
                step(0, kind, first, second, 5, 3, flags, 0)
                for first, second, flags in ((1, 2, 0), (2, 1, 5), (0, 1, 2))
            )
            for atomic in (1, 17):
                yield step(160, signer, atomic) + records + block + step(236) + records + block
    holds = step(0, 1, 1, 2, 9, 2, 0, 0) + step(0, 2, 3, 0, 4) + step(0, 3, 4)
    channels = b"".join(step(0, kind, 1, 2, 20) for kind in (14, 15, 16, 17, 16))
    for wait in range(8):
        paid = step(160, 4, 1) + channels + step(200, wait) + step(0, 12) + step(200, 0)
        yield step(160, 3, 1) + channels + step(236) + paid
    yield step(160, 3, 1) + holds + step(200, 3) + step(160, 4, 1) + holds + step(200, 6) + holds


def _scripts() -> Iterator[bytes]:
    elected = b"\x00\x00\x17\x01\x08\x00\x01"
    # An op below 16, then its choices: see node.rs.
    for kind in range(12):
        message = bytes((10, kind, 0, 0, 0, 0, 0, 0, 0, 2, 200, 0, 0))
        yield elected + message * 3 + b"\x01\x06" + message
        yield b"\x01" + message + b"\x01\x02" + message + b"\x03\x01\x06"


def _tokens() -> Iterator[bytes]:
    for case in _load("read_token")["cases"]:
        yield bytes.fromhex(case["token"])


# One good file of each kind, in the order of `targets/settings.py`.
_NODE_FILE: Final = """\
raft_id = 1
listen_client = "127.0.0.1:1"
listen_peer = "127.0.0.1:2"
[nodes.1]
peer = "127.0.0.1:2"
client = "127.0.0.1:1"
[raft]
tick_ms = 50
[work]
verify_threads = 1
[log]
level = "info"
"""
_PROFILE_FILE: Final = 'endpoints = ["127.0.0.1:1"]\ninsecure = true\nledger_id = "%s"\n'
_CLUSTER_FILE: Final = '{"nodes": [{"client": "127.0.0.1:1"}]}'
# The all-zero seed.
_KEY_FILE: Final = """\
format = "%s"
name = "a"
public_key = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"
seed = "%s"
"""


def _files() -> Iterator[bytes]:
    zeros = "00" * 32
    key = _KEY_FILE % (FORMAT, zeros)
    for number, text in enumerate((_NODE_FILE, _PROFILE_FILE % zeros, _CLUSTER_FILE, key)):
        yield bytes((number,)) + text.encode()
    yield b"\x03" + b"00" * 32
    for number, begin in enumerate((b"a = ", b"a = ", b"", b"a = ")):
        yield bytes((number,)) + begin + b"[" * 5_000  # deeper than an interpreter's stack
