"""How the pack looks: in both themes, in another language, on the canvas, with many thumbnails."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing

import pytest

from vidu.ledger.sqlite_file import open_file

from .editor import EXAMPLE, ROOT

NODE = "FalViduImageToVideo"

PARTS = ("h2", "b", "input", "select", ".vidu-found", ".vidu-prompt", ".vidu-facts", ".vidu-cost")
COLORS = """(selector) => {
    const channels = (color) => (color.match(/[0-9.]+/g) ?? []).map(Number);
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const [r, g, b, alpha = 1] = channels(getComputedStyle(at).backgroundColor);
            if (alpha === 1) return [r, g, b];
        }
        return [255, 255, 255];
    };
    const element = document.querySelector(selector);
    return [channels(getComputedStyle(element).color).slice(0, 3), ground(element)];
}"""

DRAWN = """() => new Promise((done) => {
    const { fillText } = CanvasRenderingContext2D.prototype;
    const texts = [];
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
        texts.push(text);
        return fillText.call(this, text, ...rest);
    };
    app.canvas.setDirty(true, true);
    app.canvas.draw(true, true);
    CanvasRenderingContext2D.prototype.fillText = fillText;
    done(texts);
})"""


@pytest.fixture
def themed(request, editor):
    editor.set("Comfy.ColorPalette", request.param)
    yield editor
    editor.set("Comfy.ColorPalette", "dark")


@pytest.fixture
def in_russian(editor):
    editor.set("Comfy.Locale", "ru")
    editor.open()
    yield editor
    editor.set("Comfy.Locale", "en")
    editor.open()


@pytest.mark.parametrize("themed", ["dark", "light"], indirect=True)
def test_library_texts_have_enough_contrast(themed, many_clips):
    library = themed.library()
    library.get_by_text("Clip number 10000.").wait_for()
    for part in PARTS:
        colors = themed.page.evaluate(COLORS, f".vidu-library {part}")
        assert contrast(*map(luminance, colors)) >= 4.5, part  # WCAG 2.2, 1.4.3


def luminance(color: list[float]) -> float:
    """Of sRGB in 0..255, as WCAG 2.2 has it."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (each / 255 for each in color)
    ]
    return sum(c * weight for c, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_badge_is_drawn_on_the_classic_node(editor):
    editor.load(EXAMPLE)
    editor.wait_for_badge(NODE, "draft: free")
    assert "draft: free" in editor.page.evaluate(DRAWN)
    editor.change(NODE, mode="live")
    editor.wait_for_badge(NODE, "$0.20")
    assert "$0.20" in editor.page.evaluate(DRAWN)


def test_editor_in_another_language_shows_the_packs_texts(in_russian, many_clips):
    editor = in_russian
    title = editor.page.evaluate("(kind) => LiteGraph.registered_node_types[kind].title", NODE)
    assert title == russian("nodeDefs")[NODE]["display_name"]
    words = russian("main")["vidu"]
    library = editor.library()
    library.get_by_text(words["today"], exact=True).wait_for()
    found = re.escape(words["found"]).replace(r"\{count\}", r"10\s000")
    library.get_by_text(re.compile(f"^{found}$")).wait_for()


def russian(name: str) -> dict:
    return json.loads((ROOT / "locales" / "ru" / f"{name}.json").read_text(encoding="utf-8"))


def test_thumbnails_are_requested_as_they_come_into_view(editor, key, private, fal):
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", prompt="One of many.", seed=3)
    editor.run()
    with closing(open_file(private / "ledger.sqlite")) as db:
        copies_of_the_only_row(db, 400)
    asked = []
    editor.page.on("request", lambda request: asked.append(request.url))
    library = editor.library()
    library.locator("img").nth(3).wait_for()
    editor.page.wait_for_timeout(1000)
    thumbnails = {url for url in asked if "/thumbnail" in url}
    assert 4 <= len(thumbnails) < 40


def copies_of_the_only_row(db: sqlite3.Connection, count: int) -> None:
    names = [name for _, name, *_ in db.execute("PRAGMA table_info(entries)")][1:]
    (row,) = db.execute(f"SELECT {', '.join(names)} FROM entries").fetchall()
    saved = dict(zip(names, row, strict=True))
    copies = [
        {**saved, "fingerprint": f"{number:064x}", "request_id": f"copy-{number}"}
        for number in range(count)
    ]
    slots = ", ".join(f":{name}" for name in names)
    db.execute("BEGIN")
    db.executemany(f"INSERT INTO entries ({', '.join(names)}) VALUES ({slots})", copies)
    db.execute("COMMIT")
