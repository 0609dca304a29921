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

from typing import TYPE_CHECKING

from .builders import (
    extend_video,
    image,
    image_to_video,
    reference_to_video,
    template_to_video,
    text_to_video,
)
from .credentials import FoundKey, Secret, find_key, forget_key, parse_key, store_key
from .destination import Destination
from .endpoint import Endpoint
from .endpoints import ENDPOINTS
from .errors import (
    AccountLockedError,
    ApiStatusError,
    BudgetExceededError,
    CertificateError,
    Charge,
    ClipGoneError,
    ClipTooLargeError,
    ClipUnavailableError,
    ConnectionFailedError,
    ContentPolicyError,
    CorruptClipError,
    CostLimitError,
    CredentialError,
    DependencyError,
    DownloadError,
    GenerationCancelledError,
    GenerationError,
    GenerationTimeoutError,
    ImageRejectedError,
    InputRejectedError,
    InvalidImageError,
    InvalidInputError,
    InvalidPromptError,
    InvalidProxyError,
    InvalidSettingError,
    LedgerUnavailableError,
    MalformedKeyError,
    MissingKeyError,
    PromptRejectedError,
    QueueTimeoutError,
    RateLimitedError,
    RejectedKeyError,
    ResponseTooLargeError,
    SaveError,
    ServiceError,
    ShotsFailedError,
    SubmissionUnknownError,
    UnexpectedError,
    UnreadableResponseError,
    UnsafeUrlError,
    UploadError,
    ViduError,
)
from .generate import generate, resume
from .ledger import Budget, Ledger, open_ledger
from .media.image_file import load_image
from .models import Clip, Entry, Output, RequestHandle, SavedFile, State
from .progress import Phase, Progress
from .provider import Provider
from .request import Request
from .session import open_session
from .settings import Settings, default_data_dir

if TYPE_CHECKING:
    from .draft.client import Draft
    from .fal.client import Fal

__all__ = [
    "ENDPOINTS",
    "AccountLockedError",
    "ApiStatusError",
    "Budget",
    "BudgetExceededError",
    "CertificateError",
    "Charge",
    "Clip",
    "ClipGoneError",
    "ClipTooLargeError",
    "ClipUnavailableError",
    "ConnectionFailedError",
    "ContentPolicyError",
    "CorruptClipError",
    "CostLimitError",
    "CredentialError",
    "DependencyError",
    "Destination",
    "DownloadError",
    "Draft",
    "Endpoint",
    "Entry",
    "Fal",
    "FoundKey",
    "GenerationCancelledError",
    "GenerationError",
    "GenerationTimeoutError",
    "ImageRejectedError",
    "InputRejectedError",
    "InvalidImageError",
    "InvalidInputError",
    "InvalidPromptError",
    "InvalidProxyError",
    "InvalidSettingError",
    "Ledger",
    "LedgerUnavailableError",
    "MalformedKeyError",
    "MissingKeyError",
    "Output",
    "Phase",
    "Progress",
    "PromptRejectedError",
    "Provider",
    "QueueTimeoutError",
    "RateLimitedError",
    "RejectedKeyError",
    "Request",
    "RequestHandle",
    "ResponseTooLargeError",
    "SaveError",
    "SavedFile",
    "Secret",
    "ServiceError",
    "Settings",
    "ShotsFailedError",
    "State",
    "SubmissionUnknownError",
    "UnexpectedError",
    "UnreadableResponseError",
    "UnsafeUrlError",
    "UploadError",
    "ViduError",
    "default_data_dir",
    "extend_video",
    "find_key",
    "forget_key",
    "generate",
    "image",
    "image_to_video",
    "load_image",
    "open_ledger",
    "open_session",
    "parse_key",
    "reference_to_video",
    "resume",
    "store_key",
    "template_to_video",
    "text_to_video",
]


def __getattr__(name: str) -> object:
    # Fal brings httpx and fal-client, Draft brings drawing: nobody who only imports the package,
    # as ComfyUI does when it starts, waits for them.
    if name == "Fal":
        from .fal.client import Fal

        return Fal
    if name == "Draft":
        from .draft.client import Draft

        return Draft
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
