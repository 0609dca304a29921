"""What stands on a node: its lines, its player, and the way to the key."""

from __future__ import annotations

import pytest
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
HEIGHTS = f"""() => {{
    const node = app.graph.nodes.find((node) => node.type === "{NODE}");
    return [node.size[1], node.widgets.find((widget) => widget.name === "prompt").computedHeight];
}}"""


HEIGHTS_IN_NODES_2 = """() => {
    const lines = document.querySelector(".vidu-lines");
    const node = lines.closest("[data-node-id]");
    return [node, node.querySelector("textarea")].map((element) => element.offsetHeight);
}"""


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


def test_node_batch_shows_all_lines_and_pages_in_classic(editor, key, fal):
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


def test_node_keeps_its_prompt_when_a_clip_arrives_in_nodes_2(editor):
    """The room is there for a picture of 16:9, as the example's is, and for one line."""
    editor.set("Comfy.VueNodes.Enabled", True)
    editor.load(EXAMPLE)
    editor.page.wait_for_timeout(1000)
    height, prompt = editor.page.evaluate(HEIGHTS_IN_NODES_2)
    assert prompt > 50
    editor.run()
    editor.video().wait_for()
    editor.page.wait_for_timeout(500)
    after, prompt_after = editor.page.evaluate(HEIGHTS_IN_NODES_2)
    assert abs(prompt_after - prompt) <= 4
    assert abs(after - height) <= 4


def test_node_keeps_its_size_when_a_clip_arrives_in_classic(editor, key, fal):
    """The room is there by the image's aspect; local_fal's clips are square, as this image is."""
    editor.load(EXAMPLE)
    editor.change("LoadImage", image="example.png")
    editor.change(NODE, mode="live", seed=44)
    editor.page.wait_for_timeout(1000)
    height, prompt = editor.page.evaluate(HEIGHTS)
    editor.run()
    editor.video().wait_for()
    after, prompt_after = editor.page.evaluate(HEIGHTS)
    assert abs(prompt_after - prompt) <= 20
    assert after >= height
    frame = editor.page.evaluate(
        f"""() => {{
            const node = app.graph.nodes.find((node) => node.type === "{NODE}");
            const {{ ds, canvas }} = app.canvas;
            return (node.pos[1] + node.size[1] + ds.offset[1]) * ds.scale
                + canvas.getBoundingClientRect().y;
        }}"""
    )
    box = editor.page.locator(".vidu-player:visible").bounding_box()
    assert box["y"] + box["height"] <= frame + 1


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
