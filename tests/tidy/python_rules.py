"""Rules on Python source: determinism, money without floats, layers, and what is never written."""

import ast
import sys
from collections.abc import Iterator
from typing import Final

from tests.tidy.source import Finding, Source, matches

# These decide what the ledger says. They must give the same answer on every machine, for ever.
DETERMINISTIC: Final = ("ledger/tallystick_ledger/*", "node/tallystick_node/consensus*.py")

# Whatever brings in a clock, chance, the machine, the network, a disk or a second thread.
FORBIDDEN_IN_DETERMINISTIC: Final = frozenset(
    """
    asyncio concurrent contextvars datetime fcntl getpass glob grpc http io locale logging mmap
    multiprocessing nacl.utils os pathlib platform queue random resource rocksdict sched secrets
    select selectors shutil signal socket socketserver sqlite3 ssl structlog subprocess sys tempfile
    threading time tzdata urllib uuid weakref zoneinfo
    """.split()  # noqa: SIM905 - forty lines of one word each would hide the rules below
)

# Builtins that read or write, or whose answer differs from one process to the next.
FORBIDDEN_CALLS: Final = frozenset({"breakpoint", "hash", "id", "input", "open", "print"})

# (path, module): reason, for this rule and for layers. An entry that nobody needs fails its test.
ALLOWED_IMPORTS: Final[dict[tuple[str, str], str]] = {
    ("ledger/tallystick_ledger/merkle.py", "tallystick_core"): (
        "hashes the same trees faster where it is installed; Python does where it is not"
    ),
}

# Amounts, prices, shares and everything they are computed from.
MONEY_PATHS: Final = (
    "ledger/tallystick_ledger/*",
    "client/tallystick/prices/*",
    "client/tallystick/statements/*",
)
# Floats, or decimals that round by a context set elsewhere.
FLOAT_MODULES: Final = frozenset({"cmath", "decimal", "numpy", "statistics"})
FLOAT_MATH: Final = frozenset({"comb", "factorial", "gcd", "isqrt", "lcm", "perm", "prod"})

FIRST_PARTY: Final = frozenset(
    {
        "tallystick",
        "tallystick_cluster",
        "tallystick_core",
        "tallystick_ledger",
        "tallystick_loadtests",
        "tallystick_node",
        "tallystick_proto",
    }
)
# Package: what it may import of ours, besides itself. The command loads the others on demand.
LAYERS: Final[dict[str, frozenset[str]]] = {
    "tallystick_ledger": frozenset(),
    "tallystick": frozenset({"tallystick_core", "tallystick_ledger", "tallystick_proto"}),
    "tallystick_node": frozenset({"tallystick_core", "tallystick_ledger", "tallystick_proto"}),
    "tallystick_cluster": FIRST_PARTY - {"tallystick_loadtests"},
    "tallystick_loadtests": FIRST_PARTY,
}
COMMAND: Final = ("client/tallystick/cli/*",)
# What each package finds installed, by the names of modules: see the extras in pyproject.toml.
_SDK: Final = frozenset({"google", "grpc", "nacl", "pydantic", "pydantic_settings"})
_NODE: Final = frozenset(
    {
        "cryptography",
        "grpc_health",
        "grpc_reflection",
        "prometheus_client",
        "rocksdict",
        "structlog",
    }
)
_CLUSTER: Final = frozenset({"psutil", "rich", "typer"})
THIRD_PARTY: Final[dict[str, frozenset[str]]] = {
    "tallystick_ledger": frozenset({"nacl"}),
    "tallystick": _SDK | {"pyarrow"},  # the extra `export`, loaded where it is used
    "tallystick_node": _SDK | _NODE,
    "tallystick_cluster": _SDK | _NODE | _CLUSTER,
}

BANNED_MODULES: Final[dict[str, str]] = {
    "dill": "runs code found in the bytes it reads",
    "imp": "removed from Python",
    "marshal": "format changes between versions of Python",
    "pickle": "runs code found in the bytes it reads",
    "shelve": "is pickle underneath",
}


def deterministic_imports(source: Source) -> Iterator[Finding]:
    """No clock, chance, network, disk or thread in the deterministic parts."""
    if not (source.is_python and matches(source.path, DETERMINISTIC)):
        return
    for line, module in _imports(source.tree()):
        hit = _prefix_in(module, FORBIDDEN_IN_DETERMINISTIC)
        if hit and (source.path, hit) not in ALLOWED_IMPORTS:
            yield Finding(source.path, line, f"imports {hit} in a deterministic part", name=hit)


def deterministic_calls(source: Source) -> Iterator[Finding]:
    """No I/O, no per-process hash, no fresh keys in the deterministic parts."""
    if not (source.is_python and matches(source.path, DETERMINISTIC)):
        return
    for node in ast.walk(source.tree()):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Name) and function.id in FORBIDDEN_CALLS:
            yield Finding(
                source.path, node.lineno, f"calls {function.id}() in a deterministic part"
            )
        if _dotted(function).endswith("SigningKey.generate"):
            yield Finding(source.path, node.lineno, "draws a key in a deterministic part")


def money_without_floats(source: Source) -> Iterator[Finding]:
    """No float literal, float(), true division, or inexact module where money is computed."""
    if not (source.is_python and matches(source.path, MONEY_PATHS)):
        return
    for node in ast.walk(source.tree()):
        message = _float_message(node)
        if message:
            yield Finding(source.path, getattr(node, "lineno", 1), message)


def no_assert(source: Source) -> Iterator[Finding]:
    """`python -O` removes assert; a check that must hold raises."""
    if not source.is_python or source.is_test:
        return
    for node in ast.walk(source.tree()):
        if isinstance(node, ast.Assert):
            yield Finding(source.path, node.lineno, "assert outside tests: raise a typed error")


def never_written(source: Source) -> Iterator[Finding]:
    """No pickle and its like, no bare except, no eval or exec."""
    if not source.is_python:
        return
    tree = source.tree()
    for line, module in _imports(tree):
        hit = _prefix_in(module, frozenset(BANNED_MODULES))
        if hit:
            yield Finding(source.path, line, f"imports {hit}, which {BANNED_MODULES[hit]}")
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield Finding(source.path, node.lineno, "bare except: name what is expected")
        if isinstance(node, ast.Call) and _dotted(node.func) in {"eval", "exec"}:
            yield Finding(source.path, node.lineno, "runs text as code")


def layers(source: Source) -> Iterator[Finding]:
    """A package imports only those below it, so that the SDK installs without the server."""
    if not source.is_python or source.package not in LAYERS or matches(source.path, COMMAND):
        return
    allowed = LAYERS[source.package] | {source.package}
    for line, module in _imports(source.tree()):
        top = module.split(".", maxsplit=1)[0]
        if top in FIRST_PARTY:
            forbidden = top not in allowed
        else:
            known = THIRD_PARTY.get(source.package)
            forbidden = known is not None and top not in known | sys.stdlib_module_names
        if forbidden and (source.path, top) not in ALLOWED_IMPORTS:
            yield Finding(source.path, line, f"{source.package} may not import {top}", name=top)


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yields (line, dotted name); `from a import b` yields `a.b`, which may name an attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Call) and node.args:
            first = node.args[0]
            is_import = _dotted(node.func) in {"__import__", "importlib.import_module"}
            if is_import and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, first.value


def _prefix_in(module: str, names: frozenset[str]) -> str:
    """The shortest of a.b.c's prefixes a, a.b, a.b.c that is in `names`, or nothing."""
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        prefix = ".".join(parts[:count])
        if prefix in names:
            return prefix
    return ""


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""


def _float_message(node: ast.AST) -> str:
    message = ""
    if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
        message = f"float literal {node.value} in a money path"
    elif isinstance(node, ast.Name) and node.id in {"float", "complex"}:
        message = f"{node.id} in a money path"
    elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
        message = "true division in a money path: use // and say how it rounds"
    elif isinstance(node, ast.Import):
        inexact = [name.name for name in node.names if name.name in FLOAT_MODULES]
        message = f"imports {inexact[0]} in a money path" if inexact else ""
    elif isinstance(node, ast.ImportFrom):
        inexact = [name.name for name in node.names if name.name not in FLOAT_MATH]
        if node.module in FLOAT_MODULES or (node.module == "math" and inexact):
            message = f"imports from {node.module} in a money path"
    elif isinstance(node, ast.Attribute) and _dotted(node).startswith("math."):
        message = "" if node.attr in FLOAT_MATH else f"math.{node.attr} in a money path"
    return message
