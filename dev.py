#!/usr/bin/env python3
"""Everything there is to run here, on a machine with Python 3.10 or later and pip.

    python3 dev.py demo                 an image becomes a clip, on the real client, free
    python3 dev.py test [PYTEST ARGS]   all tests, or the named tests/...
    python3 dev.py comfy [--headless]   a real ComfyUI with the pack in it, local_fal behind it
    python3 dev.py bench                every figure in the README, measured again

ComfyUI is found by COMFYUI_PATH, else around this folder, else ~/ComfyUI, else where comfy-cli
keeps it; its interpreter is COMFYUI_PYTHON, else its own .venv or venv. Nothing of it is changed.
"""

from __future__ import annotations

import argparse
import configparser
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from benchmarks._table import HEAD

ROOT = Path(__file__).absolute().parent
OUTPUT = ROOT / "demo_output"
EXAMPLE = ROOT / "example_workflows" / "lighthouse.png"
PROMPT = "The beam of the lighthouse sweeps over the sea while the waves roll in."
CLONED = ROOT / "build" / "ComfyUI"
WITHOUT_COMFYUI = ("core", "pack")
WITH_COMFYUI = ("host", "server", "browser")


@dataclass(frozen=True)
class ComfyUI:
    """A ComfyUI checkout, and an interpreter that has its packages, the pack's and pytest."""

    path: Path
    python: Path

    def environment(self) -> dict[str, str]:
        return {"COMFYUI_PATH": str(self.path), "COMFYUI_PYTHON": str(self.python)}


def demo() -> int:
    python = equipped(ROOT / ".venv", without_torch())
    generate = [python, "-m", "vidu", "generate", EXAMPLE, "--prompt", PROMPT, "--out", OUTPUT]
    command = behind_local_fal(python, *generate, "--frames", "png", "--contact-sheet", "--json")
    done = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE)
    if done.returncode:
        return done.returncode
    clip = json.loads(done.stdout.splitlines()[-1])
    path = Path(clip["file_path"])
    say("had before: free" if clip["reused"] else "generated; the next time it is free")
    say("clip          ", path)
    say("its frames    ", path.with_name(f"{path.stem}_frames"))
    say("contact sheet ", path.with_name(f"{path.stem}_sheet.jpg"))
    return 0


def test(pytest_args: list[str]) -> int:
    chosen = [argument for argument in pytest_args if argument.startswith("tests/")]
    options = [argument for argument in pytest_args if argument not in chosen]
    names = chosen or [f"tests/{layer}" for layer in (*WITHOUT_COMFYUI, *WITH_COMFYUI)]
    comfyui = find_comfyui()
    if comfyui is None:
        shout(f"NO ComfyUI FOUND: the tests of {', '.join(WITH_COMFYUI)} DO NOT RUN.")
        names = [name for name in names if name.split("/")[1] in WITHOUT_COMFYUI]
    python = equipped(ROOT / ".venv", [*without_torch(), *needed("requirements-dev.txt")])
    outcomes = set()
    for chosen_layers, interpreter, workers in (
        # Most of a core test is waiting, and of one with a server; a browser fills two cores.
        (WITHOUT_COMFYUI, python, ("-n", 6, "--dist", "loadfile", "--no-loadscope-reorder")),
        (("host",), comfyui and comfyui.python, ()),
        (("server",), python, ("-n", 2, "--dist", "loadfile")),
        (("browser",), python, ()),
    ):
        run_now = [name for name in names if name.split("/")[1] in chosen_layers]
        if run_now:
            say("pytest", *run_now, *options)
            pytest = (interpreter, "-m", "pytest", *workers, *run_now, *options)
            outcomes.add(run(*pytest, env=environment(comfyui)))
    # 5: nothing collected, which is right where -k or -m chose from the other layers.
    return 0 if 0 in outcomes and outcomes <= {0, 5 if options else 0} else 1


def comfy(headless: bool) -> int:
    # Ended from outside as by Ctrl-C, so that no server is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    python = equipped(ROOT / ".venv", without_torch())
    comfyui = find_comfyui() or clone_comfyui()
    port = free_port(8188)
    with tempfile.TemporaryDirectory(prefix="vidu-on-fal-", ignore_cleanup_errors=True) as base:
        furnish(Path(base))
        server = [comfyui.python, comfyui.path / "main.py", "--cpu", "--base-directory", base]
        server += ["--output-directory", OUTPUT, "--port", port, "--disable-auto-launch"]
        server += ["--database-url", f"sqlite:///{Path(base, 'comfyui.db').as_posix()}"]
        command = behind_local_fal(python, *server)
        with subprocess.Popen(command, cwd=ROOT, env=environment()) as process:
            try:
                announce(process, f"http://127.0.0.1:{port}", headless)
                return process.wait()
            except KeyboardInterrupt:
                process.terminate()
                return process.wait()


def bench() -> int:
    comfyui = find_comfyui()
    if comfyui is None:
        shout("NO ComfyUI FOUND: what is measured against it is NOT MEASURED.")
    python = equipped(ROOT / ".venv", [*without_torch(), *needed("requirements-dev.txt")])
    print(HEAD, flush=True)
    outcomes = set()
    for script in sorted((ROOT / "benchmarks").glob("[!_]*.py")):
        outcomes.add(run(python, "-m", f"benchmarks.{script.stem}", env=environment(comfyui)))
    return 0 if outcomes == {0} else 1


def behind_local_fal(python: Path, *command: object) -> list[str]:
    local_fal = (python, "-m", "local_fal", "--generation-seconds", 3, "--exec")
    return [str(part) for part in (*local_fal, *command)]


def environment(comfyui: ComfyUI | None = None) -> dict[str, str]:
    """No key or setting of the developer's own, and the ledger beside the demo's clips."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FAL_", "VIDU_"))}
    ours = {"VIDU_HOME": str(OUTPUT / ".vidu"), "PYTHONUNBUFFERED": "1"}
    return kept | ours | (comfyui.environment() if comfyui else {})


def announce(process: subprocess.Popen[bytes], address: str, headless: bool) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/system_stats", timeout=5).close()
        except OSError:
            time.sleep(0.5)
            continue
        example = f"{address}/?template=image_to_video&source=vidu-on-fal"
        say("ComfyUI with the pack in it:", address)
        say("its example workflow, open: ", example)
        say("the clips go to", OUTPUT, "and Ctrl-C ends it")
        if not headless:
            webbrowser.open(example)
        return


# What is installed, and where.


def needed(file: str) -> list[str]:
    """The requirements in a file and in those it names with -r."""
    found: list[str] = []
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        found += needed(text[3:]) if text.startswith("-r ") else [text] if text else []
    return found


def without_torch() -> list[str]:
    """The pack's requirements and local_fal's; only nodes/ holds torch, and ComfyUI brings it."""
    pack = [name for name in needed("requirements.txt") if name != "torch"]
    return [*pack, *needed("local_fal/requirements.txt")]


def equipped(folder: Path, requirements: list[str], over: Path | None = None) -> Path:
    """The interpreter of a virtual environment, made if need be, that has what is asked for.

    `over` is another interpreter, whose packages it then sees as well and leaves as they are.
    """
    python = interpreter_of(folder)
    if not python.exists():
        say("making", folder.name)
        if run(over or sys.executable, "-m", "venv", "--clear", folder):
            shutil.rmtree(folder, ignore_errors=True)
            sys.exit(f"{over or sys.executable} can not make a virtual environment.")
        if over:
            beneath = f"import site; site.addsitedir({packages_of(over)!r})\n"
            Path(packages_of(python), "beneath.pth").write_text(beneath, encoding="utf-8")
    stamp = folder / "installed.txt"
    done = stamp.read_text(encoding="utf-8").splitlines() if stamp.exists() else []
    if set(requirements) <= set(done):
        return python
    say(f"installing into {folder.name}, once:", *requirements)
    pip = (python, "-m", "pip", "install", "-qq", "--disable-pip-version-check")
    if run(*pip, *requirements):
        sys.exit(f"pip could not install that into {folder}.")
    stamp.write_text("\n".join(requirements), encoding="utf-8")
    return python


def interpreter_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def packages_of(python: Path) -> str:
    show = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return subprocess.check_output(show, text=True).strip()


# ComfyUI: where it is, what runs it, what it is given.


def find_comfyui() -> ComfyUI | None:
    places = [ROOT.parent.parent, Path.home() / "ComfyUI", comfy_cli_workspace(), CLONED]
    if "COMFYUI_PATH" in os.environ:
        places = [Path(os.environ["COMFYUI_PATH"])]
    path = next((place for place in places if (place / "comfy_api").is_dir()), None)
    if path is None and "COMFYUI_PATH" in os.environ:
        sys.exit(f"COMFYUI_PATH is {places[0]}, and there is no ComfyUI.")
    if path is None:
        return None
    interpreters = [interpreter_of(path / ".venv"), interpreter_of(path / "venv")]
    if "COMFYUI_PYTHON" in os.environ:
        interpreters = [Path(os.environ["COMFYUI_PYTHON"])]
    python = next((place for place in interpreters if place.exists()), None)
    if python is None:
        sys.exit(f"Set COMFYUI_PYTHON to the interpreter that runs {path}; it is not in a venv.")
    return ComfyUI(path, beside(python))


def comfy_cli_workspace() -> Path:
    """As comfy_cli.constants and comfy_cli.workspace_manager have it (comfy-cli 1.23)."""
    config, workspace = {
        "win32": ("AppData/Local/comfy-cli", "Documents/comfy/ComfyUI"),
        "darwin": ("Library/Application Support/comfy-cli", "Documents/comfy/ComfyUI"),
    }.get(sys.platform, (".config/comfy-cli", "comfy/ComfyUI"))
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(Path.home() / config / "config.ini", encoding="utf-8")
    return Path(settings["DEFAULT"].get("default_workspace") or Path.home() / workspace)


def beside(comfyui_python: Path) -> Path:
    """A virtual environment over ComfyUI's own: only what is missing there is installed here."""
    name = hashlib.sha256(str(comfyui_python).encode()).hexdigest()[:8]
    pytest = [name for name in needed("requirements-dev.txt") if name.startswith("pytest")]
    return equipped(ROOT / f".venv-comfyui-{name}", [*without_torch(), *pytest], comfyui_python)


def clone_comfyui() -> ComfyUI:
    origin = "https://github.com/comfyanonymous/ComfyUI"
    say("no ComfyUI found: cloning one into", CLONED, "(minutes and gigabytes, mostly torch)")
    if not shutil.which("git") or run("git", "clone", "--quiet", "--depth", 1, origin, CLONED):
        sys.exit(f"{origin} can not be cloned here: set COMFYUI_PATH to a ComfyUI of yours.")
    python = equipped(CLONED / ".venv", needed(str(CLONED / "requirements.txt")))
    return ComfyUI(CLONED, beside(python))


def furnish(base: Path) -> None:
    """A base directory whose only custom node is this pack, the example image at hand."""
    (base / "custom_nodes").mkdir()
    (base / "input").mkdir()
    # The name of the image that every ComfyUI ships, and the example workflows load.
    shutil.copy(EXAMPLE, base / "input" / "example.png")
    pack = base / "custom_nodes" / "vidu-on-fal"
    if os.name == "nt":
        # A symlink would need the developer mode; a junction does not.
        run("cmd", "/c", "mklink", "/J", pack, ROOT)
    else:
        pack.symlink_to(ROOT, target_is_directory=True)


def free_port(wanted: int) -> int:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port(0)
        return int(probe.getsockname()[1])


def run(*command: object, env: dict[str, str] | None = None) -> int:
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=env).returncode


def say(*words: object) -> None:
    print("--", *words, flush=True)


def shout(sentence: str) -> None:
    print(f"\n{'!' * 78}\n!! {sentence}\n{'!' * 78}\n", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["demo", "test", "comfy", "bench"])
    parser.add_argument("--headless", action="store_true", help="comfy: open no browser")
    arguments, rest = parser.parse_known_args()
    if arguments.command == "test":
        return test(rest)
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")
    if arguments.command == "comfy":
        return comfy(arguments.headless)
    return demo() if arguments.command == "demo" else bench()


if __name__ == "__main__":
    sys.exit(main())
