"""Two ComfyUI servers with folders of their own share a shot, a budget and a library.

Each is a machine with a name; the ledger is one PostgreSQL server.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect

from ..server.conftest import COMFYUI, Comfy, furnish, serving
from .conftest import MODES
from .editor import EXAMPLE, ROOT, Editor

NODE = "FalViduImageToVideo"
NAMES = ("anna-pc", "render-2")
PICTURES = os.environ.get("VIDU_PICTURES")
"""A folder for screenshots, to be looked at."""


@dataclass
class Machine:
    comfy: Comfy
    editor: Editor

    @property
    def private(self) -> Path:
        return self.comfy.base / "user" / "__fal_vidu"


@pytest.fixture(scope="module")
def studio(postgres, local, chromium, tmp_path_factory) -> Iterator[list[Machine]]:
    """Two servers on one ledger, each with the editor open."""
    postgres.clear()
    environment = {**local.environment, "VIDU_LEDGER": postgres.url}
    bases = [furnish(tmp_path_factory.mktemp(name)) for name in NAMES]
    for base in bases:
        shutil.copy(ROOT / "tests" / "support" / "named_machine.py", base / "custom_nodes")
        shutil.copy(COMFYUI / "input" / "example.png", base / "input")
    with (
        serving(bases[0], environment | {"TEST_MACHINE": NAMES[0]}) as one,
        serving(bases[1], environment | {"TEST_MACHINE": NAMES[1]}) as two,
        chromium.new_context(viewport={"width": 1600, "height": 1000}) as first,
        chromium.new_context(viewport={"width": 1600, "height": 1000}) as second,
    ):
        machines = [
            Machine(comfy, Editor(context.new_page(), comfy.url))
            for comfy, context in ((one, first), (two, second))
        ]
        for machine in machines:
            machine.editor.open()
        yield machines


@pytest.fixture(params=MODES.values(), ids=MODES)
def machines(request, studio, fal) -> list[Machine]:
    """Both editors in the same rendering, with the example on the canvas."""
    for machine in studio:
        machine.editor.tidy(nodes_2=request.param)
        machine.editor.load(EXAMPLE)
        machine.editor.change(NODE, mode="live")
    return studio


def photograph(machine: Machine, name: str) -> None:
    if PICTURES:
        machine.editor.page.screenshot(path=Path(PICTURES, f"{name}.png"))


def test_second_machine_waits_for_the_shot_and_gets_the_clip_free(machines, fal, request):
    name = request.node.callspec.id
    fal.set_faults("slow:1")
    one, two = machines
    for machine in machines:
        machine.editor.change(NODE, prompt=f"One shot for both, {name}.", seed=3)
    one.editor.start()
    one.editor.page.get_by_text("Generating (").first.wait_for()
    two.editor.start()
    waiting = two.editor.page.get_by_text(
        f"This shot is already being generated on {NAMES[0]}: waiting for that clip"
    )
    waiting.first.wait_for()
    photograph(two, f"waits_{name}")
    for machine in machines:
        kind, detail = machine.editor.end()
        assert kind == "execution_success", detail
        machine.editor.video().wait_for()
    two.editor.page.wait_for_timeout(1000)
    photograph(one, f"made_{name}")
    photograph(two, f"shared_{name}")
    (job,) = fal.ledger()["jobs"]
    assert job["input"]["prompt"] == f"One shot for both, {name}."
    # Both are on this computer, so the second one finds the file where the first one has it.
    assert list(one.comfy.output.rglob("*.mp4"))
    for machine in machines:
        sums = machine.comfy.http.get("/vidu/state").json()["today"]
        assert sums["usd"] == pytest.approx(0.2 * (1 + list(MODES).index(name)))


def test_daily_budget_set_in_one_editor_refuses_in_the_other(machines, fal, request):
    one, two = machines
    library = one.editor.library()
    spent = one.comfy.http.get("/vidu/state").json()["today"]["usd"]
    with one.editor.page.expect_response("**/vidu/budget"):
        library.get_by_label("Daily budget in US dollars").fill(f"{spent + 0.1:.2f}")
        library.get_by_role("searchbox").focus()
    try:
        there = two.editor.library()
        expect(there.get_by_label("Daily budget in US dollars")).to_have_value(f"{spent + 0.1:.2f}")
        two.editor.change(NODE, prompt="Too dear for the studio.", seed=9)
        two.editor.start()
        kind, detail = two.editor.end()
        assert kind == "execution_error"
        assert f"of today's ${spent + 0.1:.2f} is spent or reserved" in detail["exception_message"]
        photograph(two, f"budget_{request.node.callspec.id}")
        assert not fal.ledger()["jobs"]
    finally:
        body = {"json": {"daily_usd": 0}}
        one.comfy.http.post("/vidu/budget", **body).raise_for_status()


def test_library_shows_whose_machine_made_a_clip_and_filters_by_it(machines, fal, request):
    name = request.node.callspec.id
    for machine, words in zip(machines, ("A lamp is lit", "A door falls shut"), strict=True):
        machine.editor.change(NODE, prompt=f"{words}, {name}.", seed=5)
        machine.editor.run()
    one, _ = machines
    library = one.editor.library()
    card = library.get_by_role("article").filter(has_text=f"A door falls shut, {name}.")
    expect(card).to_contain_text(NAMES[1])
    lamp = library.get_by_role("article").filter(has_text=f"A lamp is lit, {name}.")
    expect(lamp).to_contain_text(NAMES[0])
    library.get_by_label("Machine").select_option(NAMES[1])
    expect(lamp).to_have_count(0)
    expect(card).to_have_count(1)
    photograph(one, f"library_{name}")
    library.get_by_label("Machine").select_option("")
    expect(lamp).to_have_count(1)


def test_password_of_the_ledger_reaches_no_page_and_no_log(postgres, local, tmp_path):
    """Given in the address, where it does not belong; the server lets everybody in."""
    base = furnish(tmp_path)
    host = postgres.url.partition("host=")[2]
    url = f"postgresql://postgres:geheim-4711@/postgres?host={host}"
    environment = {**local.environment, "VIDU_LEDGER": url, "TEST_MACHINE": NAMES[0]}
    with serving(base, environment) as comfy:
        told = [
            comfy.http.get(f"/vidu/{path}").text
            for path in ("state", "clips?choices=1", "jobs", "prices", "clips/1/file")
        ]
        postgres.run_sql("ALTER TABLE vidu.entries RENAME TO hidden")
        try:
            told += [comfy.http.get("/vidu/state").text, comfy.http.get("/vidu/clips").text]
        finally:
            postgres.run_sql("ALTER TABLE vidu.hidden RENAME TO entries")
        told.append(json.dumps([event.data for event in comfy.events]))
        told.append(comfy.log.read_text(encoding="utf-8"))
    assert "cannot be used" in "".join(told)
    assert "geheim" not in "".join(told)
