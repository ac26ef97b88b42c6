"""The merge check does not take a suite for passed that did not run."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PASSING = "import pytest\ndef test_a() -> None: pass\n"
SKIPPING = PASSING + "@pytest.mark.skip\ndef test_b() -> None: pass\n"
SUITES = {"passes": (PASSING, True), "skips": (SKIPPING, False), "is empty": ("x = 1\n", False)}


@pytest.mark.parametrize(("text", "complete"), SUITES.values(), ids=SUITES.keys())
def test_only_a_suite_that_ran_is_complete(
    repository_root: Path, tmp_path: Path, text: str, complete: bool
) -> None:
    (tmp_path / "test_sample.py").write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    report = tmp_path / "report.xml"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(tmp_path), f"--junitxml={report}"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
    )
    assert report.is_file()
    answer = subprocess.run(
        [sys.executable, str(repository_root / ".ci/require_complete.py"), str(report)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (answer.returncode == 0) is complete
    assert ("report.xml" in answer.stderr) is not complete


def test_the_merge_check_is_valid_bash(repository_root: Path) -> None:
    script = repository_root / ".ci/run"
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert script.stat().st_mode & 0o100


def test_what_make_test_leaves_out_is_a_suite_of_the_merge_check(repository_root: Path) -> None:
    settings = tomllib.loads((repository_root / "pyproject.toml").read_text())
    options = settings["tool"]["pytest"]["ini_options"]
    (expression,) = [each for each in options["addopts"] if each.startswith("-m=")]
    assert re.fullmatch(r"-m=not \w+( and not \w+)*", expression)
    left_out = set(re.findall(r"not (\w+)", expression))
    script = (repository_root / ".ci/run").read_text()
    assert left_out == set(re.findall(r"^suite (\w+) \d+$", script, re.MULTILINE))
    assert left_out <= {marker.partition(":")[0] for marker in options["markers"]}


def test_no_test_of_the_project_can_be_skipped(repository_root: Path) -> None:
    """A test that skips where something is missing looks like one that passed."""
    skipping = re.compile(
        r"^[^\"'#]*\b(mark\.skip|skipif|pytest\.skip|importorskip|xfail)\b", re.MULTILINE
    )
    found = [
        path.relative_to(repository_root)
        for path in (repository_root / "tests").rglob("*.py")
        if skipping.search(path.read_text())
    ]
    assert found == []
