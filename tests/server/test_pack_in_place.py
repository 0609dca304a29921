"""What a ComfyUI with the pack in it offers before anything is run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "example_workflows").glob("*.json"))
DOCS = ROOT / "web" / "docs"


@pytest.fixture(scope="module")
def object_info(comfy) -> dict:
    return comfy.object_info()


def test_pack_in_place_has_its_node(object_info):
    node = object_info["FalViduImageToVideo"]
    assert node["display_name"] == "Vidu Image to Video (fal)"
    assert node["category"] == "video/Vidu"
    assert node["python_module"] == "custom_nodes.vidu-on-fal"


def test_pack_in_place_is_imported_without_a_warning(comfy):
    log = comfy.log.read_text(encoding="utf-8")
    ours = [line for line in log.splitlines() if "vidu-on-fal" in line]
    assert ours
    assert not [line for line in ours if "IMPORT FAILED" in line]


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_help_page_is_served_with_its_pictures(comfy, page):
    """A picture's path is taken from the folder of all of them, in every language."""
    address = f"/extensions/vidu-on-fal/docs/{page.relative_to(DOCS).as_posix()}"
    assert comfy.http.get(address).text == page.read_text(encoding="utf-8")
    for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        shown = comfy.http.get(f"/extensions/vidu-on-fal/docs/{picture}")
        assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/png")


def test_locales_are_served_in_every_language(comfy):
    texts = comfy.http.get("/i18n").json()
    for folder in sorted((ROOT / "locales").iterdir()):
        own = json.loads((folder / "main.json").read_text(encoding="utf-8"))
        assert texts[folder.name]["vidu"] == own["vidu"]


def test_example_is_offered_once_with_its_picture(comfy):
    offered = comfy.http.get("/workflow_templates").json()["vidu-on-fal"]
    assert sorted(offered) == [path.stem for path in EXAMPLES]
    for name in offered:
        for suffix in ("json", "jpg"):
            address = f"/api/workflow_templates/vidu-on-fal/{name}.{suffix}"
            assert comfy.http.get(address).status_code == 200


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_nodes_are_all_registered(object_info, path):
    workflow = json.loads(path.read_text(encoding="utf-8"))
    front_end_only = {"MarkdownNote", "Note", "PrimitiveNode", "Reroute"}
    types = {node["type"] for node in workflow["nodes"]} - front_end_only
    assert types <= object_info.keys()


def test_web_scripts_are_plain_and_the_packs_own(comfy):
    scripts = [name for name in comfy.http.get("/extensions").json() if "vidu-on-fal" in name]
    shipped = [path.name for path in (ROOT / "web").glob("**/*.js")]
    assert sorted(name.rpartition("/")[2] for name in scripts) == sorted(shipped)
