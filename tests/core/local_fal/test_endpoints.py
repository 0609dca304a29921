"""local_fal's 23 endpoints: what each takes, refuses, makes and costs."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image

import local_fal
from local_fal.catalog import ENDPOINTS
from local_fal.clips import ClipSpec

QUEUE = "https://queue.fal.run"
APP = "fal-ai/vidu"


def data_uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64," + base64.b64encode(data).decode()


def picture(size: tuple[int, int] = (64, 36)) -> str:
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(file, "PNG")
    return data_uri(file.getvalue(), "image/png")


def video(seconds: float) -> str:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", 24)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for _ in range(round(seconds * 24)):
            frame = av.VideoFrame.from_ndarray(np.full((36, 64, 3), 90, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return data_uri(file.getvalue(), "video/mp4")


def voice(seconds: float) -> str:
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", 44100, layout="mono")
        tone = np.sin(np.arange(round(seconds * 44100), dtype=np.float32) / 30)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return data_uri(file.getvalue(), "audio/mpeg")


P, IMAGE, IMAGES = {"prompt": "a wave"}, {"image_url": picture()}, [picture(), picture((48, 48))]
START_END = {"start_image_url": IMAGES[0], "end_image_url": IMAGES[1]}
REFERENCES = {"reference_image_urls": IMAGES}

# What each endpoint needs, at least: its input, and seconds (0 for a still), size, price in US$.
LEAST: dict[str, tuple[dict[str, Any], int, tuple[int, int], float]] = {
    "image-to-video": (P | IMAGE, 4, (1280, 720), 0.20),
    "start-end-to-video": (P | START_END, 4, (1280, 720), 0.20),
    "reference-to-video": (P | REFERENCES, 4, (1280, 720), 0.40),
    "template-to-video": ({"input_image_urls": IMAGES[:1]}, 4, (1280, 720), 0.20),
    "reference-to-image": (P | REFERENCES, 0, (1280, 720), 0.10),
    "q1/image-to-video": (P | IMAGE, 5, (1920, 1080), 0.40),
    "q1/start-end-to-video": (P | START_END, 5, (1920, 1080), 0.40),
    "q1/reference-to-video": (P | REFERENCES, 5, (1920, 1080), 0.40),
    "q1/text-to-video": (P, 5, (1920, 1080), 0.40),
    "q2/image-to-video/pro": (P | IMAGE, 4, (1280, 720), 0.30),
    "q2/image-to-video/turbo": (P | IMAGE, 4, (1280, 720), 0.20),
    "q2/text-to-video": (P, 4, (1280, 720), 0.30),
    "q2/reference-to-video/pro": (P, 4, (1280, 720), 0.30),
    "q2/video-extension/pro": ({"video_url": video(2)}, 4, (1280, 720), 0.45),
    "q2/text-to-image": (P, 0, (1280, 720), 0.10),
    "q2/reference-to-image": (P | REFERENCES, 0, (1280, 720), 0.10),
    "q3/image-to-video": (IMAGE, 5, (1280, 720), 0.77),
    "q3/image-to-video/turbo": (IMAGE, 5, (1280, 720), 0.385),
    "q3/text-to-video": (P, 5, (1280, 720), 0.77),
    "q3/text-to-video/turbo": (P, 5, (1280, 720), 0.385),
    "q3/reference-to-video/mix": (P | REFERENCES, 5, (1280, 720), 0.77),
    "q4/image-to-video": (IMAGE, 5, (1280, 720), 0.475),
    "q4/reference-to-video": (P, 5, (1280, 720), 0.475),
}
SCALE = 0.05


@pytest.fixture(scope="module")
def shared() -> Iterator[local_fal.LocalFal]:
    with local_fal.running(generation_seconds=0, concurrency=9, scale=SCALE) as fal:
        yield fal


@pytest.fixture
def run(fal, client) -> Callable[..., httpx.Response]:
    """Submits the least input of an endpoint, with changes; returns the result's response."""

    def run(endpoint: str, **changes: Any) -> httpx.Response:
        given = {k: v for k, v in (LEAST[endpoint][0] | changes).items() if v is not ...}
        handle = client.post(f"{QUEUE}/{APP}/{endpoint}", json=given).json()
        while client.get(handle["status_url"]).status_code == 202:
            time.sleep(0.01)
        return client.get(handle["response_url"])

    return run


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


@pytest.mark.parametrize("endpoint", LEAST)
def test_endpoint_without_a_required_field_returns_missing(run, endpoint):
    required = [
        name
        for name, field in ENDPOINTS[f"{APP}/{endpoint}"].schema.model_fields.items()
        if field.is_required()
    ]
    for name in required:
        (error,) = run(endpoint, **{name: ...}).json()["detail"]
        assert (error["type"], error["loc"]) == ("missing", ["body", name])
    assert required


@pytest.mark.parametrize(
    ("endpoint", "changes", "place", "kind"),
    [
        ("q3/text-to-video", {"duration": "5"}, ["duration"], "int_type"),
        ("q3/text-to-video", {"duration": 17}, ["duration"], "less_than_equal"),
        ("q3/text-to-video", {"duration": 0}, ["duration"], "greater_than_equal"),
        ("q2/text-to-video", {"duration": "4"}, ["duration"], "literal_error"),
        ("q2/text-to-video", {"duration": 9}, ["duration"], "literal_error"),
        ("q2/text-to-video", {"resolution": "540p"}, ["resolution"], "literal_error"),
        ("q2/text-to-video", {"prompt": "x" * 3001}, ["prompt"], "string_too_long"),
        ("q2/text-to-video", {"bgm": True, "duration": 5}, ["bgm"], "feature_not_supported"),
        ("q3/text-to-video", {"audio": "loud"}, ["audio"], "bool_parsing"),
        ("q4/image-to-video", {"duration": 2}, ["duration"], "greater_than_equal"),
        ("q4/image-to-video", {"resolution": "4k"}, ["resolution"], "literal_error"),
        (
            "q3/image-to-video",
            {"end_image_url": IMAGES[0], "resolution": "360p"},
            ["resolution"],
            "feature_not_supported",
        ),
        (
            "reference-to-video",
            {"reference_image_urls": IMAGES * 2},
            ["reference_image_urls"],
            "sequence_too_long",
        ),
        (
            "q3/reference-to-video/mix",
            {"reference_image_urls": []},
            ["reference_image_urls"],
            "sequence_too_short",
        ),
        (
            "q4/reference-to-video",
            {"reference_image_urls": IMAGES * 7},
            ["reference_image_urls"],
            "too_long",
        ),
        (
            "q2/reference-to-video/pro",
            {"reference_image_urls": IMAGES * 3, "reference_video_urls": [video(1)]},
            ["reference_image_urls"],
            "sequence_too_long",
        ),
        (
            "q2/reference-to-video/pro",
            {"aspect_ratio": "wide"},
            ["aspect_ratio"],
            "feature_not_supported",
        ),
        ("template-to-video", {"template": "shop_frame"}, ["template"], "literal_error"),
        (
            "template-to-video",
            {"template": "wish_sender"},
            ["input_image_urls"],
            "sequence_too_short",
        ),
        (
            "q1/reference-to-video",
            {"reference_image_urls": [IMAGES[0], data_uri(b"no", "image/png")]},
            ["reference_image_urls", 1],
            "image_load_error",
        ),
        (
            "start-end-to-video",
            {"end_image_url": picture((100, 401))},
            ["end_image_url"],
            "image_aspect_ratio_error",
        ),
        (
            "q2/video-extension/pro",
            {"video_url": picture()},
            ["video_url"],
            "unsupported_video_format",
        ),
        (
            "q4/reference-to-video",
            {"reference_audio_urls": [voice(4), voice(1)]},
            ["reference_audio_urls", 1],
            "audio_duration_too_short",
        ),
        (
            "q4/reference-to-video",
            {"reference_audio_urls": [voice(13)]},
            ["reference_audio_urls", 0],
            "audio_duration_too_long",
        ),
        (
            "q4/reference-to-video",
            {"reference_audio_urls": [picture()]},
            ["reference_audio_urls", 0],
            "unsupported_audio_format",
        ),
    ],
)
def test_endpoint_invalid_input_returns_422_at_its_place(fal, run, endpoint, changes, place, kind):
    response = run(endpoint, **changes)
    assert response.status_code == 422
    (error,) = response.json()["detail"]
    assert (error["type"], error["loc"]) == (kind, ["body", *place])
    assert response.headers["x-fal-billable-units"] == "0"
    assert fal.ledger()["billed_usd"] == 0


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


def test_without_audio_leaves_out_the_sound_that_was_asked_for(fal, client, run):
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


@pytest.mark.parametrize("fault", ["first_medium_refused", "last_medium_refused"])
def test_medium_refused_blames_one_of_several(fal, run, fault):
    fal.set_faults(f"{fault}:1")
    (error,) = run("q1/start-end-to-video").json()["detail"]
    field = "start_image_url" if fault == "first_medium_refused" else "end_image_url"
    assert error["loc"] == ["body", field]


def test_image_error_without_an_image_blames_the_whole_input(fal, run):
    fal.set_faults("image_too_small:1")
    (error,) = run("q1/text-to-video").json()["detail"]
    assert error["loc"] == ["body"]


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
