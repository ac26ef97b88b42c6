"""Rules on all text: its shape, and what belongs to one machine and not into the project."""

import re
from collections.abc import Iterator
from typing import Final

from tests.tidy.source import Finding, Source

MAX_LINE_LENGTH: Final = 100
CODE_SUFFIXES: Final = (".py", ".pyi", ".rs", ".proto", ".sh", "Makefile", ".ci/run")

# A path that exists on one machine only. /tmp is not among them: tests and examples may use it.
MACHINE_PATH: Final = re.compile(
    r"(?<![\w.:/-])/(?:home|mnt|opt|root|Users|work|workspace)/[\w.-]+"
)

# Which index somebody installs from is a matter of their configuration.
REGISTRY_ADDRESSES: Final = (
    "pypi.org/" + "simple",
    "files." + "pythonhosted.org",
    "index." + "crates.io",
    "static." + "crates.io",
    "--index-" + "url",
    "--extra-index-" + "url",
)

CONFLICT_MARKERS: Final = ("<" * 7 + " ", ">" * 7 + " ")


def line_length(source: Source) -> Iterator[Finding]:
    """At most 100 characters a line of code. Tables and links in Markdown may be longer."""
    if not source.path.endswith(CODE_SUFFIXES):
        return
    for number, line in enumerate(source.lines, start=1):
        if len(line) > MAX_LINE_LENGTH and "https://" not in line:
            yield Finding(source.path, number, f"{len(line)} characters, {MAX_LINE_LENGTH} allowed")


def whitespace(source: Source) -> Iterator[Finding]:
    """No trailing space, no tab where it is not syntax, no CR, one newline at the end."""
    may_have_tabs = source.path.endswith("Makefile")
    for number, line in enumerate(source.lines, start=1):
        if line != line.rstrip():
            yield Finding(source.path, number, "space at the end of the line")
        if "\t" in line and not may_have_tabs:
            yield Finding(source.path, number, "tab")
    if source.text and (not source.text.endswith("\n") or source.text.endswith("\n\n")):
        yield Finding(source.path, len(source.lines), "the file must end in exactly one newline")


def no_machine_paths(source: Source) -> Iterator[Finding]:
    """The project knows no machine that it was written on."""
    for number, line in enumerate(source.lines, start=1):
        match = MACHINE_PATH.search(line)
        if match:
            yield Finding(source.path, number, f"path of one machine: {match[0]}")


def no_registry_addresses(source: Source) -> Iterator[Finding]:
    """No address of a package index."""
    for number, line in enumerate(source.lines, start=1):
        for address in REGISTRY_ADDRESSES:
            if address in line:
                yield Finding(source.path, number, f"address of a package index: {address}")


def no_conflict_markers(source: Source) -> Iterator[Finding]:
    """A merge was finished."""
    for number, line in enumerate(source.lines, start=1):
        if line.startswith(CONFLICT_MARKERS):
            yield Finding(source.path, number, "merge conflict marker")
