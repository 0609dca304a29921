"""`dev.py demo`: an image made into a clip, by the real client, on a local fal."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from .local import EXAMPLE, OUTPUT, behind_local_fal, environment_variables, local_python
from .shell import ROOT, say

PROMPT = "The beam of the lighthouse sweeps over the sea while the waves roll in."


def demo() -> int:
    """Make the clip and print where it is; the second time it is free."""
    python = local_python()
    generate = [python, "-m", "vidu", "generate", EXAMPLE, "--prompt", PROMPT, "--out", OUTPUT]
    command = behind_local_fal(python, *generate, "--frames", "png", "--overview", "--json")
    done = subprocess.run(
        command, cwd=ROOT, env=environment_variables(), stdout=subprocess.PIPE, encoding="utf-8"
    )
    if done.returncode:
        return done.returncode
    clip = json.loads(done.stdout.splitlines()[-1])
    path = Path(clip["file_path"])
    say("reused: free" if clip["reused"] else "generated; the next time it is free")
    say("clip          ", path)
    say("its frames    ", path.with_name(f"{path.stem}_frames"))
    say("overview      ", path.with_name(f"{path.stem}_overview.jpg"))
    return 0
