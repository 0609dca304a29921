"""A sequence of commands, each reported with its result and its time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .shell import run, say, shout

TESTS_FAILED = 1
"""pytest's exit code where tests ran and some failed."""

NOTHING_COLLECTED = 5
"""pytest's exit code where -k or -m chose no test of a layer."""


@dataclass(frozen=True)
class Step:
    """One command of the run.

    Args:
        name: What the summary calls it.
        command: The program and its arguments.
        environment: The whole environment it gets.
        may_be_empty: Whether pytest may find no test in it.
        again: What runs the failed tests once more, one at a time. Beside five others, a test
            with real time limits fails on a machine that is too slow for six.
    """

    name: str
    command: Sequence[object]
    environment: Mapping[str, str]
    may_be_empty: bool = False
    again: Sequence[object] = ()

    def passed(self, code: int) -> bool:
        """Return whether this exit code is a success."""
        return code == 0 or (code == NOTHING_COLLECTED and self.may_be_empty)


def run_steps(steps: Sequence[Step]) -> int:
    """Run all steps in order, whatever becomes of one; return 0 when all passed."""
    codes, lines = [], []
    for step in steps:
        say(step.name)
        began = time.monotonic()
        code = run(*step.command, env=dict(step.environment))
        result = "passed"
        if code == TESTS_FAILED and step.again:
            shout(f"TESTS FAILED, AND RUN ONCE MORE ONE AT A TIME: {step.name}")
            code = run(*step.again, env=dict(step.environment))
            result = "passed 2nd"
        seconds = time.monotonic() - began
        codes.append(code)
        result = result if step.passed(code) else f"FAILED ({code})"
        lines.append(f"{seconds:7.1f} s  {result:<12}  {step.name}")
    say("summary")
    print("\n".join(lines), flush=True)
    passed = all(step.passed(code) for step, code in zip(steps, codes, strict=True))
    return 0 if passed and 0 in codes else 1
