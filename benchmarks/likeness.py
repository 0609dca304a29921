"""The distance between decoders, and the smallest retouch that `media/likeness.py` must see.

Run `python -m benchmarks.likeness [--python OTHER ...] [--pictures FOLDER]`. Each interpreter reads
the same files with its own Pillow and PyAV; give one for each version that is to be compared.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks._table import print_figure
from benchmarks.still import gradient, photo, rounded
from vidu.media.likeness import is_same_picture, likeness

SIZES = ((1280, 720), (720, 1280), (1001, 667), (512, 512))
COLORS = ("red", "blue", "lime", "magenta", "cyan", "yellow", "black", "white")
JPEGS = ((98, 0), (85, 1), (90, 2), (75, 2), (60, 2))  # quality; 4:4:4, 4:2:2, 4:2:0
SPOT, TRIES = 12, 100


def drawing(width: int, height: int, seed: int) -> Image.Image:
    """Saturated shapes, thin lines and letters: the worst that chroma subsampling meets."""
    rng = random.Random(seed)
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for index in range(80):
        x, y, color = rng.randrange(width), rng.randrange(height), rng.choice(COLORS)
        box = (x, y, x + rng.randrange(5, 200), y + rng.randrange(5, 200))
        if index % 4 == 0:
            draw.rectangle(box, color, rng.choice(COLORS))
        elif index % 4 == 1:
            draw.ellipse(box, color, rng.choice(COLORS))
        elif index % 4 == 2:
            end = rng.randrange(width), rng.randrange(height)
            draw.line([(x, y), end], color, rng.randrange(1, 4))
        else:
            draw.text((x, y), "small", color, ImageFont.load_default(rng.randrange(8, 40)))
    return image


def pictures(folder: Path | None) -> Iterator[tuple[str, Image.Image]]:
    for index, size in enumerate(SIZES):
        yield f"drawing{index}", drawing(*size, index)
    yield "photo", Image.fromarray(rounded(photo(720, 1280)))
    yield "gradient", Image.fromarray(rounded(gradient(720, 1280)))
    for path in sorted(folder.iterdir()) if folder else ():
        yield f"own {path.stem}", Image.open(path).convert("RGB")


def write_files(folder: Path, own: Path | None) -> None:
    for name, image in pictures(own):
        image.save(folder / f"{name}.png", compress_level=1)
        image.save(folder / f"{name}.webp", quality=80)
        for quality, subsampling in JPEGS:
            path = folder / f"{name}-{quality}-{subsampling}.jpg"
            image.save(path, quality=quality, subsampling=subsampling)


def read_all(source: Path, target: Path) -> None:
    """In each interpreter: read every file in every way, as ComfyUI and a shell do."""
    import av

    def pillow(path: Path) -> np.ndarray:
        return np.asarray(Image.open(path).convert("RGB"))

    def swscale(path: Path, format: str) -> np.ndarray:
        with av.open(str(path)) as container:
            return next(container.decode(video=0)).to_ndarray(format=format)

    readers: dict[str, Callable[[Path], np.ndarray]] = {
        f"Pillow {Image.__version__}": pillow,
        f"PyAV {av.__version__} rgb24": lambda path: swscale(path, "rgb24"),
        f"PyAV {av.__version__} gbrpf32le": lambda path: rounded(swscale(path, "gbrpf32le")),
    }
    for path in sorted(source.iterdir()):
        for name, reader in readers.items():
            (target / path.name).mkdir(exist_ok=True)
            np.save(target / path.name / f"{name}.npy", reader(path))


def precisions(rgb: np.ndarray) -> Iterator[np.ndarray]:
    """Yield what other precisions and drivers make of the same picture."""
    unit = rgb.astype(np.float32) / 255
    rng = np.random.default_rng(0)
    yield rounded(unit.astype(np.float16).astype(np.float32))
    bfloat16 = ((unit.view(np.uint32) + 0x8000) & 0xFFFF0000).view(np.float32)
    yield rounded(bfloat16)
    yield np.clip(rgb.astype(np.int16) + 1, 0, 255).astype(np.uint8)
    yield np.clip(rgb.astype(np.int16) - 1, 0, 255).astype(np.uint8)
    yield np.clip(rgb + rng.integers(-1, 2, rgb.shape), 0, 255).astype(np.uint8)


def taken_for_others(folder: Path) -> tuple[int, int]:
    """Return how many pairs of readings of one file there are, and how many do not match."""
    pairs = missed = 0
    for readings in sorted(folder.iterdir()):
        images = {np.load(path).tobytes(): np.load(path) for path in readings.iterdir()}
        read, first = [likeness(each) for each in images.values()], next(iter(images.values()))
        rounded_otherwise = [(read[0], likeness(each)) for each in precisions(first)]
        for one, other in (*combinations(read, 2), *rounded_otherwise):
            pairs += 1
            missed += not is_same_picture(one, other)
    return pairs, missed


def unseen_retouches(image: np.ndarray, contrast: int) -> int:
    """Return in how many of `TRIES` places a round spot of 12 pixels makes no difference."""
    rng, before, unseen = np.random.default_rng(0), likeness(image), 0
    rows, columns = np.mgrid[-SPOT / 2 : SPOT / 2, -SPOT / 2 : SPOT / 2] + 0.5
    disc = rows**2 + columns**2 <= SPOT**2 / 4
    for _ in range(TRIES):
        top, left = rng.integers(0, [image.shape[0] - SPOT, image.shape[1] - SPOT])
        retouched = image.astype(np.int16)
        place = retouched[top : top + SPOT, max(left, SPOT) :][:, :SPOT]
        place[disc[:, : place.shape[1]]] += contrast if place.mean() < 128 else -contrast
        unseen += is_same_picture(before, likeness(np.clip(retouched, 0, 255).astype(np.uint8)))
    return unseen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append", default=[], help="another interpreter")
    parser.add_argument("--pictures", type=Path, help="a folder of images of your own")
    parser.add_argument("--read", nargs=2, type=Path, help="in each interpreter")
    arguments = parser.parse_args()
    if arguments.read:
        read_all(*arguments.read)
        return
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        source.mkdir()
        target.mkdir()
        write_files(source, arguments.pictures)
        for python in (sys.executable, *arguments.python):
            command = [python, "-m", "benchmarks.likeness", "--read", str(source), str(target)]
            subprocess.run(command, check=True)
        pairs, missed = taken_for_others(target)
    note = f"of {pairs} pairs, {1 + len(arguments.python)} interpreters"
    print_figure("likeness: one file, not recognized", missed, "pairs", at_most=0, note=note)
    for name, picture, contrast in (("photo", photo, 24), ("gradient", gradient, 16)):
        unseen = unseen_retouches(rounded(picture(720, 1280)), contrast)
        note = f"of {TRIES} spots of {SPOT} px, {contrast} of 255"
        print_figure(f"likeness: {name}, retouch not seen", unseen, "spots", at_most=0, note=note)


if __name__ == "__main__":
    main()
