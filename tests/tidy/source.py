"""The files that the tidy rules read, and what a rule finds in them.

A rule is a plain function from a `Source` to the findings in it: it opens no file, so that its
self-test can hand it a bad sample under any path.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Final

# The top level is listed and not walked: virtual environments and results of builds lie there too.
DIRECTORIES: Final = (
    ".ci",
    "client",
    "cluster",
    "core",
    "docs",
    "ledger",
    "loadtests",
    "node",
    "proto",
    "tests",
)
PACKAGE_DIRECTORIES: Final = ("client", "cluster", "ledger", "loadtests", "node")
SKIPPED_PARTS: Final = frozenset({"__pycache__", "target"})
TEXT_SUFFIXES: Final = frozenset(
    {".md", ".proto", ".py", ".pyi", ".rs", ".sh", ".toml", ".txt", ".yaml", ".yml"}
)
TEXT_NAMES: Final = frozenset({".gitignore", "Makefile", "NOTICE", "run"})
GENERATED: Final = ("proto/tallystick_proto/v1/*_pb2*", "client/tallystick/sync_client.py")


@dataclass(frozen=True, slots=True)
class Source:
    """One text file: its path from the repository's root, with `/`, and its content."""

    path: str
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @property
    def is_python(self) -> bool:
        return self.path.endswith(".py")

    @property
    def is_rust(self) -> bool:
        return self.path.endswith(".rs")

    @property
    def is_test(self) -> bool:
        return self.path.startswith("tests/")

    @property
    def package(self) -> str:
        """The name below the first directory: `tallystick_node` in `node/tallystick_node/x.py`."""
        parts = self.path.split("/")
        return parts[1] if parts[0] in PACKAGE_DIRECTORIES and len(parts) > 2 else ""

    def tree(self) -> ast.Module:
        return _parse(self.text, self.path)


@dataclass(frozen=True, slots=True)
class Finding:
    """A breach of a rule. `size` is set by rules that measure something, `name` by those on it."""

    path: str
    line: int
    message: str
    name: str = ""
    size: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


Rule = Callable[[Source], Iterator[Finding]]


@cache
def _parse(text: str, path: str) -> ast.Module:
    return ast.parse(text, filename=path)


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def read_sources(root: Path) -> list[Source]:
    """All text that people wrote: generated code and the results of builds are left out."""
    found = [path for path in root.iterdir() if path.is_file()]
    for directory in DIRECTORIES:
        found += [path for path in (root / directory).rglob("*") if path.is_file()]
    sources = []
    for path in sorted(found):
        relative = path.relative_to(root)
        if SKIPPED_PARTS.intersection(relative.parts) or matches(str(relative), GENERATED):
            continue
        if path.suffix in TEXT_SUFFIXES or path.name in TEXT_NAMES:
            sources.append(Source(str(relative), path.read_text(encoding="utf-8")))
    return sources
