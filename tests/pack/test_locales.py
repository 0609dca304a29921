"""The languages: each whole, each key one that exists."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from vidu.credentials import Secret, store_key
from vidu.errors import Charge
from vidu.models import State
from vidu.progress import downloading, generating, queued

from ..support.told_sentences import (
    ENGLISH,
    LOCALES,
    ROOT,
    SENTENCES,
    errors,
    is_translated,
    texts_of,
)

LANGUAGES = ("zh", "zh-TW", "ja", "ko", "fr", "es", "ru")
SCHEMAS = json.loads((Path(__file__).parent / "object_info.json").read_text(encoding="utf-8"))
OUTCOMES = ("unknown", "running", "finished", "saved")
SCRIPTS = sorted((ROOT / "web").glob("**/*.*js"))


def read(language: str, name: str) -> dict:
    return json.loads((LOCALES / language / f"{name}.json").read_text(encoding="utf-8"))


def inputs_of(node: str) -> set[str]:
    declared = SCHEMAS[node]["input"]
    return {*declared.get("required", {}), *declared.get("optional", {})}


def inputs_of_models(node: str) -> set[str]:
    """The widgets inside a node's choices, as the front end looks them up."""
    declared = SCHEMAS[node]["input"].get("required", {})
    return {
        f"{name}_{inner}"
        for name, (kind, options) in declared.items()
        if kind == "COMFY_DYNAMICCOMBO_V3"
        for option in options["options"]
        for group in option["inputs"].values()
        for inner, (inner_kind, _) in group.items()
        if inner_kind != "COMFY_AUTOGROW_V3"
    }


def all_texts(translated: dict) -> Iterator[str]:
    for text in translated.values():
        yield from [text] if isinstance(text, str) else all_texts(text)


def slots(text: str) -> set[str]:
    return set(re.findall(r"\{\w+\}", text))


def source(pattern: str) -> set[str]:
    return {word for path in SCRIPTS for word in re.findall(pattern, path.read_text("utf-8"))}


def test_locales_are_the_eight_languages():
    assert {path.name for path in LOCALES.iterdir()} == {"en", *LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_locale_translates_every_node(language):
    translated = read(language, "nodeDefs")
    assert translated.keys() == SCHEMAS.keys()
    for node, texts in translated.items():
        assert texts.keys() == {"display_name", "description", "inputs", "outputs"}
        assert texts["inputs"].keys() == inputs_of(node) | inputs_of_models(node)
        assert list(texts["outputs"]) == [str(n) for n in range(len(SCHEMAS[node]["output"]))]
        for field in (*texts["inputs"].values(), *texts["outputs"].values()):
            assert field.keys() == {"name", "tooltip"}
            assert all(field.values())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["nodeDefs", "settings"])
def test_locale_is_plain_text_for_the_front_end(language, name):
    """Its vue-i18n shows one part of a text with a bar, and none of a text with an at sign."""
    texts = list(all_texts(read(language, name)))
    assert texts
    assert not [text for text in texts if re.search(r"[|@{}]", text)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_locale_translates_every_text_with_the_same_slots(language):
    translated = read(language, "main")["vidu"]
    assert translated.keys() == ENGLISH.keys()
    for name, text in translated.items():
        assert text
        assert slots(text) == slots(ENGLISH[name]), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_locale_translates_every_setting_and_its_group(language):
    ids = {name.replace(".", "_") for name in source(r'\bid: "(viduonfal\.[A-Z]\w+)"')}
    assert ids
    assert read(language, "settings").keys() == ids
    groups = source(r'category: \["Vidu", "(\w+)"')
    assert read(language, "main")["settingsCategories"].keys() == groups


def test_locale_has_exactly_the_texts_of_the_scripts():
    asked = source(r'\bt\(\s*"(\w+)"') | source(r'tooltip: "vidu\.(\w+)"')
    assert asked <= ENGLISH.keys()
    # The others are asked for by a name that is computed: a state, a filter, a button, a line.
    words = source(r'"(\w+)"')
    states = {state.value for state in State} | {"missing", "in_progress", "unreadable"}
    outcomes = {f"cancelled_{outcome}" for outcome in ("free", *OUTCOMES)}
    lines = {name for name in ENGLISH if name.startswith("line")}
    assert states | outcomes <= ENGLISH.keys()
    assert ENGLISH.keys() <= asked | words | states | outcomes | lines


def told_texts() -> Iterator[str]:
    """What steps, drafts and nodes report while they work."""
    for folder in ("vidu/steps", "vidu/draft", "nodes"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                if name == "Progress" or name.endswith((".report", ".warn")):
                    yield from (text for each in node.args for text in texts_of(each))


@pytest.mark.parametrize(
    "text",
    sorted(
        {queued(None, 3).text, queued(2, 3).text, generating(12).text}
        | {downloading(1_000_000, None).text, downloading(1_000_000, 2_000_000).text}
        | {charge.value for charge in Charge}
        | {error.next_step for error in errors()}
        | set(told_texts())
    ),
)
def test_text_on_a_node_has_a_translation(text):
    assert is_translated(text)


def test_warning_about_the_stored_key_has_a_translation(tmp_path):
    warning = store_key(tmp_path, Secret("an-id:a-secret"), os_name="nt", python=(3, 10, 14))
    assert is_translated(warning)


@pytest.mark.parametrize("language", LANGUAGES)
def test_locale_translates_every_sentence(language):
    sentences = read(language, "main")["viduSentences"]
    assert list(sentences) == SENTENCES
    for sentence, text in sentences.items():
        assert text
        assert slots(text) <= slots(sentence), sentence
        assert slots(sentence) - slots(text) <= {"{_}", "{clips}"}, sentence


@pytest.mark.parametrize("language", LANGUAGES)
def test_locale_translates_every_note_of_the_templates(language):
    notes = read(language, "main")["viduNotes"]
    lines = {
        line
        for path in (ROOT / "example_workflows").glob("*.json")
        for node in json.loads(path.read_text(encoding="utf-8"))["nodes"]
        if node["type"] == "MarkdownNote"
        for line in (node["title"], *node["widgets_values"][0].split("\n"))
        if line
    }
    assert lines <= notes.keys()
    assert all(notes.values())


@pytest.mark.parametrize("language", ["", "zh"])
@pytest.mark.parametrize("node", SCHEMAS)
def test_help_page_describes_every_input(node, language):
    docs = ROOT / "web" / "docs"
    page = docs / node / f"{language}.md" if language else docs / f"{node}.md"
    text = page.read_text(encoding="utf-8")
    bold = {name: f"**{name}**" for name in inputs_of(node)}
    if language:  # by the name the node shows there, and by its own, for the prompt's JSON
        shown = read(language, "nodeDefs")[node]["inputs"]
        bold = {name: f"**{shown[name]['name']}**\uff08`{name}`\uff09" for name in bold}
    assert not [name for name, words in bold.items() if words not in text]
    for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text):
        assert (docs / picture).is_file()
