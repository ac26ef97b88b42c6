"""Runs one Python target under atheris: `python -m tests.fuzz.under_atheris TARGET ARGUMENTS…`.

The arguments are libFuzzer's. What is imported inside the `with` is instrumented, the target
itself included: its comparisons are part of what leads the fuzzer.
"""

import importlib
import logging
import sys
from collections.abc import Callable  # noqa: TC003 - nothing is saved here
from typing import Final

import atheris

PACKAGES: Final = (
    "tallystick",
    "tallystick_cluster",
    "tallystick_ledger",
    "tallystick_node",
    "tallystick_proto",
    "tests",
)


def main() -> None:
    name, *arguments = sys.argv[1:]
    logging.disable()
    with atheris.instrument_imports(include=[*PACKAGES]):
        module = importlib.import_module(f"tests.fuzz.targets.{name}")
    run: Callable[[bytes], None] = module.run
    # To merge, libFuzzer starts its own argument 0 through a shell.
    itself = f"{sys.executable} -m {__spec__.name} {name}"
    atheris.Setup([itself, *arguments], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
