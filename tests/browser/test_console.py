"""The pack adds no complaint to the console."""

from __future__ import annotations

import time

from .editor import EXAMPLE, Editor

NODE = "FalViduImageToVideo"


def test_console_of_a_whole_session_has_no_message_of_the_pack(page, chromium, comfy, key, fal):
    page.complaints.clear()
    walk(page)
    page.library().get_by_role("searchbox").wait_for()
    page.settings().get_by_text("fal key", exact=True).wait_for()
    ours = set(page.complaints)
    with chromium.new_context() as context:
        bare = Editor(context.new_page(), comfy.url)
        bare.page.route("**/api/extensions", without_the_pack)
        walk(bare)
        give_time_to_complain(bare, ours)
        assert ours <= set(bare.complaints)


def walk(editor: Editor) -> None:
    """Opens the editor, and runs the example in both renderings."""
    editor.open()
    for nodes_2 in (False, True):
        editor.tidy(nodes_2=nodes_2)
        editor.load(EXAMPLE)
        editor.change(NODE, mode="live", seed=7 + nodes_2)
        editor.run()
        editor.command("Comfy.ShowSettingsDialog")
        editor.page.get_by_role("dialog").wait_for()
    editor.tidy(nodes_2=False)


def without_the_pack(route) -> None:
    scripts = route.fetch().json()
    route.fulfill(json=[script for script in scripts if "vidu-on-fal" not in script])


def give_time_to_complain(editor: Editor, expected: set) -> None:
    """The host complains of some things in its own time."""
    deadline = time.monotonic() + 10
    while not expected <= set(editor.complaints) and time.monotonic() < deadline:
        editor.page.wait_for_timeout(200)
