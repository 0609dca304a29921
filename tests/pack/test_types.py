"""What a type checker sees of the package where it is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTATION = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```python\n(import asyncio\nfrom vidu .*?)```", DOCUMENTATION, re.S)


def check(script: Path, *options: str) -> str:
    command = [sys.executable, "-m", "mypy", *options, script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_python_example_is_typed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(EXAMPLE, encoding="utf-8")
    check(script, "--strict", "--follow-imports=silent")


def test_public_names_have_types(tmp_path):
    script = tmp_path / "caller.py"
    script.write_text(
        "import vidu\nreveal_type(vidu.generate)\nreveal_type(vidu.errors.ViduError('x').charge)\n"
    )
    shown = check(script)
    assert "vidu.models.Clip" in shown
    assert "vidu.errors.Charge" in shown
