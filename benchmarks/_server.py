"""A real ComfyUI server with the pack in it, and the memory that it takes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._comfyui import ROOT

STARTS_WITHIN_S, RUNS_WITHIN_S = 240, 400
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "tests", "benchmarks")


@dataclass(frozen=True)
class Server:
    """A running server.

    Args:
        url: Where it answers.
        process: Its process, which is this machine's.
    """

    url: str
    process: subprocess.Popen[bytes]

    def run(self, prompt: dict[str, Any]) -> None:
        """Execute a prompt to its end.

        Raises:
            SystemExit: A node failed.
        """
        prompt_id = self.ask("/prompt", {"prompt": prompt})["prompt_id"]
        deadline = time.monotonic() + RUNS_WITHIN_S
        while prompt_id not in (history := self.ask(f"/history/{prompt_id}")):
            if time.monotonic() > deadline:
                raise SystemExit("The prompt did not end.")
            time.sleep(0.1)
        status = history[prompt_id]["status"]
        if status["status_str"] != "success":
            raise SystemExit(f"The prompt failed: {status['messages'][-1]}")

    def ask(self, path: str, body: object = None) -> Any:
        """Return what a route answers; a body is posted as JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=60) as response:
            return json.load(response)

    def memory_mb(self, field: str) -> float:
        """Return VmRSS, what it holds now, or VmHWM, the most since `forget_peak`."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith(field))
        return int(line.split()[1]) * 1024 / 1e6

    def forget_peak(self) -> None:
        """Let the peak begin here."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


@contextmanager
def serving(base: Path) -> Iterator[Server]:
    """Start ComfyUI with `base`, an empty folder, as its base directory; end it afterwards.

    VideoHelperSuite is installed beside the pack when VHS_PATH says where it is.
    """
    nodes = base / "custom_nodes"
    shutil.copytree(ROOT, nodes / "vidu-on-fal", ignore=LEFT_OUT)
    if "VHS_PATH" in os.environ:
        shutil.copytree(os.environ["VHS_PATH"], nodes / "vhs", ignore=LEFT_OUT)
    (base / "input").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    main = Path(os.environ["COMFYUI_PATH"], "main.py")
    command = [os.environ["COMFYUI_PYTHON"], main, "--cpu", "--port", str(port)]
    command += ["--base-directory", base, "--disable-api-nodes"]
    command += ["--database-url", f"sqlite:///{(base / 'comfyui.db').as_posix()}"]
    environment = os.environ | {"VIDU_HOME": str(base / "vidu_home")}
    with (base / "comfyui.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        _wait_until_up(server)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_up(server: Server) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            server.ask("/system_stats")
            return
        except urllib.error.URLError as problem:
            if time.monotonic() > deadline or server.process.poll() is not None:
                raise SystemExit("ComfyUI did not start.") from problem
            time.sleep(0.2)
