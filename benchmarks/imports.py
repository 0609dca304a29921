"""The time that the pack adds to ComfyUI's start, by `-X importtime`.

Run `python -m benchmarks.imports [--rounds N]`. Of the host only its server and its public API are
loaded before the pack; what ComfyUI loads beside that counts as the pack's, if the pack needs it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from benchmarks._measure import ROUNDS, race
from benchmarks._table import print_figure, print_ratio

ROOT = Path(__file__).resolve().parent.parent
PACK = "vidu_on_fal"
NOT_BEFORE_THE_FIRST_RUN = ("fal_client", "httpx", "av")
BEGIN, END = "-- the pack begins", "-- the pack ends"
AT_MOST = 0.02
"""Of the time that ComfyUI's own modules take in the same process."""


def load() -> None:
    """Load ComfyUI, then the pack as ComfyUI's nodes.load_custom_node does; print its wall time."""
    sys.path.insert(0, os.environ["COMFYUI_PATH"])
    sys.argv = sys.argv[:1]  # ComfyUI reads the arguments of whoever imports it
    began_at = time.perf_counter()
    from comfy.cli_args import args

    args.cpu = True
    import comfy_api.latest  # noqa: F401
    from server import PromptServer

    loop = asyncio.new_event_loop()
    PromptServer(loop)
    host_s = time.perf_counter() - began_at
    for name in NOT_BEFORE_THE_FIRST_RUN:
        sys.modules.pop(name, None)  # ComfyUI's own: it is there again if the pack asks for it
    print(BEGIN, file=sys.stderr, flush=True)
    began_at, began_cpu = time.perf_counter(), time.process_time()
    spec = spec_from_file_location(
        PACK, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    pack = sys.modules[PACK] = module_from_spec(spec)
    spec.loader.exec_module(pack)
    loop.run_until_complete(listed(pack))
    figures = {
        "host ms": 1000 * host_s,
        "wall ms": 1000 * (time.perf_counter() - began_at),
        "cpu ms": 1000 * (time.process_time() - began_cpu),
        "too early": sum(name in sys.modules for name in NOT_BEFORE_THE_FIRST_RUN),
    }
    print(END, file=sys.stderr, flush=True)
    print(json.dumps(figures))


async def listed(pack) -> None:
    extension = await pack.comfy_entrypoint()
    await extension.on_load()
    for node in await extension.get_node_list():
        node.GET_SCHEMA()


def once() -> None:
    """Load it in a fresh process and add up what -X importtime tells of the pack's part."""
    command = [os.environ["COMFYUI_PYTHON"], "-X", "importtime", "-m", "benchmarks.imports"]
    done = subprocess.run([*command, "--load"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    ours = done.stderr.partition(BEGIN)[2].partition(END)[0]
    selves = [line.split("|")[0].rpartition(":")[2] for line in ours.splitlines() if "|" in line]
    figures = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(figures | {"importtime ms": sum(map(int, selves)) / 1000}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--load", action="store_true", help="load it, in a child")
    parser.add_argument("--once", action="store_true", help="one run, in a child")
    arguments = parser.parse_args()
    if arguments.load:
        return load()
    if arguments.once:
        return once()
    if "COMFYUI_PATH" not in os.environ:
        print("imports: NOT MEASURED without a ComfyUI", file=sys.stderr)
        return None
    command = [sys.executable, "-m", "benchmarks.imports", "--once"]
    with tempfile.TemporaryDirectory() as cache:
        # Compiled, as for every start but the first, which the median passes over.
        os.environ["PYTHONPYCACHEPREFIX"] = cache
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        figures = race({"the pack": command}, arguments.rounds)["the pack"]
    for figure, what in (
        ("importtime ms", "modules, by -X importtime"),
        ("wall ms", "modules and schemas"),
    ):
        print_ratio(
            f"import: {what}",
            figures[figure],
            figures["host ms"],
            "ComfyUI",
            unit="ms",
            at_most=AT_MOST,
        )
    early, names = figures["too early"], ", ".join(NOT_BEFORE_THE_FIRST_RUN)
    print_figure("import: before the first run", early, "of 3", at_most=0, note=names)
    return None


if __name__ == "__main__":
    main()
