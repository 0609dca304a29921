"""The library in the sidebar, and what can be done with a clip there."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from .conftest import emptied
from .editor import EXAMPLE, Editor

NODE = "FalViduImageToVideo"
SAVED = "FalViduSavedClip"
IN_BOTH = pytest.mark.parametrize("nodes_2", [False, True], ids=["classic", "nodes_2"])


@pytest.fixture(scope="module")
def made(page, base, comfy, local):
    """An editor that has made one paid clip, and the private folder that knows of it."""
    private = emptied(base, comfy)
    (private / "fal_key").write_text(local.key, encoding="ascii")
    page.tidy(nodes_2=False)
    page.load(EXAMPLE)
    page.change(NODE, mode="live", prompt="The sea is calm.", seed=5)
    page.run()
    return page, private


@pytest.fixture
def editor(made) -> Editor:
    editor, _ = made
    editor.tidy(nodes_2=False)
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live")
    return editor


@pytest.fixture
def library(editor, fal):
    return editor.library()


@pytest.fixture
def card(library):
    """The clip that was made first."""
    return library.get_by_role("article").filter(has_text="The sea is calm.").last


def test_card_shows_what_is_known_of_the_clip(library, card, editor):
    card.get_by_text("The sea is calm.").wait_for()
    for fact in ("Vidu", "seed 5", "auto", "480\u00d7480", "$0.20", "saved"):
        assert fact in card.inner_text()
    editor.page.wait_for_function("(image) => image.naturalWidth > 0", arg=image_of(card))
    assert "Today\n$0.20" in library.inner_text()
    assert "This month\n$0.20" in library.inner_text()
    assert time.strftime("%b %-d") in card.inner_text()


def test_card_plays_under_the_pointer(library, card, editor):
    card.hover()
    playing = "() => document.querySelector('.vidu-thumbnail video')?.currentTime > 0.1"
    editor.page.wait_for_function(playing)
    library.get_by_role("heading").hover()
    assert card.locator("video").count() == 0


@IN_BOTH
def test_card_put_on_the_canvas_runs_free(card, editor, comfy, fal, nodes_2):
    comfy.http.post("/free", json={"free_memory": True}).raise_for_status()
    editor.set("Comfy.VueNodes.Enabled", nodes_2)
    editor.clear()
    editor.choose(card, "Put on the canvas")
    (node,) = editor.nodes(SAVED)
    (row,) = comfy.http.get("/vidu/clips?text=calm").json()["clips"]
    assert node["request_id"] == row["request_id"]
    editor.run()
    editor.page.get_by_text("Saved, free: 480x480, 48 frames").first.wait_for()
    editor.video().wait_for()
    assert not fal.ledger()["requests"]


def test_card_menu_copies_what_is_known_of_the_clip(card, editor, comfy):
    editor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    (row,) = comfy.http.get("/vidu/clips?text=calm").json()["clips"]
    for action, text in (
        ("prompt", row["prompt"]),
        ("seed", "5"),
        ("request id", row["request_id"]),
    ):
        editor.choose(card, f"Copy {action}")
        copied = "async (text) => (await navigator.clipboard.readText()) === text"
        editor.page.wait_for_function(copied, arg=text)


def test_card_menu_opens_the_file_in_a_tab(card, editor):
    with editor.page.context.expect_page() as opened:
        editor.choose(card, "Open the file")
    opened.value.locator("video").wait_for()
    assert re.search(r"/vidu/clips/\d+/file$", opened.value.url)
    opened.value.close()


def test_card_by_keyboard_plays_and_opens_its_menu(library, editor):
    keyboard = editor.page.keyboard
    card = library.get_by_role("article").first
    card.get_by_text("saved").wait_for()
    library.get_by_label("Show").focus()
    keyboard.press("Tab")
    expect(card).to_be_focused()
    keyboard.press("Space")
    card.locator("video").wait_for()
    keyboard.press("Space")
    card.locator("video").wait_for(state="detached")
    keyboard.press("Enter")
    expect(editor.page.get_by_role("menuitem", name="Put on the canvas")).to_be_focused()
    keyboard.press("ArrowUp")
    expect(editor.page.get_by_role("menuitem", name="Forget")).to_be_focused()
    keyboard.press("Escape")
    editor.page.get_by_role("menu").wait_for(state="detached")
    expect(card).to_be_focused()


@IN_BOTH
def test_card_menu_restores_the_workflow(card, editor, nodes_2):
    editor.set("Comfy.VueNodes.Enabled", nodes_2)
    editor.clear()
    editor.choose(card, "Restore its workflow")
    editor.page.wait_for_function(f"() => app.graph.nodes.some((node) => node.type === '{NODE}')")
    (node,) = editor.nodes(NODE)
    assert (node["prompt"], node["seed"], node["mode"]) == ("The sea is calm.", 5, "live")


@IN_BOTH
def test_card_run_again_takes_a_new_seed_and_pays_once_more(library, card, editor, fal, nodes_2):
    editor.set("Comfy.VueNodes.Enabled", nodes_2)
    editor.clear()
    found = library.locator(".vidu-found")
    before = found.inner_text()
    editor.choose(card, "Run again with a new seed: 1 for $0.20")
    editor.page.get_by_role("dialog").get_by_text("Run 1 clip for $0.20?").wait_for()
    editor.page.get_by_role("button", name="Confirm").click()
    expect(found).not_to_have_text(before, timeout=60_000)
    while not [job for job in fal.ledger()["jobs"] if job["ended_at"]]:
        editor.page.wait_for_timeout(100)
    library.get_by_role("article").first.get_by_text("saved").wait_for()
    (job,) = fal.ledger()["jobs"]
    assert job["input"]["prompt"] == "The sea is calm."
    assert job["input"]["seed"] != 5


def test_card_run_again_over_the_budget_is_refused_before_the_question(card, editor, comfy, fal):
    comfy.http.post("/vidu/budget", json={"daily_usd": 0.01}).raise_for_status()
    editor.choose(card, "Run again with a new seed: 1 for $0.20")
    editor.page.get_by_role("alert").get_by_text("of today's $0.01 is spent").wait_for()
    assert not editor.page.get_by_role("dialog").count()
    comfy.http.post("/vidu/budget", json={"daily_usd": 0}).raise_for_status()
    assert not fal.ledger()["requests"]


def test_card_in_progress_is_there_after_a_reload(editor, comfy, fal):
    fal.set_faults("slow:1")
    editor.change(NODE, prompt="The lid is closed.", seed=60)
    editor.start()
    editor.page.get_by_text("Generating (").first.wait_for()
    editor.open()
    job = editor.library().locator(".vidu-job")
    job.get_by_text("The lid is closed.").wait_for()
    comfy.http.post("/interrupt").raise_for_status()
    job.wait_for(state="detached")


def test_card_in_progress_is_on_top(library, editor, fal):
    fal.set_faults("slow:1")
    editor.change(NODE, prompt="Waves, slowly.", seed=6)
    editor.start()
    job = library.locator(".vidu-job")
    job.get_by_text(re.compile(r"Generating \(\d+ s\)")).wait_for()
    assert "Waves, slowly." in job.inner_text()
    assert library.get_by_role("article").first.get_by_text("in progress").is_visible()
    editor.page.get_by_role("button", name="Cancel current run").click()
    job.wait_for(state="detached")
    library.get_by_role("article").first.get_by_text("cancelled").wait_for()


def test_card_in_the_queue_shows_its_place(library, editor, fal):
    fal.set_faults("stuck_in_queue:1")
    editor.change(NODE, prompt="Waves, in a row.", seed=61)
    editor.start()
    job = library.locator(".vidu-job")
    job.get_by_text(re.compile(r"In fal's queue, \d+ ahead \(\d+ s\)")).wait_for()
    editor.page.get_by_role("button", name="Cancel current run").click()
    job.wait_for(state="detached")


def test_card_of_an_unfinished_clip_resumes_it(library, editor, fal):
    fal.set_faults("cancel_ignored:1")
    editor.change(NODE, prompt="Fetched later.", seed=8)
    editor.start()
    library.locator(".vidu-job").get_by_text("Generating").wait_for()
    editor.page.get_by_role("button", name="Cancel current run").click()
    card = library.get_by_role("article").filter(has_text="Fetched later.")
    card.get_by_text("cancelled").wait_for()
    editor.choose(card, "Download from fal, free")
    card.get_by_text("saved").wait_for()
    assert len(fal.ledger()["jobs"]) == 1


def test_card_of_a_missing_file_downloads_it_again(library, editor, comfy, base, fal):
    editor.change(NODE, prompt="It goes away.", seed=10)
    before = set(base.rglob("output/**/*.mp4"))
    editor.run()
    (clip,) = set(base.rglob("output/**/*.mp4")) - before
    clip.unlink()
    library.get_by_role("searchbox").fill("goes away")
    card = library.get_by_role("article").filter(has_text="It goes away.")
    card.get_by_text("Its file is not where it was saved.").wait_for()
    card.get_by_role("button", name="Download from fal, free").click()
    card.get_by_text("saved", exact=True).wait_for()
    assert clip.exists()
    assert len(fal.ledger()["jobs"]) == 1


def test_library_searches_filters_and_forgets(library, editor, base, fal):
    editor.change(NODE, prompt="A bird flies by.", seed=9)
    editor.run()
    found = library.get_by_role("article").filter(has_text="A bird flies by.")
    library.get_by_role("searchbox").fill("mountain")
    library.get_by_text("No clip matches.").wait_for()
    library.get_by_role("searchbox").fill("BIRD flies")
    found.wait_for()
    library.get_by_label("Show").select_option("failed")
    library.get_by_text("No clip matches.").wait_for()
    library.get_by_label("Show").select_option("saved")
    found.wait_for()
    clips = set(base.rglob("output/**/*.mp4"))
    editor.choose(found, "Forget")
    dialog = editor.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Confirm").click()
    library.get_by_text("No clip matches.").wait_for()
    assert set(base.rglob("output/**/*.mp4")) == clips


def test_delete_key_in_the_library_forgets_and_leaves_the_graph(library, card, editor):
    before = editor.page.evaluate("() => app.graph.nodes.length")
    editor.page.evaluate("() => app.canvas.selectNodes(app.graph.nodes)")
    card.focus()
    editor.page.keyboard.press("Delete")
    dialog = editor.page.get_by_role("dialog")
    dialog.get_by_text("The file stays where it is").wait_for()
    dialog.get_by_role("button", name="Cancel").click()
    assert editor.page.evaluate("() => app.graph.nodes.length") == before
    expect(card).to_be_visible()


@IN_BOTH
def test_card_dragged_lands_on_a_free_place_with_its_picture(library, card, editor, nodes_2):
    editor.set("Comfy.VueNodes.Enabled", nodes_2)
    editor.clear()
    x, y = 1200, 500
    card.scroll_into_view_if_needed()
    box = card.bounding_box()
    mouse = editor.page.mouse
    mouse.move(box["x"] + 60, box["y"] + 50)
    mouse.down()
    mouse.move(x - 40, y, steps=4)
    mouse.move(x, y, steps=2)
    mouse.up()
    editor.page.wait_for_function(f"() => app.graph.nodes.some((node) => node.type === '{SAVED}')")
    editor.video().wait_for()
    card.dblclick()
    editor.page.wait_for_function("() => app.graph.nodes.length === 2")
    overlap = editor.page.evaluate(
        """() => {
            const [a, b] = app.graph.nodes.map((node) => node.boundingRect);
            const ends = (box, axis) => box[axis] + box[axis + 2];
            return [0, 1].every((axis) => a[axis] < ends(b, axis) && b[axis] < ends(a, axis));
        }"""
    )
    assert not overlap


def test_budget_set_in_the_library_refuses_a_run(library, editor, made, fal):
    _, private = made
    with editor.page.expect_response("**/vidu/budget"):
        library.get_by_label("Daily budget in US dollars").fill("0.3")
        library.get_by_role("searchbox").focus()
    assert '"daily_budget_usd": 0.3' in (private / "settings.json").read_text(encoding="utf-8")
    editor.change(NODE, prompt="Too dear.")
    editor.start()
    kind, detail = editor.end()
    assert kind == "execution_error"
    assert "of today's $0.30" in detail["exception_message"]
    assert not fal.ledger()["jobs"]


@pytest.mark.parametrize("typed, stored", [("2,50", 2.5), ("$1.25", 1.25), ("3", 3.0)])
def test_budget_as_people_type_it_is_stored(library, editor, made, typed, stored):
    _, private = made
    budget = library.get_by_label("Daily budget in US dollars")
    with editor.page.expect_response("**/vidu/budget"):
        budget.fill(typed)
        budget.blur()
    written = (private / "settings.json").read_text(encoding="utf-8")
    assert f'"daily_budget_usd": {stored}' in written
    expect(budget).to_have_value(f"{stored:.2f}")
    with editor.page.expect_response("**/vidu/budget"):
        budget.fill("")
        budget.blur()


def test_budget_that_is_no_number_changes_nothing(library, editor, made):
    _, private = made
    budget = library.get_by_label("Daily budget in US dollars")
    with editor.page.expect_response("**/vidu/budget"):
        budget.fill("0.4")
        budget.blur()
    budget.focus()
    editor.page.keyboard.press("Control+a")
    editor.page.keyboard.type("1,000.5x")
    budget.blur()
    library.get_by_text("This is not an amount.").wait_for()
    expect(budget).to_have_value("1,000.5x")
    assert '"daily_budget_usd": 0.4' in (private / "settings.json").read_text(encoding="utf-8")


def image_of(card):
    card.locator("img").wait_for()
    return card.locator("img").element_handle()
