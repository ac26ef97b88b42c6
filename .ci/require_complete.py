"""Fails unless each JUnit report named on the command line shows a suite that ran as a whole.

That is: at least one test, and none skipped. A suite that skips what it cannot run would otherwise
look like one that passed.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def complaint(report: Path) -> str | None:
    """What is wrong with the suite that `report` describes; None if it ran as a whole.

    Raises:
        OSError: the report is not there.
        ET.ParseError: it is not XML.
    """
    suites = list(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 - what pytest wrote
    tests = sum(int(suite.get("tests", "0")) for suite in suites)
    skipped = sum(int(suite.get("skipped", "0")) for suite in suites)
    if tests == 0 or skipped > 0:
        return f"{report.name}: {tests} tests, {skipped} of them skipped"
    return None


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit("usage: require_complete.py REPORT...")
    complaints = [text for text in map(complaint, map(Path, sys.argv[1:])) if text]
    if complaints:
        sys.exit("\n".join(complaints))
