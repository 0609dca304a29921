"""Each language without an English word of ours: on nodes, in dialogs and in the library."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from .editor import EXAMPLE, EXAMPLES, ROOT, Editor

NODE = "FalViduImageToVideo"
LANGUAGES = {
    "es": False,
    "fr": True,
    "ja": False,
    "ko": True,
    "ru": False,
    "zh": True,
    "zh-TW": False,
}
"""Each in one of the two renderings, whether that is Nodes 2.0."""

CALM = "The sea is calm."
ENGLISH_WORDS = {
    *("the", "and", "of", "is", "was", "not", "nothing", "charged", "run", "again", "your"),
    *("saved", "free", "failed", "today", "search", "empty", "then", "this", "with", "for"),
    *("yet", "needs", "change", "what", "says", "cancelled", "cannot", "has", "it"),
}
"""Words that none of the other languages has, and nearly every English sentence of ours does."""


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request, page) -> Iterator[str]:
    """The editor's language, from its start on: a switch loads the open workflow once more."""
    page.set("Comfy.Locale", request.param)
    page.open()
    yield request.param
    page.set("Comfy.Locale", "en")
    page.open()


@pytest.fixture
def editor_in(page, private, language) -> Editor:
    """The editor in that language, with nothing on the canvas."""
    page.tidy(nodes_2=LANGUAGES[language])
    return page


def english_in(text: str, *given: str) -> set[str]:
    """The English words in a text; fal's own, which are not ours to translate, are in quotes."""
    for each in (CALM, *given):
        text = text.replace(each, "")
    text = re.sub("[\u00ab\u201c\u300c\u2018].*?[\u00bb\u201d\u300d\u2019]", "", text)
    return set(re.findall(r"[a-z_]+", text.lower())) & ENGLISH_WORDS


def texts_of(language: str) -> dict[str, str]:
    path = ROOT / "locales" / language / "main.json"
    return json.loads(path.read_text(encoding="utf-8"))


def open_live(editor: Editor, language: str, **values: object) -> None:
    """Open the example in live mode, once the editor has switched to the language."""
    editor.load(EXAMPLE)
    editor.wait_for_badge(NODE, texts_of(language)["vidu"]["badgeDraft"])
    editor.change(NODE, mode="live", prompt=CALM, **values)
    price = f"""() => app.graph.nodes.find((node) => node.type === "{NODE}").badges
        .some((badge) => /0[.,]20/.test((typeof badge === "function" ? badge() : badge).text))"""
    editor.page.wait_for_function(price)


def on_the_node(editor: Editor) -> str:
    editor.command("Comfy.Canvas.FitView")
    return editor.page.locator(".vidu-lines:visible").first.inner_text()


def wait_for_line(editor: Editor, text: str) -> None:
    editor.page.locator(".vidu-lines:visible").get_by_text(text).first.wait_for()


def test_node_without_key_asks_for_it_in_every_language(editor_in, private, language):
    editor = editor_in
    open_live(editor, language)
    editor.page.get_by_test_id("queue-button").click()
    dialog = editor.page.locator(".vidu-key-dialog")
    dialog.get_by_text(texts_of(language)["vidu"]["keyNeeded"]).wait_for()
    wait_for_line(editor, texts_of(language)["viduSentences"]["Nothing was charged."])
    assert not english_in(dialog.inner_text())
    assert not english_in(on_the_node(editor))
    dialog.locator("input").fill("wrong key")
    dialog.get_by_role("button").first.click()
    dialog.locator("[data-kind=bad]").last.wait_for()
    assert not english_in(dialog.inner_text())


def test_run_refused_by_fal_is_told_in_every_language(editor_in, key, fal, language):
    editor = editor_in
    open_live(editor, language, seed=91)
    for fault in ("content_policy_violation:1", "detail_text:1"):
        fal.set_faults(fault)
        editor.start()
        assert editor.end()[0] == "execution_error"
        editor.page.wait_for_timeout(1000)
        assert not english_in(on_the_node(editor))
        badge = editor.badges(NODE)
        assert not english_in(" ".join(badge), "vidu-on-fal")
    fal.set_faults("")
    library = editor.library()
    library.get_by_role("article").first.wait_for()
    assert not english_in(library.inner_text())


def test_run_is_told_in_every_language(editor_in, key, fal, language):
    editor = editor_in
    open_live(editor, language, seed=92)
    editor.run()
    editor.page.locator("video:visible").first.wait_for()
    assert not english_in(on_the_node(editor))
    assert not english_in(" ".join(editor.badges(NODE)), "vidu-on-fal")
    editor.run()
    wait_for_line(editor, texts_of(language)["vidu"]["unchanged"])
    library = editor.library()
    card = library.get_by_role("article").first
    card.locator(".vidu-more").click()
    menu = editor.page.get_by_role("menu")
    menu.wait_for()
    assert not english_in(menu.inner_text())
    editor.page.keyboard.press("Escape")
    assert not english_in(library.inner_text())


@pytest.mark.parametrize("language", ["fr"], indirect=True)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_note_of_a_template_is_in_the_language(editor_in, language, path):
    editor_in.load(path)
    notes = editor_in.page.evaluate(
        """() => app.graph.nodes.filter((node) => node.type === "MarkdownNote")
            .flatMap((node) => [node.title, ...node.widgets[0].value.split("\\n")])"""
    )
    assert notes
    translations = texts_of(language)["viduNotes"]
    assert not set(translations) & set(notes)
    assert set(filter(None, notes)) <= set(translations.values())
