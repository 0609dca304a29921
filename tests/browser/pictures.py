"""The pictures of the README, the help pages and the example workflows, from the real editor.

    python3 dev.py test tests/browser/pictures.py

runs each example as a draft and keeps frames of what came out; then makes clips at local_fal, and
takes the node, the library, the settings and a shot list.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator

import local_fal.clips
from vidu.media.video import decode

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "example_workflows").glob("*.json"))
DOCS = ROOT / "web" / "docs"
PROMPTS = (
    "The beam of the lighthouse sweeps over the sea while the waves roll in.",
    "A slow push towards the tower; the sail turns into the wind.",
    "Fog rolls over the water and the first stars come out.",
)
SIDE_BY_SIDE = """() => {
    const find = (type) => app.graph.nodes.find((node) => node.type === type);
    app.graph.remove(find("MarkdownNote"));
    find("LoadImage").pos = [40, 60];
    find("LoadImage").setSize([400, 330]);
    find("FalViduImageToVideo").setSize([460, 800]);
}"""

STORYBOARD = """(lines) => {
    const add = (type, pos, size, values = {}) => {
        const node = LiteGraph.createNode(type);
        node.pos = pos;
        app.graph.add(node);
        node.setSize(size);
        for (const [name, value] of Object.entries(values))
            node.widgets.find((widget) => widget.name === name).value = value;
        return node;
    };
    const image = add("LoadImage", [40, 60], [360, 330], { image: "lighthouse.png" });
    const shots = add("FalViduShots", [440, 60], [420, 330], { shots: lines });
    const vidu = add("FalViduImageToVideo", [900, 60], [420, 760], { mode: "draft" });
    image.connect(0, shots, shots.inputs.findIndex((slot) => slot.name === "image"));
    for (const name of ["image", "prompt", "seed", "movement_amplitude"]) {
        const names = [name, `model.${name}`];
        shots.connect(
            shots.outputs.findIndex((slot) => slot.name === name),
            vidu,
            vidu.inputs.findIndex((slot) => names.includes(slot.name)),
        );
    }
}"""


@pytest.fixture(scope="session")
def local(bare_environment):
    """Clips as large as Vidu's own, without the stamp that tells tests whose they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_fal.clips, "WATERMARK", "")
        with local_fal.running(generation_seconds=1) as fal:
            yield fal


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_picture_is_made(editor, base, path):
    editor.load(path)
    before = set((base / "output").rglob("*.mp4"))
    editor.run()
    clips = sorted(
        set((base / "output").rglob("*.mp4")) - before, key=lambda clip: clip.stat().st_mtime
    )
    # What was made last is the whole film, where one was joined.
    four_frames(clips[-1]).save(path.with_suffix(".jpg"), quality=85)


def four_frames(clip: Path) -> Image.Image:
    """Four moments of a clip, two by two, 640 pixels wide."""
    frames = decode(clip)
    picked = frames[np.linspace(len(frames) // 8, len(frames) - 1, 4).astype(int)]
    stills = [Image.fromarray((frame * 255).round().astype(np.uint8)) for frame in picked]
    width, height = 320, round(320 * stills[0].height / stills[0].width)
    sheet = Image.new("RGB", (2 * width, 2 * height))
    for place, still in enumerate(stills):
        sheet.paste(still.resize((width, height)), (place % 2 * width, place // 2 * height))
    return sheet


def test_editor_pictures_are_made(editor, key, fal):
    page = editor.page
    editor.load(ROOT / "example_workflows" / "image_to_video.json")
    editor.page.evaluate(SIDE_BY_SIDE)
    editor.command("Comfy.Canvas.FitView")
    editor.change("LoadImage", image="lighthouse.png")
    for seed, prompt in enumerate(reversed(PROMPTS), 1):
        editor.change("FalViduImageToVideo", prompt=prompt, seed=seed, mode="live")
        editor.run()
    editor.set("Comfy.Minimap.Visible", False)
    play_a_little(editor.video())
    page.mouse.move(1500, 900)
    page.wait_for_timeout(4000)  # until the player's controls and the editor's notices are gone
    page.screenshot(path=DOCS / "node.png", clip=around_the_graph(editor))

    library = editor.library()
    library.locator("img").nth(2).wait_for()
    page.wait_for_timeout(500)
    library.locator(".vidu-card").first.click(button="right")
    page.screenshot(path=DOCS / "library.png", clip={"x": 0, "y": 38, "width": 800, "height": 560})
    page.keyboard.press("Escape")

    settings = editor.settings()
    settings.get_by_text("A key is set").wait_for()
    settings.screenshot(path=DOCS / "settings.png")


def test_shot_list_picture_is_made(editor, base):
    editor.tidy(nodes_2=True)
    editor.page.evaluate(STORYBOARD, "\n".join(PROMPTS))
    drawn = editor.page.evaluate("() => app.graph.nodes.map((node) => node.type).sort()")
    assert drawn == ["FalViduImageToVideo", "FalViduShots", "LoadImage"]
    editor.command("Comfy.Canvas.FitView")
    editor.set("Comfy.Minimap.Visible", False)
    editor.run()
    editor.page.wait_for_timeout(4000)
    editor.page.screenshot(path=DOCS / "shots.png", clip=around_the_graph(editor))


def play_a_little(video: Locator) -> None:
    video.evaluate("(video) => { video.muted = true; return video.play(); }")


def around_the_graph(editor) -> dict:
    """The part of the page the nodes are in, with a margin."""
    edges = editor.page.evaluate(
        """() => {
            const { ds, canvas } = app.canvas;
            const rect = canvas.getBoundingClientRect();
            const bounds = app.graph.nodes.map((node) => node.boundingRect);
            const place = (value, axis) => (value + ds.offset[axis]) * ds.scale;
            const left = Math.min(...bounds.map((b) => place(b[0], 0)));
            const top = Math.min(...bounds.map((b) => place(b[1], 1)));
            const right = Math.max(...bounds.map((b) => place(b[0] + b[2], 0)));
            const bottom = Math.max(...bounds.map((b) => place(b[1] + b[3], 1)));
            return [rect.x + left, rect.y + top, rect.x + right, rect.y + bottom];
        }"""
    )
    left, top, right, bottom = edges
    margin = 24
    return {
        "x": left - margin,
        "y": top - margin,
        "width": right - left + 2 * margin,
        "height": bottom - top + 2 * margin,
    }
