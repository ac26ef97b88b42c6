"""`tallystick prices`: offline, with typed errors."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tallystick import cli

Run = Callable[..., tuple[int, str, str]]

AT = ("--at", "2026-07-01T12:00:00Z")
ANSWER = {
    "model": "gpt-5-mini-2025-08-07",
    "service_tier": "default",
    "usage": {"prompt_tokens": 1200, "completion_tokens": 80, "total_tokens": 1280},
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tallystick", "prices", *arguments])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_command


def test_an_answer_has_its_price(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(ANSWER))
    code, out, _ = run("charge", "genai", "openai", "--answer", str(path), *AT, "--json")
    assert code == 0
    said = json.loads(out)
    assert said["usage"] == "input=1200,output=80"
    assert said["amount_nano"] == str(1_200 * 250 + 80 * 2_000)
    assert [part["meter"] for part in said["parts"]] == ["input", "output"]


def test_an_import_lists_its_items(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "book.json"
    entry = {"litellm_provider": "p", "input_cost_per_token": 1e-6, "output_cost_per_token": 0}
    path.write_text(json.dumps({"m": entry}))
    code, out, _ = run("import", str(path), "--json")
    assert code == 0
    (item,) = json.loads(out)["items"]
    assert (item["action"], item["reason"], item["what"]) == (
        "refused",
        "ZERO",
        "output_cost_per_token",
    )
    code, out, _ = run("import", str(path), "--free-zeros")
    assert code == 0
    assert "added 1 (FREE_ZERO 1)" in out.splitlines()[-1]


USAGE = ("--usage", "input=1,output=1")


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("import", "no-such-file"), 1, "BOOK_UNREADABLE"),
        (("charge", "genai", "openai", *AT), 2, "INVALID_ARGUMENT"),
        (("charge", "genai", "openai", *USAGE, *AT), 2, "INVALID_ARGUMENT"),
        (("charge", "genai", "openai", *USAGE, "--at", "noon"), 2, "INVALID_ARGUMENT"),
        (
            ("charge", "genai", "openai", *USAGE, "--at", "2026-07-01T12:00:00"),
            2,
            "INVALID_ARGUMENT",
        ),
        (("charge", "genai", "openai", "--answer", "none", *AT), 2, "INVALID_ARGUMENT"),
        (("charge", "genai", "openai", "--answer", "list.json", *AT), 2, "INVALID_ARGUMENT"),
        (("charge", "genai", "openai", "--answer", "text.json", *AT), 2, "INVALID_ARGUMENT"),
        (("charge", "genai", "openai", "--answer", "empty.json", *AT), 1, "USAGE_REFUSED"),
        (("charge", "genai", "openai", "--model", "x", *USAGE, *AT), 1, "UNKNOWN_MODEL"),
        (
            ("charge", "genai", "openai", "--model", "gpt-5-mini", "--usage", "page=1", *AT),
            1,
            "UNPRICED",
        ),
    ],
)
def test_what_goes_wrong_has_a_code(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    word: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("list", "[]"), ("text", "x"), ("empty", "{}")):
        (tmp_path / f"{name}.json").write_text(text)
    exit_code, out, err = run(*arguments, "--json")
    assert exit_code == code
    assert json.loads(out)["error"]["code"] == word
    assert err.startswith("tallystick: ")
