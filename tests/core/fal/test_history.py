"""fal's listing, in every shape: what cannot be read is unclear, and never "it is not there"."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu.errors import (
    ApiStatusError,
    Charge,
    GenerationError,
    ResponseTooLargeError,
    ServiceError,
    UnreadableResponseError,
)
from vidu.fal.history import LONGEST_LOOK_BACK_S, MAX_PAGES, RequestHistory
from vidu.fal.matching import Match, compare
from vidu.models import Output

NOW = 1_800_000_000.0
URL = "https://v3b.fal.media/files/b/0aac27e0/hzumoERxCN0OZTqbpMb2L_image.png"
TWIN = "https://v3b.fal.media/files/b/0aac27e0/xxxxxxxxxxxxxxxxxxxxx_image.png"
IMAGE = {"prompt": "The tide comes in", "image_url": URL, "seed": 7, "movement_amplitude": "auto"}
IMAGES = {"prompt": "The tide", "reference_image_urls": [URL, URL[:-4] + "2.png"], "seed": 7}
TEXT = {"prompt": "The tide comes in", "seed": 7, "duration": 5, "audio": True}
ENDPOINT = "fal-ai/vidu/image-to-video"


def item(given: Any, request_id: Any = "r-1", **more: Any) -> dict[str, Any]:
    return {"request_id": request_id, "json_input": given, "status_code": 200, **more}


def changed(arguments: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {**arguments, **changes}


def without(arguments: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in names}


# -- compare -------------------------------------------------------------------------------------

SHAPES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "as sent": lambda given: given,
    "with defaults": lambda given: {**given, "style": "general", "bgm": False},
    "as text": json.dumps,
    "as text of text": lambda given: json.dumps({"body": json.dumps(given)}),
    "nested": lambda given: {"input": given},
    "in a list": lambda given: [{"arguments": given}],
    "seed as text": lambda given: {**given, "seed": "7"},
    "seed as float": lambda given: {**given, "seed": 7.0},
    "prompt composed otherwise": lambda given: {**given, "prompt": f" {given['prompt']}\n"},
}


@pytest.mark.parametrize("sent", [IMAGE, IMAGES, TEXT], ids=["image", "images", "text"])
@pytest.mark.parametrize("shape", SHAPES)
def test_compare_own_input_in_any_shape_is_the_same(shape, sent):
    assert compare(item(SHAPES[shape](dict(sent))), sent) is Match.SAME


@pytest.mark.parametrize(
    "given",
    [
        json.dumps(IMAGE).replace("/", "\\/")[:-40],
        {"image_url": f"{URL}?signature=abc"},
        {"files": [{"url": URL}]},
        changed(IMAGE, prompt="The ti...", seed=None),
        without(IMAGE, "seed", "movement_amplitude"),
    ],
    ids=["cut behind the URL", "signed", "elsewhere", "prompt cut", "defaults left out"],
)
def test_compare_upload_anywhere_is_likely(given):
    assert compare(item(given), IMAGE) is Match.LIKELY


def test_compare_upload_outside_the_input_is_likely():
    assert compare(item(None, media=[URL]), IMAGE) is Match.LIKELY


@pytest.mark.parametrize("changes", [{"seed": 8}, {"seed": "8"}, {"seed": 8, "prompt": "Other"}])
def test_compare_shared_upload_with_another_seed_is_different(changes):
    assert compare(item(changed(IMAGE, **changes)), IMAGE) is Match.DIFFERENT


def test_compare_upload_with_another_prompt_is_unclear():
    assert compare(item(changed(IMAGE, prompt="Rewritten")), IMAGE) is Match.UNCLEAR


@pytest.mark.parametrize(
    "given",
    [
        changed(IMAGE, image_url=TWIN),
        changed(IMAGE, image_url=TWIN, seed=None),
        {"image_url": TWIN},
        {"input": json.dumps({"image_url": TWIN})},
        changed(IMAGE, image_url="https://example.com/cat.png", seed=8),
        changed(IMAGE, image_url="data:image/png;base64,AAAA", prompt="A cat"),
    ],
)
def test_compare_whole_other_input_is_different(given):
    assert compare(item(given), IMAGE) is Match.DIFFERENT


UNREADABLE = [
    None,
    "",
    {},
    [],
    7,
    "[redacted]",
    '{"prompt": "The tide comes in", "image_',
    {"truncated": True},
    {"prompt": None, "image_url": None, "seed": None},
    {"prompt": "", "image_url": ""},
    {"prompt": "The tide..."},
    {"prompt": "The tide\u2026", "image_url": URL[:40]},
    {"image_url": URL[:40] + "..."},
]


@pytest.mark.parametrize("given", UNREADABLE, ids=repr)
@pytest.mark.parametrize("sent", [IMAGE, IMAGES, TEXT], ids=["image", "images", "text"])
def test_compare_unreadable_input_is_unclear(given, sent):
    assert compare(item(given), sent) is Match.UNCLEAR
    assert compare({"request_id": "r-1"}, sent) is Match.UNCLEAR


A, B, C = (f"https://v3b.fal.media/files/b/0aac27e0/{letter}.png" for letter in "abc")
REFERENCES = {"prompt": "The tide", "reference_image_urls": [A, B], "seed": 7}
FRAMES = {"prompt": "The tide", "start_image_url": A, "end_image_url": B, "seed": 7}
COPY = "https://storage.example.com/copy/1.png"


@pytest.mark.parametrize(
    ("sent", "changes"),
    [
        (REFERENCES, {"reference_image_urls": [A, C]}),
        (REFERENCES, {"reference_image_urls": [B, A]}),
        (REFERENCES, {"reference_image_urls": [C]}),
        (REFERENCES, {"reference_image_urls": [A, B, C]}),
        (REFERENCES, {"reference_image_urls": [A, f"{C}?signature=abc"]}),
        (FRAMES, {"end_image_url": C}),
        (FRAMES, {"start_image_url": B, "end_image_url": A}),
    ],
)
def test_compare_other_uploads_than_sent_is_different(sent, changes):
    given = changed(sent, **changes)
    assert compare(item(given), sent) is Match.DIFFERENT
    assert compare(item({"input": json.dumps(given)}), sent) is Match.DIFFERENT


@pytest.mark.parametrize(
    ("sent", "given"),
    [
        (REFERENCES, changed(REFERENCES, reference_image_urls=[A])),
        (REFERENCES, changed(REFERENCES, reference_image_urls=[A, "..."])),
        (REFERENCES, changed(REFERENCES, reference_image_urls=[A, f"{B[:-7]}..."])),
        (REFERENCES, changed(REFERENCES, reference_image_urls=[A, COPY])),
        (REFERENCES, changed(REFERENCES, reference_image_urls=None, files=[A, B])),
        (REFERENCES, json.dumps(REFERENCES)[:-20]),
        (FRAMES, without(FRAMES, "end_image_url")),
        (FRAMES, json.dumps(FRAMES)[:-20]),
        (without(FRAMES, "end_image_url"), FRAMES),
    ],
)
def test_compare_some_of_the_uploads_is_unclear(sent, given):
    assert compare(item(given), sent) is Match.UNCLEAR


def test_compare_signed_uploads_in_order_is_the_same():
    given = changed(REFERENCES, reference_image_urls=[f"{A}?signature=abc", B])
    assert compare(item(given), REFERENCES) is Match.SAME


def test_compare_same_words_with_a_copied_image_is_unclear():
    given = changed(IMAGE, image_url="https://storage.example.com/copy/1.png")
    assert compare(item(given), IMAGE) is Match.UNCLEAR


@pytest.mark.parametrize("changes", [{"seed": 8}, {"prompt": "A cat"}, {"duration": 8}])
def test_compare_text_request_with_another_input_is_different(changes):
    assert compare(item(changed(TEXT, **changes)), TEXT) is Match.DIFFERENT


@pytest.mark.parametrize("names", [("seed",), ("prompt",), ("prompt", "seed")])
def test_compare_text_request_without_its_marks_is_unclear(names):
    assert compare(item(without(TEXT, *names)), TEXT) is Match.UNCLEAR


def test_compare_text_request_without_defaults_is_the_same():
    assert compare(item(without(TEXT, "duration", "audio")), TEXT) is Match.SAME


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just(URL),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*IMAGE, "input", "x"]), inner, max_size=4)
    ),
    max_leaves=9,
)


@given(anything, st.sampled_from([IMAGE, IMAGES, TEXT]))
def test_compare_any_json_ends_in_a_match(given, sent):
    assert compare(item(given), sent) in Match


@given(st.text(min_size=1, max_size=60))
def test_compare_cut_prompt_is_never_different(prompt):
    for end in range(len(prompt)):
        given = {"prompt": prompt[:end]}
        assert compare(item(given), {"prompt": prompt, "seed": 7}) is not Match.DIFFERENT


# -- find: pages, cursors, known requests --------------------------------------------------------


class Listing:
    """Answers with one page after the other, and keeps what it was asked."""

    def __init__(self, *pages: Any) -> None:
        self.pages = list(pages)
        self.queries: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.queries.append(dict(request.url.params))
        page = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        if isinstance(page, Exception):
            raise page
        return page if isinstance(page, httpx.Response) else httpx.Response(200, json=page)

    def history(self, now: float | None = NOW) -> RequestHistory:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return RequestHistory(http, lambda: now)

    async def find(
        self,
        sent: Mapping[str, Any] = IMAGE,
        since: float | None = NOW,
        known: frozenset[str] = frozenset(),
    ) -> str | None:
        async def is_known(request_id: str) -> bool:
            return request_id in known

        return await self.history().find(ENDPOINT, sent, since, is_known)


def page(*items: Any, **more: Any) -> dict[str, Any]:
    return {"items": list(items), "next_cursor": None, "has_more": False, **more}


OURS, OTHER = item(IMAGE), item(changed(IMAGE, image_url=TWIN), "r-2")


async def test_find_own_request_returns_its_id():
    assert await Listing(page(OTHER, OURS)).find() == "r-1"


async def test_find_whole_listing_without_it_returns_none():
    assert await Listing(page(OTHER, item({"prompt": "A cat"}, "r-3"))).find() is None
    assert await Listing(page()).find() is None


async def test_find_asks_from_fals_time_and_to_no_end():
    listing = Listing(page())
    await listing.find(since=NOW)
    (query,) = listing.queries
    assert query["endpoint_id"] == ENDPOINT
    assert query["start"] == "2027-01-15T07:00:00+00:00"
    assert "end" not in query


async def test_find_without_the_time_of_the_request_looks_back_for_long():
    listing = Listing(page())
    await listing.find(since=None)
    assert listing.queries[0]["start"] == "2026-12-16T08:00:00+00:00"
    assert LONGEST_LOOK_BACK_S == 30 * 86_400
    assert await listing.history(now=None).find(ENDPOINT, IMAGE, None, never_known) is None
    assert "start" not in listing.queries[1]


async def never_known(_: str) -> bool:
    return False


async def test_find_known_request_is_never_the_lost_one():
    twin = item(TEXT, "r-twin")
    assert await Listing(page(twin, item(TEXT))).find(TEXT, known=frozenset({"r-twin"})) == "r-1"
    assert await Listing(page(twin)).find(TEXT, known=frozenset({"r-twin"})) is None
    hidden = item(None, "r-old")
    assert await Listing(page(hidden)).find(known=frozenset({"r-old"})) is None


async def test_find_exact_request_takes_precedence_over_a_likely_one():
    likely = item({"image_url": URL}, "r-likely")
    assert await Listing(page(likely, OURS)).find() == "r-1"
    assert await Listing(page(likely, OTHER)).find() == "r-likely"


async def test_find_shot_that_shares_one_picture_is_not_the_lost_one():
    sibling = item(changed(REFERENCES, reference_image_urls=[A, C]), "r-sibling")
    assert await Listing(page(sibling)).find(REFERENCES) is None
    assert await Listing(page(sibling, item(REFERENCES))).find(REFERENCES) == "r-1"


async def test_find_two_likely_requests_is_unclear():
    likely = [item({"image_url": URL}, name) for name in ("r-1", "r-2")]
    with pytest.raises(UnreadableResponseError, match="2 requests whose inputs cannot be read"):
        await Listing(page(*likely)).find()


@pytest.mark.parametrize("given", UNREADABLE, ids=repr)
async def test_find_unreadable_input_raises(given):
    with pytest.raises(UnreadableResponseError, match="1 requests whose inputs") as caught:
        await Listing(page(OTHER, item(given, "r-3"))).find()
    assert not caught.value.retryable


@pytest.mark.parametrize("request_id", [None, "", 7.5, "../admin", {}])
async def test_find_own_input_without_an_id_raises(request_id):
    with pytest.raises(UnreadableResponseError):
        await Listing(page(item(IMAGE, request_id))).find()


@pytest.mark.parametrize(
    "more",
    [{"has_more": True, "next_cursor": "c"}, {"next_cursor": "c"}, {"next_cursor": 7}],
    ids=["both", "cursor alone", "a number"],
)
async def test_find_cursor_is_followed_whatever_has_more_says(more):
    listing = Listing(page(OTHER, **more), page(OURS))
    assert await listing.find() == "r-1"
    assert listing.queries[1]["cursor"] == str(more["next_cursor"])


async def test_find_empty_page_with_a_cursor_is_followed():
    listing = Listing(page(next_cursor="c"), page(OURS))
    assert await listing.find() == "r-1"


async def test_find_empty_page_that_leads_to_itself_is_the_end():
    listing = Listing(page(OTHER, next_cursor="c"), page(next_cursor="c"))
    assert await listing.find() is None
    assert len(listing.queries) == 2


@pytest.mark.parametrize(
    "strange",
    [
        page(OTHER, has_more=True),
        page(OTHER, has_more=True, next_cursor=""),
        page(OTHER, has_more="yes"),
        page(OTHER, next_cursor={"after": 1}),
        page(OTHER, next_cursor="c", has_more=True),
        page(OTHER, next_cursor="c", has_more=False),
        page(OTHER, "not an item"),
        page(OTHER, None),
        {"items": None},
        {"items": {}},
        {},
        [],
        httpx.Response(200, text="no JSON"),
    ],
    ids=lambda strange: re.sub(r"0x\w+", "", repr(strange))[-60:],
)
async def test_find_listing_that_cannot_be_read_to_its_end_raises(strange):
    with pytest.raises(UnreadableResponseError):
        await Listing(strange).find()


async def test_find_endless_listing_is_given_up():
    endless = [page(OTHER, has_more=True, next_cursor=str(n)) for n in range(2 * MAX_PAGES)]
    listing = Listing(*endless)
    with pytest.raises(UnreadableResponseError, match="too long"):
        await listing.find()
    assert len(listing.queries) == MAX_PAGES


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502])
async def test_find_refused_listing_raises_fals_status(status):
    with pytest.raises(Exception) as caught:
        await Listing(httpx.Response(status, json={"detail": "No."})).find()
    assert caught.value.status_code == status


async def test_find_pages_of_megabytes_are_read_in_smaller_ones():
    listing = Listing(
        ResponseTooLargeError("x"), page(OTHER, has_more=True, next_cursor="c"), page(OURS)
    )
    assert await listing.find() == "r-1"
    assert [query["limit"] for query in listing.queries] == ["100", "10", "10"]


async def test_find_one_item_of_megabytes_raises():
    listing = Listing(ResponseTooLargeError("x"))
    with pytest.raises(ResponseTooLargeError):
        await listing.find()
    assert [query["limit"] for query in listing.queries] == ["100", "10", "1"]


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat()


@pytest.mark.parametrize("sent_at", [iso(NOW), iso(NOW + 600), iso(NOW - 0.9), None, "soon", 7])
async def test_find_text_request_sent_then_is_the_lost_one(sent_at):
    assert await Listing(page(item(TEXT, sent_at=sent_at))).find(TEXT) == "r-1"


async def test_find_twin_that_was_sent_before_is_not_the_lost_one():
    twin = item(TEXT, "r-twin", sent_at=iso(NOW - 61).replace("+00:00", "Z"))
    assert await Listing(page(twin)).find(TEXT) is None
    assert await Listing(page(twin, item(TEXT, sent_at=iso(NOW + 1)))).find(TEXT) == "r-1"


async def test_find_twin_that_was_sent_just_before_is_unclear():
    twin = item(TEXT, "r-twin", sent_at=iso(NOW - 5))
    with pytest.raises(UnreadableResponseError):
        await Listing(page(twin)).find(TEXT)
    assert await Listing(page(twin, item(TEXT, sent_at=iso(NOW + 1)))).find(TEXT) == "r-1"


async def test_find_upload_is_the_lost_one_whatever_its_time():
    assert await Listing(page(item(IMAGE, sent_at=iso(NOW - 900)))).find(IMAGE) == "r-1"
    twin = item(TEXT, sent_at=iso(NOW - 900))
    assert await Listing(page(twin)).find(TEXT, since=None) == "r-1"


# -- output --------------------------------------------------------------------------------------


async def test_output_of_listed_request_is_returned():
    output = {"video": {"url": "https://v3b.fal.media/files/b/1.mp4", "file_size": 9}}
    listing = Listing(page(item(IMAGE, json_output=output)))
    found = await listing.history().output(ENDPOINT, "r-1")
    assert found == Output("https://v3b.fal.media/files/b/1.mp4", 9)
    assert listing.queries[0]["request_id"] == "r-1"


async def test_output_of_request_that_is_not_listed_is_none():
    assert await Listing(page(OTHER)).history().output(ENDPOINT, "r-1") is None


@pytest.mark.parametrize("output", [None, {}, "cut", {"video": None}])
async def test_output_listed_without_a_file_raises(output):
    with pytest.raises(UnreadableResponseError, match="without its output"):
        await Listing(page(item(IMAGE, json_output=output))).history().output(ENDPOINT, "r-1")


@pytest.mark.parametrize(("status", "charge"), [(422, Charge.MAYBE_SPENT), (500, Charge.NOT_SPENT)])
async def test_output_of_request_that_ended_with_an_error_raises_it(status, charge):
    words = {"detail": [{"loc": ["body"], "msg": "Flagged.", "type": "content_policy_violation"}]}
    listed = item(IMAGE, status_code=status, json_output=words)
    with pytest.raises(GenerationError, match="Flagged") as caught:
        await Listing(page(listed)).history().output(ENDPOINT, "r-1")
    assert (caught.value.charge, caught.value.request_id) == (charge, "r-1")


async def test_output_unreadable_listing_is_no_absence():
    for strange in (page(OTHER, has_more=True), {}, httpx.Response(403, json={})):
        with pytest.raises(ServiceError) as caught:
            await Listing(strange).history().output(ENDPOINT, "r-1")
        assert isinstance(caught.value, (ApiStatusError, UnreadableResponseError))
