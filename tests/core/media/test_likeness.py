"""The same picture through other decoders and precisions, and retouches that an artist sees."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from vidu.media.image import encode
from vidu.media.likeness import LAYOUT, is_same_picture, likeness

SPOT = 12


def drawing() -> np.ndarray:
    """Saturated shapes and thin lines on white, 1280 x 720."""
    image = Image.new("RGB", (1280, 720), "white")
    draw = ImageDraw.Draw(image)
    for index, color in enumerate(("red", "blue", "lime", "magenta", "cyan", "black") * 6):
        x, y = index * 197 % 1200, index * 131 % 660
        draw.ellipse((x, y, x + 60 + index, y + 90), color, "black")
        draw.line((x, 719 - y, 1279 - x, y), color, 2)
    return np.asarray(image)


def photo() -> np.ndarray:
    """Smooth light with grain, 1280 x 720."""
    rows, columns = np.mgrid[0:720, 0:1280] / 200
    light = np.stack([np.sin(columns + rows), np.cos(columns), np.sin(rows * 2)], axis=-1)
    grain = np.random.default_rng(0).normal(0, 1.5, (720, 1280, 1))
    return (128 + 90 * light + grain).clip(0, 255).astype(np.uint8)


PICTURES = {"drawing": drawing, "photo": photo}


def saved(rgb: np.ndarray, name: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, name, **options)
    return file.getvalue()


def read_with_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def read_with_swscale(data: bytes, format: str) -> np.ndarray:
    with av.open(io.BytesIO(data)) as container:
        pixels = next(container.decode(video=0)).to_ndarray(format=format)
    if pixels.dtype == np.uint8:
        return pixels
    return np.rint(pixels.clip(0, 1) * np.float32(255)).astype(np.uint8)


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("format", ["rgb24", "gbrpf32le"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("JPEG", {"quality": 90, "subsampling": "4:2:0"}),
        ("JPEG", {"quality": 60, "subsampling": "4:2:0"}),
        ("JPEG", {"quality": 85, "subsampling": "4:2:2"}),
        ("JPEG", {"quality": 98, "subsampling": "4:4:4"}),
        ("WEBP", {"quality": 80}),
        ("PNG", {}),
    ],
)
def test_is_same_picture_other_decoder_matches(picture, format, name, options):
    data = saved(PICTURES[picture](), name, **options)
    one, other = read_with_pillow(data), read_with_swscale(data, format)
    assert is_same_picture(likeness(one), likeness(other))


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("step", [1, -1])
def test_is_same_picture_one_step_everywhere_matches(picture, step):
    rgb = PICTURES[picture]()
    shifted = (rgb.astype(np.int16) + step).clip(0, 255).astype(np.uint8)
    assert is_same_picture(likeness(rgb), likeness(shifted))


@pytest.mark.parametrize("picture", PICTURES)
def test_is_same_picture_half_precision_matches(picture):
    rgb = PICTURES[picture]()
    half = (rgb / np.float32(255)).astype(np.float16)
    noisy = (rgb + np.random.default_rng(0).integers(-1, 2, rgb.shape)).clip(0, 255)
    for other in (encode(half).likeness, likeness(noisy.astype(np.uint8))):
        assert is_same_picture(likeness(rgb), other)


@pytest.mark.parametrize("place", [(300, 600), (0, 8), (708, 1268), (355, 635), (217, 411)])
@pytest.mark.parametrize("contrast", [20, -20])
def test_is_same_picture_spot_of_12_pixels_does_not_match(place, contrast):
    rgb = photo()
    rows, columns = np.mgrid[-SPOT / 2 : SPOT / 2, -SPOT / 2 : SPOT / 2] + 0.5
    disc = rows**2 + columns**2 <= SPOT**2 / 4
    retouched = rgb.astype(np.int16)
    retouched[place[0] : place[0] + SPOT, place[1] : place[1] + SPOT][disc] += contrast
    other = retouched.clip(0, 255).astype(np.uint8)
    assert not is_same_picture(likeness(rgb), likeness(other))


def test_is_same_picture_another_hue_does_not_match():
    rgb = photo()
    other = rgb.copy()
    other[200:400, 300:600] = rgb[200:400, 300:600, [2, 1, 0]]
    assert not is_same_picture(likeness(rgb), likeness(other))


smooth = st.builds(
    lambda low, high, turn: smooth_picture(low, high, turn),
    st.integers(0, 100),
    st.integers(160, 250),
    st.integers(0, 3),
)


def smooth_picture(low: int, high: int, turn: int) -> np.ndarray:
    """A slope of light with a tint, 360 x 640 or turned."""
    slope = np.linspace(low, high, 640)[None, :, None] * np.array([1.0, 0.97, 0.9])
    return np.rot90(np.broadcast_to(slope, (360, 640, 3)), turn).astype(np.uint8)


@settings(max_examples=25, deadline=None)
@given(smooth, st.sampled_from([-4, -3, -2, 2, 3, 4]))
def test_is_same_picture_brightness_changed_by_two_steps_or_more_does_not_match(rgb, step):
    other = (rgb.astype(np.int16) + step).clip(0, 255).astype(np.uint8)
    assert not is_same_picture(likeness(rgb), likeness(other))


@settings(max_examples=25, deadline=None)
@given(smooth, st.sampled_from([-1, 0, 1]), st.sampled_from(["JPEG", "WEBP"]))
def test_is_same_picture_smooth_picture_read_otherwise_matches(rgb, step, name):
    data = saved(rgb, name, quality=90)
    one, other = read_with_pillow(data), read_with_swscale(data, "rgb24")
    assert is_same_picture(likeness(one), likeness(other))
    shifted = (one.astype(np.int16) + step).clip(0, 255).astype(np.uint8)
    assert is_same_picture(likeness(one), likeness(shifted))


@pytest.mark.parametrize(("picture", "step"), [("photo", 2), ("photo", -2), ("drawing", 4)])
def test_is_same_picture_of_other_brightness_does_not_match(picture, step):
    rgb = PICTURES[picture]()
    other = (rgb.astype(np.int16) + step).clip(0, 255).astype(np.uint8)
    assert not is_same_picture(likeness(rgb), likeness(other))


def test_is_same_picture_another_size_does_not_match():
    rgb = np.full((720, 1280, 3), 90, np.uint8)
    assert not is_same_picture(likeness(rgb), likeness(rgb[:-1]))


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (63, 65), (64, 72), (73, 200)])
def test_likeness_small_image_has_the_same_length(size):
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    reduction = likeness(rgb)
    assert len(reduction) == LAYOUT.itemsize == 14344
    assert is_same_picture(reduction, likeness(rgb.copy()))
    assert not is_same_picture(reduction, likeness(255 - rgb))


@pytest.mark.parametrize("damaged", [b"", b"\0" * 5, b"\0" * 14344])
def test_is_same_picture_damaged_bytes_do_not_match(damaged):
    assert not is_same_picture(damaged, likeness(photo()))


def test_is_same_picture_nothing_does_not_match_nothing():
    assert not is_same_picture(b"", b"")
