"""`dev.py comfy`: a real ComfyUI whose only custom node is this pack, a local fal behind it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
import webbrowser
from pathlib import Path

from .comfyui import clone_comfyui, find_comfyui
from .local import EXAMPLE, OUTPUT, behind_local_fal, environment_variables, local_python
from .shell import ROOT, run, say


def comfy(*, headless: bool) -> int:
    """Start the server, open the example in a browser unless headless, and wait for its end."""
    # Ended from outside as by Ctrl-C, so that no server is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    python = local_python()
    comfyui = find_comfyui() or clone_comfyui()
    port = _free_port(8188)
    with tempfile.TemporaryDirectory(prefix="vidu-on-fal-", ignore_cleanup_errors=True) as base:
        _furnish(Path(base))
        server = [comfyui.python, comfyui.path / "main.py", "--cpu", "--base-directory", base]
        server += ["--output-directory", OUTPUT, "--port", port, "--disable-auto-launch"]
        server += ["--database-url", f"sqlite:///{Path(base, 'comfyui.db').as_posix()}"]
        command = behind_local_fal(python, *server)
        with subprocess.Popen(command, cwd=ROOT, env=environment_variables()) as process:
            try:
                _announce(process, f"http://127.0.0.1:{port}", headless=headless)
                return process.wait()
            except KeyboardInterrupt:
                process.terminate()
                return process.wait()


def _announce(process: subprocess.Popen[bytes], address: str, *, headless: bool) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/system_stats", timeout=5).close()
        except OSError:
            time.sleep(0.5)
            continue
        say("ComfyUI with the pack in it:", address)
        say("its examples: Templates, vidu-on-fal")
        say("the clips go to", OUTPUT, "and Ctrl-C ends it")
        if not headless:
            webbrowser.open(address)
        return


def _furnish(base: Path) -> None:
    """Make a base directory whose only custom node is this pack, with the example image."""
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


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return _free_port(0)
        return int(probe.getsockname()[1])
