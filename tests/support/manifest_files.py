"""Shots written as manifests of each format."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from vidu.shots.manifest import ManifestShot, read_manifest

COLUMNS = ("image", "prompt", "seed", "movement_amplitude", "out")


def as_csv(shots: list[dict], delimiter: str = ",") -> str:
    file = io.StringIO(newline="")
    rows = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
    rows.writeheader()
    rows.writerows(shots)
    return file.getvalue()


def only_shot(path: Path) -> ManifestShot:
    (shot,) = read_manifest(path).shots
    return shot
