"""The graph's IMAGE, VIDEO and AUDIO as what is uploaded, and saved files as those."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comfy_api.latest import Input, InputImpl
from numpy.typing import NDArray
from PIL import Image

from ...vidu.media.medium import Medium


def single_images(images: Iterable[torch.Tensor | None]) -> list[torch.Tensor | None]:
    """Return each picture of a list of IMAGE batches as an IMAGE of its own, without a copy.

    None, which stands for a shot without a picture, stays None.
    """
    singles: list[torch.Tensor | None] = []
    for image in images:
        if image is None:
            singles.append(None)
        else:
            singles += [image[index : index + 1] for index in range(len(image))]
    return singles


def batch_to_arrays(image: torch.Tensor) -> list[NDArray[np.float32]]:
    """Return each picture of an IMAGE batch as float32 [H, W, C]."""
    return list(image.detach().to(device="cpu", dtype=torch.float32).numpy())


def as_image(frames: NDArray[np.float32]) -> torch.Tensor:
    """Return float32 [N, H, W, 3] as an IMAGE, without a copy."""
    return torch.from_numpy(frames)


def as_video(path: Path) -> InputImpl.VideoFromFile:
    """Return the file as a VIDEO."""
    return InputImpl.VideoFromFile(str(path))


def read_image(path: Path) -> torch.Tensor:
    """Return a saved still as an IMAGE of one picture."""
    with Image.open(path) as file:
        pixels = np.asarray(file.convert("RGB"), np.float32) / np.float32(255)
    return as_image(pixels[np.newaxis])


def read_audio(path: Path, duration_s: float) -> dict[str, Any]:
    """Return the sound of a clip as AUDIO, or silence as long as the clip; blocks."""
    from ...vidu.media.audio import decode_audio

    audio = decode_audio(path, duration_s)
    return {
        "waveform": torch.from_numpy(audio.samples)[None],
        "sample_rate": audio.sample_rate,
    }


def to_media(value: Any) -> list[NDArray[np.float32] | Medium]:
    """Return what one value of the graph holds: pictures as pixels, the rest encoded; blocks."""
    if value is None:
        return []
    if isinstance(value, torch.Tensor):
        return [*batch_to_arrays(value)]
    if isinstance(value, Input.Video):
        return [_encode_video(value)]
    return [*_encode_audio(value)]


def _encode_audio(value: dict[str, Any]) -> list[Medium]:
    from ...vidu.media.audio import Audio, encode_audio

    waveforms = value["waveform"].detach().to(device="cpu", dtype=torch.float32).numpy()
    return [encode_audio(Audio(samples, int(value["sample_rate"]))) for samples in waveforms]


def _encode_video(video: Input.Video) -> Medium:
    from ...vidu.media.video_file import load_video, load_video_part

    if not isinstance(video, InputImpl.VideoFromFile):
        return _encode_components(video)
    source, window = video.get_stream_source(), _trim_window(video)
    if isinstance(source, str) and not any(window):
        return load_video(Path(source))
    with tempfile.TemporaryDirectory() as folder:
        whole, part = Path(folder, "whole"), Path(folder, "part.mp4")
        if isinstance(source, str):
            whole = Path(source)
        else:
            whole.write_bytes(source.getvalue())
        if any(window):
            video.save_to(str(part))
        return load_video_part(part if any(window) else whole, whole, window)


def _encode_components(video: Input.Video) -> Medium:
    """Return a video that no file holds: the host would encode it again in each run."""
    from ...vidu.media.audio import Audio
    from ...vidu.media.video_file import encode_video

    parts = video.get_components()
    sound = None
    if parts.audio is not None:
        samples = parts.audio["waveform"][0].detach().cpu().to(torch.float32).numpy()
        sound = Audio(samples, int(parts.audio["sample_rate"]))
    frames = parts.images.detach().to(device="cpu", dtype=torch.float32).numpy()
    return encode_video(frames, float(parts.frame_rate), sound)


def _trim_window(video: InputImpl.VideoFromFile) -> tuple[float, float]:
    """Return start and length of what a video shows of its file, in seconds; 0 is all."""
    if hasattr(video, "get_active_trim_window"):
        start, duration = video.get_active_trim_window()
    else:  # ComfyUI 0.20 keeps them to itself
        hidden = vars(video)
        start = hidden["_VideoFromFile__start_time"]
        duration = hidden["_VideoFromFile__duration"]
    return float(start), float(duration)
