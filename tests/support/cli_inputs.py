"""An image and a prompt for the command line, and the lines of JSON it prints."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

PROMPT = ("--prompt", "The tide comes in")
IMAGES = 5
"""How many images a manifest of a test names."""


def picture(path: Path, color: tuple[int, int, int]) -> Path:
    # A ramp, for over one color no seed's movement is seen.
    ramp = Image.linear_gradient("L").resize((64, 48))
    Image.composite(Image.new("RGB", ramp.size, color), ramp.convert("RGB"), ramp).save(path)
    return path


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]
