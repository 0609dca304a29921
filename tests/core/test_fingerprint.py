"""What makes two requests the same shot, and what does not."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from vidu import builders
from vidu.endpoints import ENDPOINTS, VIDU_IMAGE_TO_VIDEO
from vidu.media.image import EncodedImage
from vidu.request import SEED_MAX, Request

from ..support.requests_by_hand import Film, options, shot, still

stills = st.builds(
    EncodedImage,
    data=st.binary(max_size=4),
    media_type=st.sampled_from(["image/png", "image/jpeg"]),
    width=st.just(64),
    height=st.just(64),
    content_sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
)
prompts = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=40)
seeds = st.integers(0, SEED_MAX)
media = st.fixed_dictionaries({"image": st.tuples(stills)})
requests = st.builds(Request, st.just(VIDU_IMAGE_TO_VIDEO), prompts, seeds, options, media)


@given(requests)
def test_fingerprint_of_equal_inputs_is_equal(request):
    again = Request(
        request.endpoint,
        f"  {request.prompt}\n",
        request.seed,
        dict(reversed(request.options.items())),
        {"image": tuple(dataclasses.replace(each) for each in request.media["image"])},
    )
    assert again.fingerprint == request.fingerprint
    assert len(bytes.fromhex(request.fingerprint)) == 32


@given(requests, st.data())
def test_fingerprint_of_any_changed_input_differs(request, data):
    name = data.draw(st.sampled_from(["media", "prompt", "seed", "options"]))
    pixels = request.media["image"][0].content_sha256
    strategy = {
        "media": media.filter(lambda other: other["image"][0].content_sha256 != pixels),
        "prompt": prompts.filter(lambda other: other != request.prompt),
        "seed": seeds.filter(lambda other: other != request.seed),
        "options": options.filter(lambda other: other != request.options),
    }[name]
    changed = dataclasses.replace(request, **{name: data.draw(strategy)})
    assert changed.fingerprint != request.fingerprint


def test_fingerprint_covers_the_endpoint():
    other = ENDPOINTS["fal-ai/vidu/q1/image-to-video"]
    assert dataclasses.replace(shot(), endpoint=other).fingerprint != shot().fingerprint


def test_fingerprint_covers_the_role_and_the_order_of_media():
    first, second = still(256, 256, "ab"), still(256, 256, "cd")
    prints = {
        builders.image_to_video(first, "waves", end_image=second).fingerprint,
        builders.image_to_video(second, "waves", end_image=first).fingerprint,
        builders.reference_to_video("waves", images=[first, second]).fingerprint,
        builders.reference_to_video("waves", images=[second, first]).fingerprint,
    }
    assert len(prints) == 4


def test_fingerprint_covers_a_video_by_its_content():
    assert (
        builders.extend_video(Film(data=b"one")).fingerprint
        == builders.extend_video(Film(data=b"two")).fingerprint
        != builders.extend_video(Film("ef" * 32)).fingerprint
    )


def test_fingerprint_ignores_how_pixels_were_compressed():
    png = EncodedImage(b"png", "image/png", 64, 64, "ab" * 32)
    jpeg = EncodedImage(b"jpeg", "image/jpeg", 64, 64, "ab" * 32)
    made = [Request(VIDU_IMAGE_TO_VIDEO, "waves", media={"image": (each,)}) for each in (png, jpeg)]
    assert made[0].fingerprint == made[1].fingerprint


def test_likeness_key_covers_everything_but_the_pixels():
    def key(prompt: str = "waves", *, seed: int = 1, picture: EncodedImage | None = None) -> str:
        return builders.image_to_video(picture or still(), prompt, seed=seed).likeness_key

    assert key() == key(picture=still(pixels="cd"))
    others = [key("wind"), key(seed=2), key(picture=still(65, 64))]
    others.append(builders.image_to_video(still(), "waves", seed=1, model="Q1").likeness_key)
    assert len({key(), *others}) == 5


def test_fingerprint_outlives_this_version():
    """It is in every ledger: were it to change, each clip would be paid for again."""
    assert shot(seed=7, movement_amplitude="small").fingerprint == (
        "6c997d61ab42e5197ee7052bf4b49998eb00cdd2a2be194e3e993b8212a6a6a5"
    )
