"""A 4K tensor into upload bytes, against Pillow's default PNG; and what each format loses.

Run `python -m benchmarks.still [--rounds N] [--detail]`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image

from benchmarks._measure import ROUNDS, race, run, table
from benchmarks._table import print_figure, print_ratio

# Of the time of Pillow's default PNG. Level 1 gains most on photos. Noise is a PNG that is too
# large and then a JPEG.
MOST_TIME = {"photo": 0.3, "photo without grain": 0.3, "gradient": 1.0, "noise": 1.25}
MOST_MB, WARM_BYTES = 10, 500_000_000
HEIGHTS = {"1080p": (1080, 1920), "4K": (2160, 3840)}
FORMATS = {
    "PNG, Pillow's default": {"format": "PNG"},
    "PNG, Pillow's level 1": {"format": "PNG", "compress_level": 1},
    "WebP lossless, method 0": {"format": "WEBP", "lossless": True, "method": 0, "quality": 0},
    "WebP 95": {"format": "WEBP", "quality": 95, "method": 0},
    "JPEG 100 4:4:4": {"format": "JPEG", "quality": 100, "subsampling": "4:4:4"},
    "JPEG 98 4:4:4": {"format": "JPEG", "quality": 98, "subsampling": "4:4:4"},
    "JPEG 95 4:4:4": {"format": "JPEG", "quality": 95, "subsampling": "4:4:4"},
    "JPEG 90 4:2:0": {"format": "JPEG", "quality": 90, "subsampling": "4:2:0"},
    "JPEG 75 4:2:0": {"format": "JPEG", "quality": 75, "subsampling": "4:2:0"},
}


def photo(height: int, width: int, grain: float = 1.5) -> np.ndarray:
    """Like a photo: energy falling with frequency, edges of objects, and grain (in 1/255)."""
    rng = np.random.default_rng(0)
    down = np.fft.fftfreq(height)[:, np.newaxis] * height
    across = np.fft.rfftfreq(width)[np.newaxis] * width
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1

    def field(power: float) -> np.ndarray:
        noise = rng.standard_normal((2, *frequency.shape))
        spectrum = (noise[0] + 1j * noise[1]) / frequency**power
        spectrum[0, 0] = 0
        values = np.fft.irfft2(spectrum, (height, width))
        return values / values.std()

    light = 0.7 * field(1.5) + 0.5 * np.sign(field(2.2))
    colors = np.stack([light + 0.35 * field(2.0) for _ in range(3)], axis=-1)
    colors = 0.45 + 0.18 * colors + grain / 255 * rng.standard_normal(colors.shape)
    return np.clip(colors, 0, 1).astype(np.float32)


def gradient(height: int, width: int) -> np.ndarray:
    across = np.broadcast_to(np.linspace(0, 1, width, dtype=np.float32), (height, width))
    down = np.broadcast_to(np.linspace(0, 1, height, dtype=np.float32)[:, np.newaxis], across.shape)
    return np.stack([across, down, (across + down) / 2], axis=-1)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, 3), dtype=np.float32)


PICTURES = {
    "photo": photo,
    "photo without grain": lambda *size: photo(*size, grain=0),
    "gradient": gradient,
    "noise": noise,
}


def this_pack() -> Callable[[np.ndarray], bytes]:
    from vidu.media.image import encode

    return lambda pixels: encode(pixels).data


def default_png() -> Callable[[np.ndarray], bytes]:
    return lambda pixels: saved(rounded(pixels), **FORMATS["PNG, Pillow's default"])


ENCODERS = {"this pack": this_pack, "Pillow's default PNG": default_png}


def rounded(pixels: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(np.nan_to_num(pixels), 0, 1) * np.float32(255)).astype(np.uint8)


def saved(pixels: np.ndarray, **options: object) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, **options)
    return file.getvalue()


def compare(picture: str, rounds: int, detail: bool) -> None:
    command = [sys.executable, "-m", "benchmarks.still", "--encode"]
    commands = {name: [*command, name, picture] for name in ENCODERS}
    figures = race(commands, rounds, warm_bytes=WARM_BYTES)
    slow = figures["Pillow's default PNG"]["wall s"]
    for name, each in figures.items():
        data = ENCODERS[name]()(PICTURES[picture](*HEIGHTS["4K"]))
        each["of the default's time"] = each["wall s"] / slow
        each["MB"] = len(data) / 1e6
        each["loss"] = loss(rounded(PICTURES[picture](*HEIGHTS["4K"])), data)
    if detail:
        table(f"4K {picture} to bytes", figures)
        return
    what, ours = f"upload: 4K {picture}", figures["this pack"]
    print_ratio(
        f"{what} to bytes", ours["wall s"], slow, "Pillow's PNG", at_most=MOST_TIME[picture]
    )
    print_figure(
        f"{what}, its size", ours["MB"], "MB", at_most=MOST_MB, note=f"loss {ours['loss']}"
    )


def loss(pixels: np.ndarray, data: bytes) -> str:
    with Image.open(BytesIO(data)) as image:
        error = np.asarray(image.convert("RGB"), dtype=np.float32) - pixels
    if not error.any():
        return "none"
    return f"{10 * np.log10(255**2 / np.mean(error**2)):.1f} dB, at most {np.abs(error).max():.0f}"


def formats() -> None:
    pixels = rounded(photo(*HEIGHTS["1080p"]))
    rows = {}
    for name, options in FORMATS.items():
        each = saved(pixels, **options)
        rows[name] = {"MB": len(each) / 1e6, "loss": loss(pixels, each)}
    table("1080p photo", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--detail", action="store_true", help="all figures, as Markdown")
    parser.add_argument("--encode", nargs=2, metavar=("ENCODER", "PICTURE"), help="one run")
    arguments = parser.parse_args()
    if arguments.encode:
        encoder, picture = arguments.encode
        encode, pixels = ENCODERS[encoder](), PICTURES[picture](*HEIGHTS["4K"])
        run(lambda: encode(pixels))
        return
    if arguments.detail:
        formats()
    for picture in PICTURES:
        compare(picture, arguments.rounds, arguments.detail)


if __name__ == "__main__":
    main()
