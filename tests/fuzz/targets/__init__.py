"""The targets in Python, one module each, with `run(data)`; the native ones are in `core/fuzz`.

A target takes any bytes and raises when something is wrong: an error that the code under test did
not promise, or an answer that breaks a property which the module describes. They are imported by
name, because a fuzzer instruments what is imported after it.
"""

from typing import Final

PYTHON_TARGETS: Final = ("formats", "settings", "wire")
