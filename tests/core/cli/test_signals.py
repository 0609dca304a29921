"""Commands that are stopped, and commands of which one shot breaks: real processes and signals."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import closing
from pathlib import Path
from subprocess import Popen

import pytest
from blocking_ledger import BlockingLedger
from PIL import Image

from vidu.cli._windows_console import on_console_close
from vidu.command_line import command_line
from vidu.models import State

from ...support.shots import until

ROOT = Path(__file__).resolve().parents[3]
PROMPT = ("--prompt", "The tide comes in")
UNIX = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows cannot press Ctrl-C for one process"
)


@pytest.fixture
def images(tmp_path) -> list[Path]:
    paths = [tmp_path / "beach.png", tmp_path / "cliff.png"]
    for path, color in zip(paths, ("navy", "teal"), strict=True):
        Image.new("RGB", (64, 48), color).save(path)
    return paths


@pytest.fixture
def commands(images, tmp_path, clips) -> dict[str, list[object]]:
    """The two images into clips, by each of the commands that pay."""
    manifest = tmp_path / "shots.csv"
    rows = "".join(f"{image.name},{PROMPT[1]}\n" for image in images)
    manifest.write_text(f"image,prompt\n{rows}")
    for image in images:
        image.with_suffix(".txt").write_text(PROMPT[1])
    return {
        "generate": ["generate", *images, *PROMPT, "--out", clips],
        "batch": ["batch", manifest, "--out", clips],
        "watch": ["watch", tmp_path, "--out", clips, "--interval", "0.2"],
    }


PAYING = pytest.mark.parametrize("name", ["generate", "batch", "watch"])


def asked(fal) -> list[dict]:
    return [job for job in fal.ledger()["jobs"] if job["polls"]]


def polls(fal) -> int:
    return sum(len(job["polls"]) for job in fal.ledger()["jobs"])


def states(home: Path) -> list[State]:
    with BlockingLedger.open(home) as ledger:
        return [entry.state for entry in ledger.entries()]


def ended(process: Popen[str], number: signal.Signals) -> list[str]:
    """What it says on stderr when this signal ends it."""
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, out) == (128 + number, "")
    assert "Traceback" not in err
    return err.splitlines()


# Ctrl-C is the user's cancel.


@UNIX
@PAYING
async def test_ctrl_c_while_generating_cancels_at_fal_and_says_so(
    name, commands, start, open_fal, vidu_home
):
    fal = open_fal(generation_seconds=60)
    process = start(*commands[name], **fal.environment)
    await until(lambda: len(asked(fal)) == 2)
    *_, word = ended(process, signal.SIGINT)
    assert word.startswith("interrupted. At fal: 2 asked to cancel. ")
    assert f"`{command_line('resume', '--home', vidu_home)}`" in word
    assert [job["status_code"] for job in fal.ledger()["jobs"]] == [499, 499]
    assert states(vidu_home) == [State.CANCELLED, State.CANCELLED]


@UNIX
async def test_ctrl_c_with_nothing_at_fal_says_so(commands, start, open_fal, vidu_home):
    fal = open_fal(faults="upload_timeout")
    process = start(*commands["generate"], **fal.environment)
    await until(lambda: len(fal.ledger()["requests"]) >= 2)
    *_, word = ended(process, signal.SIGINT)
    assert word == "interrupted. Nothing is left at fal."
    assert set(states(vidu_home)) == {State.FAILED}


@UNIX
async def test_ctrl_c_while_resuming_cancels_nothing(commands, start, open_fal, vidu_home, clips):
    fal = open_fal(generation_seconds=60)
    killed = start(*commands["generate"], **fal.environment)
    await until(lambda: len(asked(fal)) == 2)
    killed.kill()
    killed.communicate()
    before = polls(fal)
    process = start("resume", "--out", clips, **fal.environment)
    await until(lambda: polls(fal) >= before + 2)
    *_, word = ended(process, signal.SIGINT)
    assert word.startswith("interrupted. At fal: 2 being made. ")
    assert fal.ledger()["counts"]["cancels"] == 0


@UNIX
def test_ctrl_c_during_a_draft_leaves_no_file(images, start, clips, vidu_home):
    process = start("generate", *images, *PROMPT, "--draft", "--out", clips)
    while "Drawing" not in process.stderr.readline():
        assert process.poll() is None
    assert ended(process, signal.SIGINT)[-1] == "interrupted."
    assert list(clips.iterdir()) == []
    assert not vidu_home.exists()


# SIGTERM is a shutdown, which cancels nothing.


@UNIX
@pytest.mark.parametrize(
    ("name", "number"),
    [("generate", "TERM"), ("batch", "TERM"), ("watch", "TERM"), ("batch", "HUP")],
)
async def test_sigterm_leaves_the_requests_to_the_next_run(
    name, number, commands, start, shell, open_fal, vidu_home, clips
):
    fal = open_fal(generation_seconds=3)
    process = start(*commands[name], **fal.environment)
    await until(lambda: len(asked(fal)) == 2)
    *_, word = ended(process, signal.Signals[f"SIG{number}"])
    assert word.startswith("stopped. At fal: 2 being made. ")
    collected = shell("resume", "--out", clips, **fal.environment)
    assert collected.returncode == 0, collected.stderr
    assert len(collected.stdout.splitlines()) == 2
    assert (fal.ledger()["counts"]["cancels"], fal.ledger()["counts"]["jobs"]) == (0, 2)


@UNIX
async def test_sigterm_reports_finished_requests_without_downloading(
    commands, start, open_fal, vidu_home
):
    fal = open_fal(faults="download_stalled")
    process = start(*commands["generate"], **fal.environment)
    await until(lambda: fal.ledger()["counts"]["downloads"] == 2)
    *_, word = ended(process, signal.SIGTERM)
    assert word.startswith("stopped. At fal: 2 made, not yet fetched. ")


TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def start_in_terminal(command: list[object], environment: dict[str, str]) -> tuple[Popen, int]:
    """A process in a terminal of its own, and the end of it that a window would hold.

    It takes the terminal itself: a `preexec_fn` may wait forever for a lock that another thread
    held during the fork.
    """
    window, inside = os.openpty()
    process = Popen(
        [sys.executable, "-c", TAKE_TERMINAL, "-m", "vidu", *map(str, command)],
        env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
    )
    os.close(inside)
    return process, window


@UNIX
async def test_sighup_of_a_closed_terminal_cancels_nothing(commands, open_fal, vidu_home):
    fal = open_fal(generation_seconds=60)
    environment = fal.environment | {"VIDU_HOME": str(vidu_home)}
    process, window = start_in_terminal(commands["generate"], environment)
    await until(lambda: len(asked(fal)) == 2)
    os.close(window)
    assert process.wait(60) == 128 + signal.SIGHUP
    assert fal.ledger()["counts"]["cancels"] == 0
    assert states(vidu_home) == [State.SUBMITTED, State.SUBMITTED]


def test_windows_console_closed_stops_the_run_first():
    handlers, stopped = [], []

    def set_handler(handler, add):
        handlers.append(handler) if add else handlers.remove(handler)

    with on_console_close(lambda: stopped.append(True), set_handler, grace_s=0.1):
        (handler,) = handlers
        assert handler(0) == 0, "Ctrl-C is left to Python"
        began = time.monotonic()
        assert handler(2) == 1
        assert time.monotonic() - began >= 0.1, "Windows is held up while the run ends"
    assert (stopped, handlers) == ([True], [])


# One shot that breaks leaves the others alone.


@PAYING
async def test_closed_pipe_while_generating_loses_no_clip(
    name, commands, start, open_fal, vidu_home
):
    fal = open_fal(generation_seconds=1, concurrency=1)
    once = ["--once"] if name == "watch" else []
    process = start(*commands[name], *once, **fal.environment)
    process.stdout.close()  # as `head` does
    with closing(process.stderr):
        err = process.stderr.read()
    assert process.wait() == 1
    assert "Traceback" not in err
    assert states(vidu_home) == [State.SAVED, State.SAVED]
    assert (fal.ledger()["counts"]["cancels"], fal.ledger()["billed_usd"]) == (0, 0.4)


async def test_closed_pipe_while_resuming_loses_no_clip(
    commands, start, open_fal, vidu_home, clips
):
    fal = open_fal(generation_seconds=3, concurrency=1)
    killed = start(*commands["generate"], **fal.environment)
    await until(lambda: len(asked(fal)) == 2)
    killed.kill()
    killed.communicate()
    process = start("resume", "--out", clips, **fal.environment)
    process.stdout.close()
    with closing(process.stderr):
        process.stderr.read()
    assert process.wait() == 1
    assert states(vidu_home) == [State.SAVED, State.SAVED]


def test_list_into_a_closed_pipe_ends_without_a_traceback(start, swift_fal, shell, commands):
    assert shell(*commands["generate"]).returncode == 0
    process = start("ledger", PYTHONUNBUFFERED="1")
    process.stdout.close()
    with closing(process.stderr):
        assert process.stderr.read() == ""
    assert process.wait() == 1


def test_path_that_stdout_cannot_encode_is_printed_escaped(
    shell, swift_fal, images, clips, tmp_path
):
    sea = images[0].rename(tmp_path / "\u6d77.png")
    done = shell("generate", sea, images[1], *PROMPT, "--out", clips, PYTHONIOENCODING="cp1252")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [
        str(clips / "\\u6d77_00001.mp4"),
        str(clips / "cliff_00001.mp4"),
    ]
