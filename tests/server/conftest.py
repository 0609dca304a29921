"""A headless ComfyUI with the pack in it and local_fal behind it, driven the editor does."""

from __future__ import annotations

import hashlib
import html
import json
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest
from blocking_ledger import BlockingLedger
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from vidu.builders import image_to_video
from vidu.draft.render import render_clip
from vidu.ledger import Budget, UnreadableEntry
from vidu.models import Output, RequestHandle, SavedFile

ROOT = Path(__file__).resolve().parents[2]
COMFYUI = Path(os.environ["COMFYUI_PATH"])
EXAMPLE = ROOT / "example_workflows" / "lighthouse.png"
TEXT_EVENT = 3
HOME = "vidu_home"
"""What the server's user shares between ledgers is below its base directory."""


@dataclass(frozen=True)
class Event:
    """One message of /ws; the binary progress text has the kind "progress_text"."""

    kind: str
    data: dict
    at: float


@dataclass
class Comfy:
    """A running ComfyUI.

    Attributes:
        base: Its base directory, with `input`, `output` and `user`.
        log: The file that holds all it printed.
        events: All that /ws has told so far.
    """

    url: str
    base: Path
    log: Path
    process: subprocess.Popen[bytes]
    client_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    events: list[Event] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    @property
    def output(self) -> Path:
        return self.base / "output"

    def object_info(self) -> dict:
        return self.http.get("/object_info").raise_for_status().json()

    def post(self, prompt: dict, workflow: dict | None = None) -> httpx.Response:
        """POST /prompt, whatever the answer."""
        extra = {"extra_pnginfo": {"workflow": workflow or {}}}
        body = {"prompt": prompt, "client_id": self.client_id, "extra_data": extra}
        return self.http.post("/prompt", json=body)

    def queue(self, prompt: dict, workflow: dict | None = None) -> str:
        """The id of a prompt that was accepted."""
        response = self.post(prompt, workflow)
        assert response.status_code == 200, response.text
        return response.json()["prompt_id"]

    def wait(self, prompt_id: str, timeout: float = 90) -> dict:
        """The history of a prompt, once it has ended in whatever way."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            history = self.http.get(f"/history/{prompt_id}").raise_for_status().json()
            if prompt_id in history:
                return history[prompt_id]
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")[-4000:]
            time.sleep(0.05)
        raise TimeoutError(f"{prompt_id} did not end; the log:\n{self.log.read_text()[-4000:]}")

    def run(self, prompt: dict, workflow: dict | None = None) -> dict:
        return self.wait(self.queue(prompt, workflow))

    def texts(self) -> list[str]:
        """What the nodes have shown, in order."""
        return [event.data["text"] for event in self.events if event.kind == "progress_text"]

    def interrupt(self, prompt_id: str | None = None) -> None:
        self.http.post(
            "/interrupt", json={"prompt_id": prompt_id} if prompt_id else {}
        ).raise_for_status()

    def wait_for(self, kind: str, containing: str = "", timeout: float = 60) -> Event:
        """The first event of a kind whose data, as JSON, contain a text; past ones count, too."""

        def found() -> Event | None:
            fitting = (event for event in self.events if event.kind == kind)
            return next((item for item in fitting if containing in json.dumps(item.data)), None)

        with self.news:
            assert self.news.wait_for(found, timeout), f"no {kind} with {containing!r} came"
            return found()

    def listen(self) -> None:
        """Collects what /ws tells, until the connection ends."""
        address = f"{self.url.replace('http', 'ws')}/ws?clientId={self.client_id}"
        with connect(address, max_size=None, proxy=None) as socket:
            for message in until_closed(socket):
                with self.news:
                    self.events.append(read_event(message))
                    self.news.notify_all()


def until_closed(socket) -> Iterator[str | bytes]:
    try:
        yield from socket
    except ConnectionClosed:
        return


def read_event(message: str | bytes) -> Event:
    now = time.monotonic()
    if isinstance(message, str):
        told = json.loads(message)
        return Event(told["type"], told["data"], now)
    (kind,) = struct.unpack_from(">I", message)
    if kind != TEXT_EVENT:
        return Event(f"binary_{kind}", {}, now)
    (length,) = struct.unpack_from(">I", message, 4)
    node, text = message[8 : 8 + length], message[8 + length :]
    shown = html.unescape(text.decode())  # foreign characters are numeric entities
    return Event("progress_text", {"node": node.decode(), "text": shown, "raw": text.decode()}, now)


@pytest.fixture(scope="session")
def shared_fal(bare_environment) -> Iterator:
    import local_fal

    with local_fal.running(generation_seconds=0.5, clip_size=(96, 64), clip_frames=8) as fal:
        yield fal


@pytest.fixture
def fal(shared_fal):
    """The local fal behind the server, with nothing asked of it yet, and no fault left behind."""
    shared_fal.reset()
    yield shared_fal
    shared_fal.set_faults("")


def furnish(base: Path) -> Path:
    """A ComfyUI base directory whose only custom node is the pack as the registry ships it."""
    lines = (ROOT / ".comfyignore").read_text(encoding="utf-8").splitlines()
    unshipped = [line.strip("/") for line in lines if line and not line.startswith("#")]
    unshipped += [".*", "__pycache__", "build", "demo_output", "node_modules"]
    shutil.copytree(
        ROOT, base / "custom_nodes" / "vidu-on-fal", ignore=shutil.ignore_patterns(*unshipped)
    )
    (base / "input").mkdir()
    shutil.copy(EXAMPLE, base / "input")
    return base


@contextmanager
def serving(
    base: Path, environment: Mapping[str, str], *flags: str, partner_nodes: bool = False
) -> Iterator[Comfy]:
    """A ComfyUI that is up and listened to, until the block ends or the test ends it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [os.environ["COMFYUI_PYTHON"], COMFYUI / "main.py", "--cpu", "--port", str(port)]
    command += ["--base-directory", base, *flags]
    command += [] if partner_nodes else ["--disable-api-nodes"]
    command += ["--database-url", f"sqlite:///{(base / 'comfyui.db').as_posix()}"]
    log = base / f"comfyui_{port}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=base,
            env=os.environ | environment | {"PYTHONUNBUFFERED": "1", "VIDU_HOME": str(base / HOME)},
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    comfy = Comfy(f"http://127.0.0.1:{port}", base, log, process)
    try:
        wait_until_up(comfy)
        threading.Thread(target=comfy.listen, daemon=True).start()
        comfy.wait_for("status")
        yield comfy
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def base(tmp_path_factory) -> Path:
    return furnish(tmp_path_factory.mktemp("comfyui"))


@pytest.fixture(scope="session")
def other_nodes(base) -> None:
    """Installs the nodes that the tests run beside ours: one that fails, and two that expand."""
    for name in ("bystander.py", "expanders.py"):
        shutil.copy(Path(__file__).with_name(name), base / "custom_nodes")


@pytest.fixture(scope="session")
def comfy(base, other_nodes, shared_fal) -> Iterator[Comfy]:
    """The server itself: one for all tests, for it takes its time to start."""
    with serving(base, shared_fal.environment) as comfy:
        yield comfy


@pytest.fixture(autouse=True)
def nothing_told(comfy) -> None:
    """What /ws told during another test is not taken for this one's."""
    comfy.events.clear()


def wait_until_up(comfy: Comfy) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and comfy.process.poll() is None:
        try:
            comfy.http.get("/system_stats").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise RuntimeError(f"ComfyUI did not start:\n{comfy.log.read_text(encoding='utf-8')[-4000:]}")


@pytest.fixture
def shot(request) -> Callable[..., dict]:
    """A prompt of one shot: an image and its clip. Each test has a shot of its own."""

    def build(**inputs) -> dict:
        asked = {
            "image": ["1", 0],
            "prompt": f"The waves roll in. {request.node.nodeid}",
            "seed": 1,
            "model": "Vidu",
            "model.movement_amplitude": "auto",
            "mode": "live",
            "filename_prefix": "video/Vidu",
            "max_cost": 5.0,
        }
        return {
            "1": {"class_type": "LoadImage", "inputs": {"image": EXAMPLE.name}},
            "2": {"class_type": "FalViduImageToVideo", "inputs": asked | inputs},
        }

    return build


@pytest.fixture
def home(comfy) -> Path:
    """The pack's private folder; key and settings are gone after the test."""
    home = comfy.base / "user" / "__fal_vidu"
    home.mkdir(parents=True, exist_ok=True)
    yield home
    for name in ("fal_key", "settings.json"):
        (home / name).unlink(missing_ok=True)


@pytest.fixture
def saved(home, tmp_path, request) -> int:
    """The id of a row with a clip that was saved."""
    with Image.open(ROOT / "example_workflows" / "lighthouse.png") as image:
        pixels = image.convert("RGB").resize((320, 180))
    frame = np.asarray(pixels)
    path = tmp_path / "saved.mp4"
    render_clip(path, frame, seed=1, movement_amplitude="auto", size=(320, 180), frame_count=8)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    shot = image_to_video(frame, f"A 100% sharp clip of {request.node.name}", seed=4711)
    url = "https://queue.fal.run/fal-ai/vidu/requests/some-request"
    with BlockingLedger.open(home) as ledger:
        entry = ledger.mark_submitting(ledger.reserve(shot, Budget()), {})
        entry = ledger.mark_submitted(
            entry, RequestHandle(f"request-of-{request.node.name}", url, url, url)
        )
        entry = ledger.mark_finished(entry, Output("https://v3.fal.media/files/clip.mp4"))
        file = SavedFile(path, path.stat().st_size, sha256, 320, 180, 24.0, 8, 8 / 24)
        entry = ledger.mark_saved(entry, file)
    yield entry.id
    with BlockingLedger.open(home) as ledger:
        ledger.delete(UnreadableEntry(entry.id, "damaged by the test"))  # readable or not
