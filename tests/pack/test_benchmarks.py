"""The benchmarks still run: they use the pack's inside, and nothing else would notice a rename."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py"))


def run(*arguments: object, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"VIDU_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_benchmarks_can_be_imported(tmp_path):
    run("-c", "\n".join(f"import benchmarks.{name}" for name in MODULES), home=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "figure"),
    [
        (["benchmarks.load", "--jobs", "2"], "cpu s"),
        (["benchmarks.parallel", "--shell", "2"], "generation s"),
    ],
)
def test_benchmark_behind_local_fal_prints_its_figures(arguments, figure, tmp_path):
    local = ("--generation-seconds", "0.2", "--concurrency", "2", "--clip", "64x48x8")
    printed = run(
        *("-m", "local_fal", *local, "--exec", sys.executable, "-m", *arguments), home=tmp_path
    )
    assert json.loads(printed.splitlines()[-1])[figure] > 0
