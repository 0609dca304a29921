"""Random histories of a shot, drawn from every step and fault that `history.py` knows."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from itertools import cycle

from local_fal.catalog import APP
from local_fal.faults import (
    ACCOUNT,
    DOWNLOAD,
    GENERATION,
    JOB_FAULTS,
    KINDS,
    LISTING,
    ODD_DETAILS,
    PLACES,
    RESULT,
    STORAGE,
    SUBMIT,
)
from vidu.endpoints import ENDPOINTS
from vidu.progress import Phase

from .shots import STEPS

LONGEST = 4
DAY_S = 86_400
PHASES = [phase.value for phase in Phase if phase not in (Phase.DECODING, Phase.DONE)]


def faults_at(*places: str) -> list[str]:
    """The faults that any request to these places can meet."""
    assert set(places) <= set(PLACES)
    return [f"{place}_{kind}" for place in places for kind in (*KINDS, "reset", "timeout")]


FAULT_GROUPS: list[Collection[str]] = [
    SUBMIT,
    [*faults_at("submit", "token", "upload"), *ACCOUNT, *STORAGE],
    {*faults_at("status", "result"), *RESULT} - JOB_FAULTS,
    [*faults_at("cancel", "listing"), *LISTING],
    [*faults_at("download"), *DOWNLOAD],
    {*GENERATION, *ODD_DETAILS} - {"slow"},
]
GROUPS = [sorted(set(group)) for group in FAULT_GROUPS]
"""A group is drawn first and a fault from it then, so that a small group counts as much."""


ENDPOINT_NAMES = sorted(name.removeprefix(f"{APP}/") for name in ENDPOINTS)


def draw_histories(rng: random.Random, count: int) -> list[list[str]]:
    """Draw histories; every endpoint has as many, give or take one."""
    endpoints = cycle(rng.sample(ENDPOINT_NAMES, len(ENDPOINT_NAMES)))
    return [_draw_history(rng, next(endpoints)) for _ in range(count)]


def _draw_history(rng: random.Random, endpoint: str) -> list[str]:
    """Draw one to four steps of an endpoint's shot; see history.py for what they mean."""
    steps = [_draw_step(rng) for _ in range(rng.randint(1, LONGEST))]
    if "twin" in steps and any("accepted_as_first" in step for step in steps):
        # No ledger can tell that the id in fal's reply is that of a twin on another machine.
        return _draw_history(rng, endpoint)
    shot = f"shot {endpoint}{rng.choice(['', ' whole'])}"
    return [shot, f"seed {rng.randint(0, 1)}", *steps]


def _draw_step(rng: random.Random) -> str:
    return rng.choice(STEP_KINDS)(rng)


def _draw_run(rng: random.Random) -> str:
    return rng.choice(RUN_KINDS)(rng)


def _draw_fault(rng: random.Random) -> str:
    return rng.choice(rng.choice(GROUPS))


def _interrupt(rng: random.Random) -> str:
    seconds = rng.choice(["", " 0.05", " 0.3", " 1.2"])
    return f"{rng.choice(['cancel', 'teardown'])} {rng.choice(PHASES)}{seconds}"


RUN_KINDS: list[Callable[[random.Random], str]] = [
    lambda rng: "run",
    _interrupt,
    lambda rng: f"kill {rng.choice(['before', 'after'])}:{rng.choice(STEPS)}",
    lambda rng: f"kill {rng.choice([1.0, 1.5, 2.0, 3.0])}",
]
LEDGER_DAMAGE = ["zeroed", "emptied", "cut", "junked", "removed"]
CLOCK_JUMPS = [0, 2, 3600, -3600, 2 * DAY_S, -3 * DAY_S]
STEP_KINDS: list[Callable[[random.Random], str]] = [
    _draw_run,
    lambda rng: f"{_draw_run(rng)} & {_draw_run(rng)}",
    lambda rng: rng.choice(["remove", "damage", "retitle", "replace", "hide", "show"]),
    lambda rng: f"{rng.choice(['clock', 'fal_clock'])} {rng.choice(CLOCK_JUMPS)}",
    lambda rng: f"decoder {rng.randint(0, 3)}",
    lambda rng: f"damage_ledger {rng.choice(LEDGER_DAMAGE)}",
    lambda rng: rng.choice(["copy_ledger", "restore_ledger"]),
    lambda rng: rng.choice(["hide_ledger", "show_ledger"]),
    lambda rng: "twin",
    lambda rng: f"fal {_draw_fault(rng)}:{rng.randint(1, 2)}",
    lambda rng: f"fal {_draw_fault(rng)}:1,{_draw_fault(rng)}:1",
]
