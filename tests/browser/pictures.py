"""The pictures of the README, the help pages and the example workflows, from the real editor.

    python3 dev.py test tests/browser/pictures.py

runs each example as a draft and keeps frames of what came out, below the heading of its note; takes
each generating node as it is after that; then makes clips at local_fal, and takes the node, the
library, the settings and a shot list.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Locator

import local_fal.clips
from vidu.media.video import decode

from .editor import EXAMPLE, EXAMPLES, ROOT

DOCS = ROOT / "web" / "docs"
PROMPTS = (
    "The beam of the lighthouse sweeps over the sea while the waves roll in.",
    "A slow push towards the tower; the sail turns into the wind.",
    "Fog rolls over the water and the first stars come out.",
)
PICTURED = {
    "text_to_video": "1. Vidu Text to Video",
    "image": "2. Vidu Image",
    "reference_to_video": "4. Vidu Reference to Video",
    "template": "5. Vidu Template",
    "extend_video": "6. Vidu Extend Video",
}
"""The nodes whose help page shows them in their example, by the name of the picture."""

SHEET_WIDTH, TITLE_HEIGHT = 640, 56
WITHOUT_NOTE = """() => {
    app.graph.remove(app.graph.nodes.find((node) => node.type === "MarkdownNote"));
}"""
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
    before = files_in(base / "output")
    editor.run()
    made = sorted(files_in(base / "output") - before, key=lambda file: file.stat().st_mtime)
    if path.stem == "7. Vidu Shots":
        clips = [frames_of(clip, 2) for clip in made]
        pictures = [first for first, _ in clips] + [last for _, last in clips]
        columns = len(clips)
    elif made[-1].suffix == ".png":
        pictures, columns = [Image.open(made[-1]).convert("RGB")], 1
    else:  # what was made last is the whole film, where one was joined
        pictures, columns = frames_of(made[-1], 4), 2
    sheet_of(pictures, columns, title_of(path)).save(path.with_suffix(".jpg"), quality=85)


def files_in(folder: Path) -> set[Path]:
    return {*folder.rglob("*.mp4"), *folder.rglob("*.png")}


def frames_of(clip: Path, count: int) -> list[Image.Image]:
    """So many moments of a clip, from an eighth of it to its end."""
    frames = decode(clip)
    picked = frames[np.linspace(len(frames) // 8, len(frames) - 1, count).astype(int)]
    return [Image.fromarray((frame * 255).round().astype(np.uint8)) for frame in picked]


def title_of(example: Path) -> str:
    """The heading of the note in a workflow."""
    nodes = json.loads(example.read_text(encoding="utf-8"))["nodes"]
    (note,) = [node for node in nodes if node["type"] == "MarkdownNote"]
    return note["widgets_values"][0].splitlines()[0].removeprefix("## ")


def sheet_of(pictures: list[Image.Image], columns: int, title: str) -> Image.Image:
    """Pictures side by side below a title, 640 pixels wide."""
    width = SHEET_WIDTH // columns
    height = round(width * pictures[0].height / pictures[0].width)
    sheet = Image.new("RGB", (SHEET_WIDTH, TITLE_HEIGHT + height * (len(pictures) // columns)))
    draw = ImageDraw.Draw(sheet)
    middle = (16, TITLE_HEIGHT // 2)
    sizes = (TITLE_HEIGHT * share / 100 for share in range(55, 20, -5))
    fonts = map(ImageFont.load_default, sizes)
    font = next(font for font in fonts if draw.textlength(title, font) <= SHEET_WIDTH - 32)
    draw.text(middle, title, "white", font, "lm")
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        corner = (column * width, TITLE_HEIGHT + row * height)
        sheet.paste(picture.resize((width, height)), corner)
    return sheet


@pytest.mark.parametrize("name", PICTURED)
def test_node_picture_is_made(editor, name):
    editor.load(ROOT / "example_workflows" / f"{PICTURED[name]}.json")
    editor.page.evaluate(WITHOUT_NOTE)
    editor.command("Comfy.Canvas.FitView")
    editor.set("Comfy.Minimap.Visible", False)
    editor.run()
    editor.page.wait_for_timeout(4000)
    editor.command("Comfy.Canvas.FitView")  # with what the run has put on the node
    editor.page.wait_for_timeout(1500)
    editor.page.screenshot(path=DOCS / f"{name}.png", clip=around_the_graph(editor))


def test_editor_pictures_are_made(editor, key, fal):
    page = editor.page
    editor.load(EXAMPLE)
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
