"""VIDEO inputs of every kind the host has: a file, a file in memory, a part of either, frames."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from comfy_api.latest import InputImpl, Types

from .conftest import download

NODE = "FalViduExtendVideo"
FPS = 12


def picture(index: int) -> np.ndarray:
    return np.full((48, 64, 3), 40 + 3 * index, np.uint8)


@pytest.fixture
def film(tmp_path) -> Path:
    """Five seconds that grow brighter."""
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(5 * FPS):
            frame = av.VideoFrame.from_ndarray(picture(index), "rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return path


def components() -> Types.VideoComponents:
    frames = np.stack([picture(index) for index in range(5 * FPS)]).astype(np.float32) / 255
    return Types.VideoComponents(images=torch.from_numpy(frames), frame_rate=Fraction(FPS))


KINDS = {
    "a file": lambda film: InputImpl.VideoFromFile(str(film)),
    "a file in memory": lambda film: InputImpl.VideoFromFile(io.BytesIO(film.read_bytes())),
    "a part": lambda film: InputImpl.VideoFromFile(str(film)).as_trimmed(0.5, 4.25),
    "a part to the end": lambda film: InputImpl.VideoFromFile(str(film)).as_trimmed(0.75, 0.0),
    "a part in memory": lambda film: InputImpl.VideoFromFile(
        io.BytesIO(film.read_bytes())
    ).as_trimmed(0.5, 4.25),
    "frames": lambda film: InputImpl.VideoFromComponents(components()),
}
LENGTHS = {"a part": 4.25, "a part to the end": 4.25, "a part in memory": 4.25}


def asked(video) -> dict:
    model = {"model": ["Q2 Pro"], "duration": [2], "resolution": ["720p"]}
    shared = {"seed": [1], "mode": ["live"], "filename_prefix": ["video/On"], "max_cost": [5.0]}
    return {"video": [video], "prompt": [""], "model": model, **shared}


@pytest.mark.parametrize("kind", KINDS)
async def test_video_of_each_kind_is_uploaded_whole_and_paid_for_once(execute, fal, film, kind):
    first = await execute(NODE, asked(KINDS[kind](film)), slots=())
    again = await execute(NODE, asked(KINDS[kind](film)), slots=())  # another object, same content
    assert again.result[1] == first.result[1]
    (job,) = fal.ledger()["jobs"]
    sent = download(fal, job["input"]["video_url"])
    with av.open(io.BytesIO(sent)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames / FPS == pytest.approx(LENGTHS.get(kind, 5), abs=0.2)


async def test_video_input_other_part_of_the_same_file_is_another_shot(execute, fal, film):
    for start in (0.25, 0.5):
        part = InputImpl.VideoFromFile(str(film)).as_trimmed(start, 4.25)
        await execute(NODE, asked(part), slots=())
    assert fal.ledger()["counts"]["jobs"] == 2
