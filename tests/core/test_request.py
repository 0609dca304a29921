from __future__ import annotations

import dataclasses
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu.errors import (
    InvalidImageError,
    InvalidPromptError,
    InvalidSettingError,
    TooManyClipsError,
)
from vidu.media.image import EncodedImage
from vidu.request import (
    ENDPOINTS,
    IMAGE_TO_VIDEO,
    MOVEMENT_AMPLITUDES,
    SEED_MAX,
    Endpoint,
    Price,
    Request,
    check_aspect,
    check_clip_count,
    check_seed,
    checked_prompt,
    image_to_video,
)

LIMIT = IMAGE_TO_VIDEO.prompt_limit
GRINNING = "\N{GRINNING FACE}"

stills = st.builds(
    EncodedImage,
    data=st.binary(max_size=4),
    media_type=st.sampled_from(["image/png", "image/jpeg"]),
    width=st.just(64),
    height=st.just(64),
    pixels_sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
)
prompts = st.text(st.characters(codec="utf-8"), max_size=40).filter(str.strip)
seeds = st.integers(0, SEED_MAX)
options = st.fixed_dictionaries({"movement_amplitude": st.sampled_from(MOVEMENT_AMPLITUDES)})
requests = st.builds(Request, st.tuples(stills), prompts, seeds, options)


def still(width: int = 64, height: int = 64) -> EncodedImage:
    return EncodedImage(b"", "image/png", width, height, "ab" * 32)


def shot(prompt: str = "waves", seed: int = 0, **options: str) -> Request:
    return Request((still(),), prompt, seed, options)


# -- the prompt ----------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["", " ", "\n\t ", "\u3000\u2003\u00a0"])
def test_an_empty_prompt_is_refused(prompt):
    with pytest.raises(InvalidPromptError, match="empty"):
        shot(prompt)


@pytest.mark.parametrize("letter", ["a", "\N{LATIN SMALL LETTER E WITH ACUTE}", GRINNING])
def test_a_prompt_is_counted_in_code_points(letter):
    assert shot(letter * LIMIT).prompt == letter * LIMIT
    with pytest.raises(InvalidPromptError, match=f"{LIMIT + 1} characters long, 1 more"):
        shot(letter * (LIMIT + 1))


def test_a_family_emoji_is_as_many_as_its_code_points():
    family = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
    assert shot(family * (LIMIT // 5)).prompt == family * (LIMIT // 5)
    with pytest.raises(InvalidPromptError):
        shot(family * (LIMIT // 5) + "a")


def test_a_prompt_is_trimmed_before_it_is_counted():
    assert shot(f"\n  {'a' * LIMIT}\t ").prompt == "a" * LIMIT


def test_what_is_inside_a_prompt_is_left_alone():
    assert shot(" two  words\nand a line ").prompt == "two  words\nand a line"


@pytest.mark.parametrize("prompt", ["\ud83d", "waves \ude00", "\ude00\ud83d"])
def test_half_a_character_pair_is_refused(prompt):
    with pytest.raises(InvalidPromptError, match=r"Character \d+ of the prompt is half"):
        shot(prompt)


@given(st.text())
def test_what_passes_is_trimmed_and_can_be_sent(prompt):
    try:
        checked = checked_prompt(prompt, IMAGE_TO_VIDEO)
    except InvalidPromptError:
        return
    assert checked == prompt.strip()
    assert checked.encode().decode() == checked


# -- seed, options, aspect -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, SEED_MAX])
def test_a_seed_in_range_passes(seed):
    check_seed(seed)


@pytest.mark.parametrize("seed", [-1, SEED_MAX + 1, 1.0, "1", True, None])
def test_any_other_seed_is_refused(seed):
    with pytest.raises(InvalidSettingError, match="The seed is"):
        check_seed(seed)


def test_a_choice_left_out_takes_its_default():
    assert shot().options == {"movement_amplitude": "auto"}


def test_an_unknown_amplitude_is_refused_with_those_there_are():
    with pytest.raises(InvalidSettingError, match=r"'huge'.*auto, small, medium, large"):
        shot(movement_amplitude="huge")


def test_an_unknown_option_is_refused_with_those_there_are():
    with pytest.raises(
        InvalidSettingError, match=r"no option 'duration'.*It has movement_amplitude"
    ):
        shot(duration="8")


def test_a_request_can_not_be_changed():
    request = shot()
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.seed = 7
    with pytest.raises(TypeError):
        request.options["movement_amplitude"] = "large"


@pytest.mark.parametrize("size", [(400, 100), (100, 400), (4, 1), (1, 4), (4001, 1001), (1, 1)])
def test_an_aspect_up_to_the_limit_passes(size):
    check_aspect(*size, IMAGE_TO_VIDEO)


@pytest.mark.parametrize("size", [(401, 100), (100, 401), (4001, 1000), (5, 1), (0, 8), (8, 0)])
def test_an_aspect_beyond_the_limit_is_refused(size):
    with pytest.raises(InvalidImageError, match=f"{size[0]} x {size[1]} pixels"):
        check_aspect(*size, IMAGE_TO_VIDEO)
    with pytest.raises(InvalidImageError):
        Request((still(*size),), "waves")


@pytest.mark.parametrize("count", [0, 2])
def test_a_wrong_number_of_images_is_refused(count):
    with pytest.raises(InvalidImageError, match=rf"takes 1 image\(s\), {count} given"):
        Request((still(),) * count, "waves")


def test_bad_words_are_refused_before_pixels_are_touched():
    """Compressing a large image takes seconds; an array without one stands for it here."""
    nothing = np.empty((0, 0, 3), np.uint8)
    with pytest.raises(InvalidPromptError):
        image_to_video(nothing, " ")
    with pytest.raises(InvalidSettingError):
        image_to_video(nothing, "waves", seed=-1)
    with pytest.raises(InvalidSettingError):
        image_to_video(nothing, "waves", movement_amplitude="huge")
    with pytest.raises(InvalidImageError):
        image_to_video(nothing, "waves")
    with pytest.raises(InvalidImageError, match="aspect"):
        image_to_video(np.zeros((1, 5, 3), np.uint8), "waves")


def test_pixels_become_a_request():
    request = image_to_video(
        np.zeros((32, 64, 3), np.uint8), " waves ", seed=7, movement_amplitude="large"
    )
    assert (request.prompt, request.seed) == ("waves", 7)
    assert request.options == {"movement_amplitude": "large"}
    assert [(each.width, each.height) for each in request.stills] == [(64, 32)]
    assert request.price == Decimal("0.20")


# -- a batch -------------------------------------------------------------------------------------


def test_a_batch_within_the_limit_passes():
    check_clip_count(4, 4, IMAGE_TO_VIDEO)


def test_a_batch_too_large_is_refused_with_the_sum():
    with pytest.raises(TooManyClipsError) as refused:
        check_clip_count(81, 4, IMAGE_TO_VIDEO)
    assert "81 clips for $16.20" in str(refused.value)
    assert "max_clips is 4" in str(refused.value)
    assert "Nothing was charged." in str(refused.value)


# -- what is sent --------------------------------------------------------------------------------


def test_a_seed_of_0_is_not_sent():
    assert shot().arguments(["https://x/1.png"]) == {
        "prompt": "waves",
        "image_url": "https://x/1.png",
        "movement_amplitude": "auto",
    }


def test_any_other_seed_is_sent():
    assert shot(seed=7).arguments(["https://x/1.png"])["seed"] == 7


@pytest.mark.parametrize("urls", [[], ["https://x/1.png", "https://x/2.png"]])
def test_each_still_needs_its_url(urls):
    with pytest.raises(ValueError, match="zip"):
        shot().arguments(urls)


def test_a_sibling_endpoint_is_only_a_value():
    between = Endpoint(
        id="fal-ai/vidu/start-end-to-video",
        image_fields=("start_image_url", "end_image_url"),
        prompt_limit=10,
        choices={"style": ("general", "anime")},
        aspect_limit=2.0,
        price=Price(Decimal("0.40"), "2026-06-11", "fal.ai"),
    )
    request = Request((still(), still()), "waves", 0, {"style": "anime"}, between)
    assert request.arguments(["https://x/1", "https://x/2"]) == {
        "prompt": "waves",
        "start_image_url": "https://x/1",
        "end_image_url": "https://x/2",
        "style": "anime",
    }
    with pytest.raises(InvalidPromptError, match="1 more"):
        Request((still(), still()), "eleven char", 0, {}, between)
    with pytest.raises(InvalidImageError):
        Request((still(), still(3, 1)), "waves", 0, {}, between)
    with pytest.raises(TooManyClipsError, match=r"\$1\.20"):
        check_clip_count(3, 2, between)


def test_every_price_says_since_when_and_from_where():
    for endpoint in ENDPOINTS.values():
        assert endpoint.price.usd > 0
        assert endpoint.price.date
        assert endpoint.price.source


# -- the fingerprint -----------------------------------------------------------------------------


@given(requests)
def test_equal_inputs_have_equal_fingerprints(request):
    again = Request(
        tuple(dataclasses.replace(each) for each in request.stills),
        f"  {request.prompt}\n",
        request.seed,
        dict(reversed(request.options.items())),
    )
    assert again.fingerprint == request.fingerprint
    assert len(bytes.fromhex(request.fingerprint)) == 32


@given(requests, st.data())
def test_any_changed_input_changes_the_fingerprint(request, data):
    name = data.draw(st.sampled_from(["stills", "prompt", "seed", "options"]))
    strategy = {
        "stills": st.tuples(stills).filter(
            lambda other: other[0].pixels_sha256 != request.stills[0].pixels_sha256
        ),
        "prompt": prompts.filter(lambda other: other.strip() != request.prompt),
        "seed": seeds.filter(lambda other: other != request.seed),
        "options": options.filter(lambda other: other != request.options),
    }[name]
    changed = dataclasses.replace(request, **{name: data.draw(strategy)})
    assert changed.fingerprint != request.fingerprint


def test_the_endpoint_is_part_of_the_fingerprint():
    other = dataclasses.replace(IMAGE_TO_VIDEO, id="fal-ai/vidu/q1/image-to-video")
    assert dataclasses.replace(shot(), endpoint=other).fingerprint != shot().fingerprint


def test_how_the_pixels_were_compressed_is_no_part_of_the_fingerprint():
    png = EncodedImage(b"png", "image/png", 64, 64, "ab" * 32)
    jpeg = EncodedImage(b"jpeg", "image/jpeg", 64, 64, "ab" * 32)
    assert Request((png,), "waves").fingerprint == Request((jpeg,), "waves").fingerprint


def test_a_fingerprint_outlives_this_version():
    """It is in every ledger: were it to change, each clip would be paid for again."""
    assert shot(seed=7, movement_amplitude="small").fingerprint == (
        "9c5f53924ceccbf860579d66a0685d186e689850018378583710bc692d5e302d"
    )
