"""Rules on size: a file is one idea, a function fits on a screen. Python and Rust alike.

What is larger than a rule allows has a line in `RATCHET`, with its reason. The line fails when the
file or function shrinks well below it, so that sizes only go down.
"""

import ast
import re
from collections.abc import Iterator
from typing import Final

from tests.tidy.source import Finding, Source

MAX_FILE_LINES: Final = 600
MAX_FUNCTION_LINES: Final = 70
# How far below its line in RATCHET something may shrink before the line must follow.
RATCHET_SLACK_LINES: Final = 20

# (path, function or "" for the whole file): (lines, reason).
RATCHET: Final[dict[tuple[str, str], tuple[int, str]]] = {}


def file_length(source: Source) -> Iterator[Finding]:
    """At most 600 lines a file."""
    if not source.path.endswith((".py", ".pyi", ".rs", ".proto")):
        return
    size = source.text.count("\n")
    if size > MAX_FILE_LINES:
        message = f"{size} lines, {MAX_FILE_LINES} allowed: split it by idea"
        yield Finding(source.path, 1, message, size=size)


def function_length(source: Source) -> Iterator[Finding]:
    """At most 70 lines a function, a Python docstring not counted."""
    if source.is_python:
        sizes = _python_functions(source.tree())
    elif source.is_rust:
        sizes = _rust_functions(source.text)
    else:
        return
    for name, line, size in sizes:
        if size > MAX_FUNCTION_LINES:
            message = f"{name} has {size} lines, {MAX_FUNCTION_LINES} allowed"
            yield Finding(source.path, line, message, name=name, size=size)


def _python_functions(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        size = (node.end_lineno or node.lineno) - node.lineno + 1
        first = node.body[0]
        if ast.get_docstring(node, clean=False) is not None:
            size -= (first.end_lineno or first.lineno) - first.lineno + 1
        yield node.name, node.lineno, size


# Comments, strings and characters, in which a brace means nothing. A lifetime is no character.
_RUST_OPAQUE: Final = re.compile(
    r"""
      //[^\n]*
    | /\*.*?\*/
    | b?r(?P<hashes>\#*)".*?"(?P=hashes)
    | b?"(?:\\.|[^"\\])*"
    | b?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^'\\])'
    """,
    re.VERBOSE | re.DOTALL,
)
_RUST_FUNCTION: Final = re.compile(r"\bfn\s+(\w+)")


def _rust_functions(text: str) -> Iterator[tuple[str, int, int]]:
    code = _RUST_OPAQUE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for match in _RUST_FUNCTION.finditer(code):
        end = _rust_body_end(code, match.end())
        if end is not None:
            line = code.count("\n", 0, match.start()) + 1
            yield match[1], line, code.count("\n", match.start(), end) + 1


def _rust_body_end(code: str, start: int) -> int | None:
    """Where the body of the function ends whose name ends at `start`; None without a body."""
    depth = 0
    for offset in range(start, len(code)):
        character = code[offset]
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0 and character == "}":
                return offset
        elif character == ";" and depth == 0:
            return None
    return None
