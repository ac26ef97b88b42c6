"""docs/marketplace.md: its commands, one after the other, from an empty directory."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tallystick_cluster.layout import CLUSTER_FILE, ClusterLayout
from tallystick_cluster.manage import stop_nodes

pytestmark = [pytest.mark.cluster, pytest.mark.patient, pytest.mark.slow, pytest.mark.timeout(600)]

TALLYSTICK = str(Path(sys.executable).with_name("tallystick"))


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """An empty one; nodes that run in it at the end are stopped."""
    yield tmp_path
    if (tmp_path / "market" / CLUSTER_FILE).exists():
        stop_nodes(ClusterLayout.open(tmp_path / "market"))


def run(command: list[str], directory: Path) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if "TALLYSTICK" not in key}
    ran = subprocess.run(
        [TALLYSTICK, *command, "--json"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, (command, ran.stdout, ran.stderr)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def until_in_force(directory: Path) -> None:
    """Returns once log time is past the beginning of every card."""
    while True:
        asked = ["market", "--usage", "input=1", "-k", "unit-sales"]
        offers = run(asked, directory)["offers"]
        if all(offer["amount"] is not None for offer in offers):
            return
        time.sleep(1)  # cards begin when this machine's clock says so


def test_the_commands_of_the_page_settle_a_priced_request(
    directory: Path, repository_root: Path
) -> None:
    page = (repository_root / "docs" / "marketplace.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\$ (.*)$", page, re.MULTILINE)
    words: dict[str, str] = {}
    answers: list[dict[str, Any]] = []
    for line in lines:
        first, *command = [words.get(word, word) for word in line.split()]
        if first == "cd":
            directory = directory / command[0]
            continue
        assert first == "tallystick"
        if command[0] == "market":
            until_in_force(directory)
        answer = run(command, directory)
        if command[0] == "market":
            words["CARD"] = answer["offers"][0]["card"]
            assert [offer["provider"] for offer in answer["offers"]] == [
                "lab-speech",
                "lab-research",
            ]
        if command[0] == "reserve":
            words["HOLD"] = answer["hold"]
        if command[0] == "marketplace":
            assert run(command, directory)["made"] == []
        answers.append(answer)
    assert len(answers) == 10
    assert answers[-2]["available"] == "122000"
    assert "0.000122 USD" in page
