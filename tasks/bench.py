"""`dev.py bench`: every figure of the documentation, measured again."""

from __future__ import annotations

from .comfyui import find_comfyui
from .local import developer_python, environment_variables
from .pythons import find_pythons
from .shell import ROOT, run, shout


def bench() -> int:
    """Print one table of all benchmarks; return 0 when each met its target."""
    from benchmarks._table import HEAD

    comfyui = find_comfyui()
    if comfyui is None:
        shout("NO ComfyUI FOUND: what is measured against it is NOT MEASURED.")
    python = developer_python(find_pythons()[0])
    print(HEAD, flush=True)
    codes = {
        run(python, "-m", f"benchmarks.{script.stem}", env=environment_variables(comfyui))
        for script in sorted((ROOT / "benchmarks").glob("[!_]*.py"))
    }
    return 0 if codes == {0} else 1
