"""A new endpoint is a value: in a copy of the pack it is written down, and all the rest follows.

What the copy gets is in tests/support/new_endpoint: one value, one line of the catalog, and on the
other side, in local_fal, what fal would then have. Nothing else of the copy is changed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ROOT / "tests" / "support" / "new_endpoint"
COPIED = ("vidu", "nodes", "local_fal", "tests", "web", "__init__.py", "pyproject.toml")
END_OF_MODELS = "        ),\n        Intention.TEXT_TO_VIDEO"
CHECKS = Path("tests", "core", "nodes", "test_new_endpoint_in_a_copy.py")


def insert(part: str, path: Path, before: str) -> None:
    """Write a part into a file, before the last place with these words."""
    text = path.read_text(encoding="utf-8")
    head, words, tail = text.rpartition(before)
    assert words, path
    added = (PARTS / part).read_text(encoding="utf-8")
    path.write_text(head + added + words + tail, encoding="utf-8")


def test_new_endpoint_as_a_value_works_in_node_shell_and_manifest(tmp_path):
    copy = tmp_path / "pack"
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=ignored)
        else:
            shutil.copy(source, copy / name)
    insert("value.txt", copy / "vidu" / "endpoints.py", "ENDPOINTS: Mapping")
    insert(
        "choice.txt", copy / "vidu" / "catalog.py", "        ),\n        Intention.TEXT_TO_VIDEO"
    )
    insert("fal_schema.txt", copy / "local_fal" / "schemas.py", "class Q4ImageToVideo")
    insert("fal_entry.txt", copy / "local_fal" / "catalog.py", "}\n")
    shutil.copy(PARTS / "checks.py", copy / CHECKS)
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CHECKS)]
    done = subprocess.run(run, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "10 passed" in done.stdout
