"""Commands that are run, and messages that are printed."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).absolute().parent.parent
BANNER = "!" * 78


def run(*command: object, env: dict[str, str] | None = None) -> int:
    """Run a command at the root of the repository and return its exit code."""
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=env).returncode


def say(*words: object) -> None:
    """Print one line at once."""
    print("--", *words, flush=True)


def shout(sentence: str) -> None:
    """Print a sentence that nobody overlooks."""
    print(f"\n{BANNER}\n!! {sentence}\n{BANNER}\n", flush=True)
