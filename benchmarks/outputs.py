"""From a finished download to a node's outputs, against the decode alone; and eight clips at once.

Run `python -m benchmarks.outputs [--rounds N] [--only 720|1080|eight]`. The work is what
`vidu/steps/retrieve.py` does with a download: check, remux with the workflow inside, hash, and hand
on what is connected. Beside it stand the loaders of ComfyUI and VideoHelperSuite, which get a saved
file; see `benchmarks.decode` for how they are found.

Memory that is new costs time to touch for the first time, and on a virtual machine whose host takes
free memory back, more than the decoding. So the frames are written into memory that was touched
before the clock begins, but for what is called "new memory". "First touch" is a write into each
page of as much new memory, on one thread, and nothing else.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import ROUNDS, Figures, race, run
from benchmarks._table import print_figure, print_ratio
from benchmarks.decode import OTHERS, SIZES, command_of, make_clip

MOST_RATIO, MOST_MB, CLIPS = 1.15, 150, 8
MOST_S_WITHOUT_FRAMES, MOST_S_OF_EIGHT = 0.6, 3.5


def decode_alone(clip: Path) -> object:
    from vidu.media.video import decode

    return decode(clip)


def outputs(clip: Path, *, frames: bool, turns: Any = None, name: str = "saved") -> object:
    from vidu.files import sha256_of
    from vidu.media.decode_turns import DecodeTurns
    from vidu.media.decoder import ClipDecoder
    from vidu.media.mux import write_clip
    from vidu.media.packets import hash_packets

    decoder = ClipDecoder(frames=frames, last_frame=False, turns=turns or DecodeTurns())
    decoder.check(clip, require_end=False)
    saved = clip.with_name(name)
    write_clip(clip, saved, {"workflow": "{}"})
    sha256_of(saved)
    hash_packets(saved)
    return decoder.take(saved)


def eight(clip: Path, *, frames: bool) -> object:
    from vidu.media.decode_turns import DecodeTurns

    turns = DecodeTurns()
    with ThreadPoolExecutor(CLIPS) as pool:
        made = [
            pool.submit(outputs, clip, frames=frames, turns=turns, name=f"saved{index}")
            for index in range(CLIPS)
        ]
        return [each.result() for each in made]


def first_touch(clip: Path, clips: int = 1) -> object:
    memory = np.empty(clips * size_of(clip), np.uint8)
    memory[:: resource.getpagesize()] = 1
    return memory


def size_of(clip: Path) -> int:
    from vidu.media.memory import frames_bytes
    from vidu.media.probe import probe

    found = probe(clip)
    return frames_bytes(found.width * found.height, found.frame_count)


def touch_memory(clip: Path, clips: int) -> None:
    """Let the frames of this many clips be written into memory that is touched now."""
    from vidu.media import decoder, video

    memory = [np.ones(size_of(clip) // 4, np.float32) for _ in range(clips)]

    def touched(found: Any, count: int, available: int) -> np.ndarray:
        return memory.pop().reshape(count, found.height, found.width, 3)

    video.empty_frames = decoder.empty_frames = touched


WORK: dict[str, Callable[[Path], object]] = {
    "first touch": first_touch,
    "decode alone": decode_alone,
    "with frames": lambda clip: outputs(clip, frames=True),
    "with frames, new memory": lambda clip: outputs(clip, frames=True),
    "without frames": lambda clip: outputs(clip, frames=False),
    "eight first touch": lambda clip: first_touch(clip, CLIPS),
    "eight with frames": lambda clip: eight(clip, frames=True),
    "eight with frames, new memory": lambda clip: eight(clip, frames=True),
    "eight without frames": lambda clip: eight(clip, frames=False),
}
TOUCHED_BEFORE = {"decode alone": 1, "with frames": 1, "eight with frames": CLIPS}


def measured(size: str, folder: Path, names: Sequence[str], rounds: int) -> dict[str, Figures]:
    clip = folder / f"{size}.mp4"
    make_clip(clip, *SIZES[size])
    command = (sys.executable, "-m", "benchmarks.outputs", "--work")
    commands = {name: [*command, name, str(clip)] for name in names if name in WORK}
    commands |= {name: command_of(name, clip) for name in names if name not in WORK}
    return race(commands, rounds)


def compare(size: str, folder: Path, rounds: int) -> None:
    width, height, count = SIZES[size]
    names = [name for name in WORK if "eight" not in name]
    figures = measured(size, folder, [*names, *OTHERS], rounds)
    seconds = {name: each["wall s"] for name, each in figures.items()}
    what = f"outputs: {width}x{height}, {count} frames"
    made, alone = seconds["with frames"], seconds["decode alone"]
    print_ratio(f"{what}, connected", made, alone, "decode alone", at_most=MOST_RATIO)
    new = figures["with frames, new memory"]
    note = f"first touch alone {seconds['first touch']:.2f} s"
    print_figure(f"{what}, new memory", new["wall s"], "s", note=note)
    for name in OTHERS:
        for figure, unit in (("wall s", "s"), ("peak MB", "MB")):
            ours, theirs = new[figure], figures[name][figure]
            print_ratio(f"{what}, {figure[:4]}", ours, theirs, name, unit=unit, at_least=1)
    most_s = MOST_S_WITHOUT_FRAMES if size == "720" else None
    print_figure(f"{what}, none", seconds["without frames"], "s", at_most=most_s)


def compare_eight(folder: Path, rounds: int) -> None:
    width, height, count = SIZES["720"]
    frames_mb = CLIPS * width * height * 3 * 4 * count / 1e6
    names = ["with frames", *(name for name in WORK if "eight" in name)]
    figures = measured("720", folder, names, rounds)
    later = {
        figure: figures["eight with frames"][figure] - figures["with frames"][figure]
        for figure in ("wall s", "cpu s")
    }
    note = f"{later['cpu s']:.1f} s of CPU"
    what = "outputs: eight connected, later than one"
    print_figure(what, later["wall s"], "s", at_most=MOST_S_OF_EIGHT, note=note)
    new = figures["eight with frames, new memory"]
    note = f"first touch alone {figures['eight first touch']['wall s']:.1f} s"
    print_figure("outputs: eight connected, new memory", new["wall s"], "s", note=note)
    note, most_mb = f"frames are {frames_mb:.0f} MB", round(frames_mb + MOST_MB)
    print_figure("outputs: eight connected, peak", new["peak MB"], "MB", at_most=most_mb, note=note)
    idle = figures["eight without frames"]
    each = idle["wall s"] / CLIPS
    print_figure("outputs: eight, none, each", each, "s", at_most=MOST_S_WITHOUT_FRAMES)
    print_figure("outputs: eight, none, peak", idle["peak MB"], "MB", at_most=MOST_MB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=[*SIZES, "eight"])
    parser.add_argument("--work", nargs=2, metavar=("WORK", "CLIP"), help="one run, in a child")
    arguments = parser.parse_args()
    if arguments.work:
        name, clip = arguments.work[0], Path(arguments.work[1])
        if name in TOUCHED_BEFORE:
            touch_memory(clip, TOUCHED_BEFORE[name])
        run(lambda: WORK[name](clip))
        return
    with tempfile.TemporaryDirectory() as folder:
        for part in [arguments.only] if arguments.only else [*SIZES, "eight"]:
            if part == "eight":
                compare_eight(Path(folder), arguments.rounds)
            else:
                compare(part, Path(folder), arguments.rounds)


if __name__ == "__main__":
    main()
