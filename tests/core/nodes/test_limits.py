"""What a run is refused for before anything is sent."""

from __future__ import annotations

import re
from decimal import Decimal
from types import SimpleNamespace

import pytest

from local_fal.catalog import ENDPOINTS as LOCAL_FAL
from local_fal.clips import ClipSpec
from vidu.endpoints import ENDPOINTS
from vidu.request import Request

from ...support.least_requests import least_request


@pytest.fixture
def refusal(pack):
    """Returns the refusal of one shot of $0.20 with this newest row under max_cost $0, or None."""

    async def refusal(state_name):
        async def active(_):
            return state_name and SimpleNamespace(state=pack.vidu.models.State[state_name])

        quote = pack.vidu.pricing.Quote(Decimal("0.20"))
        request = SimpleNamespace(fingerprint="a", price=quote.usd, quote=quote)
        ledger = SimpleNamespace(active=active)
        try:
            await pack.nodes.limits.check_cost([request], ledger, Decimal(0))
        except pack.vidu.errors.CostLimitError as error:
            return str(error)

    return refusal


@pytest.mark.parametrize("state_name", [None, "RESERVED", "FAILED"])
async def test_check_cost_counts_what_was_not_sent(refusal, state_name):
    assert "would cost $0.20 for 1 shot" in await refusal(state_name)


@pytest.mark.parametrize("state_name", ["SUBMITTING", "CANCELLED"])
async def test_check_cost_counts_what_fal_may_not_have_made(refusal, state_name):
    assert "would cost up to $0.20 for 1 shot" in await refusal(state_name)


@pytest.mark.parametrize("state_name", ["SUBMITTED", "FINISHED", "SAVED"])
async def test_check_cost_counts_nothing_that_is_never_paid_for_again(refusal, state_name):
    assert await refusal(state_name) is None


GB = 1_000_000_000
CLIPS = [each for each in ENDPOINTS if ENDPOINTS[each].output == "video"]


def longest_and_largest(endpoint_id: str) -> Request:
    """The request whose clip takes the most memory."""
    request = least_request(endpoint_id)
    fields = {field.name: field for field in request.endpoint.fields}
    options = {}
    if "duration" in fields:
        options["duration"] = fields["duration"].most
    if "resolution" in fields:
        options["resolution"] = fields["resolution"].values[-1]
    return Request(request.endpoint, request.prompt, 1, options, request.media)


@pytest.mark.parametrize("endpoint_id", CLIPS)
@pytest.mark.parametrize("ratio", [(16, 9), (1, 1), (1, 3)])
def test_frames_size_is_that_of_the_clip_local_fal_would_make(endpoint_id, ratio, pack):
    request, theirs = longest_and_largest(endpoint_id), LOCAL_FAL[endpoint_id]
    resolution = request.options.get("resolution", theirs.resolution)
    width, height = ClipSpec().size_of(resolution, ratio)
    seconds = theirs.duration_s(request.options)
    if theirs.extends:
        seconds += request.shapes["video"][0].duration_s
    clip = width * height * 3 * 4 * 24 * seconds
    wanted = pack.nodes.clip_frames.Wanted(frames=True, last_frame=False)
    assert clip <= pack.nodes.clip_frames.frames_size(request, wanted) <= clip * 1.1


@pytest.mark.parametrize("endpoint_id", CLIPS)
def test_check_memory_names_both_amounts_and_the_ways_out(endpoint_id, pack, monkeypatch):
    request, wanted = longest_and_largest(endpoint_id), pack.nodes.clip_frames.Wanted()
    needed = round(pack.nodes.clip_frames.frames_size(request, wanted) * 1.08 / GB, 1)
    monkeypatch.setattr(pack.nodes.limits, "free_memory", lambda: GB // 2)
    with pytest.raises(pack.vidu.errors.ClipTooLargeError) as refused:
        pack.nodes.limits.check_memory([request], wanted)
    told = re.search(
        r"clip will need ([\d.]+) GB of memory, and 0\.5 GB are free", str(refused.value)
    )
    assert float(told[1]) == pytest.approx(needed, abs=0.15)
    assert "video output, raise every_nth, or set max_frames" in str(refused.value)
    assert "Nothing was charged" in str(refused.value)


@pytest.mark.parametrize(
    ("asked", "shots", "words"),
    [
        ({"frames": False, "last_frame": False}, 50, None),
        ({"last_frame": False, "max_frames": 8}, 1, None),
        ({"last_frame": False, "every_nth": 20}, 1, None),
        ({}, 2, "set max_frames, or make fewer shots"),
        ({"frames": False}, 50, "last_frame of the 50 clips will need 0.6 GB"),
    ],
)
def test_check_memory_counts_what_is_connected(asked, shots, words, pack, monkeypatch):
    monkeypatch.setattr(pack.nodes.limits, "free_memory", lambda: GB // 2)
    requests = [least_request("fal-ai/vidu/image-to-video")] * shots
    refusal = None
    try:
        pack.nodes.limits.check_memory(requests, pack.nodes.clip_frames.Wanted(**asked))
    except pack.vidu.errors.ClipTooLargeError as error:
        refusal = str(error)
    assert (words is None) == (refusal is None)
    assert words is None or words in refusal
