"""`dev.py test`: the checks, then each layer of tests on the Pythons it belongs on."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .checks import check_steps
from .comfyui import ComfyUI, find_comfyui
from .environments import lowest, make_environment, pack_requirements, read_requirements
from .local import developer_python, environment_variables
from .pythons import SUPPORTED, Python, find_pythons
from .shell import ROOT, shout
from .steps import Step, run_steps

WITHOUT_COMFYUI = ("core", "pack")
WITH_COMFYUI = ("host", "server", "browser")

SHORT = ("tests/core/draft", "tests/core/media", "tests/core/test_python_api.py")
"""What depends on the Python and the libraries: drafts, decoding, saving, and a live shot."""

# Most of a core test is waiting, and of one with a server; a browser fills two cores.
SIX_AT_ONCE = ("-n", 6, "--dist", "loadfile", "--no-loadscope-reorder")
TWO_AT_ONCE = ("-n", 2, "--dist", "loadfile")
FAILED_ALONE = ("-m", "pytest", "--last-failed", "--last-failed-no-failures=none")


def test(pytest_args: Sequence[str], *, every_python: bool) -> int:
    """Run the checks and all tests, or the named ones; return 0 when all passed.

    Args:
        pytest_args: Names that begin with tests/, and options for pytest.
        every_python: Run the whole core layer on each Python found, instead of its short part.
    """
    named = [argument for argument in pytest_args if argument.startswith("tests/")]
    options = [argument for argument in pytest_args if argument not in named]
    comfyui = find_comfyui()
    names = _runnable(named or [f"tests/{x}" for x in (*WITHOUT_COMFYUI, *WITH_COMFYUI)], comfyui)
    newest, *others = _find_supported()
    python = developer_python(newest)
    steps = [] if named else check_steps(python)
    steps += _layer_steps(names, options, python, comfyui)
    if every_python:
        core = [name for name in names if _layer_of(name) == "core"]
        steps += _other_pythons(core, options, newest, others)
    elif not named:
        steps += _other_pythons(SHORT, options, newest, others)
    return run_steps(steps)


def _find_supported() -> list[Python]:
    pythons = find_pythons()
    if not pythons:
        sys.exit(f"{sys.executable} cannot make virtual environments. Install python3-venv.")
    found = [python.version[:2] for python in pythons]
    missing = [f"{major}.{minor}" for major, minor in SUPPORTED if (major, minor) not in found]
    if missing:
        shout(f"PYTHON {', '.join(missing)} NOT FOUND: NOTHING IS TESTED THERE.")
    return pythons


def _runnable(names: Sequence[str], comfyui: ComfyUI | None) -> list[str]:
    if comfyui:
        return list(names)
    shout(f"NO ComfyUI FOUND: the tests of {', '.join(WITH_COMFYUI)} DO NOT RUN.")
    return [name for name in names if _layer_of(name) in WITHOUT_COMFYUI]


def _layer_of(name: str) -> str:
    return Path(name).parts[1].partition("::")[0]


def _layer_steps(
    names: Sequence[str], options: Sequence[str], python: Path, comfyui: ComfyUI | None
) -> Iterator[Step]:
    """Yield a step for each group of layers that share an interpreter and a way to run."""
    groups = (
        (WITHOUT_COMFYUI, python, SIX_AT_ONCE),
        (("host",), comfyui and comfyui.python, ()),
        (("server",), python, TWO_AT_ONCE),
        (("browser",), python, ()),
    )
    variables = environment_variables(comfyui)
    for layers, interpreter, workers in groups:
        chosen = [name for name in names if _layer_of(name) in layers]
        if chosen:
            command = (interpreter, "-m", "pytest", *workers, *chosen, *options)
            yield Step(
                " ".join(("pytest", *chosen)),
                command,
                variables,
                may_be_empty=bool(options),
                again=(interpreter, *FAILED_ALONE, *chosen, *options),
            )


def _other_pythons(
    names: Sequence[str], options: Sequence[str], newest: Python, others: Sequence[Python]
) -> Iterator[Step]:
    """Yield a step for each other Python with the newest libraries, one with the lowest bounds."""
    requirements = [*pack_requirements(), *read_requirements("tests/core/requirements.txt")]
    oldest = others[-1] if others else newest
    plans = [(f"Python {python.name}", python, requirements) for python in others]
    plans.append((f"Python {oldest.name} with the lowest bounds", oldest, lowest(requirements)))
    folders = [f".venv-{python.name}-core" for python in others] + [f".venv-{oldest.name}-lowest"]
    with ThreadPoolExecutor() as pool:
        made = [
            pool.submit(make_environment, ROOT / folder, wanted, python)
            for folder, (_, python, wanted) in zip(folders, plans, strict=True)
        ]
    for (name, _, _), environment in zip(plans, made, strict=True):
        command = (environment.result(), "-m", "pytest", *SIX_AT_ONCE, *names, *options)
        yield Step(
            f"{name}: pytest",
            command,
            environment_variables(),
            may_be_empty=bool(options),
            again=(environment.result(), *FAILED_ALONE, *names, *options),
        )
