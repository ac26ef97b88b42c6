"""Evidence against a leader: the block that failed its check, and what was wrong with it.

Two files per case in `evidence/` of the node's directory: the block's bytes as they came, and a
JSON description. Anyone can run the check of docs/format.md section 8 on them again.
"""

import json
from pathlib import Path
from typing import Final

from tallystick_node.consensus_actions import Alarm, BadBlock
from tallystick_node.limits import MAX_EVIDENCE_FILES

EVIDENCE_DIRECTORY: Final = "evidence"


def write_evidence(directory: Path, alarm: Alarm, bad: BadBlock, now_ns: int) -> Path | None:
    """Write down what a leader sent.

    Args:
        directory: the node's.
        alarm: names the leader and its term.
        bad: the block and what is wrong with it.
        now_ns: this node's clock.

    Returns:
        The JSON file; None if there is evidence enough.

    Raises:
        OSError: it cannot be written.
    """
    folder = directory / EVIDENCE_DIRECTORY
    folder.mkdir(mode=0o700, exist_ok=True)
    if sum(1 for _ in folder.glob("*.json")) >= MAX_EVIDENCE_FILES:
        return None
    name = f"bad-block-term-{alarm.term}-index-{bad.job.index}-node-{alarm.peer}"
    (folder / f"{name}.block").write_bytes(bad.job.block)
    description = folder / f"{name}.json"
    description.write_text(
        json.dumps(
            {
                "leader": alarm.peer,
                "term": alarm.term,
                "index": bad.job.index,
                "code": bad.code,
                "detail": bad.detail,
                "expected_first_sequence": bad.job.before.next_sequence,
                "expected_timestamp_ns_at_least": bad.job.before.min_next_timestamp_ns,
                "received_ns": now_ns,
                "block": f"{name}.block",
            },
            indent=2,
        )
        + "\n"
    )
    return description
