"""The least input of each of local_fal's 23 endpoints, and what it makes and costs."""

from __future__ import annotations

import base64
import io
from typing import Any

import av
import numpy as np
from PIL import Image

from .media import mp3_tone

QUEUE = "https://queue.fal.run"
APP = "fal-ai/vidu"


def data_uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64," + base64.b64encode(data).decode()


def picture(size: tuple[int, int] = (64, 36)) -> str:
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(file, "PNG")
    return data_uri(file.getvalue(), "image/png")


def video(seconds: float) -> str:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", 24)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for _ in range(round(seconds * 24)):
            frame = av.VideoFrame.from_ndarray(np.full((36, 64, 3), 90, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return data_uri(file.getvalue(), "video/mp4")


def voice(seconds: float) -> str:
    return data_uri(mp3_tone(seconds), "audio/mpeg")


P, IMAGE, IMAGES = {"prompt": "a wave"}, {"image_url": picture()}, [picture(), picture((48, 48))]
START_END = {"start_image_url": IMAGES[0], "end_image_url": IMAGES[1]}
REFERENCES = {"reference_image_urls": IMAGES}

# What each endpoint needs, at least: its input, and seconds (0 for a still), size, price in US$.
LEAST: dict[str, tuple[dict[str, Any], int, tuple[int, int], float]] = {
    "image-to-video": (P | IMAGE, 4, (1280, 720), 0.20),
    "start-end-to-video": (P | START_END, 4, (1280, 720), 0.20),
    "reference-to-video": (P | REFERENCES, 4, (1280, 720), 0.40),
    "template-to-video": ({"input_image_urls": IMAGES[:1]}, 4, (1280, 720), 0.20),
    "reference-to-image": (P | REFERENCES, 0, (1280, 720), 0.10),
    "q1/image-to-video": (P | IMAGE, 5, (1920, 1080), 0.40),
    "q1/start-end-to-video": (P | START_END, 5, (1920, 1080), 0.40),
    "q1/reference-to-video": (P | REFERENCES, 5, (1920, 1080), 0.40),
    "q1/text-to-video": (P, 5, (1920, 1080), 0.40),
    "q2/image-to-video/pro": (P | IMAGE, 4, (1280, 720), 0.30),
    "q2/image-to-video/turbo": (P | IMAGE, 4, (1280, 720), 0.20),
    "q2/text-to-video": (P, 4, (1280, 720), 0.30),
    "q2/reference-to-video/pro": (P, 4, (1280, 720), 0.30),
    "q2/video-extension/pro": ({"video_url": video(2)}, 4, (1280, 720), 0.45),
    "q2/text-to-image": (P, 0, (1280, 720), 0.10),
    "q2/reference-to-image": (P | REFERENCES, 0, (1280, 720), 0.10),
    "q3/image-to-video": (IMAGE, 5, (1280, 720), 0.77),
    "q3/image-to-video/turbo": (IMAGE, 5, (1280, 720), 0.385),
    "q3/text-to-video": (P, 5, (1280, 720), 0.77),
    "q3/text-to-video/turbo": (P, 5, (1280, 720), 0.385),
    "q3/reference-to-video/mix": (P | REFERENCES, 5, (1280, 720), 0.77),
    "q4/image-to-video": (IMAGE, 5, (1280, 720), 0.475),
    "q4/reference-to-video": (P, 5, (1280, 720), 0.475),
}
