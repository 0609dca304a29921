"""The pack adds no complaint to the console."""

from __future__ import annotations

from pathlib import Path

from .editor import Editor

ROOT = Path(__file__).resolve().parents[2]


def test_no_complaint_beyond_the_hosts_own(chromium, comfy, private):
    with chromium.new_context() as context:
        page = context.new_page()
        page.route("**/api/extensions", without_the_pack)
        bare = Editor(page, comfy.url)
        bare.open()
        page.wait_for_timeout(3000)  # what the host complains of in its own time
        walk(bare)
    with chromium.new_context() as context:
        ours = Editor(context.new_page(), comfy.url)
        ours.open()
        walk(ours)
        ours.library().get_by_role("searchbox").wait_for()
        ours.settings().get_by_text("fal key", exact=True).wait_for()
    assert set(ours.complaints) <= set(bare.complaints)


def walk(editor: Editor) -> None:
    """Runs the example in both renderings."""
    for nodes_2 in (False, True):
        editor.tidy(nodes_2=nodes_2)
        editor.load(ROOT / "example_workflows" / "image_to_video.json")
        editor.run()
        editor.command("Comfy.ShowSettingsDialog")
        editor.page.get_by_role("dialog").wait_for()


def without_the_pack(route) -> None:
    scripts = route.fetch().json()
    route.fulfill(json=[script for script in scripts if "vidu-on-fal" not in script])
