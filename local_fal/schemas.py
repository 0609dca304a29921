"""The inputs of fal's 23 documented Vidu endpoints, as fal's own pydantic models judge them.

Written from fal's published OpenAPI schemas (19 endpoints, 2026-06-11) and, for Q4 and the stills
with references, from public copies of fal's pages. It shares nothing with the pack's own table, so
that a limit that is wrong there is refused here. Unknown fields are ignored, as fal ignores them.
Limits that stand only in a schema's description are in `catalog.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from .templates import Template


def _refuse_number_as_text(value: object) -> object:
    """Refuse "5" where a number belongs: fal does, though pydantic's lax mode would not."""
    if isinstance(value, str) and value.strip().lstrip("+-").isdecimal():
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


Prompt1500 = Annotated[str, Field(max_length=1500)]
Prompt2000 = Annotated[str, Field(max_length=2000)]
Prompt3000 = Annotated[str, Field(max_length=3000)]
Prompt5000 = Annotated[str, Field(max_length=5000)]
NoText = BeforeValidator(_refuse_number_as_text)
Seed = Annotated[int, NoText] | None
Amplitude = Literal["auto", "small", "medium", "large"]
Aspect3 = Literal["16:9", "9:16", "1:1"]
Aspect5 = Literal["16:9", "9:16", "4:3", "3:4", "1:1"]
Q2Seconds = Literal[2, 3, 4, 5, 6, 7, 8]
Q2Resolution = Literal["720p", "1080p"]
Q3Seconds = Annotated[int, Field(ge=1, le=16), NoText]
Q3Resolution = Literal["360p", "540p", "720p", "1080p"]
Q4Seconds = Annotated[int, Field(ge=3, le=16), NoText]
Q4Resolution = Literal["540p", "720p", "1080p", "2K", "4K"]


class ImageToVideo(BaseModel):
    """fal-ai/vidu/image-to-video and q1/image-to-video."""

    prompt: Prompt1500
    image_url: str
    seed: Seed = None
    movement_amplitude: Amplitude = "auto"


class StartEndToVideo(BaseModel):
    """fal-ai/vidu/start-end-to-video and q1/start-end-to-video."""

    prompt: Prompt1500
    start_image_url: str
    end_image_url: str
    seed: Seed = None
    movement_amplitude: Amplitude = "auto"


class ReferenceToVideo(BaseModel):
    """fal-ai/vidu/reference-to-video."""

    prompt: Prompt1500
    reference_image_urls: list[str]
    seed: Seed = None
    aspect_ratio: Aspect3 = "16:9"
    movement_amplitude: Amplitude = "auto"


class TemplateToVideo(BaseModel):
    """fal-ai/vidu/template-to-video."""

    template: Template = "hug"
    input_image_urls: list[str]
    seed: Seed = None
    aspect_ratio: Literal["16:9", "9:16"] = "16:9"


class ReferenceToImage(BaseModel):
    """fal-ai/vidu/reference-to-image and q2/reference-to-image."""

    prompt: Prompt1500
    reference_image_urls: list[str]
    aspect_ratio: Aspect3 = "16:9"
    seed: Seed = None


class Q1ReferenceToVideo(ReferenceToVideo):
    """fal-ai/vidu/q1/reference-to-video."""

    bgm: bool = False


class Q1TextToVideo(BaseModel):
    """fal-ai/vidu/q1/text-to-video."""

    prompt: Prompt1500
    style: Literal["general", "anime"] = "general"
    seed: Seed = None
    aspect_ratio: Aspect3 = "16:9"
    movement_amplitude: Amplitude = "auto"


class Q2ImageToVideo(BaseModel):
    """fal-ai/vidu/q2/image-to-video/pro and /turbo."""

    prompt: Prompt3000
    image_url: str
    end_image_url: str | None = None
    seed: Seed = None
    duration: Q2Seconds = 4
    resolution: Q2Resolution = "720p"
    movement_amplitude: Amplitude = "auto"
    bgm: bool = False


class Q2TextToVideo(BaseModel):
    """fal-ai/vidu/q2/text-to-video."""

    prompt: Prompt3000
    seed: Seed = None
    duration: Q2Seconds = 4
    resolution: Literal["360p", "520p", "720p", "1080p"] = "720p"
    aspect_ratio: Aspect3 = "16:9"
    movement_amplitude: Amplitude = "auto"
    bgm: bool = False


class Q2ReferenceToVideo(BaseModel):
    """fal-ai/vidu/q2/reference-to-video/pro."""

    prompt: Prompt2000
    reference_image_urls: list[str] = []
    reference_video_urls: list[str] = []
    seed: Seed = None
    duration: Annotated[int, Field(ge=1, le=8), NoText] = 4
    resolution: Literal["540p", "720p", "1080p"] = "720p"
    aspect_ratio: str = "16:9"
    movement_amplitude: Amplitude = "auto"
    bgm: bool = False


class Q2VideoExtension(BaseModel):
    """fal-ai/vidu/q2/video-extension/pro."""

    video_url: str
    prompt: Prompt3000 | None = None
    seed: Seed = None
    duration: Literal[2, 3, 4, 5, 6, 7] = 4
    resolution: Q2Resolution = "720p"


class Q2TextToImage(BaseModel):
    """fal-ai/vidu/q2/text-to-image."""

    prompt: Prompt1500
    aspect_ratio: Aspect3 = "16:9"
    seed: Seed = None


class Q3ImageToVideo(BaseModel):
    """fal-ai/vidu/q3/image-to-video and /turbo."""

    prompt: Prompt2000 = ""
    image_url: str
    end_image_url: str | None = None
    duration: Q3Seconds = 5
    seed: Seed = None
    resolution: Q3Resolution = "720p"
    audio: bool = True


class Q3TextToVideo(BaseModel):
    """fal-ai/vidu/q3/text-to-video and /turbo."""

    prompt: Prompt2000
    duration: Q3Seconds = 5
    seed: Seed = None
    aspect_ratio: Aspect5 = "16:9"
    resolution: Q3Resolution = "720p"
    audio: bool = True


class Q3ReferenceToVideo(BaseModel):
    """fal-ai/vidu/q3/reference-to-video/mix."""

    prompt: Prompt2000
    reference_image_urls: list[str]
    duration: Q3Seconds = 5
    seed: Seed = None
    aspect_ratio: Aspect5 = "16:9"
    resolution: Q3Resolution = "720p"
    audio: bool = True


class Q4ImageToVideo(BaseModel):
    """fal-ai/vidu/q4/image-to-video."""

    prompt: Prompt5000 = ""
    image_url: str
    duration: Q4Seconds = 5
    seed: Seed = None
    resolution: Q4Resolution = "720p"
    enable_safety_checker: bool = True


class Q4ReferenceToVideo(BaseModel):
    """fal-ai/vidu/q4/reference-to-video."""

    prompt: Prompt5000
    reference_image_urls: Annotated[list[str], Field(max_length=12)] = []
    reference_audio_urls: Annotated[list[str], Field(max_length=3)] = []
    duration: Q4Seconds = 5
    seed: Seed = None
    aspect_ratio: Aspect5 = "16:9"
    resolution: Q4Resolution = "720p"
    audio: bool = False
    enable_safety_checker: bool = True
