"""Decoded colors, against a float64 conversion of the same YUV frame written down another way."""

from __future__ import annotations

import re

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu.media import color
from vidu.media.color import PLANAR, Scratch, write_rgb
from vidu.media.video import decode

from ..conftest import yuv_frame

BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)
TAGS = {5: BT601, 1: BT709, 9: BT2020, 7: (0.212, 0.087), 4: (0.30, 0.11)}
UNTAGGED = 2
MEAN, MOST = 0.4 / 255, 1 / 255
FLOAT_ERROR = 1e-6


def reference(path, weights, *, bits=8, full=False) -> np.ndarray:
    with av.open(str(path)) as container:
        frames = [_planes(frame, bits) for frame in container.decode(video=0)]
    return np.stack([_rgb(planes, weights, bits, full) for planes in frames])


def _planes(frame, bits) -> list[np.ndarray]:
    dtype = np.uint8 if bits == 8 else np.uint16
    return [
        np.frombuffer(bytes(plane), dtype).reshape(plane.height, -1)[:, : plane.width]
        for plane in frame.planes
    ]


def _rgb(planes, weights, bits, full) -> np.ndarray:
    """H.273 equations 1 to 3 in matrix form, inverted; chroma left-sited and between rows."""
    red, blue = weights
    green = 1 - red - blue
    to_ycc = np.array(
        [
            [red, green, blue],
            [-red / (2 * (1 - blue)), -green / (2 * (1 - blue)), 0.5],
            [0.5, -green / (2 * (1 - red)), -blue / (2 * (1 - red))],
        ]
    )
    unit = 2.0 ** (bits - 8)
    top = 2.0**bits - 1
    luma = planes[0] / top if full else (planes[0] / unit - 16) / 219
    gray = 2 ** (bits - 1)
    chroma = [
        (_stretch(plane, luma.shape) - gray) / (top if full else 224 * unit)
        for plane in planes[1:] or [np.full(luma.shape, gray)] * 2
    ]
    return np.clip(np.stack([luma, *chroma], -1) @ np.linalg.inv(to_ycc).T, 0, 1)


def _stretch(plane, shape) -> np.ndarray:
    plane = plane.astype(np.float64)
    if plane.shape[0] != shape[0]:
        places = np.arange(plane.shape[0]) * 2 + 0.5
        plane = np.stack(
            [np.interp(np.arange(shape[0]), places, column) for column in plane.T], axis=1
        )
    if plane.shape[1] != shape[1]:
        places = np.arange(plane.shape[1]) * 2
        plane = np.stack([np.interp(np.arange(shape[1]), places, row) for row in plane])
    return plane


def codes(shape, subsampled=(2, 2), bits=8, patch=1, full=False) -> list[np.ndarray]:
    """Random patches of `patch` pixels, of every code of the range."""
    rng = np.random.default_rng(1)
    unit = 1 << (bits - 8)
    bottom, luma_top, chroma_top = (0, 256, 256) if full else (16, 236, 241)
    planes = []
    for (down, across), top in (
        ((1, 1), luma_top),
        (subsampled, chroma_top),
        (subsampled, chroma_top),
    ):
        size = (-(-shape[0] // (patch * down)) * 1, -(-shape[1] // (patch * across)))
        values = rng.integers(bottom * unit, (top - 1) * unit + 1, size)
        values = np.kron(values, np.ones((patch, patch), int))
        values = values[: -(-shape[0] // down), : -(-shape[1] // across)]
        planes.append(values.astype(np.uint8 if bits == 8 else np.uint16))
    return planes


def assert_exact(path, expected) -> None:
    error = np.abs(decode(path).astype(np.float64) - expected)
    assert error.mean() <= MEAN and error.max() <= MOST  # what is promised
    assert error.max() <= FLOAT_ERROR  # what this conversion really does


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("patch", [1, 8])
def test_decode_uses_the_streams_matrix_and_range(tag, full, patch, film, yuv_frame):
    frame = yuv_frame(codes((96, 128), patch=patch, full=full), "yuv420p")
    path = film([frame], matrix=tag, full_range=full)
    assert_exact(path, reference(path, TAGS[tag], full=full))


@pytest.mark.parametrize(
    ("pix_fmt", "subsampled", "bits"),
    [
        ("yuv422p", (1, 2), 8),
        ("yuv444p", (1, 1), 8),
        ("yuv420p10le", (2, 2), 10),
        ("yuv422p10le", (1, 2), 10),
        ("yuv444p10le", (1, 1), 10),
    ],
)
def test_decode_of_other_planar_formats_is_exact(pix_fmt, subsampled, bits, film, yuv_frame):
    path = film([yuv_frame(codes((50, 64), subsampled, bits), pix_fmt)])
    assert_exact(path, reference(path, BT709, bits=bits))


def test_decode_of_grey_is_exact(film, yuv_frame):
    path = film([yuv_frame(codes((48, 64))[:1], "gray")])
    assert_exact(path, reference(path, BT709))


@pytest.mark.parametrize(("height", "weights"), [(718, BT601), (720, BT709)])
def test_decode_of_an_untagged_stream_matches_players(height, weights, film, yuv_frame):
    path = film([yuv_frame(codes((height, 64), patch=8), "yuv420p")], matrix=UNTAGGED)
    assert_exact(path, reference(path, weights))


def test_decode_in_bands_has_no_seam(film, yuv_frame):
    path = film([yuv_frame(codes((1080, 640), patch=1), "yuv420p")])
    assert_exact(path, reference(path, BT709))


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (47, 64), (1, 1), (2, 2)])
def test_decode_of_odd_sizes_is_exact(size, film, yuv_frame):
    path = film([yuv_frame(codes(size, (1, 1)), "yuv444p")])
    assert_exact(path, reference(path, BT709))


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (47, 64), (4, 16), (1, 1)])
def test_decode_of_odd_sizes_with_half_the_chroma_is_exact(size, film, yuv_frame):
    frame = yuv_frame(codes(size), "yuv420p")
    path = film([frame], encoder="mpeg4", options={"qscale": "1"})
    assert_exact(path, reference(path, BT601))


def test_decode_uses_a_tag_of_the_container_alone(film, yuv_frame):
    frame = yuv_frame(codes((48, 64)), "yuv420p")
    path = film([frame], encoder="mpeg4", options={}, movflags="write_colr")
    assert b"colr" in path.read_bytes()
    assert_exact(path, reference(path, BT709))


@pytest.mark.parametrize("pix_fmt", ["rgb24", "rgba", "pal8", "gbrp"])
def test_decode_of_rgb_changes_no_pixel(pix_fmt, film):
    bits = np.random.default_rng(0).integers(0, 2, (30, 40), np.uint8)
    picture = np.repeat(bits[..., np.newaxis] * 255, 3, axis=2)
    picture[::3, :, 0] = 77 if pix_fmt != "pal8" else picture[::3, :, 0]
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    if pix_fmt == "gbrp":
        path = film([frame], encoder="libx264rgb", matrix=UNTAGGED)
    else:
        if pix_fmt == "rgba":
            frame = frame.reformat(format="rgba")
        if pix_fmt == "pal8":
            palette = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 4, axis=1)
            palette[:, 0] = 255  # opaque
            frame = av.VideoFrame.from_ndarray((bits * 255, palette), format="pal8")
        path = film([frame], encoder="png", options={}, name="film.mov", matrix=UNTAGGED)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).format.name == pix_fmt
    assert np.abs(decode(path)[0] - picture / 255).max() <= FLOAT_ERROR


def test_decode_of_packed_yuv_is_close(film, yuv_frame):
    planes = codes((48, 64), (1, 2), patch=16)
    packed = yuv_frame(planes, "yuv422p").reformat(format="uyvy422")
    path = film([packed], encoder="rawvideo", options={}, name="film.mov")
    error = np.abs(decode(path)[0] - _rgb(planes, BT601, 8, False))[4:-4]
    inside = (np.arange(64) % 16 > 3) & (np.arange(64) % 16 < 12)
    assert error[:, inside].mean() <= MEAN and error[:, inside].max() <= MOST


FORMATS = sorted(name for name in PLANAR if not re.match("yuvj.*le", name))  # libav has none


@given(data=st.data(), pix_fmt=st.sampled_from(FORMATS), band_pixels=st.sampled_from([1, 16, 999]))
def test_write_rgb_is_exact_at_the_ends_of_every_range(data, pix_fmt, band_pixels):
    """Any mixture of the lowest, middle and highest codes, neighbor by neighbor, in any bands."""
    height, width = data.draw(st.integers(1, 15)), data.draw(st.integers(1, 9))
    family, bits = pix_fmt.removesuffix("10le").removesuffix("12le"), PLANAR[pix_fmt]
    down, across = {"0p": (2, 2), "2p": (1, 2)}.get(family[-2:], (1, 1))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    ends = np.array([0, 1 << (bits - 1), (1 << bits) - 1], np.uint8 if bits == 8 else np.uint16)
    half = (-(-height // down), -(-width // across))
    shapes = [(height, width), half, half][: 1 if family == "gray" else 3]
    planes = [rng.choice(ends, shape) for shape in shapes]
    frame = yuv_frame(planes, pix_fmt)
    frame.colorspace = 1
    full = family.startswith("yuvj")
    rgb, scratch = np.empty((height, width, 3), np.float32), Scratch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(color, "BAND_PIXELS", band_pixels)
        write_rgb(frame, rgb, scratch)
        rgb[:] = np.nan
        write_rgb(frame, rgb, scratch)  # over what the first left
    assert np.abs(rgb - _rgb(planes, BT709, bits, full)).max() <= FLOAT_ERROR
