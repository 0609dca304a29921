"""Requests: what is refused when one is built, what is sent, and what names it."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu import builders
from vidu.endpoint import Intention
from vidu.endpoints import AMPLITUDE, ENDPOINTS, VIDU_IMAGE_TO_VIDEO
from vidu.errors import (
    InvalidImageError,
    InvalidInputError,
    InvalidPromptError,
    InvalidSettingError,
)
from vidu.fields import Text
from vidu.media.image import EncodedImage
from vidu.prompts import normalize_prompt
from vidu.request import SEED_MAX, Request, check_seed, fold_seed

LIMITS = Text(1500)
LIMIT = LIMITS.max_length
GRINNING = "\N{GRINNING FACE}"

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
options = st.fixed_dictionaries({"movement_amplitude": st.sampled_from(AMPLITUDE.values)})
media = st.fixed_dictionaries({"image": st.tuples(stills)})
requests = st.builds(Request, st.just(VIDU_IMAGE_TO_VIDEO), prompts, seeds, options, media)


@dataclasses.dataclass(frozen=True)
class Film:
    """A video that was encoded elsewhere."""

    content_sha256: str = "cd" * 32
    duration_s: float = 5.0
    data: bytes = b""
    media_type: str = "video/mp4"
    suffix: str = ".mp4"
    width: int = 640
    height: int = 360
    size: int = 0


def still(width: int = 64, height: int = 64, pixels: str = "ab") -> EncodedImage:
    return EncodedImage(b"", "image/png", width, height, pixels * 32)


def shot(prompt: str = "waves", seed: int = 0, **options: str) -> Request:
    return Request(VIDU_IMAGE_TO_VIDEO, prompt, seed, options, {"image": (still(),)})


# -- the prompt ----------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["", " ", "\n\t ", "\u3000\u2003\u00a0", "\ufeff", "\ufeff \n"])
def test_prompt_that_is_blank_is_refused(prompt):
    with pytest.raises(InvalidPromptError, match="empty"):
        shot(prompt)


@pytest.mark.parametrize(
    "prompt", ["\u200b", "\u200b\u200d \u2060", "\u3164", "\u2800\u2800", "\u0301", "a\x00b"[1:2]]
)
def test_prompt_with_nothing_visible_is_refused(prompt):
    with pytest.raises(InvalidPromptError):
        shot(prompt)


@pytest.mark.parametrize("prompt", ["wa\x00ves", "\x00"])
def test_prompt_with_a_nul_is_refused(prompt):
    with pytest.raises(InvalidPromptError, match=r"position \d+ \(a NUL\)"):
        shot(prompt)


@pytest.mark.parametrize("prompt", ["\ud83d", "waves \ude00", "\ude00\ud83d"])
def test_prompt_with_an_unpaired_surrogate_is_refused(prompt):
    with pytest.raises(InvalidPromptError, match=r"position \d+ \(an unpaired surrogate\)"):
        shot(prompt)


@pytest.mark.parametrize("letter", ["a", "\N{LATIN SMALL LETTER E WITH ACUTE}", GRINNING])
def test_prompt_is_counted_in_code_points(letter):
    assert shot(letter * LIMIT).prompt == letter * LIMIT
    with pytest.raises(InvalidPromptError, match=f"{LIMIT + 1} characters long, 1 more"):
        shot(letter * (LIMIT + 1))


def test_prompt_of_an_emoji_family_counts_each_code_point():
    family = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
    assert shot(family * (LIMIT // 5)).prompt == family * (LIMIT // 5)
    with pytest.raises(InvalidPromptError):
        shot(family * (LIMIT // 5) + "a")


def test_prompt_is_trimmed_before_it_is_counted():
    assert shot(f"\n  {'a' * LIMIT}\t ").prompt == "a" * LIMIT


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        (" two  words\nand a line ", "two  words\nand a line"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("one  \t\n two", "one\n two"),
        ("\ufeffwaves", "waves"),
        ("cafe\u0301", "caf\u00e9"),
        ("{a|b} // c", "{a|b} // c"),
    ],
)
def test_prompt_is_sent_in_one_form(typed, sent):
    assert shot(typed).prompt == sent
    assert shot(typed).fingerprint == shot(sent).fingerprint


@given(st.text())
def test_prompt_that_passes_can_be_sent_and_passes_unchanged_again(prompt):
    try:
        checked = normalize_prompt(prompt, LIMITS)
    except InvalidPromptError:
        return
    assert normalize_prompt(checked, LIMITS) == checked
    assert checked.encode().decode() == checked


def test_prompt_that_is_optional_may_be_blank_and_is_not_sent():
    request = builders.image_to_video(still(), " ", model="Q3")
    assert "prompt" not in request.arguments({"image": ["https://x/1"]})


def test_prompt_where_none_is_taken_is_refused():
    with pytest.raises(InvalidPromptError, match="takes no prompt"):
        builders.build_request(Intention.TEMPLATE, "Vidu", prompt="hi", media={"images": [still()]})


# -- seed, options, media ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, SEED_MAX, 7.0, np.int64(7), np.float32(7)])
def test_check_seed_in_range_returns_a_plain_int(seed):
    assert check_seed(seed) == int(seed)
    assert type(shot(seed=seed).seed) is int


@pytest.mark.parametrize("seed", [-1, SEED_MAX + 1, 1.5, "1", True, None, float("nan")])
def test_check_seed_of_anything_else_is_refused(seed):
    with pytest.raises(InvalidSettingError, match="The seed is"):
        check_seed(seed)


@pytest.mark.parametrize(
    ("seed", "folded"),
    [(0, 0), (7.0, 7), (SEED_MAX, SEED_MAX), (SEED_MAX + 1, 1), (2**64 - 1, 3), (2**32, 2)],
)
def test_fold_seed_above_the_range_is_always_the_same(seed, folded):
    assert fold_seed(seed) == folded


@given(st.integers(1, 2**64))
def test_fold_seed_is_never_0_and_in_range(seed):
    assert 1 <= fold_seed(seed) <= SEED_MAX


@pytest.mark.parametrize("seed", [-1, 0.5, "7"])
def test_fold_seed_of_what_is_no_seed_is_refused(seed):
    with pytest.raises(InvalidSettingError):
        fold_seed(seed)


def test_option_left_out_takes_its_default():
    assert shot().options == {"movement_amplitude": "auto"}


def test_option_out_of_range_is_refused_with_those_there_are():
    with pytest.raises(InvalidSettingError, match=r"'huge'.*auto, small, medium, large"):
        shot(movement_amplitude="huge")


def test_option_of_another_model_is_refused_with_those_there_are():
    with pytest.raises(InvalidSettingError, match=r"no option 'duration'.*movement_amplitude"):
        shot(duration="8")


def test_request_cannot_be_changed():
    request = shot()
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.seed = 7
    with pytest.raises(TypeError):
        request.options["movement_amplitude"] = "large"
    with pytest.raises(TypeError):
        request.media["image"] = ()


@pytest.mark.parametrize("size", [(400, 100), (100, 400), (4, 1), (1, 4), (4001, 1001), (1, 1)])
def test_image_of_an_aspect_up_to_the_limit_passes(size):
    Request(VIDU_IMAGE_TO_VIDEO, "waves", media={"image": (still(*size),)})


@pytest.mark.parametrize("size", [(401, 100), (100, 401), (4001, 1000), (5, 1), (0, 8), (8, 0)])
def test_image_of_an_aspect_beyond_the_limit_is_refused(size):
    with pytest.raises(InvalidImageError, match=f"{size[0]} x {size[1]} pixels"):
        Request(VIDU_IMAGE_TO_VIDEO, "waves", media={"image": (still(*size),)})


@pytest.mark.parametrize("count", [0, 2])
def test_wrong_number_of_images_is_refused(count):
    with pytest.raises(InvalidSettingError, match=f"image holds {count}"):
        Request(VIDU_IMAGE_TO_VIDEO, "waves", media={"image": (still(),) * count})


def test_bad_words_are_refused_before_pixels_are_encoded(monkeypatch):
    """Compressing a large image takes seconds."""
    monkeypatch.setattr(builders, "encode_image", lambda pixels: pytest.fail("encoded"))
    picture = np.zeros((32, 64, 3), np.uint8)
    with pytest.raises(InvalidPromptError):
        builders.image_to_video(picture, " ")
    with pytest.raises(InvalidSettingError):
        builders.image_to_video(picture, "waves", seed=-1)
    with pytest.raises(InvalidSettingError):
        builders.image_to_video(picture, "waves", movement_amplitude="huge")
    with pytest.raises(InvalidImageError, match="aspect"):
        builders.image_to_video(np.zeros((1, 5, 3), np.uint8), "waves")
    with pytest.raises(InvalidSettingError, match="Q3"):
        builders.image_to_video(picture, "waves", end_image=picture, model="Q4")


@pytest.mark.parametrize("shape", [(0, 0, 3), (8,), (1, 2, 3, 4), (4, 4, 2)])
def test_pixels_that_are_no_image_are_refused(shape):
    with pytest.raises(InvalidImageError):
        builders.image_to_video(np.zeros(shape, np.uint8), "waves")


# -- the builders --------------------------------------------------------------------------------

PICTURE = np.zeros((256, 256, 3), np.uint8)


def test_image_to_video_encodes_pixels():
    request = builders.image_to_video(
        np.zeros((32, 64, 3), np.uint8), " waves ", seed=7, movement_amplitude="large"
    )
    assert (request.prompt, request.seed) == ("waves", 7)
    assert request.options == {"movement_amplitude": "large"}
    assert [(each.width, each.height) for each in request.media["image"]] == [(64, 32)]
    assert request.price == Decimal("0.20")


@pytest.mark.parametrize(
    ("request_", "sent"),
    [
        (
            builders.image_to_video(PICTURE, "waves", end_image=PICTURE),
            {"start_image_url": "image0", "end_image_url": "end_image0"},
        ),
        (
            builders.image_to_video(PICTURE, "waves", model="q3", duration=8, audio=False),
            {"image_url": "image0", "duration": 8, "audio": False, "resolution": "720p"},
        ),
        (
            builders.text_to_video("waves", model="q4", duration=3),
            {"duration": 3, "resolution": "720p", "aspect_ratio": "16:9", "audio": False},
        ),
        (
            builders.reference_to_video("waves", images=[PICTURE, PICTURE], model="Q1", bgm=True),
            {"reference_image_urls": ["images0", "images1"], "bgm": True, "aspect_ratio": "16:9"},
        ),
        (
            builders.reference_to_video("waves", videos=[Film()], model="Q2 Pro"),
            {"reference_video_urls": ["videos0"], "bgm": False},
        ),
        (builders.extend_video(Film(), duration=6), {"video_url": "video0", "duration": 6}),
        (
            builders.template_to_video([PICTURE], "kiss", aspect_ratio="9:16"),
            {"input_image_urls": ["images0"], "template": "kiss", "aspect_ratio": "9:16"},
        ),
        (builders.image("a lamp"), {"aspect_ratio": "16:9"}),
        (builders.image("a lamp", images=[PICTURE]), {"reference_image_urls": ["images0"]}),
    ],
    ids=lambda value: value.endpoint.id if isinstance(value, Request) else "",
)
def test_builders_send_what_was_given(request_, sent):
    urls = {
        role: [f"{role}{index}" for index in range(len(given))]
        for role, given in request_.media.items()
    }
    arguments = request_.arguments(urls)
    assert {name: arguments[name] for name in sent} == sent
    known = {field.name for field in (*request_.endpoint.fields, *request_.endpoint.media)}
    assert arguments.keys() <= known | {"prompt", "seed"}


# -- what is sent --------------------------------------------------------------------------------


def test_arguments_leave_out_a_seed_of_0():
    assert shot().arguments({"image": ["https://x/1.png"]}) == {
        "prompt": "waves",
        "image_url": "https://x/1.png",
        "movement_amplitude": "auto",
    }


def test_arguments_send_any_other_seed():
    assert shot(seed=7).arguments({"image": ["https://x/1.png"]})["seed"] == 7


@pytest.mark.parametrize("urls", [[], ["https://x/1.png", "https://x/2.png"]])
def test_arguments_need_one_address_for_each_medium(urls):
    with pytest.raises(ValueError, match="addresses"):
        shot().arguments({"image": urls})


# -- the fingerprint -----------------------------------------------------------------------------


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


def test_every_refusal_says_that_nothing_was_charged():
    with pytest.raises(InvalidInputError, match=r"Nothing was charged\."):
        shot("")
