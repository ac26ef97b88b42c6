"""The project's habits, enforced: one test per rule over all files, one self-test per sample.

The rules live in `tests/tidy/`. Each has at least one sample that breaks it and one that does not,
because a rule that cannot fail protects nothing.
"""

from pathlib import Path
from textwrap import indent

import pytest
from tests.tidy import python_rules, rust_rules, size_rules, text_rules
from tests.tidy.source import PACKAGE_DIRECTORIES, Finding, Rule, Source, read_sources

RULES: tuple[Rule, ...] = (
    python_rules.deterministic_calls,
    python_rules.deterministic_imports,
    python_rules.layers,
    python_rules.money_without_floats,
    python_rules.never_written,
    python_rules.no_assert,
    rust_rules.rust_determinism,
    rust_rules.rust_money_without_floats,
    size_rules.file_length,
    size_rules.function_length,
    text_rules.line_length,
    text_rules.no_conflict_markers,
    text_rules.no_machine_paths,
    text_rules.no_registry_addresses,
    text_rules.whitespace,
)

LEDGER = "ledger/tallystick_ledger/spec/money.py"
NODE = "node/tallystick_node/store.py"
SHELL = "node/tallystick_node/consensus_shell.py"
SDK = "client/tallystick/client.py"
COMMAND = "client/tallystick/cli/demo.py"
KERNEL = "core/src/kernel/apply.rs"
TEST = "tests/node/test_store.py"

LONG_PYTHON = "def long() -> None:\n" + "    step()\n" * 70
LONG_RUST = "fn long(a: [u8; 2]) {\n" + "    step('{', \"{\", b'}'); // {\n" * 69 + "}\n"

# (rule, path, text): each breaks its rule, once.
BAD: tuple[tuple[Rule, str, str], ...] = (
    (python_rules.deterministic_imports, LEDGER, "import time\n"),
    (python_rules.deterministic_imports, LEDGER, "from os import urandom\n"),
    (python_rules.deterministic_imports, LEDGER, "from nacl.utils import random\n"),
    (python_rules.deterministic_imports, LEDGER, "def f() -> None:\n    import os.path\n"),
    (python_rules.deterministic_imports, LEDGER, "x = __import__('random')\n"),
    (python_rules.deterministic_imports, SHELL, "import asyncio\n"),
    (python_rules.deterministic_imports, SHELL, "from concurrent.futures import Future\n"),
    (python_rules.deterministic_calls, LEDGER, "x = hash(b'a')\n"),
    (python_rules.deterministic_calls, LEDGER, "x = open('a')\n"),
    (python_rules.deterministic_calls, LEDGER, "x = nacl.signing.SigningKey.generate()\n"),
    (python_rules.layers, LEDGER, "import tallystick_core\n"),
    (python_rules.layers, LEDGER, "import numpy\n"),
    (python_rules.layers, SDK, "from tallystick_node.config import Config\n"),
    (python_rules.layers, SDK, "import structlog\n"),
    (python_rules.layers, NODE, "import typer\n"),
    (python_rules.layers, NODE, "def f() -> None:\n    from tallystick import Client\n"),
    (python_rules.layers, "cluster/tallystick_cluster/a.py", "import tallystick_loadtests\n"),
    (python_rules.money_without_floats, LEDGER, "x = 1.0\n"),
    (python_rules.money_without_floats, LEDGER, "x = 1e9\n"),
    (python_rules.money_without_floats, LEDGER, "x = a / b\n"),
    (python_rules.money_without_floats, LEDGER, "x /= 2\n"),
    (python_rules.money_without_floats, LEDGER, "x = float(a)\n"),
    (python_rules.money_without_floats, LEDGER, "def f(x: float) -> None: ...\n"),
    (python_rules.money_without_floats, LEDGER, "import decimal\n"),
    (python_rules.money_without_floats, LEDGER, "from decimal import Decimal\n"),
    (python_rules.money_without_floats, LEDGER, "from math import sqrt\n"),
    (python_rules.money_without_floats, LEDGER, "x = math.ceil(a)\n"),
    (python_rules.never_written, TEST, "import pickle\n"),
    (python_rules.never_written, NODE, "from marshal import loads\n"),
    (python_rules.never_written, NODE, "try:\n    f()\nexcept:\n    pass\n"),
    (python_rules.never_written, NODE, "eval('1')\n"),
    (python_rules.no_assert, NODE, "assert x\n"),
    (rust_rules.rust_determinism, KERNEL, "let t = std::time::Instant::now();\n"),
    (rust_rules.rust_determinism, KERNEL, "use std::fs;\n"),
    (rust_rules.rust_determinism, KERNEL, "let r = rand::thread_rng();\n"),
    (rust_rules.rust_money_without_floats, KERNEL, "let x = a as f64;\n"),
    (size_rules.file_length, NODE, "x = 1\n" * 601),
    (size_rules.file_length, KERNEL, "\n" * 601),
    (size_rules.function_length, NODE, LONG_PYTHON),
    (size_rules.function_length, NODE, LONG_PYTHON.replace("def", "async def")),
    (size_rules.function_length, NODE, "class C:\n" + indent(LONG_PYTHON, "  ")),
    (size_rules.function_length, KERNEL, LONG_RUST),
    (size_rules.function_length, KERNEL, "impl<'a> A<'a> { fn b(); " + LONG_RUST + "}\n"),
    (text_rules.line_length, NODE, "x" * 101 + "\n"),
    (text_rules.line_length, "Makefile", "x" * 101 + "\n"),
    (text_rules.no_conflict_markers, "README.md", "<" * 7 + " HEAD\n"),
    (text_rules.no_machine_paths, "README.md", "see /" + "home/alice/notes\n"),
    (text_rules.no_machine_paths, NODE, 'x = "/' + 'root/data"\n'),
    (text_rules.no_registry_addresses, "Makefile", "pip --index-" + "url x\n"),
    (text_rules.no_registry_addresses, "README.md", "https://pypi.org/" + "simple/x\n"),
    (text_rules.whitespace, NODE, "x = 1 \n"),
    (text_rules.whitespace, NODE, "\tx = 1\n"),
    (text_rules.whitespace, NODE, "x = 1\r\n"),
    (text_rules.whitespace, NODE, "x = 1"),
    (text_rules.whitespace, NODE, "x = 1\n\n"),
)

# (rule, path, text): close to a breach, and allowed.
GOOD: tuple[tuple[Rule, str, str], ...] = (
    (python_rules.deterministic_imports, LEDGER, "import hashlib\nfrom nacl import bindings\n"),
    (python_rules.deterministic_imports, LEDGER, "import timeit_not_time\nx.time()\n"),
    (python_rules.deterministic_imports, NODE, "import time\n"),
    (python_rules.deterministic_calls, LEDGER, "x = a.hash()\ny = hashlib.sha256(b)\n"),
    (python_rules.deterministic_calls, NODE, "x = open('a')\n"),
    (python_rules.layers, NODE, "import tallystick_ledger.envelope\nimport structlog\n"),
    (python_rules.layers, LEDGER, "import hashlib, nacl.bindings, tallystick_ledger.ids\n"),
    (python_rules.layers, COMMAND, "import tallystick_cluster\n"),
    (python_rules.layers, TEST, "import tallystick_cluster\n"),
    (python_rules.layers, "ledger/tallystick_ledger/merkle.py", "import tallystick_core\n"),
    (python_rules.money_without_floats, LEDGER, "x = a // b\ny = math.isqrt(4)\nz = '1.5'\n"),
    (python_rules.money_without_floats, LEDGER, "from math import gcd\n"),
    (python_rules.money_without_floats, NODE, "x = 1.5 / 2\n"),
    (python_rules.never_written, NODE, "try:\n    f()\nexcept OSError:\n    model.eval()\n"),
    (python_rules.no_assert, TEST, "assert x\n"),
    (rust_rules.rust_determinism, KERNEL, "// no std::time::Instant here\nuse std::sync::Arc;\n"),
    (rust_rules.rust_money_without_floats, KERNEL, "let x = a as u64; // never f64\n"),
    (rust_rules.rust_money_without_floats, "core/src/raft/mod.rs", "let x = 1f64;\n"),
    (size_rules.file_length, NODE, "x = 1\n" * 600),
    (size_rules.file_length, "docs/format.md", "x\n" * 601),
    (size_rules.function_length, NODE, LONG_PYTHON.removesuffix("    step()\n")),
    (size_rules.function_length, NODE, 'def f() -> None:\n    """A.\n' + "\n" * 99 + '    """\n'),
    (size_rules.function_length, KERNEL, LONG_RUST.replace("(a: [u8; 2]) {\n", "(a: [u8; 2]) {")),
    (size_rules.function_length, KERNEL, "trait T { fn a(&self);\n" + "\n" * 80 + "}\n"),
    (text_rules.line_length, NODE, "x" * 100 + "\n"),
    (text_rules.line_length, "README.md", "| " + "x" * 101 + " |\n"),
    (text_rules.no_conflict_markers, "README.md", "=======\n"),
    (text_rules.no_machine_paths, "README.md", "https://example.org/home/x and docs/work/x\n"),
    (text_rules.no_registry_addresses, "README.md", "https://pypi.org/project/tallystick\n"),
    (text_rules.whitespace, "Makefile", "all:\n\techo\n"),
    (text_rules.whitespace, NODE, ""),
)


@pytest.fixture(scope="module")
def sources(repository_root: Path) -> list[Source]:
    found = read_sources(repository_root)
    paths = {source.path for source in found}
    assert {"Makefile", "README.md", "core/src/lib.rs", "tests/test_tidy.py"} <= paths
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps_the_rule(rule: Rule, sources: list[Source]) -> None:
    findings = [finding for source in sources for finding in rule(source)]
    remaining = [str(finding) for finding in findings if not _in_ratchet(finding)]
    assert not remaining, "\n".join(remaining)


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_the_rule_fires(rule: Rule, path: str, text: str) -> None:
    assert len(list(rule(Source(path, text)))) == 1


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_the_rule_stays_silent(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text))) == []


def test_each_rule_has_samples() -> None:
    assert set(RULES) == {rule for rule, _, _ in BAD} == {rule for rule, _, _ in GOOD}


def test_ratchet_holds_only_what_needs_it(sources: list[Source]) -> None:
    sizes: dict[tuple[str, str], int] = {}
    for source in sources:
        for rule in (size_rules.file_length, size_rules.function_length):
            for finding in rule(source):
                sizes[finding.path, finding.name] = finding.size
    for key, (limit, reason) in size_rules.RATCHET.items():
        assert len(reason.split()) >= 4, f"{key} needs a reason"
        assert key in sizes, f"{key} fits the rule now: take it out of the ratchet"
        slack = limit - sizes[key]
        assert slack <= size_rules.RATCHET_SLACK_LINES, f"{key}: lower its line to {sizes[key]}"


def test_allowed_imports_are_used(sources: list[Source], monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = dict(python_rules.ALLOWED_IMPORTS)
    monkeypatch.setattr(python_rules, "ALLOWED_IMPORTS", {})
    needed = {
        (finding.path, finding.name)
        for source in sources
        for rule in (python_rules.deterministic_imports, python_rules.layers)
        for finding in rule(source)
    }
    assert set(allowed) <= needed
    assert all(len(reason.split()) >= 4 for reason in allowed.values())


def test_each_package_directory_is_a_package(repository_root: Path) -> None:
    missing = _directories_without_init(repository_root)
    assert not missing, f"no __init__.py in {missing}"


def test_a_directory_without_init_is_found(tmp_path: Path) -> None:
    package = tmp_path / "node" / "tallystick_node"
    (package / "parts").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "parts" / "a.py").touch()
    assert _directories_without_init(tmp_path) == ["node/tallystick_node/parts"]


@pytest.mark.parametrize("directory", PACKAGE_DIRECTORIES)
def test_each_package_is_typed(repository_root: Path, directory: str) -> None:
    packages = [path.parent for path in (repository_root / directory).glob("*/__init__.py")]
    assert packages
    assert all((package / "py.typed").is_file() for package in packages)


def _in_ratchet(finding: Finding) -> bool:
    limit, _ = size_rules.RATCHET.get((finding.path, finding.name), (0, ""))
    return 0 < finding.size <= limit


def _directories_without_init(root: Path) -> list[str]:
    """Directories below the packages that hold Python, themselves or deeper, but no __init__.py."""
    found = set()
    for top in PACKAGE_DIRECTORIES:
        for path in (root / top).glob("*/**/*.py"):
            for directory in path.relative_to(root / top).parents:
                where = root / top / directory
                if str(directory) != "." and not (where / "__init__.py").is_file():
                    found.add(str(where.relative_to(root)))
    return sorted(found)
