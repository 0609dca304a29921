"""A card with the prompt on it, for a draft that begins without a picture."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

LARGEST, SMALLEST = 10, 40
"""Letters are between a tenth and a fortieth of the shorter side."""

MARGIN = 0.08
"""Of the shorter side, around the text."""


def render_card(prompt: str, size: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Return a card: white words on a dark color that the seed chooses.

    Args:
        prompt: The words; what does not fit is cut off.
        size: Width and height in pixels.
        seed: Chooses the color.

    Returns:
        uint8 [H, W, 3].
    """
    rng = random.Random(seed)
    card = Image.new("RGB", size, tuple(rng.randrange(20, 90) for _ in range(3)))
    draw = ImageDraw.Draw(card)
    margin = round(min(size) * MARGIN)
    width, height = size[0] - 2 * margin, size[1] - 2 * margin
    for share in range(LARGEST, SMALLEST + 1, 5):
        font = ImageFont.load_default(min(size) / share)
        text = "\n".join(_wrapped(draw, prompt, font, width))
        if draw.multiline_textbbox((0, 0), text, font)[3] <= height:
            break
    draw.multiline_text((margin, margin), text, "white", font)
    return np.asarray(card)


def _wrapped(
    draw: ImageDraw.ImageDraw,
    prompt: str,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    width: int,
) -> list[str]:
    lines = []
    for paragraph in prompt.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and draw.textlength(longer, font) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return lines
