"""Something that was checked, and how it is told. A check over nothing does not hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

SHOWN_PROBLEMS: Final = 3


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was checked.

    Attributes:
        name: A word for programs.
        ok: Whether it is so.
        text: What was compared; what is wrong if it is not so.
    """

    name: str
    ok: bool
    text: str


def check(name: str, text: str, problems: Iterable[str], *, count: int = 1) -> Check:
    """Makes a check out of what was found.

    Args:
        name: A word for programs.
        text: What was compared.
        problems: What is wrong; none if all is well.
        count: How much was looked at: nothing is wrong, too.
    """
    found = list(problems)
    if not count:
        found.append("there was nothing to look at")
    if not found:
        return Check(name, ok=True, text=text)
    more = f" and {len(found) - SHOWN_PROBLEMS:,} more" if len(found) > SHOWN_PROBLEMS else ""
    return Check(name, ok=False, text=f"{text}: {'; '.join(found[:SHOWN_PROBLEMS])}{more}")
