"""fal's 23 documented Vidu endpoints: schema, output, list prices, limits beyond the schema.

local_fal's own copy of the facts (vidu_family.md, 2026-11-25). It shares nothing with the pack's
table: the bill of local_fal and the price that a user was shown are checked against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel

from . import rules, schemas
from .rules import Input, Rule

APP = "fal-ai/vidu"
TIERS = {
    **dict.fromkeys(("hug", "kiss", "love_pose"), "standard"),
    **dict.fromkeys(("lunar_newyear", "dynasty_dress", "dreamy_wedding"), "premium"),
    "live_photo": "advanced",
}
"""The price tier of the 7 templates whose tier fal names; the others' are unknown."""


@dataclass(frozen=True)
class Rate:
    """A list price in US dollars: `base` for a request, `per_second` for each second of video."""

    base: Decimal
    per_second: Decimal


@dataclass(frozen=True)
class Endpoint:
    """One endpoint.

    Args:
        schema: Judges its input.
        rates: List prices by resolution or template tier; "*" for any other.
        output: "video" or "image".
        seconds: The length of its clips where the input has no duration.
        resolution: Their size where the input has no resolution.
        has_sound: Whether its clips have sound although nothing asks for it.
        echoes_seed: Whether the result has the seed and a cover image.
        extends: Whether its clip goes on from the last frame of the input's video.
        rules: Limits that the schema does not hold.
    """

    schema: type[BaseModel]
    rates: Mapping[str, Rate]
    output: Literal["video", "image"] = "video"
    seconds: int = 4
    resolution: str = "720p"
    has_sound: bool = False
    echoes_seed: bool = False
    extends: bool = False
    rules: tuple[Rule, ...] = ()

    def duration_s(self, given: Input) -> int:
        """Return how many seconds of new video an input asks for."""
        return int(given.get("duration", self.seconds))

    def rate(self, given: Input) -> Rate:
        """Return the list price of an input."""
        key = TIERS.get(given.get("template", ""), "") or given.get("resolution", "*")
        return self.rates.get(key) or self.rates["*"]


def by(**rates: tuple[str, str]) -> dict[str, Rate]:
    """Return rates by name; `_720p` stands for "720p", and `any` for "*"."""
    return {
        "*" if name == "any" else name.removeprefix("_"): Rate(Decimal(base), Decimal(per_second))
        for name, (base, per_second) in rates.items()
    }


def flat(usd: str) -> dict[str, Rate]:
    """Return one price for all."""
    return by(any=(usd, "0"))


TEMPLATES = by(
    standard=("0.20", "0"), premium=("0.30", "0"), advanced=("0.50", "0"), any=("0.50", "0")
)
Q2_PRO = by(_720p=("0.10", "0.05"), _1080p=("0.30", "0.10"))
Q2_TURBO = by(_720p=("0", "0.05"), _1080p=("0.20", "0.05"))
# 360p and 520p are unknown: the highest flat price of the siblings.
Q2_TEXT = by(any=("0.30", "0"), _1080p=("0.20", "0.10"))
Q2_REFERENCE = by(_540p=("0.20", "0"), _720p=("0.30", "0"), _1080p=("0.20", "0.10"))
Q2_EXTENSION = by(_720p=("0", "0.075"), _1080p=("0.28", "0.075"))
Q3 = by(_360p=("0", "0.07"), _540p=("0", "0.07"), any=("0", "0.154"))
Q3_TURBO = by(_360p=("0", "0.035"), _540p=("0", "0.035"), any=("0", "0.077"))
Q4 = by(
    _540p=("0", "0.045"),
    _720p=("0", "0.095"),
    _1080p=("0", "0.12"),
    _2K=("0", "0.19"),
    _4K=("0", "0.39"),
)

ENDPOINTS: Mapping[str, Endpoint] = {
    "fal-ai/vidu/image-to-video": Endpoint(schemas.ImageToVideo, flat("0.20")),
    "fal-ai/vidu/start-end-to-video": Endpoint(schemas.StartEndToVideo, flat("0.20")),
    "fal-ai/vidu/reference-to-video": Endpoint(
        schemas.ReferenceToVideo,
        flat("0.40"),
        rules=(rules.count("reference_image_urls", 1, 3),),
    ),
    "fal-ai/vidu/template-to-video": Endpoint(
        schemas.TemplateToVideo, TEMPLATES, rules=(rules.images_of_template,)
    ),
    "fal-ai/vidu/reference-to-image": Endpoint(
        schemas.ReferenceToImage,
        flat("0.10"),
        output="image",
        rules=(rules.count("reference_image_urls", 1, 7),),
    ),
    "fal-ai/vidu/q1/image-to-video": Endpoint(
        schemas.ImageToVideo, flat("0.40"), seconds=5, resolution="1080p"
    ),
    "fal-ai/vidu/q1/start-end-to-video": Endpoint(
        schemas.StartEndToVideo, flat("0.40"), seconds=5, resolution="1080p"
    ),
    "fal-ai/vidu/q1/reference-to-video": Endpoint(
        schemas.Q1ReferenceToVideo,
        flat("0.40"),
        seconds=5,
        resolution="1080p",
        rules=(rules.count("reference_image_urls", 1, 7),),
    ),
    "fal-ai/vidu/q1/text-to-video": Endpoint(
        schemas.Q1TextToVideo, flat("0.40"), seconds=5, resolution="1080p"
    ),
    "fal-ai/vidu/q2/image-to-video/pro": Endpoint(
        schemas.Q2ImageToVideo, Q2_PRO, rules=(rules.music_in_four_seconds,)
    ),
    "fal-ai/vidu/q2/image-to-video/turbo": Endpoint(
        schemas.Q2ImageToVideo, Q2_TURBO, rules=(rules.music_in_four_seconds,)
    ),
    "fal-ai/vidu/q2/text-to-video": Endpoint(
        schemas.Q2TextToVideo, Q2_TEXT, rules=(rules.music_in_four_seconds,)
    ),
    "fal-ai/vidu/q2/reference-to-video/pro": Endpoint(
        schemas.Q2ReferenceToVideo,
        Q2_REFERENCE,
        rules=(
            rules.images_beside_videos,
            rules.count("reference_video_urls", 0, 2),
            rules.free_aspect_ratio,
        ),
    ),
    "fal-ai/vidu/q2/video-extension/pro": Endpoint(
        schemas.Q2VideoExtension, Q2_EXTENSION, extends=True
    ),
    "fal-ai/vidu/q2/text-to-image": Endpoint(schemas.Q2TextToImage, flat("0.10"), output="image"),
    "fal-ai/vidu/q2/reference-to-image": Endpoint(
        schemas.ReferenceToImage,
        flat("0.10"),
        output="image",
        rules=(rules.count("reference_image_urls", 1, 7),),
    ),
    "fal-ai/vidu/q3/image-to-video": Endpoint(
        schemas.Q3ImageToVideo, Q3, rules=(rules.end_image_above_360p,)
    ),
    "fal-ai/vidu/q3/image-to-video/turbo": Endpoint(
        schemas.Q3ImageToVideo, Q3_TURBO, rules=(rules.end_image_above_360p,)
    ),
    "fal-ai/vidu/q3/text-to-video": Endpoint(schemas.Q3TextToVideo, Q3),
    "fal-ai/vidu/q3/text-to-video/turbo": Endpoint(schemas.Q3TextToVideo, Q3_TURBO),
    "fal-ai/vidu/q3/reference-to-video/mix": Endpoint(
        schemas.Q3ReferenceToVideo, Q3, rules=(rules.count("reference_image_urls", 1, 4),)
    ),
    "fal-ai/vidu/q4/image-to-video": Endpoint(
        schemas.Q4ImageToVideo, Q4, has_sound=True, echoes_seed=True
    ),
    "fal-ai/vidu/q4/reference-to-video": Endpoint(schemas.Q4ReferenceToVideo, Q4, echoes_seed=True),
}
