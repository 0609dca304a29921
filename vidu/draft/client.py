"""A free local stand-in for the provider: a clip rendered from the first frame."""

from __future__ import annotations

import io
import math
import threading
import uuid
from collections.abc import Awaitable, Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..endpoint import Endpoint
from ..errors import ViduError
from ..media.medium import Medium
from ..media.video import DecodeCancelledError, never
from ..models import Output, RequestHandle
from ..progress import Phase, Progress, ProgressCallback
from ..provider import CancelReply, Completed, JobStatus
from ..threads import run_in_thread_until_done
from .ken_burns import Move, render_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

AREA = 1280 * 720
"""Vidu keeps the area and lets the sides follow the image: 1280x720, 1104x816, 960x960."""

BT709 = 1
"""The number of BT.709 as matrix, primaries and transfer (ITU-T H.273)."""

LIMITED_RANGE = 1
"""AVCOL_RANGE_MPEG: luma 16..235."""

ENCODERS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "veryfast", "crf": "20", "mbtree": "0"},
    "libopenh264": {},
    "h264_videotoolbox": {},
    "h264_mf": {},
}
"""H.264 encoders in the order they are looked for, each with its options.

x264's macroblock tree is off: with AVX-512 it chooses other bits in every run.
"""


class Draft:
    """The face of `Fal` with nothing behind it: no key, no network, no cost.

    What is uploaded stays here, a request completes at once, and its clip is rendered when it is
    fetched.
    """

    charges = False
    account = ""

    def __init__(self) -> None:
        self._stills: dict[str, Medium] = {}
        self._requests: dict[str, Mapping[str, Any]] = {}

    async def upload(self, medium: Medium) -> str:
        """Keep the first frame."""
        url = f"draft:{uuid.uuid4().hex}"
        self._stills[url] = medium
        return url

    async def submit(
        self,
        endpoint: Endpoint,
        arguments: Mapping[str, Any],
        *,
        before_sending: Callable[[], Awaitable[None]] | None = None,
    ) -> RequestHandle:
        """Take the request."""
        if before_sending:
            await before_sending()
        request_id = f"draft-{uuid.uuid4().hex}"
        image = next(field.name for field in endpoint.media if field.name in arguments)
        self._requests[request_id] = {"image": arguments[image], **arguments}
        return RequestHandle(request_id, "", "", "")

    async def status(self, handle: RequestHandle) -> JobStatus:
        """Say that it is done."""
        return Completed(failed=False)

    async def result(
        self, handle: RequestHandle, completed: Completed, *, was_running: bool
    ) -> Output:
        """Return where the clip will come from."""
        return Output(handle.request_id)

    def cancel(self, handle: RequestHandle) -> CancelReply:
        """Do nothing: a draft is complete as soon as it is submitted."""
        return CancelReply.COMPLETED

    async def find_lost_request(
        self,
        endpoint_id: str,
        arguments: Mapping[str, Any],
        since: float | None,
        *,
        is_known: Callable[[str], Awaitable[bool]],
    ) -> RequestHandle | None:
        """Find nothing, for nothing is ever lost."""
        return None

    async def find_output(self, endpoint_id: str, handle: RequestHandle) -> Output | None:
        """Find nothing, for nothing is ever lost."""
        return None

    async def server_time(self) -> float | None:
        """Return nothing: no request of a draft outlives its process."""
        return None

    async def download(self, output: Output, part: Path, on_progress: ProgressCallback) -> bool:
        """Render the clip."""
        on_progress(Progress(Phase.GENERATING, "Drawing the draft", 0.5))
        stop = threading.Event()
        await run_in_thread_until_done(self._draw, output, part, stop.is_set, on_cancel=stop.set)
        return True

    def _draw(self, output: Output, part: Path, stop: Callable[[], bool]) -> None:
        arguments = self._requests[output.url]
        try:
            render_clip(
                part,
                _pixels(self._stills[arguments["image"]]),
                seed=arguments.get("seed", 0),
                movement_amplitude=arguments.get("movement_amplitude", "auto"),
                stop=stop,
            )
        except DecodeCancelledError:
            part.unlink(missing_ok=True)
            raise


def _pixels(still: Medium) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(still.data)) as image:
        return np.asarray(image.convert("RGB"))


def render_clip(
    path: Path,
    first_frame: NDArray[np.uint8],
    *,
    seed: int,
    movement_amplitude: str,
    size: tuple[int, int] | None = None,
    fps: Fraction | int = 24,
    frame_count: int = 96,
    watermark: str = "DRAFT",
    stop: Callable[[], bool] = never,
) -> None:
    """Write an H.264 mp4 in which a camera moves over the first frame.

    The stream is BT.709, limited range, and tagged so. It is yuv420p, or yuv444p where a side
    is odd, which 4:2:0 cannot hold.

    Args:
        path: Where the mp4 is written; what is there is replaced.
        first_frame: uint8 [H, W, 3]; frame 0 shows all of it that fits `size`, undistorted.
        seed: Chooses the direction; the same seed renders the same clip.
        movement_amplitude: auto, small, medium or large; auto moves like medium.
        size: Width and height in pixels; by default as Vidu does, see `clip_size`.
        fps: FrameSelection per second.
        frame_count: How many frames, at least 1.
        watermark: Burned into every frame; nothing when empty.
        stop: Asked before each frame; when true, the work ends and leaves half a clip.

    Raises:
        DecodeCancelledError: `stop` said so.
        ViduError: PyAV has no H.264 encoder here.
    """
    import av

    height, width = first_frame.shape[:2]
    size = size or clip_size(width, height)
    move = Move.choose(seed, movement_amplitude)
    encoder = _encoder()
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream(encoder, fps, options=ENCODERS[encoder])
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        context.thread_type = "FRAME"
        context.width, context.height = size
        context.pix_fmt = "yuv420p" if size[0] % 2 == size[1] % 2 == 0 else "yuv444p"
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
        for picture in render_frames(
            Image.fromarray(first_frame), move, size, frame_count, watermark
        ):
            if stop():
                raise DecodeCancelledError
            frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
            coded = frame.reformat(
                format=context.pix_fmt, dst_colorspace=BT709, dst_color_range=LIMITED_RANGE
            )
            container.mux(stream.encode(coded))
        container.mux(stream.encode(None))


def clip_size(width: int, height: int) -> tuple[int, int]:
    """Return the size Vidu gives a clip: 0.92 megapixels in the image's ratio, in steps of 16."""
    return (
        max(16, math.isqrt(AREA * width // height) // 16 * 16),
        max(16, math.isqrt(AREA * height // width) // 16 * 16),
    )


def _encoder() -> str:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    for name in ENCODERS:
        try:
            return Codec(name, "w").name
        except UnknownCodecError:
            continue
    raise ViduError(
        "PyAV has no H.264 encoder here.", "Install its wheel from PyPI: pip install -U av."
    )
