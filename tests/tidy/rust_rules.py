"""Rules on Rust source that neither the compiler nor clippy keeps for us."""

import re
from collections.abc import Iterator
from typing import Final

from tests.tidy.source import Finding, Source, matches

# The core is deterministic as a whole: time, chance and disks belong to the Python shell.
FORBIDDEN_PATHS: Final = re.compile(
    r"\bstd::(?:env|fs|net|process|time)\b|\b(?:SystemTime|Instant)::now\b"
    r"|\bthread_rng\b|\bOsRng\b|\bfrom_entropy\b|\bfrom_os_rng\b|\bgetrandom\b"
)
DETERMINISTIC: Final = ("core/src/*",)
FLOAT_TYPE: Final = re.compile(r"\bf(?:32|64)\b")
MONEY_PATHS: Final = ("core/src/kernel/*", "core/src/kernel.rs")
_COMMENT: Final = re.compile(r"//.*")


def rust_determinism(source: Source) -> Iterator[Finding]:
    """No clock, chance, environment, disk or network in the core."""
    if not (source.is_rust and matches(source.path, DETERMINISTIC)):
        return
    for number, line in enumerate(source.lines, start=1):
        match = FORBIDDEN_PATHS.search(_COMMENT.sub("", line))
        if match:
            yield Finding(source.path, number, f"{match[0]} in the deterministic core")


def rust_money_without_floats(source: Source) -> Iterator[Finding]:
    """No f32 or f64 in the kernel."""
    if not (source.is_rust and matches(source.path, MONEY_PATHS)):
        return
    for number, line in enumerate(source.lines, start=1):
        match = FLOAT_TYPE.search(_COMMENT.sub("", line))
        if match:
            yield Finding(source.path, number, f"{match[0]} in a money path")
