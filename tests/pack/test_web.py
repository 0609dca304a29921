"""Where the web extension touches the editor: by its documented ways, or in host.js alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[2] / "web"
HOST = WEB / "host.js"
OTHERS = sorted(set(WEB.glob("*.js")) - {HOST})
DOCUMENTED = {"app.registerExtension", "app.extensionManager"}


def undocumented() -> list[str]:
    """Each exported function of host.js, with its comment, below the documented ones."""
    _, documented, *sections = re.split(r"^// -- .*\n", HOST.read_text("utf-8"), flags=re.M)
    assert "registerExtension" not in documented
    parts = [part for section in sections for part in re.split(r"\n\n(?=//|export)", section)]
    return [part for part in parts if re.search(r"^export ", part, re.M)]


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_script_touches_the_editor_in_documented_ways_alone(path):
    code = re.sub(r"^(\s*//|import ).*$", "", path.read_text(encoding="utf-8"), flags=re.M)
    used = set(re.findall(r"\bapp\.\w+|\bLiteGraph\b|\bLGraph\w*|window\.comfyAPI", code))
    assert used <= DOCUMENTED


@pytest.mark.parametrize("part", undocumented(), ids=lambda part: part.splitlines()[-1][:40])
def test_way_into_the_editor_names_what_replaces_it(part):
    uses_it = re.search(r"\b(app|api|window|node)\b", re.sub(r"^//.*$", "", part, flags=re.M))
    assert not uses_it or "Replaced by: " in part
