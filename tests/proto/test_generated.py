"""The committed code is what `make proto` makes of the committed sources, and it can be used."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tallystick_proto.v1 import ledger_pb2

GENERATED = "tallystick_proto/v1"


def _generate(repository_root: Path, out: Path) -> dict[str, bytes]:
    make = shutil.which("make")
    assert make is not None
    out.mkdir()
    subprocess.run([make, "--silent", "proto", f"PROTO_OUT={out}"], cwd=repository_root, check=True)
    return _read(out / GENERATED)


def _read(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.glob("*_pb2*.py*")}


def test_generated_code_is_current(repository_root: Path, tmp_path: Path) -> None:
    committed = _read(repository_root / "proto" / GENERATED)
    sources = {path.stem for path in (repository_root / "proto/tallystick/v1").glob("*.proto")}
    assert {f"{name}_pb2.py" for name in sources} <= committed.keys()
    stale = [
        name
        for name, content in _generate(repository_root, tmp_path / "out").items()
        if committed.get(name) != content
    ]
    assert not stale, f"run `make proto`: {stale}"


def test_nothing_is_left_of_removed_sources(repository_root: Path) -> None:
    sources = {path.stem for path in (repository_root / "proto/tallystick/v1").glob("*.proto")}
    generated = {name.split("_pb2")[0] for name in _read(repository_root / "proto" / GENERATED)}
    assert generated == sources


@pytest.mark.parametrize("envelopes", [b"", b"\x00" * 64])
def test_messages_carry_bytes(envelopes: bytes) -> None:
    message = ledger_pb2.SubmitRequest(envelopes=envelopes)
    assert ledger_pb2.SubmitRequest.FromString(message.SerializeToString()) == message
