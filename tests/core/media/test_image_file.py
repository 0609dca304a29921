"""Image files of every kind: what is read, what is told, what is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, features

from vidu.errors import InvalidImageError
from vidu.media.image import encode
from vidu.media.image_file import is_image_name, load_image


def display_p3() -> bytes:
    """A profile with wider primaries than sRGB and the same curve, made by hand."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * 20, 12)}
    primaries = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    for name, xyz in primaries.items():
        offset = int.from_bytes(profile[tags[name] + 4 : tags[name] + 8], "big") + 8
        for index, value in enumerate(xyz):
            number = round(value * 65536) & 0xFFFFFFFF
            profile[offset + 4 * index : offset + 4 * index + 4] = number.to_bytes(4, "big")
    return bytes(profile)


def noise(height: int = 30, width: int = 40) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


def test_load_image_turned_photo_is_upright(tmp_path):
    picture = Image.new("RGB", (30, 20), "red")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "photo.jpg", exif=exif)
    assert load_image(tmp_path / "photo.jpg").shape == (30, 20, 3)


@pytest.mark.parametrize("mode", ["P", "L", "1", "CMYK", "I;16", "LA", "RGBA", "PA"])
def test_load_image_any_mode_is_rgb(mode, tmp_path):
    path = tmp_path / ("image.tif" if mode in ("CMYK", "PA") else "image.png")
    picture = Image.new("RGBA", (8, 6), (255, 255, 255, 255))
    if mode == "PA":
        picture = picture.convert("P")
    elif mode == "I;16":
        picture = Image.fromarray(np.full((6, 8), 65535, np.uint16))
    else:
        picture = picture.convert("RGB").convert(mode)
    picture.save(path)
    assert np.array_equal(load_image(path), np.full((6, 8, 3), 255))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("deep.png", np.full((6, 8), 0x8080, np.uint16)),
        ("deep.tif", np.full((6, 8), 0x8080, np.uint16)),
        ("whole.tif", np.full((6, 8), 0x8080, np.int32)),
        ("unit.tif", np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)),
        ("bytes.tif", np.linspace(0, 255, 48, dtype=np.float32).reshape(6, 8)),
        ("words.tif", np.linspace(0, 65535, 48, dtype=np.float32).reshape(6, 8)),
    ],
)
def test_load_image_deep_gray_is_scaled_by_its_range(name, values, tmp_path):
    Image.fromarray(values).save(tmp_path / name)
    white = 65535 if values.max() > 255 else 255 if values.max() > 1 else 1
    expected = np.rint(values / np.float32(white) * 255)
    assert np.abs(load_image(tmp_path / name)[..., 1] - expected).max() <= 1


def test_load_image_nan_is_refused(tmp_path):
    values = np.zeros((6, 8), np.float32)
    values[2, 3] = np.nan
    Image.fromarray(values).save(tmp_path / "broken.tif")
    with pytest.raises(InvalidImageError, match="NaN"):
        load_image(tmp_path / "broken.tif")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_load_image_transparency_is_dropped_and_told(mode, tmp_path):
    glass = Image.new("RGBA", (8, 6), (90, 90, 90, 0))
    glass.convert(mode).save(tmp_path / "glass.png")
    notices: list[str] = []
    pixels = load_image(tmp_path / "glass.png", notices.append)
    if mode != "P":  # Pillow's quantizer makes transparent pixels black
        assert np.all(pixels == 90)
    assert pixels.shape == (6, 8, 3)
    assert len(notices) == 1
    assert "transparency" in notices[0]


def test_load_image_animation_first_frame_is_used_and_told(tmp_path):
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:], lossless=True)
    notices: list[str] = []
    assert load_image(tmp_path / "moving.webp", notices.append)[0, 0].tolist() == [255, 0, 0]
    assert notices == ["moving.webp has 3 frames; the first one is used."]


def test_load_image_srgb_profile_changes_no_pixel(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise().save(tmp_path / "untagged.png")
    noise().save(tmp_path / "tagged.png", icc_profile=srgb)
    pixels = [load_image(tmp_path / name) for name in ("untagged.png", "tagged.png")]
    assert np.array_equal(*pixels)
    assert encode(pixels[0]).content_sha256 == encode(np.asarray(noise())).content_sha256


def test_load_image_display_p3_is_converted_to_srgb(tmp_path):
    Image.new("RGB", (8, 6), (200, 100, 50)).save(tmp_path / "p3.png", icc_profile=display_p3())
    red, green, blue = load_image(tmp_path / "p3.png")[0, 0].tolist()
    # colorjs.io: color(display-p3 0.784 0.392 0.196) is rgb(217, 95, 25)
    assert abs(red - 217) <= 3
    assert abs(green - 95) <= 3
    assert abs(blue - 25) <= 6


def test_load_image_broken_profile_is_told_and_ignored(tmp_path):
    noise().save(tmp_path / "odd.png", icc_profile=b"not a profile" * 20)
    notices: list[str] = []
    assert np.array_equal(load_image(tmp_path / "odd.png", notices.append), np.asarray(noise()))
    assert len(notices) == 1
    assert "color profile" in notices[0]


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x89PNG\r\n\x1a\n"])
def test_load_image_other_content_is_refused_by_name(content, tmp_path):
    (tmp_path / "image.png").write_bytes(content)
    with pytest.raises(InvalidImageError, match=r"image\.png"):
        load_image(tmp_path / "image.png")


def test_load_image_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(InvalidImageError, match="does not exist"):
        load_image(tmp_path / "image.png")


def test_load_image_folder_is_said_to_be_one(tmp_path):
    with pytest.raises(InvalidImageError, match=r"is a folder|cannot be read"):
        load_image(tmp_path)


def test_load_image_truncated_file_is_refused(tmp_path):
    data = io.BytesIO()
    noise(300, 400).save(data, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(data.getvalue()[:9000])
    with pytest.raises(InvalidImageError, match=r"cut\.jpg"):
        load_image(tmp_path / "cut.jpg")


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "a.jfif", "a.webp", "a.TIFF", "a.bmp", "a.gif"])
def test_is_image_name_common_endings_are_images(name, tmp_path):
    assert is_image_name(tmp_path / name)


@pytest.mark.parametrize("name", ["a.txt", "a.mp4", "a", "a.pdf", "a.eps"])
def test_is_image_name_other_endings_are_not(name, tmp_path):
    assert not is_image_name(tmp_path / name)


def test_is_image_name_avif_as_far_as_pillow_reads_it(tmp_path):
    known = "avif" in features.modules and bool(features.check("avif"))
    assert is_image_name(tmp_path / "a.avif") == known
