"""The execution vectors of tests/vectors, on both engines and through the checks of new bytes."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
import tallystick_core
from tests.differential import raw
from tests.differential.book import MakeEngine
from tests.vectors import execution_cases, execution_story

from tallystick_ledger import checks
from tallystick_ledger.codes import Code
from tallystick_ledger.genesis import Genesis
from tallystick_ledger.ids import SequenceNumber, TimestampNs

Json = dict[str, Any]

DIRECTORY: Final = Path(__file__).resolve().parent.parent / "vectors"
FILES: Final = ("execution.json", "execution_random.json")


def load(name: str) -> Json:
    content: Json = json.loads((DIRECTORY / name).read_text(encoding="utf-8"))
    return content


def test_the_files_are_what_the_generator_writes() -> None:
    for name, text in execution_cases.render().items():
        written = (DIRECTORY / name).read_text(encoding="utf-8")
        assert written == text, f"{name} is old: python -m tests.vectors.execution_cases"


@pytest.mark.parametrize("name", FILES)
def test_both_engines_say_what_the_vectors_say(name: str, engine: MakeEngine) -> None:
    content = load(name)
    ledger = engine(bytes.fromhex(content["genesis"]))
    for block in content["blocks"]:
        outcome = ledger.apply(bytes.fromhex(block["data"]))
        assert outcome.results.hex() == "".join(block["results"]), block["note"]
        assert outcome.effects.hex() == "".join(block["effects"]), block["note"]
        assert list(outcome.effect_counts) == block["effect_counts"], block["note"]
        assert [item.hex() for item in outcome.leaf_hashes] == block["leaf_hashes"]
        assert ledger.position()[2] == block["tree_size"]
        assert ledger.tree_root().hex() == block["tree_root"]
        assert ledger.digest().hex() == block["state_digest"], block["note"]


def test_every_block_of_the_story_could_be_ordered() -> None:
    content = load("execution.json")
    genesis = Genesis.decode(bytes.fromhex(content["genesis"]))
    next_sequence, min_timestamp_ns = SequenceNumber(1), TimestampNs(0)
    for block in content["blocks"]:
        data = bytes.fromhex(block["data"])
        fast = tallystick_core.check_block(
            data,
            ledger_id=genesis.ledger_id,
            max_lifetime_ns=genesis.max_lifetime_ns,
            next_sequence=next_sequence,
            min_timestamp_ns=min_timestamp_ns,
            seed=bytes(32),
            threads=1,
        )
        assert fast.code == 0, (block["note"], fast.detail)
        checked = checks.check_block(
            data,
            ledger_id=genesis.ledger_id,
            max_lifetime_ns=genesis.max_lifetime_ns,
            next_sequence=next_sequence,
            min_timestamp_ns=min_timestamp_ns,
        )
        next_sequence = checked.header.next_sequence
        min_timestamp_ns = checked.header.min_next_timestamp_ns


def test_the_story_has_every_code_and_does_every_kind() -> None:
    content = load("execution.json")
    assert execution_story.uncovered(content) == set()
    done = set()
    for block in content["blocks"]:
        data, index, at = bytes.fromhex(block["data"]), 0, 64
        while at < len(data):
            count = int.from_bytes(data[at + 12 : at + 16], "little")
            for start in range(at + 256, at + 256 + 128 * count, 128):
                if block["codes"][index] == Code.OK.name:
                    done.add(int.from_bytes(data[start : start + 2], "little"))
                index += 1
            at += 256 + 128 * count
    assert done == {
        raw.PRINCIPAL,
        raw.KEY,
        raw.NAME,
        raw.ACCOUNT,
        raw.UNIT,
        raw.ISSUE,
        raw.BURN,
        raw.CREDIT_LIMIT,
        raw.TRANSFER,
        raw.RESERVE,
        raw.EXTEND,
        raw.CAPTURE,
        raw.RELEASE,
        raw.METER,
        raw.MANDATE,
        raw.MANDATE_END,
        raw.PAY_CLAIM,
        raw.CHANNEL,
        raw.TOP_UP,
        raw.VOUCHER,
        raw.CHANNEL_CLOSE,
        raw.CARD,
        raw.PRICE,
        raw.CARD_PUBLISH,
        raw.LIMIT,
        raw.ZONE,
        raw.DELEGATE,
        raw.KILL,
        raw.RECOVER,
        raw.VETO,
        raw.REFUND,
        raw.DISPUTE,
        raw.DISPUTE_ANSWER,
        raw.REPRICE,
        raw.LIST,
        raw.GRANT,
        raw.CLAW_BACK,
        raw.RELATION,
        raw.TICK,
        raw.JOIN,
        raw.WINDOW_CLOSE,
        raw.SETTLE,
        raw.FAIL,
        raw.CONT,
    }
