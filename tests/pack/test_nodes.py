"""The nodes as ComfyUI-Manager's scanner and the front end find them.

What ComfyUI itself says of their schemas is in object_info.json; tests/host keeps that true.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WIDGETS = {"BOOLEAN", "COMBO", "FLOAT", "INT", "STRING"}
SCHEMAS = json.loads((Path(__file__).parent / "object_info.json").read_text(encoding="utf-8"))


def node_classes() -> dict[str, ast.ClassDef]:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "nodes").glob("*.py")]
    classes = [item for tree in trees for item in ast.walk(tree) if isinstance(item, ast.ClassDef)]
    return {
        item.name: item
        for item in classes
        if any("ComfyNode" in ast.unparse(base) for base in item.bases)
    }


def examples() -> list[Path]:
    return sorted((ROOT / "example_workflows").glob("*.json"))


def declared_inputs(schema: dict) -> dict[str, tuple]:
    """The inputs as they are declared; those inside a choice are not among them."""
    return flat(schema["input"])


def flat(inputs: dict) -> dict[str, tuple]:
    return {**inputs.get("required", {}), **inputs.get("optional", {})}


def all_inputs(schema: dict) -> dict[str, tuple]:
    """The inputs under the names that a prompt has for them, those of every choice included."""

    def expand(inputs: dict, prefix: str = "") -> dict[str, tuple]:
        expanded = {}
        for name, (kind, options) in flat(inputs).items():
            path = f"{prefix}{name}"
            if kind == "COMFY_AUTOGROW_V3":
                ((single, declared),) = flat(options["template"]["input"]).items()
                expanded |= {f"{path}.{each}": declared for each in options["template"]["names"]}
                assert single
                continue
            expanded[path] = (kind, options)
            for option in options.get("options", ()) if kind == "COMFY_DYNAMICCOMBO_V3" else ():
                expanded |= expand(option["inputs"], f"{path}.")
        return expanded

    return expand(schema["input"])


def widget_count(inputs: dict, values: list) -> int:
    """How many of these values the front end wrote for a node's widgets, in order."""
    count = 0
    for kind, options in flat(inputs).values():
        if kind == "COMFY_DYNAMICCOMBO_V3":
            (chosen,) = (each for each in options["options"] if each["key"] == values[count])
            count += 1
            count += widget_count(chosen["inputs"], values[count:])
        elif (isinstance(kind, list) or kind in WIDGETS) and not options.get("forceInput"):
            count += 2 if options.get("control_after_generate") else 1
    return count


@pytest.mark.parametrize("name", node_classes())
def test_node_id_is_literal_and_the_name_of_the_class(name):
    node = node_classes()[name]
    assert [ast.unparse(base) for base in node.bases] == ["io.ComfyNode"]
    ids = [
        keyword.value
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "io.Schema"
        for keyword in call.keywords
        if keyword.arg == "node_id"
    ]
    assert [ast.literal_eval(value) for value in ids] == [name]


def test_pack_lists_every_node():
    source = (ROOT / "nodes" / "__init__.py").read_text(encoding="utf-8")
    (listing,) = (
        item
        for item in ast.walk(ast.parse(source))
        if isinstance(item, ast.AsyncFunctionDef) and item.name == "get_node_list"
    )
    listed = {item.id for item in ast.walk(listing) if isinstance(item, ast.Name)}
    assert node_classes().keys() <= listed
    assert node_classes().keys() == SCHEMAS.keys()


@pytest.mark.parametrize("path", [ROOT / "__init__.py", ROOT / "nodes" / "__init__.py"], ids=str)
def test_pack_registers_nothing_the_old_way(path):
    """Even an empty NODE_CLASS_MAPPINGS keeps the loader from comfy_entrypoint."""
    assert "NODE_CLASS_MAPPINGS" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", node_classes())
def test_node_has_its_help_page(name):
    assert (ROOT / "web" / "docs" / f"{name}.md").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("name", SCHEMAS)
def test_node_input_has_a_tooltip(name):
    silent = {
        field
        for field, (_, options) in all_inputs(SCHEMAS[name]).items()
        if not options.get("tooltip")
    }
    assert not silent
    assert all(SCHEMAS[name]["output_tooltips"])


@pytest.mark.parametrize("name", SCHEMAS)
def test_node_has_no_input_for_a_key(name):
    inputs = {field.lower() for field in all_inputs(SCHEMAS[name])}
    secret = ("key", "token", "secret", "password", "credential", "auth")
    assert not {field for field in inputs if any(word in field for word in secret)}


def test_web_scripts_know_no_price():
    """The badge asks the server: a second table in JavaScript would drift from the first."""
    for path in (ROOT / "web").glob("*.js"):
        script = path.read_text(encoding="utf-8")
        assert not re.findall(r"\busd\w*\s*[:=]\s*[\d.]+|PRICE\w*\s*=\s*[\d.]+", script), path.name


def test_translations_name_only_what_exists():
    for path in (ROOT / "locales").glob("*/nodeDefs.json"):
        for name, translated in json.loads(path.read_text(encoding="utf-8")).items():
            declared = declared_inputs(SCHEMAS[name]).keys() | all_inputs(SCHEMAS[name]).keys()
            keys = {key.replace(".", "_") for key in declared}  # as the front end looks them up
            assert translated.get("inputs", {}).keys() <= keys
            outputs = {str(index) for index in range(len(SCHEMAS[name]["output"]))}
            assert translated.get("outputs", {}).keys() <= outputs


@pytest.mark.parametrize("path", examples(), ids=lambda path: path.stem)
def test_example_has_a_title_for_its_name(path):
    """Which is what ComfyUI shows, and what is found by "vidu" among all templates."""
    assert re.fullmatch(r"\d\. Vidu( (to|with|[A-Z][a-z]+))+", path.stem)


def test_examples_begin_with_the_simplest():
    graphs = [json.loads(path.read_text(encoding="utf-8")) for path in examples()]
    sizes = [sum(node["type"] != "MarkdownNote" for node in each["nodes"]) for each in graphs]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("path", examples(), ids=lambda path: path.stem)
def test_example_has_its_picture(path):
    assert path.with_suffix(".jpg").read_bytes().startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("path", examples(), ids=lambda path: path.stem)
def test_example_fits_the_schemas(path):
    workflow = json.loads(path.read_text(encoding="utf-8"))
    ours = [node for node in workflow["nodes"] if node["type"] in SCHEMAS]
    assert ours
    for node in ours:
        schema = SCHEMAS[node["type"]]
        assert {slot["name"] for slot in node["inputs"]} <= all_inputs(schema).keys()
        assert len(node["widgets_values"]) == widget_count(schema["input"], node["widgets_values"])
        assert [slot["name"] for slot in node["outputs"]] == list(schema["output_name"])
        assert [slot["type"] for slot in node["outputs"]] == list(schema["output"])
        assert node["properties"]["cnr_id"] == "vidu-on-fal"


@pytest.mark.parametrize("path", examples(), ids=lambda path: path.stem)
def test_example_links_fit_their_slots(path):
    workflow = json.loads(path.read_text(encoding="utf-8"))
    nodes = {node["id"]: node for node in workflow["nodes"]}
    for link, origin, origin_slot, target, target_slot, _ in workflow["links"]:
        assert link in nodes[origin]["outputs"][origin_slot]["links"]
        assert nodes[target]["inputs"][target_slot]["link"] == link
