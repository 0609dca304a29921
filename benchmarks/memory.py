"""The memory of a real ComfyUI server after a run, by shots and by what is connected.

Run `python -m benchmarks.memory [--shots N ...] [--only NAME ...]`. Each row is a server of its
own, with local_fal behind it: its resident memory once it is up and has made one shot, which loads
what any run needs; then the same after the shots, and the most in between. Beside it stand
ComfyUI's Load Video with Get Video Components, and VideoHelperSuite's Load Video (Path), which get
as many saved clips of that size. VHS_PATH says where the latter's repository is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._comfyui import clips_of, export_frames, node
from benchmarks._local_fal import behind
from benchmarks._measure import race, table
from benchmarks._server import serving
from benchmarks.decode import make_clip

CLIP = (1280, 720, 96)
SHOTS = (1, 4, 12)
SETTLES_S = 1.0
"""The host collects garbage after a prompt; what is measured is what it keeps."""

Prompt = dict[str, Any]


def shots(picture: Path, count: int) -> Prompt:
    """Return a prompt of so many shots of one picture: pictures would be memory of their own."""
    prompt = clips_of([[picture]])
    lines = "\n".join(f"The beam sweeps over the sea {index} times." for index in range(count))
    prompt["list"] = node("FalViduShots", shots=lines, base_seed=1, duration=4)
    prompt["clips 0"]["inputs"]["prompt"] = ["list", 1]
    return prompt


def save_video(source: list[Any]) -> Prompt:
    return node("SaveVideo", video=source, filename_prefix="saved", format="auto", codec="auto")


CONNECTED: dict[str, Callable[[], Prompt]] = {
    "nothing": dict,
    "video, to Save Video": lambda: {"save": save_video(["clips 0", 2])},
    "last_frame": lambda: {"see": node("GetImageSize", image=["clips 0", 3])},
    "frames": lambda: {"see": node("GetImageSize", image=["clips 0", 0])},
}


def shown(prompt: Prompt) -> Prompt:
    """With a node that shows the size of each image, so that what makes it runs."""
    sizes = [name for name, each in prompt.items() if each["class_type"] == "GetImageSize"]
    return prompt | {f"show {name}": node("PreviewAny", source=[name, 0]) for name in sizes}


def comfyui(clips: list[Path]) -> Prompt:
    prompt: Prompt = {}
    for index, path in enumerate(clips):
        prompt[f"file{index}"] = node("LoadVideo", file=path.name)
        prompt[f"parts{index}"] = node("GetVideoComponents", video=[f"file{index}", 0])
        prompt[f"size{index}"] = node("GetImageSize", image=[f"parts{index}", 0])
    return prompt


def video_helper_suite(clips: list[Path]) -> Prompt:
    every = {"force_rate": 0, "custom_width": 0, "custom_height": 0, "frame_load_cap": 0}
    every |= {"skip_first_frames": 0, "select_every_nth": 1}
    prompt: Prompt = {}
    for index, path in enumerate(clips):
        prompt[f"file{index}"] = node("VHS_LoadVideoPath", video=str(path), **every)
        prompt[f"size{index}"] = node("GetImageSize", image=[f"file{index}", 0])
    return prompt


LOADERS = {"ComfyUI get_components": comfyui, "VideoHelperSuite": video_helper_suite}


def measured(name: str, count: int) -> dict[str, float]:
    """In a child: the memory of a server, before and after."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        inputs = Path(folder, "input")
        (picture,) = export_frames(inputs, 1)
        server.run(clips_of([[picture]]))
        if name in LOADERS:
            clips = [inputs / f"clip{index}.mp4" for index in range(count)]
            for clip in clips:
                make_clip(clip, *CLIP) if clip is clips[0] else clip.hardlink_to(clips[0])
            prompt = LOADERS[name](clips)
        else:
            prompt = shots(picture, count) | CONNECTED[name]()
        time.sleep(SETTLES_S)
        server.forget_peak()
        before = server.memory_mb("VmRSS")
        server.run(shown(prompt))
        time.sleep(SETTLES_S)
        after, peak = server.memory_mb("VmRSS"), server.memory_mb("VmHWM")
    return {"before MB": before, "more after MB": after - before, "more at most MB": peak - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shots", type=int, nargs="+", default=SHOTS, metavar="N")
    parser.add_argument("--only", nargs="+", choices=[*CONNECTED, *LOADERS], metavar="NAME")
    parser.add_argument("--run", nargs=2, metavar=("NAME", "N"), help="one run, in a child")
    arguments = parser.parse_args()
    if arguments.run:
        print(json.dumps(measured(arguments.run[0], int(arguments.run[1]))))
        return
    if "COMFYUI_PATH" not in os.environ:
        print("memory: NOT MEASURED without a ComfyUI", file=sys.stderr)
        return
    names = arguments.only or [*CONNECTED, *(LOADERS if "VHS_PATH" in os.environ else ())]
    for count in arguments.shots:
        fal = {"seconds": 3 + 2 * count, "concurrency": count, "clip": "x".join(map(str, CLIP))}
        run = (sys.executable, "-m", "benchmarks.memory", "--run")
        table(
            f"{count} clips of {CLIP[0]}x{CLIP[1]}, {CLIP[2]} frames",
            race({name: behind(*run, name, count, **fal) for name in names}, rounds=1),
        )


if __name__ == "__main__":
    main()
