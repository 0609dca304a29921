"""A camera that moves over a still picture."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont, ImageOps

ZOOM = {"auto": 1.16, "small": 1.06, "medium": 1.16, "large": 1.36}
"""How far the camera has moved in at the end, by movement amplitude."""

FADE_FROM = 0.6
"""The place in the clip, 0..1, from which it fades into its last frame."""


@dataclass(frozen=True)
class Move:
    """A camera move over the first frame: a push towards one side, swaying on the way.

    Args:
        zoom: The magnification at the end; it is 1 at the start.
        towards: Where the push ends, x and y from -1 (left, top) to 1 (right, bottom).
        sways: How often the camera swings to and fro across the clip.
    """

    zoom: float
    towards: tuple[float, float]
    sways: float

    @classmethod
    def choose(cls, seed: int, movement_amplitude: str) -> Move:
        """Choose the move that this seed and amplitude always give."""
        chance = random.Random(seed)
        angle = chance.uniform(0, math.tau)
        return cls(
            zoom=ZOOM[movement_amplitude],
            towards=(math.cos(angle), math.sin(angle)),
            sways=chance.uniform(1, 2),
        )

    def window(self, time: float, size: tuple[int, int]) -> tuple[float, float, float]:
        """Return what the camera sees.

        Args:
            time: The place in the clip, 0..1; at 0 the whole frame is seen.
            size: Width and height of the frame in pixels.

        Returns:
            The scale of the window (1 is the whole frame) and its left and top edge in pixels.
        """
        eased = (1 - math.cos(math.pi * time)) / 2
        scale = 1 / (1 + (self.zoom - 1) * eased)
        sway = 0.14 * math.sin(math.tau * self.sways * time)
        x, y = (0.5 + 0.35 * side + sway * side for side in self.towards)
        return scale, size[0] * (1 - scale) * x, size[1] * (1 - scale) * y


def render_frames(
    image: Image.Image,
    move: Move,
    size: tuple[int, int],
    count: int,
    watermark: str,
    *,
    last: Image.Image | None = None,
) -> Iterator[Image.Image]:
    """Yield what the camera sees, frame by frame.

    Args:
        image: RGB, cropped to the ratio of `size`; the first frame shows all that is left of it.
        move: The way the camera goes.
        size: Width and height of the frames in pixels.
        count: How many frames, at least 1.
        watermark: Drawn into the lower right corner of each; nothing when empty.
        last: RGB, cropped in the same way; what is seen fades into it, if there is one.
    """
    first = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    last = last and ImageOps.fit(last, size, Image.Resampling.LANCZOS)
    stamp = _stamp(watermark, size)
    corner = (size[0] - stamp.width, size[1] - stamp.height)
    for index in range(count):
        time = index / max(1, count - 1)
        scale, left, top = move.window(time, size)
        window = (left, top, left + scale * size[0], top + scale * size[1])
        picture = first.resize(size, Image.Resampling.BILINEAR, box=window)
        if last and time > FADE_FROM:
            picture = Image.blend(picture, last, (time - FADE_FROM) / (1 - FADE_FROM))
        picture.paste(stamp, corner, stamp)
        yield picture


def stamped(image: Image.Image, size: tuple[int, int], watermark: str) -> Image.Image:
    """Return a picture cropped to a size, with the watermark in its lower right corner."""
    still = Move(zoom=1, towards=(0, 0), sways=0)
    return next(render_frames(image, still, size, 1, watermark))


def _stamp(text: str, size: tuple[int, int]) -> Image.Image:
    """Return white letters with a black edge, which can be read on any background."""
    letters = min(size) / 6
    edge = math.ceil(letters / 16)
    font = ImageFont.load_default(letters)
    box = font.getbbox(text, stroke_width=edge)
    stamp = Image.new("RGBA", (math.ceil(box[2]) + edge, math.ceil(box[3]) + edge))
    ImageDraw.Draw(stamp).text((0, 0), text, "white", font, stroke_width=edge, stroke_fill="black")
    return stamp
