"""The pack's nodes in the editor's search, among ComfyUI's own partner nodes for Vidu."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..server.conftest import furnish, serving
from .editor import Editor

SEARCH = """async (query) => {
    const { $pinia } = document.querySelector("#vue-app").__vue_app__.config.globalProperties;
    const { nodeSearchService } = $pinia._s.get("nodeDef");
    const search = () => nodeSearchService.searchNode(query, [], { limit: 64 });
    search(); // which makes the store of uses
    const uses = $pinia._s.get("nodeFrequency");
    await uses.loadNodeFrequencies();
    return search().map(({ name }) => name).filter((name) => !uses.getNodeFrequencyByName(name));
}"""
"""What the editor does not list as used often; that comes first, whatever its name is."""

PARTNERS = {"Vidu2ImageToVideoNode", "Vidu3TextToVideoNode", "Vidu2ReferenceVideoNode"}


@pytest.fixture(scope="module")
def editor(chromium, tmp_path_factory) -> Iterator[Editor]:
    base = furnish(tmp_path_factory.mktemp("partners"))
    with serving(base, {}, partner_nodes=True) as comfy, chromium.new_context() as context:
        assert comfy.object_info().keys() >= PARTNERS
        editor = Editor(context.new_page(), comfy.url)
        editor.open()
        yield editor


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("vidu", "FalViduImage"),
        ("vidu image to video", "FalViduImageToVideo"),
        ("vidu text to video", "FalViduTextToVideo"),
        ("vidu reference to video", "FalViduReferenceToVideo"),
        ("vidu extend", "FalViduExtendVideo"),
    ],
)
def test_search_finds_the_node_first_among_equals(editor, query, first):
    assert editor.page.evaluate(SEARCH, query)[0] == first
