"""A still of the library, put on the canvas."""

from __future__ import annotations

from playwright.sync_api import expect

from .conftest import forget_runs
from .editor import EXAMPLES

STILL = next(path for path in EXAMPLES if "Vidu Image.json" in path.name)
MAKER, SAVED = "FalViduImage", "FalViduSavedClip"
PICTURES = f"""(width) => {{
    const node = app.graph.nodes.find(({{ type }}) => type === "{SAVED}");
    const onPage = [...document.querySelectorAll(`[data-node-id="${{node.id}}"] img`)];
    const pictures = LiteGraph.vueNodesMode ? onPage : (node.imgs ?? []);
    return pictures.filter(({{ naturalWidth }}) => naturalWidth === width).length === 1;
}}"""


def test_still_put_on_the_canvas_is_seen_and_runs_free(editor, key, fal, comfy):
    editor.load(STILL)
    editor.change(MAKER, mode="live", prompt="A lamp that stands still.", seed=7)
    editor.run()
    card = editor.library().get_by_role("article").filter(has_text="A lamp that stands still.")
    width = int(card.inner_text().partition("\u00d7")[0].split()[-1])
    fal.reset()
    for nodes_2 in (False, True):
        forget_runs(comfy)
        editor.clear()
        editor.set("Comfy.VueNodes.Enabled", nodes_2)
        editor.choose(card, "Put on the canvas")
        editor.page.wait_for_function(PICTURES, arg=width)
        expect(editor.video()).to_have_count(0)
        editor.run()
        editor.page.get_by_text("Saved, free: ").first.wait_for()
        editor.page.wait_for_function(PICTURES, arg=width)
        expect(editor.video()).to_have_count(0)
    assert not fal.ledger()["requests"]
