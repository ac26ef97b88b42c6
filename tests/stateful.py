"""How long the state machines run, and how it is shown that they would notice a fault.

`make test` runs each for some seconds, always with the same examples. `TALLYSTICK_MACHINES=20`
makes twenty times as many; docs/fuzzing.md tells the rest.
"""

import os
from typing import Final

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

FACTOR_VARIABLE: Final = "TALLYSTICK_MACHINES"


def length(*, examples: int, steps: int) -> settings:
    """So many examples, times the factor, of at most so many rules."""
    factor = int(os.environ.get(FACTOR_VARIABLE, "1"))
    return settings(max_examples=examples * factor, stateful_step_count=steps)


def run_machine(machine: type[RuleBasedStateMachine], *, examples: int, steps: int) -> None:
    """Runs a machine; see `length`."""
    run_state_machine_as_test(machine, settings=length(examples=examples, steps=steps))


def require_caught(
    machine: type[RuleBasedStateMachine],
    *,
    examples: int,
    steps: int,
    match: str,
    error: type[Exception] = AssertionError,
) -> None:
    """Runs a machine with a planted fault, which one of its checks must notice.

    Args:
        machine: Whose subject is broken.
        examples: Within so many.
        steps: Of so many rules at most.
        match: What the check says: the fault must be noticed by the check that is there for it.
        error: What the check raises.
    """
    quick = settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=[Phase.generate],  # the shortest example is of no interest
        database=None,
        report_multiple_bugs=False,
        print_blob=False,
    )
    with pytest.raises(error, match=match):
        run_state_machine_as_test(machine, settings=quick)
