"""An image for the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from ...support.cli_inputs import IMAGES, picture


@pytest.fixture
def image(tmp_path) -> Path:
    return picture(tmp_path / "beach.png", (200, 120, 40))


@pytest.fixture
def manifest(tmp_path):
    """Writes a manifest of this many shots, named s001 and up, over a few images."""
    for index in range(IMAGES):
        Image.new("RGB", (64, 48), (50 * index, 90, 120)).save(tmp_path / f"i{index}.png")

    def write(count: int, **changed: dict[str, str]) -> Path:
        path = tmp_path / "shots.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.DictWriter(file, ["image", "prompt", "seed", "movement_amplitude", "out"])
            rows.writeheader()
            for number in range(1, count + 1):
                row = {
                    "image": f"i{number % IMAGES}.png",
                    "prompt": f"Shot {number}, a wave",
                    "seed": str(number),
                    "movement_amplitude": "",
                    "out": f"s{number:03}",
                }
                rows.writerow(row | changed.get(f"row_{number}", {}))
        return path

    return write
