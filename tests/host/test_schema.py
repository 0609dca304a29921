"""What ComfyUI says of the nodes is what tests/pack holds the examples and help pages against."""

from __future__ import annotations

import json
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[1] / "pack" / "object_info.json"
KEYS = (
    "name",
    "display_name",
    "category",
    "description",
    "input",
    "output",
    "output_is_list",
    "output_name",
    "output_tooltips",
    "output_node",
)


def test_schemas_are_those_on_file(node_classes):
    """To accept a change: delete tests/pack/object_info.json, run this, and read what it wrote."""
    schemas = {
        name: {key: info[key] for key in KEYS}
        for name, info in ((name, node.GET_NODE_INFO_V1()) for name, node in node_classes.items())
    }
    written = json.dumps(schemas, indent=1) + "\n"
    missing = not GOLDEN.exists()
    if missing:
        GOLDEN.write_text(written, encoding="ascii")
    assert not missing, f"{GOLDEN} was not there and is now"
    assert json.loads(written) == json.loads(GOLDEN.read_text(encoding="ascii"))


def test_schemas_claim_no_node_of_comfy_org(node_classes):
    for node in node_classes.values():
        info = node.GET_NODE_INFO_V1()
        assert not info["api_node"]
        assert not info.get("price_badge")
