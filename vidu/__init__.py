"""Vidu's clips through fal, for any Python program: an image in, a paid and saved clip out.

::

    import asyncio
    from vidu import Clip, Destination, Request, Settings, default_data_dir, generate
    from vidu import image_to_video, load_image, open_session

    async def make(shot: Request) -> Clip:
        settings = Settings.load(default_data_dir())
        destination = Destination("clips", "lighthouse")
        async with open_session(default_data_dir(), settings) as (fal, ledger):
            return await generate(shot, fal, ledger, destination, settings=settings)

    shot = image_to_video(load_image("lighthouse.png"), "The waves roll in.", seed=7)
    print(asyncio.run(make(shot)).path)  # in a notebook: (await make(shot)).path
"""

from __future__ import annotations

from . import errors
from .builders import (
    extend_video,
    image,
    image_to_video,
    reference_to_video,
    template_to_video,
    text_to_video,
)
from .destination import Destination
from .generate import generate, resume
from .media.audio import load_audio
from .media.image_file import load_image
from .media.video_file import load_video
from .models import Clip
from .progress import Progress
from .request import Request
from .session import open_session
from .settings import Settings, default_data_dir

__all__ = [
    "Clip",
    "Destination",
    "Progress",
    "Request",
    "Settings",
    "default_data_dir",
    "errors",
    "extend_video",
    "generate",
    "image",
    "image_to_video",
    "load_audio",
    "load_image",
    "load_video",
    "open_session",
    "reference_to_video",
    "resume",
    "template_to_video",
    "text_to_video",
]


def __getattr__(name: str) -> type[errors.ViduError]:
    # An error names its class as `vidu.MissingKeyError` wherever it is shown, and pickle looks it
    # up by that name.
    found = getattr(errors, name, None)
    if isinstance(found, type) and issubclass(found, errors.ViduError):
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
