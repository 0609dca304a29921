"""The hash of a clip's packets, which its metadata does not change."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import CorruptClipError
from .container import open_clip


def hash_packets(path: Path) -> str | None:
    """Return the SHA-256 over the packets of a clip's streams, in hex digits.

    It is the same for a file that was written again with other metadata or another index.

    Args:
        path: The clip.

    Returns:
        The hash, or None when the file is not a video.
    """
    import av

    try:
        with open_clip(path) as container:
            streams = [stream for stream in container.streams if stream.type in ("video", "audio")]
            digests = {stream.index: hashlib.sha256(stream.type.encode()) for stream in streams}
            for packet in container.demux(streams):
                digests[packet.stream_index].update(bytes(packet))
    except (av.FFmpegError, CorruptClipError, OSError):
        return None
    return hashlib.sha256(b"".join(digest.digest() for digest in digests.values())).hexdigest()
