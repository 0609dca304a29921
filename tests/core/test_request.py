"""Requests: the seed, options and media that are refused, and what is sent."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu import builders
from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.errors import (
    InvalidImageError,
    InvalidInputError,
    InvalidPromptError,
    InvalidSettingError,
)
from vidu.request import SEED_MAX, Request, check_seed, fold_seed

from ..support.requests_by_hand import shot, still

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
def test_request_with_a_wrong_number_of_images_is_refused(count):
    with pytest.raises(InvalidSettingError, match=f"image holds {count}"):
        Request(VIDU_IMAGE_TO_VIDEO, "waves", media={"image": (still(),) * count})


def test_build_with_a_bad_prompt_is_refused_before_pixels_are_encoded(monkeypatch):
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


def test_build_refused_says_that_nothing_was_charged():
    with pytest.raises(InvalidInputError, match=r"Nothing was charged\."):
        shot("")
