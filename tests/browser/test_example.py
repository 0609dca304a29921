"""The example workflow, from the template to the clip that plays on the node."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from .editor import EXAMPLE, EXAMPLES, ROOT

NODE = "FalViduImageToVideo"


def test_example_runs_without_a_key_and_its_clip_plays(editor_in_both):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.run()
    video = editor.video()
    video.evaluate("(video) => { video.muted = true; return video.play(); }")
    editor.page.wait_for_function("(video) => video.currentTime > 0.2", arg=video.element_handle())
    editor.page.get_by_text("Draft, free: Vidu, ").first.wait_for()


STILL = ROOT / "example_workflows" / "2. Vidu Image.json"
OTHERS = [path for path in EXAMPLES if path not in (EXAMPLE, STILL)]
GENERATING = """() => app.graph.nodes.filter(({ type }) =>
    type.startsWith("FalVidu") && !["FalViduShots", "FalViduSavedClip"].includes(type))"""
FEWER_FRAMES = f"""() => {{
    for (const {{ widgets }} of ({GENERATING})())
        for (const widget of widgets) if (widget.name === "max_frames") widget.value = 4;
}}"""
INTO_SUBGRAPH = f"() => app.graph.convertToSubgraph(new Set(({GENERATING})()))"


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_other_examples_run_without_a_key(editor_in_both, path):
    editor = editor_in_both
    editor.load(path)
    assert not editor.page.evaluate("() => app.graph.nodes.some((node) => node.has_errors)")
    editor.page.evaluate(FEWER_FRAMES)  # of each clip: for what comes after it, that is as good
    editor.run()
    editor.video().wait_for()


def test_example_of_a_still_shows_it(editor_in_both):
    editor = editor_in_both
    editor.load(STILL)
    editor.run()
    editor.page.get_by_text("Draft, free: Q2, 1920x1080").first.wait_for()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_with_its_generating_nodes_in_a_subgraph_runs(editor_in_both, path):
    editor = editor_in_both
    editor.load(path)
    editor.page.evaluate(FEWER_FRAMES)
    editor.page.evaluate(INTO_SUBGRAPH)
    assert editor.page.evaluate("() => app.graph.nodes.filter((node) => node.subgraph).length") == 1
    editor.run()
    shown = editor.page.get_by_text("Draft, free: ").and_(editor.page.locator(":visible"))
    shown.first.wait_for()  # older front ends keep what is inside, hidden


def test_templates_sorted_by_title_begin_with_the_simplest(editor):
    """Unsorted they come as the server's file system lists them; on Windows that is by name."""
    editor.set("Comfy.Templates.SortBy", "alphabetical")
    cards = open_templates(editor).all()
    editor.set("Comfy.Templates.SortBy", "default")
    listed = [card.get_attribute("data-testid") for card in cards]
    assert listed == [f"template-workflow-{path.stem}" for path in EXAMPLES]
    for card, path in zip(cards, EXAMPLES, strict=True):
        card.get_by_role("heading", name=path.stem).wait_for()
        loaded = "(image) => image.complete && image.naturalWidth > 0"
        editor.page.wait_for_function(loaded, arg=card.locator("img").first.element_handle())


def test_template_opens_with_no_node_missing(editor):
    open_templates(editor).filter(has_text=EXAMPLE.stem).click()
    editor.page.wait_for_function(f"() => app.graph.nodes.some((node) => node.type === '{NODE}')")
    assert editor.nodes(NODE)[0]["mode"] == "draft"
    assert not editor.page.evaluate("() => app.graph.nodes.some((node) => node.has_errors)")


def open_templates(editor) -> Locator:
    """The cards of the pack's templates in ComfyUI's dialog."""
    editor.command("Comfy.BrowseTemplates")
    dialog = editor.page.get_by_role("dialog")
    dialog.get_by_text("vidu-on-fal", exact=True).first.click()
    cards = dialog.locator("[data-testid^='template-workflow-']")
    expect(cards).to_have_count(len(EXAMPLES))
    return cards


def test_saved_clip_dropped_on_an_empty_canvas_restores_its_graph(editor_in_both, key, base):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", prompt="Snow falls.", seed=77)
    before = set(base.rglob("output/**/*.mp4"))
    editor.run()
    (clip,) = set(base.rglob("output/**/*.mp4")) - before
    editor.clear()
    address = f"/api/view?filename={clip.name}&subfolder=video&type=output"
    editor.page.evaluate(
        """async ([address, name]) => {
            const blob = await (await fetch(address)).blob();
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([blob], name, { type: "video/mp4" }));
            const place = { clientX: 900, clientY: 500 };
            const options = { dataTransfer, bubbles: true, cancelable: true, ...place };
            app.canvas.canvas.dispatchEvent(new DragEvent("drop", options));
        }""",
        [address, clip.name],
    )
    editor.page.wait_for_function(f"() => app.graph.nodes.some((node) => node.type === '{NODE}')")
    (node,) = editor.nodes(NODE)
    assert (node["prompt"], node["seed"]) == ("Snow falls.", 77)
    assert editor.nodes("LoadImage")[0]["image"] == "lighthouse.png"
