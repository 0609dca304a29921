"""The library with ten thousand clips in it."""

from __future__ import annotations


def test_library_of_10000_clips_reaches_the_last_by_keyboard(editor, many_clips):
    library = editor.library()
    library.get_by_text("Clips: 10,000").wait_for()
    library.get_by_role("article").first.focus()
    editor.page.keyboard.press("End")
    last = library.locator("[aria-posinset='10000']")
    last.get_by_text("Clip number 1.").wait_for()
    assert last.evaluate("(card) => card === document.activeElement")
    assert library.get_by_role("article").count() < 40
    editor.page.keyboard.press("Enter")
    editor.page.get_by_role("menuitem", name="Copy prompt").wait_for()


def test_library_after_scrolling_keeps_the_keyboards_place(editor, many_clips):
    library = editor.library()
    library.get_by_text("Clip number 10000.").wait_for()
    library.locator(".vidu-scroll").evaluate("(list) => (list.scrollTop = list.scrollHeight / 2)")
    library.locator("[aria-posinset='5000']").wait_for()
    library.get_by_label("Show").focus()
    editor.page.keyboard.press("Tab")
    focused = "() => document.activeElement.getAttribute('aria-posinset')"
    assert editor.page.evaluate(focused) == "1"
    editor.page.keyboard.press("ArrowDown")
    editor.page.wait_for_function(f"() => ({focused})() === '2'")


def test_card_shows_markup_in_a_prompt_as_text(editor, many_clips):
    library = editor.library()
    library.get_by_text("<img src=x onerror=alert(1)>").first.wait_for()
    assert library.locator("img[src='x']").count() == 0
