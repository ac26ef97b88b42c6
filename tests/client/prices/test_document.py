"""docs/prices.md: its example runs, its figures are those of the code."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.client.prices.test_conformance import EXPECTED, READ

from tallystick.prices import Action, Book


@pytest.fixture(scope="module")
def document(repository_root: Path) -> str:
    return (repository_root / "docs/prices.md").read_text(encoding="utf-8")


def test_the_example_runs(document: str) -> None:
    examples = re.findall(r"^```python\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    assert len(examples) == 1
    assert examples[0].count("assert") == 3
    subprocess.run([sys.executable, "-c", examples[0]], check=True)


def test_the_command_says_what_the_document_says(document: str) -> None:
    (line,) = re.findall(r"^\$ tallystick (.*)$", document, re.MULTILINE)
    program = "from tallystick.cli import main; main()"
    command = [sys.executable, "-c", program, *shlex.split(line)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    says = re.search(r"^says `(.*?)`", document, re.MULTILINE)
    assert says is not None
    assert ran.stdout.splitlines()[-1] == says[1]


def test_the_table_of_imports_is_true(document: str, litellm: Book, genai: Book) -> None:
    books = (litellm, genai)
    reports = [book.report for book in books]
    rows = {
        "entries": [f"{each.entries:,}" for each in reports],
        "token prices, exact in nano-units per million": [
            f"{each.exact_token_prices:,} of {each.token_prices:,}" for each in reports
        ],
        "lines, cards": [f"{each.lines:,}, {each.cards}" for each in reports],
        "refused": [f"{_count(book, Action.REFUSED):,}" for book in books],
        "flagged as doubtful, and kept": [f"{_count(book, Action.FLAGGED):,}" for book in books],
    }
    for title, cells in rows.items():
        assert f"| {title} | {' | '.join(cells)} |" in document


def test_the_figures_of_conformance_are_true(document: str) -> None:
    words = " ".join(document.split())
    read = sum(count for name, count in READ.items() if name.islower())
    fitting = sum(EXPECTED.values()) - EXPECTED["FOREIGN_COUNTS"]
    fitting -= EXPECTED["read by another API's reader"]
    assert f"Of the {sum(READ.values())} real bodies" in words
    assert f", {read} are read; of the {fitting:,} pairs" in words
    assert f"{EXPECTED['exact']:,} come out equal" in words


def test_the_named_errors_and_policies_exist(document: str) -> None:
    import tallystick.prices as package  # noqa: PLC0415 - by name, as the document does

    named = re.findall(r"`([A-Z][A-Za-z]+)`", document)
    assert {"Unpriced", "ImportPolicy", "UsageRefused"} <= set(named)
    unknown = {name for name in named if not hasattr(package, name)}
    assert unknown == {"UsageReason", "BOOK"}  # of `errors`; an argument of the command
    assert set(re.findall(r"^\| `(\w+)` \|", document, re.MULTILINE)) == set(
        package.ImportPolicy.__dataclass_fields__
    )


def _count(book: Book, action: Action) -> int:
    return sum(book.report.counts([action])[action.value].values())
