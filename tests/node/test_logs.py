"""What the node writes to stderr."""

import json
import subprocess
import sys

import pytest

CODE = """
import structlog
from tallystick_node.config import LogSettings
from tallystick_node.logs import configure_logs
early = structlog.get_logger("early")
configure_logs(LogSettings(level={level!r}, format={format!r}), raft_id=3)
early.info("peer port open", port=7)
structlog.get_logger("late").error("alarm", kind="bad_block")
"""


def run(level: str, form: str) -> list[str]:
    code = CODE.format(level=level, format=form)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_json_is_one_object_a_line_and_names_the_node() -> None:
    first, second = (json.loads(line) for line in run("info", "json"))
    assert (first["event"], first["port"], first["node"]) == ("peer port open", 7, 3)
    assert second["level"] == "error"
    assert second["timestamp"].endswith("Z")


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_is_below_the_level_is_not_written(form: str) -> None:
    (line,) = run("error", form)
    assert "bad_block" in line
