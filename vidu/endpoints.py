"""fal's 23 documented Vidu endpoints as frozen values.

The facts are held against a copy of fal's schemas and price pages in tests/core/test_endpoints.py.
To add an endpoint: write its value here, offer it in `catalog.py`, and add its facts to the test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

from .endpoint import Endpoint
from .fields import Choice, MediaField, Ratio, Switch, Text, WholeNumber
from .pricing import ANY, PriceTable, Rate, flat, rates
from .rules import (
    end_image_of_similar_aspect,
    four_images_beside_videos,
    images_of_the_template,
    music_only_for_four_seconds,
    no_360p_with_an_end_image,
)
from .templates import TEMPLATE_TIERS, TEMPLATES

PAGE = "fal.ai/models/fal-ai/vidu/"
THIRD_PARTY = "public third-party files"

LENGTH = "Length of the clip in seconds."
SIZE = "Size of the clip. More pixels cost more."
SHAPE = "Shape of the picture, width to height."
SOUND = "The model makes sound with the clip: speech, effects. It costs nothing more."

AMPLITUDE = Choice(
    "movement_amplitude",
    ("auto", "small", "medium", "large"),
    "auto",
    "How much the things in the frame move.",
)
ASPECT_2 = Choice("aspect_ratio", ("16:9", "9:16"), "16:9", SHAPE)
ASPECT_3 = Choice("aspect_ratio", ("16:9", "9:16", "1:1"), "16:9", SHAPE)
ASPECT_5 = Choice("aspect_ratio", ("16:9", "9:16", "4:3", "3:4", "1:1"), "16:9", SHAPE)
ANY_ASPECT = Ratio("aspect_ratio", ("auto", "16:9", "9:16", "1:1", "4:3", "3:4"), "16:9", SHAPE)
RESOLUTION_Q2 = Choice("resolution", ("720p", "1080p"), "720p", SIZE)
RESOLUTION_Q3 = Choice("resolution", ("360p", "540p", "720p", "1080p"), "720p", SIZE)
RESOLUTION_Q4 = Choice("resolution", ("540p", "720p", "1080p", "2K", "4K"), "720p", SIZE)
DURATION_Q2 = WholeNumber("duration", 2, 8, 4, LENGTH)
DURATION_Q3 = WholeNumber("duration", 1, 16, 5, LENGTH)
DURATION_Q4 = WholeNumber("duration", 3, 16, 5, LENGTH)
AUDIO = Switch("audio", True, SOUND)
BGM = Switch("bgm", False, "Adds background music.")
STYLE = Choice("style", ("general", "anime"), "general", "General, or drawn as anime.")
TEMPLATE = Choice(
    "template",
    TEMPLATES,
    "hug",
    "The effect. Most take one image; dynasty_dress takes 1 or 2, wish_sender 3.",
)

IMAGE = MediaField("image_url", "image")
START_IMAGE = MediaField("start_image_url", "image")
END_IMAGE = MediaField("end_image_url", "end_image")
OPTIONAL_END_IMAGE = replace(END_IMAGE, least=0)
IMAGES = MediaField("reference_image_urls", "images", is_list=True, most=7)

PROMPT = Text(1500)

PRICE_Q3 = PriceTable(
    rates({"360p": ("0", "0.07"), "540p": ("0", "0.07"), ANY: ("0", "0.154")}),
    PAGE + "q3/image-to-video/llms.txt",
    "2026-10-04",
    by="resolution",
)
PRICE_Q3_TURBO = PriceTable(
    rates({"360p": ("0", "0.035"), "540p": ("0", "0.035"), ANY: ("0", "0.077")}),
    THIRD_PARTY + ": half of Q3",
    "2026-10-04",
    by="resolution",
)
PRICE_Q4 = PriceTable(  # without the discount of 30 % that ends on 2026-11-30
    rates(
        {
            "540p": ("0", "0.045"),
            "720p": ("0", "0.095"),
            "1080p": ("0", "0.12"),
            "2K": ("0", "0.19"),
            "4K": ("0", "0.39"),
        }
    ),
    PAGE + "q4/image-to-video, as three third parties read it",
    "2026-10-08",
    by="resolution",
)

VIDU_IMAGE_TO_VIDEO = Endpoint(
    "fal-ai/vidu/image-to-video",
    "Vidu",
    PriceTable(flat("0.20"), PAGE + "image-to-video/llms.txt", "2026-06-11"),
    PROMPT,
    fields=(AMPLITUDE,),
    media=(IMAGE,),
    seconds=4,
)

VIDU_START_END_TO_VIDEO = Endpoint(
    "fal-ai/vidu/start-end-to-video",
    "Vidu",
    PriceTable(flat("0.20"), PAGE + "start-end-to-video/llms.txt"),
    PROMPT,
    fields=(AMPLITUDE,),
    media=(START_IMAGE, END_IMAGE),
    seconds=4,
    rules=(end_image_of_similar_aspect,),
)

VIDU_REFERENCE_TO_VIDEO = Endpoint(
    "fal-ai/vidu/reference-to-video",
    "Vidu",
    PriceTable(flat("0.40"), PAGE + "reference-to-video/llms.txt"),
    PROMPT,
    fields=(ASPECT_3, AMPLITUDE),
    # The schema has no limits; these are Vidu 2.0's in the documents of two resellers.
    media=(replace(IMAGES, most=3, min_side=128),),
    seconds=4,
)

TEMPLATE_TO_VIDEO = Endpoint(
    "fal-ai/vidu/template-to-video",
    "Vidu",
    PriceTable(
        MappingProxyType(
            {
                **{name: Rate(Decimal(usd)) for name, usd in TEMPLATE_TIERS.items()},
                ANY: Rate(Decimal("0.50"), is_upper_bound=True),
            }
        ),
        PAGE + "template-to-video/llms.txt",
        by="template",
    ),
    fields=(TEMPLATE, ASPECT_2),
    media=(MediaField("input_image_urls", "images", is_list=True, most=3),),
    seconds=4,
    rules=(images_of_the_template,),
)

VIDU_REFERENCE_TO_IMAGE = Endpoint(
    "fal-ai/vidu/reference-to-image",
    "Vidu",
    PriceTable(flat("0.10"), PAGE + "reference-to-image/llms.txt"),
    PROMPT,
    fields=(ASPECT_3,),
    media=(IMAGES,),  # most images: unknown at fal, 7 in Vidu's documents of Q1
    output="image",
    resolution="1080p",
)

Q1_IMAGE_TO_VIDEO = Endpoint(
    "fal-ai/vidu/q1/image-to-video",
    "Q1",
    PriceTable(flat("0.40"), PAGE + "q1/image-to-video/llms.txt"),
    PROMPT,
    fields=(AMPLITUDE,),
    media=(IMAGE,),
    seconds=5,
    resolution="1080p",
)

Q1_START_END_TO_VIDEO = Endpoint(
    "fal-ai/vidu/q1/start-end-to-video",
    "Q1",
    PriceTable(flat("0.40"), "no copy of fal's page was found"),
    PROMPT,
    fields=(AMPLITUDE,),
    media=(START_IMAGE, END_IMAGE),
    seconds=5,
    resolution="1080p",
    rules=(end_image_of_similar_aspect,),
)

Q1_REFERENCE_TO_VIDEO = Endpoint(
    "fal-ai/vidu/q1/reference-to-video",
    "Q1",
    PriceTable(flat("0.40"), PAGE + "q1/reference-to-video/llms.txt"),
    PROMPT,
    fields=(ASPECT_3, BGM, AMPLITUDE),
    media=(IMAGES,),
    seconds=5,
    resolution="1080p",
)

Q1_TEXT_TO_VIDEO = Endpoint(
    "fal-ai/vidu/q1/text-to-video",
    "Q1",
    PriceTable(flat("0.40"), PAGE + "q1/text-to-video/llms.txt"),
    PROMPT,
    fields=(ASPECT_3, AMPLITUDE, STYLE),
    seconds=5,
    resolution="1080p",
)

Q2_IMAGE_TO_VIDEO_PRO = Endpoint(
    "fal-ai/vidu/q2/image-to-video/pro",
    "Q2 Pro",
    PriceTable(
        rates({"720p": ("0.10", "0.05"), "1080p": ("0.30", "0.10")}),
        PAGE + "q2/image-to-video/pro/llms.txt",
        "2026-10-04",
        by="resolution",
    ),
    Text(3000),
    fields=(DURATION_Q2, RESOLUTION_Q2, BGM, AMPLITUDE),
    media=(IMAGE, OPTIONAL_END_IMAGE),
    rules=(music_only_for_four_seconds, end_image_of_similar_aspect),
)

Q2_IMAGE_TO_VIDEO_TURBO = replace(
    Q2_IMAGE_TO_VIDEO_PRO,
    id="fal-ai/vidu/q2/image-to-video/turbo",
    model="Q2 Turbo",
    price=PriceTable(
        rates({"720p": ("0", "0.05"), "1080p": ("0.20", "0.05")}),
        THIRD_PARTY,
        "2026-10-04",
        by="resolution",
    ),
)

Q2_TEXT_TO_VIDEO = Endpoint(
    "fal-ai/vidu/q2/text-to-video",
    "Q2",
    PriceTable(
        MappingProxyType(
            {
                **rates({"720p": ("0.30", "0"), "1080p": ("0.20", "0.10")}),
                ANY: Rate(Decimal("0.30"), is_upper_bound=True),  # 360p, 520p: no more than 720p
            }
        ),
        THIRD_PARTY,
        by="resolution",
    ),
    Text(3000),
    fields=(
        DURATION_Q2,
        replace(RESOLUTION_Q2, values=("360p", "520p", "720p", "1080p")),
        ASPECT_3,
        BGM,
        AMPLITUDE,
    ),
    rules=(music_only_for_four_seconds,),
)

Q2_REFERENCE_TO_VIDEO_PRO = Endpoint(
    "fal-ai/vidu/q2/reference-to-video/pro",
    "Q2 Pro",
    PriceTable(
        rates({"540p": ("0.20", "0"), "720p": ("0.30", "0"), "1080p": ("0.20", "0.10")}),
        THIRD_PARTY + ": one source",
        "2026-05-09",
        by="resolution",
    ),
    Text(2000),
    fields=(
        replace(DURATION_Q2, least=1),
        replace(RESOLUTION_Q2, values=("540p", "720p", "1080p")),
        ANY_ASPECT,
        BGM,
        AMPLITUDE,
    ),
    media=(
        replace(IMAGES, least=0),
        MediaField("reference_video_urls", "videos", "video", is_list=True, least=0, most=2),
    ),
    rules=(four_images_beside_videos,),
)

Q2_VIDEO_EXTENSION_PRO = Endpoint(
    "fal-ai/vidu/q2/video-extension/pro",
    "Q2 Pro",
    PriceTable(
        rates({"720p": ("0", "0.075"), "1080p": ("0.28", "0.075")}),
        PAGE + "q2/video-extension/pro/llms.txt",
        by="resolution",
        charges_input_seconds=True,  # "video second": of the extension or the result, is not said
    ),
    Text(3000, is_required=False),
    fields=(replace(DURATION_Q2, most=7), RESOLUTION_Q2),
    # Vidu's own API takes 4 to 55 s, says ComfyUI's own node; fal does not say.
    media=(MediaField("video_url", "video", "video", min_s=4.0, max_s=55.0),),
)

Q2_TEXT_TO_IMAGE = Endpoint(
    "fal-ai/vidu/q2/text-to-image",
    "Q2",
    PriceTable(flat("0.10"), PAGE + "q2/text-to-image/llms.txt"),
    PROMPT,
    fields=(ASPECT_3,),
    output="image",
    resolution="1080p",
)

Q2_REFERENCE_TO_IMAGE = Endpoint(
    "fal-ai/vidu/q2/reference-to-image",
    "Q2",
    PriceTable(flat("0.10"), "lumenfall.ai/models/shengshu-technology/vidu-q2 (a reseller)"),
    PROMPT,
    fields=(ASPECT_3,),
    media=(IMAGES,),  # most images: 7 in Vidu's documents, 3 at a reseller, unknown at fal
    output="image",
    resolution="1080p",
)

Q3_IMAGE_TO_VIDEO = Endpoint(
    "fal-ai/vidu/q3/image-to-video",
    "Q3",
    PRICE_Q3,
    Text(2000, is_required=False),
    fields=(DURATION_Q3, RESOLUTION_Q3, AUDIO),
    media=(IMAGE, OPTIONAL_END_IMAGE),
    rules=(no_360p_with_an_end_image, end_image_of_similar_aspect),
)

Q3_IMAGE_TO_VIDEO_TURBO = replace(
    Q3_IMAGE_TO_VIDEO,
    id="fal-ai/vidu/q3/image-to-video/turbo",
    model="Q3 Turbo",
    price=PRICE_Q3_TURBO,
)

Q3_TEXT_TO_VIDEO = Endpoint(
    "fal-ai/vidu/q3/text-to-video",
    "Q3",
    replace(PRICE_Q3, source=PAGE + "q3/text-to-video/llms.txt", date=None),
    Text(2000),
    fields=(DURATION_Q3, RESOLUTION_Q3, ASPECT_5, AUDIO),
)

Q3_TEXT_TO_VIDEO_TURBO = replace(
    Q3_TEXT_TO_VIDEO,
    id="fal-ai/vidu/q3/text-to-video/turbo",
    model="Q3 Turbo",
    price=replace(
        PRICE_Q3_TURBO,
        source=PAGE + "q3/text-to-video/turbo, as a third party quotes it",
        date=None,
    ),
)

Q3_REFERENCE_TO_VIDEO_MIX = Endpoint(
    "fal-ai/vidu/q3/reference-to-video/mix",
    "Q3 Mix",
    replace(PRICE_Q3, source=PAGE + "q3/reference-to-video/mix/llms.txt", date=None),
    Text(2000),
    fields=(DURATION_Q3, RESOLUTION_Q3, ASPECT_5, AUDIO),
    media=(replace(IMAGES, most=4),),
)

Q4_IMAGE_TO_VIDEO = Endpoint(
    "fal-ai/vidu/q4/image-to-video",
    "Q4",
    PRICE_Q4,
    Text(5000, is_required=False),
    fields=(DURATION_Q4, RESOLUTION_Q4),
    media=(replace(IMAGE, max_bytes=50_000_000),),
    always_has_sound=True,
)

Q4_REFERENCE_TO_VIDEO = Endpoint(
    "fal-ai/vidu/q4/reference-to-video",
    "Q4",
    PRICE_Q4,
    Text(5000),
    fields=(DURATION_Q4, RESOLUTION_Q4, ASPECT_5, replace(AUDIO, default=False)),
    media=(
        replace(IMAGES, least=0, most=12, max_bytes=50_000_000),
        MediaField(
            "reference_audio_urls",
            "voices",
            "audio",
            is_list=True,
            least=0,
            most=3,
            min_s=3.0,
            max_s=12.0,
            max_bytes=50_000_000,
        ),
    ),
)

ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {value.id: value for value in tuple(globals().values()) if isinstance(value, Endpoint)}
)
"""Every endpoint that this pack knows, by its id."""
