"""Settings > Vidu: the key goes in, is checked, goes out, and is found nowhere."""

from __future__ import annotations

import json
import os
import stat

import pytest

from .editor import EXAMPLE, ROOT

PLACEHOLDER_FITS = """(input, texts) => {
    input.placeholder = texts.keyPlaceholder;
    input.parentElement.querySelector("button").textContent = texts.save;
    const { font, paddingLeft, paddingRight } = getComputedStyle(input);
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = font;
    const room = input.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
    return pen.measureText(input.placeholder).width <= room;
}"""


def test_key_dialog_sets_checks_and_removes_the_key(editor, private, local):
    dialog = editor.settings()
    dialog.get_by_text("No key yet").wait_for()
    key_field(dialog).fill(f' "{local.key}" \n')
    dialog.get_by_role("button", name="Save").click()
    dialog.get_by_text("Saved: fal accepts this key.").wait_for()
    dialog.get_by_text("A key is set: stored on this server").wait_for()
    assert key_field(dialog).input_value() == ""
    stored = private / "fal_key"
    assert stored.read_text(encoding="ascii") == local.key
    if os.name == "posix":
        assert stat.S_IMODE(stored.stat().st_mode) == 0o600

    dialog.get_by_role("button", name="Check").click()
    dialog.get_by_text("fal accepts this key.").wait_for()

    dialog.get_by_role("button", name="Remove").click()
    question = editor.page.get_by_role("dialog").filter(has_text="Remove the stored key")
    question.get_by_role("button", name="Cancel").click()
    question.wait_for(state="detached")
    assert stored.exists()
    dialog.get_by_role("button", name="Remove").click()
    editor.page.get_by_role("button", name="Confirm").click()
    dialog.get_by_text("No key yet").wait_for()
    assert not stored.exists()


def test_key_dialog_names_a_wrong_key(editor, private, local):
    dialog = editor.settings()
    key_field(dialog).fill("no key at all")
    dialog.get_by_role("button", name="Save").click()
    dialog.get_by_text("it has a space inside").wait_for()
    key_field(dialog).fill("wrong:key")
    dialog.get_by_role("button", name="Save").click()
    dialog.locator("[data-kind=bad]").get_by_text("fal.ai/dashboard/keys").wait_for()
    assert key_field(dialog).input_value() == "wrong:key", "a typo can be corrected"
    assert not dialog.locator(".vidu-field [data-kind=good]").count()
    assert not (private / "fal_key").exists()


def test_key_field_leads_to_where_keys_are_made(editor, private):
    link = editor.settings().get_by_role("link", name="Get a key at fal.ai")
    assert link.get_attribute("href") == "https://fal.ai/dashboard/keys"
    assert link.get_attribute("target") == "_blank"


@pytest.mark.parametrize("language", sorted(path.name for path in (ROOT / "locales").iterdir()))
def test_key_field_shows_its_whole_placeholder(editor, private, language):
    texts = json.loads((ROOT / "locales" / language / "main.json").read_text(encoding="utf-8"))
    field = key_field(editor.settings())
    field.wait_for()
    assert field.evaluate(PLACEHOLDER_FITS, texts["vidu"])


def test_key_appears_nowhere_else_in_the_browser(editor, comfy, base, private, local, fal):
    secret = local.key.partition(":")[2]
    dialog = editor.settings()
    key_field(dialog).fill(local.key)
    dialog.get_by_role("button", name="Save").click()
    dialog.get_by_text("A key is set").wait_for()
    editor.page.keyboard.press("Escape")
    editor.load(EXAMPLE)
    editor.change("FalViduImageToVideo", mode="live", prompt="Secrets stay.", seed=31)
    editor.run()

    holding = [
        path
        for path in base.rglob("*")
        if path.is_file()
        and "custom_nodes" not in path.parts
        and secret.encode() in path.read_bytes()
    ]
    assert holding == [private / "fal_key"]
    in_browser = """() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie,
        app.graph.serialize(), document.documentElement.outerHTML])"""
    assert secret not in editor.page.evaluate(in_browser)
    for address in ("/history", "/settings", "/vidu/state", "/api/vidu/state", "/userdata?dir="):
        assert secret not in comfy.http.get(address).text


def key_field(dialog):
    return dialog.locator("input[type=password]")
