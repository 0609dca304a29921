"""A clip into frames: this pack, the plain exact loop, ComfyUI's own loader, VideoHelperSuite's.

Run `python -m benchmarks.decode [--rounds N] [--only 720|1080] [--detail]`. ComfyUI is measured
when COMFYUI_PATH, and COMFYUI_PYTHON if need be, say where it is. VideoHelperSuite is measured when
VHS_PATH says where its repository is as well, and COMFYUI_PYTHON has OpenCV.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from benchmarks._measure import ROUNDS, race, run, table
from benchmarks._table import print_figure, print_ratio

SIZES = {"720": (1280, 720, 96), "1080": (1920, 1080, 192)}
FASTER_THAN_EXACT = 1.4
FASTER_THAN_COMFYUI = {"720": 1.3, "1080": 2.5}
MORE_MEMORY, MORE_MB = 1.08, 80
EXACT = 0x2 | 0x2000 | 0x40000  # swscale: bilinear, full chroma interpolation, accurate rounding


def this_pack() -> Callable[[str], object]:
    from vidu.media.video import decode

    return lambda clip: decode(Path(clip))


def comfyui() -> Callable[[str], object]:
    sys.path.insert(0, os.environ["COMFYUI_PATH"])
    sys.argv = sys.argv[:1]  # ComfyUI reads the arguments of whoever imports it
    from comfy_api.latest import InputImpl

    return lambda clip: InputImpl.VideoFromFile(clip).get_components()


def video_helper_suite() -> Callable[[str], object]:
    sys.path.insert(0, os.environ["COMFYUI_PATH"])
    sys.argv = sys.argv[:1]
    from comfy.cli_args import args

    args.cpu = True
    import server

    server.PromptServer(asyncio.new_event_loop())  # the package asks for its queue
    sys.path.append(os.environ["VHS_PATH"])
    from videohelpersuite.load_video_nodes import LoadVideoPath

    every = {"force_rate": 0, "custom_width": 0, "custom_height": 0, "frame_load_cap": 0}
    every |= {"skip_first_frames": 0, "select_every_nth": 1}
    return lambda clip: LoadVideoPath().load_video(video=clip, **every)


def exact_loop() -> Callable[[str], object]:
    def load(clip: str) -> np.ndarray:
        with av.open(clip) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            frames = np.empty((stream.frames, stream.height, stream.width, 3), np.float32)
            for frame, place in zip(container.decode(stream), frames, strict=True):
                rgb = frame.reformat(format="rgb24", interpolation=EXACT).to_ndarray()
                np.divide(rgb, np.float32(255), out=place)
        return frames

    return load


def decoding_only() -> Callable[[str], object]:
    def load(clip: str) -> None:
        with av.open(clip) as container:
            container.streams.video[0].thread_type = "AUTO"
            for _ in container.decode(video=0):
                pass

    return load


LOADERS = {
    "this pack": this_pack,
    "plain exact loop": exact_loop,
    "ComfyUI get_components": comfyui,
    "VideoHelperSuite": video_helper_suite,
    "libav alone, no frames": decoding_only,
}


NEEDED = {"ComfyUI get_components": "COMFYUI_PATH", "VideoHelperSuite": "VHS_PATH"}
OTHERS = [name for name, variable in NEEDED.items() if variable in os.environ]
"""Loaders of others that are at hand."""


def command_of(loader: str, clip: Path) -> list[str]:
    """Return the command line that measures one run of a loader."""
    python = (
        os.environ.get("COMFYUI_PYTHON", sys.executable) if loader in OTHERS else sys.executable
    )
    return [python, "-m", "benchmarks.decode", "--load", loader, str(clip)]


def make_clip(path: Path, width: int, height: int, frames: int) -> None:
    """H.264 as it comes from a camera: moving gradients under noise, crf 23."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 6, (height, width, 1)).astype(np.float32)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 24, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_type = "FRAME"
        stream.codec_context.colorspace = stream.codec_context.color_range = 1
        for index in range(frames):
            slopes = (
                np.sin((columns + 7 * index) / width * 6),
                np.sin((rows + 5 * index) / height * 6 + 1),
                np.sin((columns + rows - 9 * index) / width * 5),
            )
            picture = (
                128 + 100 * np.stack(slopes, -1) + np.roll(noise, (3 * index, 5 * index), (0, 1))
            )
            frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), "rgb24")
            coded = frame.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)
            container.mux(stream.encode(coded))
        container.mux(stream.encode(None))


def compare(size: str, folder: Path, rounds: int, detail: bool) -> None:
    width, height, frames = SIZES[size]
    clip = folder / f"{size}.mp4"
    make_clip(clip, width, height, frames)
    for name in NEEDED.keys() - OTHERS:
        print(f"{NEEDED[name]} is not set: {name} is not measured.", file=sys.stderr)
    names = [name for name in LOADERS if name in OTHERS or name not in NEEDED]
    commands = {name: command_of(name, clip) for name in names}
    result_mb = width * height * 3 * 4 * frames / 1e6
    figures = race(commands, rounds, warm_bytes=int(2.1e6 * result_mb))
    ours = figures["this pack"]["wall s"]
    for each in figures.values():
        each["x result"] = each["peak MB"] / result_mb
        each["this pack is faster by"] = each["wall s"] / ours
    if detail:
        table(f"{width}x{height}, {frames} frames ({result_mb:.0f} MB)", figures)
        return
    what, peak_mb = f"decode: {width}x{height}, {frames} frames", figures["this pack"]["peak MB"]
    at_least = {
        "plain exact loop": FASTER_THAN_EXACT,
        "ComfyUI get_components": FASTER_THAN_COMFYUI[size],
    }
    for name in [name for name in at_least if name in figures]:
        print_ratio(what, ours, figures[name]["wall s"], name, at_least=at_least[name])
    most_mb = MORE_MEMORY * result_mb + MORE_MB
    note = f"the result is {result_mb:.0f} MB"
    print_figure(f"{what}, peak memory", peak_mb, "MB", at_most=round(most_mb), note=note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=SIZES)
    parser.add_argument("--detail", action="store_true", help="all figures, as Markdown")
    parser.add_argument("--load", nargs=2, metavar=("LOADER", "CLIP"), help="one run, in a child")
    arguments = parser.parse_args()
    if arguments.load:
        loader, clip = arguments.load
        load = LOADERS[loader]()
        run(lambda: load(clip))
        return
    with tempfile.TemporaryDirectory() as folder:
        for size in [arguments.only] if arguments.only else SIZES:
            compare(size, Path(folder), arguments.rounds, arguments.detail)


if __name__ == "__main__":
    main()
