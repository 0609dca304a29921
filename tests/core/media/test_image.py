from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from vidu.errors import InvalidImageError
from vidu.media.image import UPLOAD_LIMIT, encode, to_rgb8

any_float = st.floats(width=32, allow_nan=False, allow_infinity=True)
shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)


def opened(still) -> np.ndarray:
    with Image.open(io.BytesIO(still.data)) as image:
        assert Image.MIME[image.format] == still.media_type
        assert image.mode == "RGB"
        return np.asarray(image)


def byte_for(value: float) -> set[int]:
    """The bytes that are right: two, when a value lies as good as halfway between them."""
    exact = min(max(value, 0.0), 1.0) * 255
    return {math.floor(exact + 0.5 - 1e-4), math.floor(exact + 0.5 + 1e-4)}


@given(hnp.arrays(np.float32, (3, 5, 3), elements=any_float))
def test_encode_floats_are_clamped_and_rounded(pixels):
    for byte, value in zip(to_rgb8(pixels).flat, pixels.flat, strict=True):
        assert int(byte) in byte_for(float(value))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_encode_float_near_a_step_is_rounded_to_it(dtype):
    values = [0.9999, 0.5, 1.004, -0.01, math.inf, -math.inf, 0.0, 1.0]
    pixels = np.array(values, dtype).reshape(1, -1, 1)
    assert to_rgb8(pixels)[0, :, 0].tolist() == [255, 128, 255, 0, 255, 0, 0, 255]


@pytest.mark.parametrize("share", ["one value", "all"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_encode_nan_is_refused_before_anything_is_sent(share, channels):
    pixels = np.zeros((1100, 1200, channels), np.float32)
    pixels[-1, -1, 0] = math.nan
    if share == "all":
        pixels[...] = math.nan
    with pytest.raises(InvalidImageError, match="NaN"):
        encode(pixels)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_encode_every_byte_as_float_is_exact(dtype):
    steps = np.arange(256, dtype=np.uint8)
    pixels = (steps.astype(np.float32) / 255).astype(dtype)
    assert np.array_equal(to_rgb8(pixels.reshape(16, 16, 1))[..., 1].ravel(), steps)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_encode_bytes_are_unchanged(pixels):
    still = encode(pixels)
    assert still.media_type == "image/png"
    assert (still.width, still.height) == (pixels.shape[1], pixels.shape[0])
    assert np.array_equal(opened(still), pixels)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (1100, 1900)])
def test_encode_png_of_any_size_is_exact(shape):
    pixels = np.random.default_rng(0).integers(0, 64, (*shape, 3), np.uint8)
    assert np.array_equal(opened(encode(pixels)), pixels)


@pytest.mark.parametrize("gray", ["[H, W]", "[H, W, 1]"])
def test_encode_grey_is_replicated(gray):
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    rgb = to_rgb8(values if gray == "[H, W]" else values[..., np.newaxis])
    assert rgb.shape == (3, 4, 3)
    assert np.array_equal(rgb, np.stack([rgb[..., 0]] * 3, -1))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_encode_alpha_is_flattened_over_white(dtype):
    rgba = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 51]]], np.uint8)
    pixels = rgba if dtype == np.uint8 else rgba.astype(np.float32) / 255
    assert to_rgb8(pixels).tolist() == [[[255, 0, 0], [255, 255, 255], [204, 204, 204]]]


def test_encode_any_strides_is_exact():
    pixels = np.random.default_rng(0).random((40, 30, 3), dtype=np.float32)
    assert np.array_equal(to_rgb8(pixels[::-1, ::2]), to_rgb8(pixels)[::-1, ::2])


@pytest.mark.parametrize("shape", [(4,), (4, 4, 2), (4, 4, 5), (2, 4, 4, 3), (0, 4, 3), (4, 0, 3)])
def test_encode_other_shape_is_refused_by_its_shape(shape):
    with pytest.raises(InvalidImageError) as caught:
        encode(np.zeros(shape, np.float32))
    assert str(list(shape)) in str(caught.value)


def test_encode_integers_of_unknown_range_is_refused():
    with pytest.raises(InvalidImageError, match="int32"):
        encode(np.zeros((4, 4, 3), np.int32))


@pytest.mark.parametrize(
    ("size", "sent"), [((2000, 2200), (2000, 2200)), ((4000, 5000), (2000, 2500))]
)
def test_encode_beyond_the_limit_becomes_a_jpeg_that_fits(size, sent):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    still = encode(pixels)
    assert still.media_type == "image/jpeg"
    assert len(still.data) <= UPLOAD_LIMIT
    assert opened(still).shape == (*sent, 3)
    assert (still.height, still.width) == sent


def test_encode_as_jpeg_has_the_best_quality_that_fits():
    rng = np.random.default_rng(0)
    detail = rng.integers(0, 256, (2000, 2200, 1), np.uint8)
    still = encode(
        np.repeat(detail, 3, axis=2) // 4 + rng.integers(0, 9, (2000, 2200, 3), np.uint8)
    )
    assert UPLOAD_LIMIT / 3 < len(still.data) <= UPLOAD_LIMIT


@settings(max_examples=20)
@given(hnp.arrays(np.uint8, shapes.map(lambda shape: (*shape, 3))))
def test_pixels_sha256_of_equal_pixels_is_equal(pixels):
    name = encode(pixels).content_sha256
    assert encode(pixels.astype(np.float32) / 255).content_sha256 == name
    changed = pixels.copy()
    changed[-1, -1, -1] ^= 1
    assert encode(changed).content_sha256 != name


def test_pixels_sha256_covers_the_shape():
    pixels = np.zeros((6, 4, 3), np.uint8)
    assert encode(pixels).content_sha256 != encode(pixels.reshape(4, 6, 3)).content_sha256


def test_pixels_sha256_never_changes():
    # Written down once: a change would make artists pay again for every clip they have.
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    name = "9f01d7501380f8d0b0f25a926f00ba9db61cb3c8455a1b92b3a0026a1e936c22"
    assert encode(pixels).content_sha256 == name
