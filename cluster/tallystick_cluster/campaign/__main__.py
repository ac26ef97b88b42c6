"""Runs a campaign and prints its figures; exit code 1 if anything is off."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tallystick_cluster.campaign.run import ClientKind, run_campaign


def main() -> int:
    """Runs a campaign; returns the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tallystick_cluster.campaign",
        description="Kill nodes of a loaded cluster; nothing acknowledged may be lost.",
    )
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--between", type=int, default=500, help="acknowledgements between kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--client", type=ClientKind, choices=list(ClientKind), default="raw")
    parser.add_argument("--dir", type=Path, help="where; a new directory here by default")
    arguments = parser.parse_args()
    directory = arguments.dir or Path(tempfile.mkdtemp(prefix="tallystick-kill-", dir=Path.cwd()))
    findings = run_campaign(
        directory,
        kills=arguments.kills,
        between=arguments.between,
        seed=arguments.seed,
        client=arguments.client,
    )
    sys.stdout.write(findings.as_json() + os.linesep)
    return 1 if findings.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
