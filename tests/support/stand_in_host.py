"""nodes/host.py for machines without ComfyUI: the same public names, and as much behind them as
the nodes need to run.

A test holds the signatures of the two against each other. The user's Cancel is a file
"cancelled" in the private folder; what a node shows is appended to "shown" there.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from aiohttp import web

from vidu.destination import Destination

__all__ = [
    "ComfyExtension",
    "as_image",
    "as_video",
    "batch_to_arrays",
    "blocked",
    "current_jobs",
    "data_dir",
    "destination",
    "interrupted_since",
    "io",
    "listen_for_interrupts",
    "metadata",
    "notify",
    "preview",
    "route_table",
    "run_interruptible",
    "run_with_progress",
    "single_images",
    "track_job",
]


class ComfyExtension:
    """What an extension is derived from."""


class Declared:
    """An input, an output or a schema: saved as it was declared."""

    def __init__(self, *args, **options):
        self.args = args
        self.__dict__.update(options)


class Image(np.ndarray):
    """The one thing of a tensor that the nodes use and an array does not have."""

    def clone(self) -> Image:
        return self.copy()


class NodeOutput:
    """What a node hands to the graph."""

    def __init__(self, *result, ui=None):
        self.result = result
        self.ui = ui


TYPE = SimpleNamespace(Input=Declared, Output=Declared, Type=Image)

io = SimpleNamespace(
    ComfyNode=type("ComfyNode", (), {"hidden": None}),
    ControlAfterGenerate=SimpleNamespace(fixed="fixed"),
    Hidden=SimpleNamespace(prompt="prompt", extra_pnginfo="extra_pnginfo"),
    NodeOutput=NodeOutput,
    Schema=Declared,
    **dict.fromkeys(("Combo", "Float", "Image", "Int", "String", "Video"), TYPE),
)


def listen_for_interrupts():
    """There is nothing to listen to."""


def interrupted_since(moment):
    return (data_dir() / "cancelled").exists()


def route_table():
    return web.RouteTableDef()


def current_jobs():
    return []


@contextmanager
def track_job(display):
    yield


async def run_with_progress(work, display):
    return await work


async def run_interruptible(work, display):
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=0.02)
            if display.pop_changed():
                with (data_dir() / "shown").open("a", encoding="utf-8") as file:
                    file.write(f"{display.render()[1]}\n")
    finally:
        task.cancel()
    return task.result()


def data_dir():
    home = Path(os.environ["VIDU_HOME"])
    home.mkdir(exist_ok=True)
    return home


def destination(prefix):
    return Destination.inside(data_dir() / "output", prefix)


def notify(warning):
    with (data_dir() / "shown").open("a", encoding="utf-8") as file:
        file.write(f"{warning}\n")


def metadata(hidden):
    return {}


def batch_to_arrays(image):
    return list(image)


def single_images(images):
    return [image[index : index + 1] for image in images for index in range(len(image))]


def blocked(message):
    return message


def as_image(frames):
    return frames.view(Image)


def as_video(path):
    return path


def preview(paths):
    return paths
