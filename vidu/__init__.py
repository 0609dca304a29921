"""Vidu's clips through fal, for any Python program: an image in, a paid and kept clip out.

::

    import asyncio
    from vidu import Clip, Request, Settings, generate, home_folder
    from vidu import image_to_video, numbered_names, open_desk, read_image

    async def make(shot: Request) -> Clip:
        settings = Settings.load(home_folder())
        names = numbered_names("clips", "lighthouse")
        async with open_desk(home_folder(), settings) as (fal, ledger):
            return await generate(shot, fal, ledger, names, settings=settings)

    shot = image_to_video(read_image("lighthouse.png"), "The waves roll in.", seed=7)
    print(asyncio.run(make(shot)).path)  # in a notebook: (await make(shot)).path
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .credentials import FoundKey, Secret, find_key, forget_key, parse_key, store_key
from .desk import open_desk
from .entry import Entry, KeptFile, Output, Receipt, State
from .errors import (
    AccountLocked,
    BudgetExceeded,
    ClipGone,
    ClipTooLarge,
    ClipUnavailable,
    ContentPolicyViolation,
    CorruptClip,
    DownloadFailed,
    GenerationCancelled,
    GenerationFailed,
    GenerationTimeout,
    ImageRejected,
    InvalidImage,
    InvalidInput,
    InvalidPrompt,
    InvalidSetting,
    KeepFailed,
    KeyProblem,
    LedgerUnavailable,
    MalformedKey,
    MissingKey,
    Money,
    PromptRejected,
    QueueTimeout,
    RateLimited,
    Refused,
    RejectedKey,
    ServiceProblem,
    ShotsFailed,
    SubmitUnknown,
    TooManyClips,
    UnexpectedError,
    Unreachable,
    UnsafeUrl,
    UploadFailed,
    ViduError,
)
from .generate import Clip, collect, generate
from .ledger import Ledger
from .platform import Platform
from .progress import Phase, Progress
from .request import ENDPOINTS, IMAGE_TO_VIDEO, Endpoint, Price, Request, image_to_video
from .run import Names, numbered_names
from .settings import Settings, home_folder
from .still import read as read_image

if TYPE_CHECKING:
    from .draft import Draft
    from .fal import Fal

__all__ = [
    "ENDPOINTS",
    "IMAGE_TO_VIDEO",
    "AccountLocked",
    "BudgetExceeded",
    "Clip",
    "ClipGone",
    "ClipTooLarge",
    "ClipUnavailable",
    "ContentPolicyViolation",
    "CorruptClip",
    "DownloadFailed",
    "Draft",
    "Endpoint",
    "Entry",
    "Fal",
    "FoundKey",
    "GenerationCancelled",
    "GenerationFailed",
    "GenerationTimeout",
    "ImageRejected",
    "InvalidImage",
    "InvalidInput",
    "InvalidPrompt",
    "InvalidSetting",
    "KeepFailed",
    "KeptFile",
    "KeyProblem",
    "Ledger",
    "LedgerUnavailable",
    "MalformedKey",
    "MissingKey",
    "Money",
    "Names",
    "Output",
    "Phase",
    "Platform",
    "Price",
    "Progress",
    "PromptRejected",
    "QueueTimeout",
    "RateLimited",
    "Receipt",
    "Refused",
    "RejectedKey",
    "Request",
    "Secret",
    "ServiceProblem",
    "Settings",
    "ShotsFailed",
    "State",
    "SubmitUnknown",
    "TooManyClips",
    "UnexpectedError",
    "Unreachable",
    "UnsafeUrl",
    "UploadFailed",
    "ViduError",
    "collect",
    "find_key",
    "forget_key",
    "generate",
    "home_folder",
    "image_to_video",
    "numbered_names",
    "open_desk",
    "parse_key",
    "read_image",
    "store_key",
]


def __getattr__(name: str) -> object:
    # Fal brings httpx and fal-client, Draft brings drawing: nobody who only imports the package,
    # as ComfyUI does when it starts, waits for them.
    if name == "Fal":
        from .fal import Fal

        return Fal
    if name == "Draft":
        from .draft import Draft

        return Draft
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
