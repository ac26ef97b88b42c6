"""What the roots and the leaf of a full envelope cost, beside a flat hash of the same bytes.

    python -m tallystick_loadtests.hashing

The figures in docs/adr/0003-formats.md are from here.
"""

import hashlib
import os
import sys
import time
from collections.abc import Callable
from typing import Final

from tallystick_core import tree_root

from tallystick_ledger.limits import LEAF_BYTES, MAX_RECORDS, RECORD_BYTES, RESULT_BYTES

ROUNDS: Final = 200
MS: Final = 1_000.0


def best_ms(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Shortest of many runs, in ms: what the work costs when nobody disturbs it."""
    shortest_s = float("inf")
    for _ in range(rounds):
        started_s = time.perf_counter()
        work()
        shortest_s = min(shortest_s, time.perf_counter() - started_s)
    return shortest_s * MS


def measure() -> dict[str, float]:
    """Milliseconds for a full envelope of 8,190 records."""
    records = os.urandom(MAX_RECORDS * RECORD_BYTES)
    results = os.urandom(MAX_RECORDS * RESULT_BYTES)
    leaf = b"\x00" + os.urandom(LEAF_BYTES)
    return {
        "flat SHA-256 of the records": best_ms(lambda: hashlib.sha256(records).digest()),
        "records root": best_ms(lambda: tree_root(records, RECORD_BYTES)),
        "results root, not all plain": best_ms(lambda: tree_root(results, RESULT_BYTES)),
        "leaf hash": best_ms(lambda: hashlib.sha256(leaf).digest()),
    }


def main() -> None:
    """Prints the table."""
    for name, cost_ms in measure().items():
        sys.stdout.write(f"{name:<30} {cost_ms:8.4f} ms\n")


if __name__ == "__main__":
    main()
