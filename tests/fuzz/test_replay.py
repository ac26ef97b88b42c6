"""The kept corpus of the Python targets, replayed without a fuzzer; the native one is replayed by
`core/tests/replay`."""

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fuzz.targets import PYTHON_TARGETS
from tests.fuzz.targets.planted import PlantedFaultError

CORPUS = Path(__file__).parent / "corpus"
# Fewer would say that the corpus was not found.
MIN_INPUTS = 10
MAX_CORPUS_BYTES = 1_000_000
DEGENERATE = (b"", b"\x00", b"\xff" * 3, bytes(4096), b"\xff" * 4096)


def _target(name: str) -> Callable[[bytes], None]:
    run: Callable[[bytes], None] = importlib.import_module(f"tests.fuzz.targets.{name}").run
    return run


@pytest.mark.parametrize("name", PYTHON_TARGETS)
def test_the_kept_corpus_holds(name: str) -> None:
    run = _target(name)
    inputs = sorted((CORPUS / name).iterdir())
    assert len(inputs) >= MIN_INPUTS
    for path in inputs:
        try:
            run(path.read_bytes())
        except Exception as error:
            error.add_note(f"the input is {path}")
            raise


@pytest.mark.parametrize("name", PYTHON_TARGETS)
def test_degenerate_inputs_hold(name: str) -> None:
    for data in DEGENERATE:
        _target(name)(data)


def test_the_planted_fault_breaks() -> None:
    run = _target("planted")
    for data in (b"", b"TS", b"TS\x00\xff"):
        run(data)
    with pytest.raises(PlantedFaultError):
        run(b"TS\x00\xfe")


def test_the_corpus_stays_small() -> None:
    sizes = [path.stat().st_size for path in CORPUS.glob("*/*")]
    assert sum(sizes) <= MAX_CORPUS_BYTES
