"""What the library says when there is nothing to show, or nobody answers."""

from __future__ import annotations

from contextlib import closing

import pytest
from playwright.sync_api import expect

from vidu.ledger.sqlite_file import open_file


def test_library_empty_says_how_it_is_filled(editor):
    library = editor.library()
    library.get_by_text("No clip yet. Run a Vidu node in live mode").wait_for()
    library.get_by_role("searchbox").fill("mountain")
    library.get_by_text("No clip matches. Change the search or the filter.").wait_for()


def test_library_after_an_error_offers_another_try(editor, many_clips):
    editor.page.route("**/vidu/clips?**", lambda route: route.abort())
    try:
        library = editor.library()
        again = library.get_by_role("button", name="Try again")
        again.wait_for()
    finally:
        editor.page.unroute("**/vidu/clips?**")
    again.click()
    library.get_by_text("Clip number 10000.").wait_for()
    expect(again).to_have_count(0)


def test_library_after_a_reconnect_is_refreshed(editor, many_clips):
    library = editor.library()
    library.get_by_text("Clip number 10000.").wait_for()
    with editor.page.expect_response("**/vidu/clips?**"):
        editor.page.evaluate("() => app.api.dispatchCustomEvent('reconnected')")


def test_texts_are_english_where_the_hosts_translations_fail(page, editor):
    """One broken file of another pack makes /i18n fail for all."""
    editor.page.route("**/i18n", lambda route: route.abort())
    try:
        editor.open()
        library = editor.library()
        library.get_by_text("Daily budget", exact=True).wait_for()
        library.get_by_text("No clip yet.").wait_for()
    finally:
        editor.page.unroute("**/i18n")
        editor.open()


def test_card_of_unknown_cost_shows_a_question_mark(editor, private):
    db = open_file(private / "ledger.sqlite")
    row = """INSERT INTO entries (fingerprint, endpoint, state, prompt, search_text, seed, options,
        price_micro_usd, revision, reserved_at, request_id, status_url, response_url, cancel_url)
        VALUES (?, 'fal-ai/vidu/image-to-video',
        'cancelled', 'Cancelled in the queue.', 'cancelled in the queue.', 1, '{}', 200000, 1,
        strftime('%s', 'now'), 'some-request', 'https://a', 'https://b', 'https://c')"""
    db.execute(row, ("a" * 64,))
    db.close()
    library = editor.library()
    card = library.get_by_role("article").filter(has_text="Cancelled in the queue.")
    card.get_by_text("$0.20?").wait_for()
    card.get_by_role("button", name="Download from fal, free").wait_for()
    expect(library.locator(".vidu-money b").first).to_have_text("$0.20?")


@pytest.mark.parametrize(
    ("state", "failure", "sentence"),
    [
        ("submitted", None, "fal has the request. The clip is not here yet."),
        ("submitting", None, "fal's reply is not here. Run the shot again to look for it."),
        ("failed", "The prompt is empty. Nothing was charged.", "The prompt is empty. Nothing"),
    ],
)
def test_card_of_a_clip_that_is_not_here_says_why(editor, private, state, failure, sentence):
    with closing(open_file(private / "ledger.sqlite")) as db:
        db.execute(
            """INSERT INTO entries (fingerprint, endpoint, state, failure, prompt, search_text,
            seed, options, price_micro_usd, revision, reserved_at) VALUES (?,
            'fal-ai/vidu/image-to-video', ?, ?, 'Not here.', 'not here.', 1, '{}', 200000, 1,
            strftime('%s', 'now'))""",
            ("b" * 64, state, failure),
        )
    card = editor.library().get_by_role("article").filter(has_text="Not here.")
    card.get_by_text(sentence).wait_for()


def test_card_of_an_unreadable_row_can_be_forgotten(editor, many_clips, private):
    with closing(open_file(private / "ledger.sqlite")) as db:
        db.execute("UPDATE entries SET options = 'no JSON' WHERE id = 9999")
    library = editor.library()
    library.get_by_text("Clip number 10000.").wait_for()
    card = library.get_by_role("article").filter(has_text="Row 9999 cannot be read.")
    card.get_by_role("button", name="Forget").click()
    dialog = editor.page.get_by_role("dialog")
    dialog.get_by_text("It cannot be told which clip this row was for").wait_for()
    dialog.get_by_role("button", name="Confirm").click()
    library.get_by_text("Clips: 9,999").wait_for()
    expect(card).to_have_count(0)
