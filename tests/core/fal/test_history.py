"""fal's list of requests: what cannot be read is unclear, and never "it is not there"."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest

from vidu.errors import (
    ApiStatusError,
    Charge,
    GenerationError,
    ResponseTooLargeError,
    ServiceError,
    UnreadableResponseError,
)
from vidu.fal.history import LONGEST_LOOK_BACK_S, MAX_PAGES, RequestHistory
from vidu.models import Output

from ...support.listed_items import (
    IMAGE,
    REFERENCES,
    TEXT,
    TWIN,
    UNREADABLE,
    URL,
    A,
    C,
    changed,
    item,
)

NOW = 1_800_000_000.0
ENDPOINT = "fal-ai/vidu/image-to-video"


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
        by_ledger: float = math.inf,
    ) -> str | None:
        async def is_known(request_id: str) -> bool:
            return request_id in known

        earliest = None if since is None else min(since, by_ledger)
        return await self.history().find(ENDPOINT, sent, since, earliest, is_known)


def page(*items: Any, **more: Any) -> dict[str, Any]:
    return {"items": list(items), "next_cursor": None, "has_more": False, **more}


OURS, OTHER = item(IMAGE), item(changed(IMAGE, image_url=TWIN), "r-2")


async def test_find_own_request_returns_its_id():
    assert await Listing(page(OTHER, OURS)).find() == "r-1"


async def test_find_whole_listing_without_it_returns_none():
    assert await Listing(page(OTHER, item({"prompt": "A cat"}, "r-3"))).find() is None
    assert await Listing(page()).find() is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(206, json=page()),
        httpx.Response(204),
        httpx.Response(200, json={**page(), "error": {"type": "internal_error"}}),
    ],
    ids=["partial", "no content", "an error"],
)
async def test_find_listing_that_did_not_come_whole_is_no_absence(answer):
    with pytest.raises(UnreadableResponseError):
        await Listing(answer).find()


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
    assert await listing.history(now=None).find(ENDPOINT, IMAGE, None, None, never_known) is None
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
async def test_find_likely_request_beside_an_unreadable_one_is_unclear(given):
    likely, unreadable = item({"image_url": URL}, "r-likely"), item(given, "r-3")
    for items in ((likely, unreadable), (unreadable, likely)):
        with pytest.raises(UnreadableResponseError, match="2 requests whose inputs"):
            await Listing(page(*items)).find()
    known = frozenset({"r-3"})
    assert await Listing(page(likely, unreadable)).find(known=known) == "r-likely"


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
        httpx.Response(200, text='{"items": ' * 100_000),
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


async def test_find_of_two_twins_takes_the_one_that_was_sent_at_the_time():
    later = item(TEXT, "r-twin", sent_at=iso(NOW + 40))
    assert await Listing(page(later, item(TEXT, sent_at=iso(NOW + 1)))).find(TEXT) == "r-1"


async def test_find_twin_without_a_seed_that_was_sent_long_before_is_not_the_lost_one():
    twin = item({"prompt": TEXT["prompt"]}, "r-twin", sent_at=iso(NOW - 61))
    assert await Listing(page(twin)).find(TEXT) is None


async def test_find_when_fal_told_a_time_too_late_still_sees_the_request():
    listing = Listing(page(item(TEXT, sent_at=iso(NOW - 7200))))
    with pytest.raises(UnreadableResponseError):
        await listing.find(TEXT, since=NOW, by_ledger=NOW - 7200)
    assert listing.queries[0]["start"] == iso(NOW - 7200 - 3600)


async def test_find_time_of_an_unknown_zone_is_not_taken_for_another_request():
    ours = item(TEXT, sent_at=iso(NOW - 7 * 3600).removesuffix("+00:00"))
    assert await Listing(page(ours)).find(TEXT) == "r-1"


async def test_find_upload_is_the_lost_one_whatever_its_time():
    assert await Listing(page(item(IMAGE, sent_at=iso(NOW - 900)))).find(IMAGE) == "r-1"
    twin = item(TEXT, sent_at=iso(NOW - 900))
    assert await Listing(page(twin)).find(TEXT, since=None) == "r-1"


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


@pytest.mark.parametrize("odd", ["Half an emoji: \ud83d", math.nan, math.inf])
async def test_output_of_request_that_ended_with_odd_words_raises_its_error(odd):
    words = {"detail": [{"loc": ["body"], "msg": "Flagged.", "type": "x", "input": odd}]}
    listed = page(item(IMAGE, status_code=422, json_output=words))
    listing = Listing(httpx.Response(200, content=json.dumps(listed)))
    with pytest.raises(GenerationError, match="Flagged"):
        await listing.history().output(ENDPOINT, "r-1")


async def test_output_unreadable_listing_is_no_absence():
    for strange in (page(OTHER, has_more=True), {}, httpx.Response(403, json={})):
        with pytest.raises(ServiceError) as caught:
            await Listing(strange).history().output(ENDPOINT, "r-1")
        assert isinstance(caught.value, (ApiStatusError, UnreadableResponseError))
