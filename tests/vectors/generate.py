"""Writes the conformance vectors of this directory: `python -m tests.vectors.generate`.

The files are a function of this code alone: a test renders them again and compares. See README.md
for what they mean.
"""

import json
from pathlib import Path
from typing import Final

from tests.vectors import (
    block_cases,
    envelope_cases,
    fixed,
    genesis_cases,
    read_token_cases,
    small_cases,
)

DIRECTORY: Final = Path(__file__).resolve().parent


def render() -> dict[str, str]:
    """Returns the text of every file, by its name."""
    ledger = {
        "genesis": fixed.GENESIS.encode().hex(),
        "ledger_id": fixed.LEDGER_ID.hex(),
        "max_lifetime_ns": fixed.GENESIS.max_lifetime_ns,
    }
    files: dict[str, fixed.Json] = {
        "genesis.json": {"section": 3, "cases": genesis_cases.cases()},
        "ids.json": {"section": 4, **small_cases.id_cases()},
        "envelope.json": {"section": 5, **ledger, "cases": envelope_cases.cases()},
        "possession.json": {"section": 6, "cases": small_cases.possession_cases()},
        "key.json": {"section": 2, "cases": small_cases.key_cases()},
        "signature.json": {"section": 2, "cases": small_cases.signature_cases()},
        "block.json": {"section": 8, **ledger, "cases": block_cases.cases()},
        "leaf.json": {"section": 9, **small_cases.leaf_cases()},
        "read_token.json": read_token_cases.content(),
    }
    return {name: json.dumps(content, indent=1) + "\n" for name, content in files.items()}


def main() -> None:
    """Writes all files."""
    for name, text in render().items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
