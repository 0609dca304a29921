"""local_fal's 23 endpoints: what each makes, how long and large it is, what it costs."""

from __future__ import annotations

import io
from collections.abc import Iterator

import av
import pytest
from PIL import Image

import local_fal
from local_fal.catalog import ENDPOINTS
from local_fal.clips import ClipSpec

from ...support.endpoint_inputs import APP, IMAGES, LEAST, voice

SCALE = 0.05


@pytest.fixture(scope="module")
def shared() -> Iterator[local_fal.LocalFal]:
    with local_fal.running(generation_seconds=0, concurrency=9, scale=SCALE) as fal:
        yield fal


def test_catalog_has_the_23_documented_endpoints():
    assert {f"{APP}/{name}" for name in LEAST} == ENDPOINTS.keys()


@pytest.mark.parametrize("endpoint", LEAST)
def test_endpoint_least_input_makes_what_it_promises_for_its_price(fal, client, run, endpoint):
    _, seconds, (width, height), price = LEAST[endpoint]
    response = run(endpoint)
    assert response.status_code == 200, response.text
    assert fal.ledger()["billed_usd"] == pytest.approx(price)
    made = response.json()["video" if seconds else "image"]
    data = client.get(made["url"]).content
    scaled = (round(width * SCALE) // 2 * 2, round(height * SCALE) // 2 * 2)
    assert len(data) == made["file_size"]
    if not seconds:
        assert (made["width"], made["height"]) == Image.open(io.BytesIO(data)).size == scaled
        return
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == scaled
        assert len(list(container.decode(stream))) == seconds * 24


@pytest.mark.parametrize(
    ("endpoint", "changes", "price", "units"),
    [
        ("q3/text-to-video", {"duration": 8, "resolution": "360p"}, 0.56, "8"),
        ("q3/text-to-video/turbo", {"duration": 16, "resolution": "1080p"}, 1.232, "16"),
        ("q2/image-to-video/pro", {"duration": 8, "resolution": "1080p"}, 1.10, "8"),
        ("q2/text-to-video", {"duration": 8}, 0.30, "1"),
        ("q4/image-to-video", {"duration": 16, "resolution": "4K"}, 6.24, "16"),
        ("template-to-video", {"template": "live_photo"}, 0.50, "1"),
        ("template-to-video", {"template": "lunar_newyear"}, 0.30, "1"),
        ("template-to-video", {"template": "ghibli"}, 0.50, "1"),
        ("q2/video-extension/pro", {"duration": 7, "resolution": "1080p"}, 0.955, "9.0"),
    ],
)
def test_endpoint_options_change_the_price(shared, run, endpoint, changes, price, units):
    response = run(endpoint, **changes)
    assert response.status_code == 200, response.text
    assert shared.ledger()["billed_usd"] == pytest.approx(price)
    assert response.headers["x-fal-billable-units"] == units


@pytest.mark.parametrize(
    ("endpoint", "changes", "has_sound"),
    [
        ("image-to-video", {}, False),
        ("q3/text-to-video", {}, True),
        ("q3/text-to-video", {"audio": False}, False),
        ("q2/text-to-video", {}, False),
        ("q2/text-to-video", {"bgm": True}, True),
        ("q4/image-to-video", {}, True),
        ("q4/reference-to-video", {}, False),
        ("q4/reference-to-video", {"audio": True, "reference_audio_urls": [voice(4)]}, True),
    ],
)
def test_endpoint_makes_sound_when_asked(client, run, endpoint, changes, has_sound):
    url = run(endpoint, **changes).json()["video"]["url"]
    with av.open(io.BytesIO(client.get(url).content)) as container:
        assert bool(container.streams.audio) == has_sound


def test_clip_without_audio_lacks_the_sound_that_was_asked_for(fal, client, run):
    fal.set_faults("without_audio:1")
    url = run("q3/text-to-video").json()["video"]["url"]
    with av.open(io.BytesIO(client.get(url).content)) as container:
        assert not container.streams.audio


def test_clip_instead_serves_an_mp4_for_an_image(fal, client, run):
    fal.set_faults("clip_instead:1")
    assert run("q2/text-to-image").json()["image"]["content_type"] == "video/mp4"


def test_q4_result_tells_its_seed_and_cover_image(client, run):
    assert run("q4/reference-to-video", seed=7).json()["seed"] == 7
    drawn = run("q4/image-to-video").json()
    assert drawn["seed"] > 0
    assert client.get(drawn["cover_image"]["url"]).content.startswith(b"\x89PNG")


def test_job_records_the_digest_of_every_medium(fal, run):
    run("q4/reference-to-video", reference_image_urls=IMAGES, reference_audio_urls=[voice(4)])
    (job,) = fal.ledger()["jobs"]
    counts = {field: len(digests) for field, digests in job["media_sha256"].items()}
    assert counts == {"reference_image_urls": 2, "reference_audio_urls": 1}


@pytest.mark.parametrize(
    ("resolution", "ratio", "size"),
    [
        ("720p", (16, 9), (1280, 720)),
        ("720p", (4, 3), (1104, 816)),
        ("720p", (1, 1), (960, 960)),
        ("360p", (16, 9), (640, 352)),
        ("540p", (16, 9), (960, 528)),
        ("1080p", (9, 16), (1080, 1920)),
        ("4K", (16, 9), (3840, 2160)),
    ],
)
def test_clip_spec_size_follows_resolution_and_ratio(resolution, ratio, size):
    assert ClipSpec().size_of(resolution, ratio) == size
