"""The encoding of frames and sound to an mp4 file: H.264, BT.709, AAC."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..command_line import pip_command
from ..errors import ViduError

if TYPE_CHECKING:
    from av.audio import AudioStream
    from av.container import OutputContainer

    from .audio import Audio

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


def write_mp4(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    size: tuple[int, int],
    fps: Fraction | int,
    audio: Audio | None = None,
) -> None:
    """Write an mp4, index first.

    It is yuv420p, or yuv444p where a side is odd, which 4:2:0 cannot hold.

    Args:
        path: Where; what is there is replaced.
        frames: uint8 [H, W, 3], RGB, one after the other.
        size: Their width and height in pixels.
        fps: Frames per second.
        audio: The sound, as AAC; none when None.

    Raises:
        ViduError: PyAV has no H.264 encoder here.
    """
    import av

    encoder = h264_encoder()
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream(encoder, fps, options=ENCODERS[encoder])
        assert isinstance(stream, av.VideoStream)
        sound = _add_sound(container, audio) if audio else None
        context = stream.codec_context
        context.thread_type = "FRAME"
        context.width, context.height = size
        context.pix_fmt = "yuv420p" if size[0] % 2 == size[1] % 2 == 0 else "yuv444p"
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            coded = frame.reformat(
                format=context.pix_fmt, dst_colorspace=BT709, dst_color_range=LIMITED_RANGE
            )
            container.mux(stream.encode(coded))
        container.mux(stream.encode(None))
        if audio and sound:
            for part in (audio.to_frame(), None):
                container.mux(sound.encode(part))


def h264_encoder() -> str:
    """Return the name of the H.264 encoder that PyAV has here.

    Raises:
        ViduError: It has none.
    """
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    for name in ENCODERS:
        try:
            return Codec(name, "w").name
        except UnknownCodecError:
            continue
    raise ViduError(
        "PyAV has no H.264 encoder here.",
        f"Install its wheel from PyPI: {pip_command('av', '14.2')}",
    )


def _add_sound(container: OutputContainer, audio: Audio) -> AudioStream:
    return container.add_stream("aac", audio.sample_rate, layout=audio.layout)
