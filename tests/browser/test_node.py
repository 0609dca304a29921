"""What stands on a node: its lines, its player, and the way to the key."""

from __future__ import annotations

import pytest
from PIL import Image
from playwright.sync_api import expect

from .editor import EXAMPLE
from .test_cost import TWO_SHOTS

NODE = "FalViduImageToVideo"
FRESH_NODES = f"""() => {{
    const [image, vidu] = ["LoadImage", "{NODE}"].map((type) => LiteGraph.createNode(type));
    for (const node of [image, vidu]) app.graph.add(node);
    vidu.pos = [500, 60];
    const find = (node, name) => node.widgets.find((widget) => widget.name === name);
    find(image, "image").value = "lighthouse.png";
    find(vidu, "prompt").value = "A fresh start.";
    image.connect(0, vidu, vidu.inputs.findIndex((slot) => slot.name === "image"));
}}"""
RESIZE = f"""(size) => {{
    app.graph.nodes.find((node) => node.type === "{NODE}").setSize(size);
}}"""
WATCH_PROMPT = f"""() => {{
    const node = app.graph.nodes.find((node) => node.type === "{NODE}");
    const {{ value }} = node.widgets.find((widget) => widget.name === "prompt");
    const areas = [...document.querySelectorAll("textarea")];
    const prompt = areas.find((area) => area.checkVisibility() && area.value === value);
    window.promptHeights = [];
    new ResizeObserver(() => window.promptHeights.push(prompt.offsetHeight)).observe(prompt);
}}"""
FRAME = f"""() => {{
    const node = app.graph.nodes.find((node) => node.type === "{NODE}");
    const {{ ds, canvas }} = app.canvas;
    const bottom = (node.pos[1] + node.size[1] + ds.offset[1]) * ds.scale;
    return {{ size: [...node.size], bottom: bottom + canvas.getBoundingClientRect().y }};
}}"""


def lines(editor):
    """The lines on the node that are shown."""
    return editor.page.locator(".vidu-lines:visible")


def test_node_after_cancel_says_what_was_charged(editor_in_both, key, fal):
    editor = editor_in_both
    fal.set_faults("slow:1")
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", prompt="It ends early.", seed=41)
    editor.start()
    editor.page.get_by_text("Generating (").first.wait_for()
    editor.page.evaluate("() => app.api.interrupt()")
    assert editor.end()[0] == "execution_interrupted"
    expect(lines(editor).first).to_contain_text("Cancelled.", timeout=20_000)
    expect(lines(editor).first).to_contain_text("$0.20")


def test_node_shows_an_error_whole(editor_in_both, key, fal):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", prompt="")
    editor.start()
    assert editor.end()[0] == "execution_error"
    words = lines(editor).first
    expect(words).to_contain_text("The prompt is empty.")
    expect(words).to_contain_text("Nothing was charged.")
    editor.page.keyboard.press("Escape")


def test_node_shows_markup_of_fal_as_text(editor_in_both, key):
    editor = editor_in_both
    editor.load(EXAMPLE)
    text = "*stars* <b>bold</b> ![a](http://x/y.png) [[c|http://x]]"
    coded = "".join(f"&#{ord(char)};" for char in text)
    script = """(text) => app.api.dispatchCustomEvent("progress_text", {
        nodeId: String(app.graph.nodes.find((node) => node.type === "FalViduImageToVideo").id),
        text,
    })"""
    editor.page.evaluate(script, coded)
    expect(lines(editor).first).to_have_text(text)
    assert lines(editor).first.locator("b, img, a, em").count() == 0


def test_node_without_a_key_leads_to_its_field(editor_in_both, private, local):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", seed=42)
    editor.page.get_by_test_id("queue-button").click()
    dialog = editor.page.locator(".vidu-key-dialog")
    expect(dialog.locator("p")).to_have_text(
        "Vidu in live mode needs a fal key. Draft mode needs none."
    )
    expect(dialog.get_by_text("No key yet")).to_be_hidden()  # it is said once
    expect(lines(editor).first).to_contain_text("There is no fal key")
    dialog.locator("input[type=password]").fill(f"Key {local.key}")
    dialog.get_by_role("button", name="Save").click()
    dialog.get_by_text("Saved: fal accepts this key.").wait_for()
    dialog.wait_for(state="detached")
    assert (private / "fal_key").read_text(encoding="ascii") == local.key
    expect(lines(editor).first).to_have_text("The key is saved. Run again.")


def test_node_batch_shows_all_lines_and_pages(editor_in_both, key, fal):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", seed=43)
    editor.page.evaluate(TWO_SHOTS)
    editor.run()
    editor.command("Comfy.Canvas.FitView")
    expect(lines(editor).first.locator("div")).to_have_count(2)
    player = editor.page.locator(".vidu-player:visible")
    player.get_by_text("1 / 2").wait_for()
    first = player.locator("video").get_attribute("src")
    player.get_by_role("button", name="Next clip").click()
    player.get_by_text("2 / 2").wait_for()
    assert player.locator("video").get_attribute("src") != first


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (1080, 1080)], ids=str)
def test_node_keeps_its_prompt_and_size_through_a_run(editor_in_both, base, size):
    """The room is there before the run, by the aspect of the picture at the input."""
    editor = editor_in_both
    load_with(editor, base, size)
    before = editor.page.evaluate(FRAME)["size"]
    editor.page.evaluate(WATCH_PROMPT)
    editor.run()
    after = frame_around_the_clip(editor, size)["size"]
    assert prompt_moves(editor) <= 2
    assert after == before


@pytest.mark.parametrize("size", [(400, 300), (600, 1250)], ids=["small", "large"])
def test_node_grows_below_the_prompt_for_another_shape(editor_in_both, base, key, fal, size):
    """The picture is of 16:9, and local_fal's clip is square; then a draft of 16:9 comes."""
    editor = editor_in_both
    load_with(editor, base, (1280, 720))
    editor.page.evaluate(RESIZE, size)
    editor.command("Comfy.Canvas.FitView")
    editor.page.wait_for_timeout(1000)
    before = editor.page.evaluate(FRAME)["size"]
    editor.page.evaluate(WATCH_PROMPT)
    editor.change(NODE, mode="live", seed=44)
    editor.run()
    grown = frame_around_the_clip(editor, (480, 480))["size"]
    assert grown[0] == before[0] == size[0]
    assert grown[1] > before[1] + 50
    editor.change(NODE, mode="draft")
    editor.run()
    assert frame_around_the_clip(editor, (1280, 720))["size"] == grown
    assert prompt_moves(editor) <= 4


def load_with(editor, base, size):
    """The example, with a picture of this size at its input."""
    name = "{}x{}.png".format(*size)
    Image.new("RGB", size, "teal").save(base / "input" / name)
    editor.command("Comfy.RefreshNodeDefinitions")
    editor.load(EXAMPLE)
    editor.change("LoadImage", image=name)
    loaded = """(width) => app.graph.nodes.some(({ imgs }) => imgs?.[0]?.naturalWidth === width)"""
    editor.page.wait_for_function(loaded, arg=size[0])
    editor.page.wait_for_timeout(1000)


def frame_around_the_clip(editor, size):
    """The node's size and lower edge, once a clip of this size is there and within it."""
    shown = """([width, height]) => [...document.querySelectorAll("video[controls]")]
        .filter((video) => video.checkVisibility())
        .some((video) => video.videoWidth * height === video.videoHeight * width)"""
    editor.page.wait_for_function(shown, arg=size)
    editor.page.wait_for_timeout(500)
    frame = editor.page.evaluate(FRAME)
    box = editor.video().bounding_box()
    assert box["y"] + box["height"] <= frame["bottom"] + 1
    return frame


def prompt_moves(editor):
    """By how many pixels the height of the prompt has changed since it is watched."""
    heights = editor.page.evaluate("() => window.promptHeights")
    assert min(heights) > 25
    return max(heights) - min(heights)


@pytest.mark.parametrize("language, words", [("fr", "gratuit"), ("ja", "\u7121\u6599")])
def test_badge_and_lines_follow_the_language(editor_in_both, language, words):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.wait_for_badge(NODE, "draft: free")
    try:
        editor.set("Comfy.Locale", language)
        script = f"""() => app.graph.nodes.find((node) => node.type === "{NODE}").badges
            .map((badge) => (typeof badge === "function" ? badge() : badge).text)
            .some((text) => text.includes("{words}"))"""
        editor.page.wait_for_function(script)
    finally:
        editor.set("Comfy.Locale", "en")
        editor.wait_for_badge(NODE, "draft: free")


def test_fresh_node_pays_once_for_two_presses(editor_in_both, key, fal):
    """Its seed stays as it is between runs, whatever a fresh node of other packs does."""
    editor = editor_in_both
    editor.page.evaluate(FRESH_NODES)
    for _ in range(2):
        editor.run()
    assert len(fal.ledger()["jobs"]) == 1


def test_template_brings_its_picture(editor, base):
    (base / "input" / "lighthouse.png").unlink(missing_ok=True)
    editor.command("Comfy.RefreshNodeDefinitions")
    editor.page.wait_for_timeout(1500)
    editor.load(EXAMPLE)
    assert (base / "input" / "lighthouse.png").is_file()
    assert editor.nodes("LoadImage")[0]["image"] == "lighthouse.png"
