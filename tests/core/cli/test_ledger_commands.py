"""`vidu list`, `vidu spend` and `vidu forget` as a user runs them."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger

from vidu.command_line import command_line
from vidu.ledger.opening import LEDGER_FILE

from ...support.cli_inputs import PROMPT, lines
from ...support.shots import until

ROOT = Path(__file__).resolve().parents[3]


def test_list_spend_and_forget_show_and_delete_entries(shell, swift_fal, image, clips, vidu_home):
    assert shell("ledger", "--json").stdout == ""
    made = Path(shell("generate", image, *PROMPT, "--out", clips).stdout.strip())
    (row,) = lines(shell("ledger", "--json").stdout)
    request_id = swift_fal.ledger()["jobs"][0]["request_id"]
    assert (row["state"], row["request_id"], row["file_path"]) == ("saved", request_id, str(made))
    assert (row["prompt"], row["price_usd"], row["endpoint"]) == (
        "The tide comes in",
        0.2,
        "fal-ai/vidu/image-to-video",
    )
    listed = shell("ledger").stdout
    for words in ("saved", "$0.20", "The tide comes in", str(made)):
        assert words in listed
    sums = json.loads(shell("spend", "--json", VIDU_DAILY_BUDGET_USD="5").stdout)
    assert sums == {
        "today_usd": 0.2,
        "month_usd": 0.2,
        "today_known_usd": 0.2,
        "month_known_usd": 0.2,
        "daily_budget_usd": 5.0,
    }
    assert shell("spend", VIDU_DAILY_BUDGET_USD="5").stdout.startswith(
        "today       $0.20 of $5.00\n"
    )
    assert shell("spend").stdout == "today       $0.20\nthis month  $0.20\n"

    unknown = shell("forget", row["id"], "999")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no row 999" in unknown.stderr
    assert lines(shell("ledger", "--json").stdout) == [row]
    assert "forgot" in shell("forget", row["fingerprint"][:8]).stdout
    assert made.exists()
    assert shell("ledger", "--json").stdout == ""


def test_spend_of_a_new_ledger_prints_zero(shell):
    sums = json.loads(shell("spend", "--json").stdout)
    assert sums == {
        "today_usd": 0,
        "month_usd": 0,
        "today_known_usd": 0,
        "month_known_usd": 0,
        "daily_budget_usd": None,
    }


def test_forget_removes_files_only_when_told(shell, swift_fal, image, clips):
    made = Path(shell("generate", image, *PROMPT, "--out", clips).stdout.strip())
    request_id = swift_fal.ledger()["jobs"][0]["request_id"]
    assert shell("forget", request_id, "--files").returncode == 0
    assert not made.exists()
    shell("generate", image, *PROMPT, "--out", clips)
    assert swift_fal.ledger()["counts"]["jobs"] == 2  # forgotten is the user's word to pay again


def test_forget_command_that_an_error_names_deletes_the_lost_entry(
    shell, swift_fal, image, clips, vidu_home
):
    swift_fal.set_faults("submit_reset:1,listing_unavailable")
    lost = shell("generate", image, *PROMPT, "--out", clips)
    assert lost.returncode == 1
    assert "It is not known whether fal charged" in lost.stderr
    command = command_line("forget", 1, "--home", vidu_home)
    assert command in lost.stderr
    with BlockingLedger.open(vidu_home) as ledger:
        assert len(ledger.unfinished()) == 1
    assert shell("forget", 1, "--home", vidu_home).returncode == 0
    assert shell("generate", image, *PROMPT, "--out", clips).returncode == 0
    assert swift_fal.ledger()["counts"]["jobs"] == 1


@pytest.mark.parametrize(
    ("name", "whole"), [("clip.txt", True), ("clip.mp4", False), ("settings.json", False)]
)
def test_forget_removes_only_the_saved_clip(
    name, whole, shell, swift_fal, image, clips, tmp_path, vidu_home
):
    """A merged row may name any file of this machine."""
    made = Path(shell("generate", image, *PROMPT, "--out", clips).stdout.strip())
    precious = tmp_path / name
    shutil.copy(made, precious)
    if not whole:
        precious.write_bytes(bytes(made.stat().st_size))
    named_in_the_ledger(vidu_home, precious)
    done = shell("forget", 1, "--files")
    assert done.returncode == 0
    assert f"left alone: {precious}" in done.stderr
    assert precious.exists() and made.exists()
    assert shell("ledger").stdout == ""


FORGET_WITHOUT_PRIVILEGES = """
import ctypes, sys
from vidu.__main__ import main

if sys.platform == "linux":  # where root may write to any folder
    libc, version = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(0x20080522)
    sets = (ctypes.c_uint32 * 6)()
    libc.capget(version, sets)
    sets[0] &= ~0b1110
    assert libc.capset(version, sets) == 0
sys.exit(main(["forget", "1", "--files"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a folder has no such permissions there")
def test_forget_clip_that_cannot_be_removed_keeps_its_entry(
    shell, swift_fal, image, clips, vidu_home
):
    made = Path(shell("generate", image, *PROMPT, "--out", clips).stdout.strip())
    clips.chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", FORGET_WITHOUT_PRIVILEGES],
        env=os.environ | {"VIDU_HOME": str(vidu_home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    clips.chmod(0o755)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{made} could not be removed (Permission denied), so row 1 stays." in done.stderr
    assert "Traceback" not in done.stderr
    assert made.exists()
    with BlockingLedger.open(vidu_home) as ledger:
        assert ledger.get(1)


async def test_forget_waits_for_a_run_of_the_same_shot(start, open_fal, image, clips):
    fal = open_fal(generation_seconds=60)
    running = start("generate", image, *PROMPT, "--out", clips, **fal.environment)
    await until(lambda: fal.ledger()["jobs"] and fal.ledger()["jobs"][0]["polls"])
    forgetting = start("forget", 1)
    assert forgetting.stderr.readline().startswith("waiting for the run that is at work on row 1")
    assert running.poll() is None
    running.kill()
    out, _ = forgetting.communicate()
    assert (forgetting.returncode, out.split()[:2]) == (0, ["forgot", "1"])


def named_in_the_ledger(home: Path, path: Path) -> None:
    with closing(sqlite3.connect(home / LEDGER_FILE)) as db:
        db.execute("UPDATE entries SET path = ?", (str(path),))
        db.commit()


def test_ledger_ignore_lets_shots_be_paid_for_without_a_ledger_that_is_gone(
    shell, swift_fal, image, clips, tmp_path
):
    drive = tmp_path / "drive"
    assert shell("generate", image, *PROMPT, "--out", clips, "--home", drive).returncode == 0
    shutil.rmtree(drive)
    refused = shell("generate", image, *PROMPT, "--out", clips)
    assert (refused.returncode, swift_fal.ledger()["counts"]["jobs"]) == (1, 1)
    assert f"ledger ignore {drive / LEDGER_FILE}" in refused.stderr
    ignored = shell("ledger", "ignore", drive / LEDGER_FILE)
    assert (ignored.returncode, ignored.stdout) == (0, f"ignored {drive / LEDGER_FILE}\n")
    assert shell("generate", image, *PROMPT, "--out", clips).returncode == 0
    assert swift_fal.ledger()["counts"]["jobs"] == 2
    assert shell("ledger", "ignore", drive / LEDGER_FILE).returncode == 2
