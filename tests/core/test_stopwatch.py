"""A stopwatch that passes over all but a minute of the time in which the machine slept."""

from __future__ import annotations

from vidu.stopwatch import LONGEST_STEP_S, Stopwatch


def test_stopwatch_read_again_and_again_counts_the_seconds():
    now = 100.0
    watch = Stopwatch(lambda: now)
    for step_s in (0.0, 1.0, 20.5, LONGEST_STEP_S - 1):
        now += step_s
        watch.elapsed_s()
    assert watch.elapsed_s() == 20.5 + LONGEST_STEP_S


def test_stopwatch_of_a_sleeping_machine_counts_a_minute():
    now = 100.0
    watch = Stopwatch(lambda: now)
    now += 5
    assert watch.elapsed_s() == 5
    now += 8 * 3600
    assert watch.elapsed_s() == 5 + LONGEST_STEP_S
    now += 1
    assert watch.elapsed_s() == 6 + LONGEST_STEP_S
