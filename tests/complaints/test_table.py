"""The table of docs/complaints.md and the tests are about the same complaints."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
ROW = re.compile(
    r"^\| C(\d+) \| ([^|]+) \| ([^|]+) \| (?:`(test_\w+\.py)`|(not yet)) \|$", re.MULTILINE
)
NAME = re.compile(r"test_c(\d\d)_\w+")


def _tests() -> dict[int, set[str]]:
    """By complaint: the files with its tests."""
    found: dict[int, set[str]] = {}
    for path in HERE.glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                match = NAME.fullmatch(node.name)
                if match:
                    found.setdefault(int(match[1]), set()).add(path.name)
                else:
                    assert not node.name.startswith("test_") or path.name == "test_table.py"
    return found


def test_each_complaint_has_its_test_or_says_that_it_has_none(repository_root: Path) -> None:
    text = (repository_root / "docs" / "complaints.md").read_text(encoding="utf-8")
    rows = ROW.findall(text)
    assert [int(number) for number, *_ in rows] == list(range(1, 21))
    tests = _tests()
    for number, _, _, file, missing in rows:
        expected = set() if missing else {file}
        assert tests.get(int(number), set()) == expected, f"C{number}"
