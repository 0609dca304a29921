"""From a finished download to a node's outputs, against the decode alone; and eight clips at once.

Run `python -m benchmarks.outputs [--rounds N] [--only 720|1080]`. The work is what
`vidu/steps/retrieve.py` does with a download: check, remux with the workflow inside, hash, and hand
on what is connected. Beside it stand the loaders of ComfyUI and VideoHelperSuite, which get a saved
file; see `benchmarks.decode` for how they are found. "First touch" is a write into each page of as
much memory as the frames take, on one thread, and nothing else.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks._measure import ROUNDS, race, run
from benchmarks._table import print_figure, print_ratio
from benchmarks.decode import OTHERS, SIZES, command_of, make_clip

MOST_RATIO, MOST_MB, CLIPS = 1.15, 150, 8
MOST_S_WITHOUT_FRAMES, MOST_S_OF_EIGHT = 0.6, 3.5


def decode_alone(clip: Path) -> object:
    from vidu.media.video import decode

    return decode(clip)


def outputs(
    clip: Path, *, frames: bool, turn: threading.Lock | None = None, name: str = "saved"
) -> object:
    from vidu.files import sha256_of
    from vidu.media.decoder import ClipDecoder
    from vidu.media.mux import write_clip
    from vidu.media.packets import hash_packets

    decoder = ClipDecoder(frames=frames, last_frame=False, turn=turn or threading.Lock())
    decoder.check(clip, require_end=False)
    saved = clip.with_name(name)
    write_clip(clip, saved, {"workflow": "{}"})
    sha256_of(saved)
    hash_packets(saved)
    return decoder.take(saved)


def eight(clip: Path, *, frames: bool) -> object:
    turn = threading.Lock()
    with ThreadPoolExecutor(CLIPS) as pool:
        made = [
            pool.submit(outputs, clip, frames=frames, turn=turn, name=f"saved{index}")
            for index in range(CLIPS)
        ]
        return [each.result() for each in made]


def first_touch(clip: Path) -> object:
    from vidu.media.memory import frames_bytes
    from vidu.media.probe import probe

    found = probe(clip)
    memory = np.empty(frames_bytes(found.width * found.height, found.frame_count), np.uint8)
    memory[:: resource.getpagesize()] = 1
    return memory


WORK: dict[str, Callable[[Path], object]] = {
    "first touch": first_touch,
    "decode alone": decode_alone,
    "with frames": lambda clip: outputs(clip, frames=True),
    "without frames": lambda clip: outputs(clip, frames=False),
    "eight with frames": lambda clip: eight(clip, frames=True),
    "eight without frames": lambda clip: eight(clip, frames=False),
}


def compare(size: str, folder: Path, rounds: int) -> None:
    width, height, count = SIZES[size]
    clip = folder / f"{size}.mp4"
    make_clip(clip, width, height, count)
    frames_mb = width * height * 3 * 4 * count / 1e6
    names = [name for name in WORK if size == "720" or "eight" not in name]
    command = (sys.executable, "-m", "benchmarks.outputs", "--work")
    commands = {name: [*command, name, str(clip)] for name in names}
    commands |= {name: command_of(name, clip) for name in OTHERS}
    figures = race(commands, rounds, warm_bytes=int(2.1e6 * frames_mb))
    what = f"outputs: {width}x{height}, {count} frames"
    alone, made = figures["decode alone"]["wall s"], figures["with frames"]
    print_ratio(f"{what}, connected", made["wall s"], alone, "decode alone", at_most=MOST_RATIO)
    touch_s = figures["first touch"]["wall s"]
    print_ratio(f"{what}, first touch", touch_s, made["wall s"], "with frames", at_most=1)
    for name in OTHERS:
        other = figures[name]
        print_ratio(f"{what}, {name}", made["wall s"], other["wall s"], name, at_least=1)
        print_ratio(
            f"{what}, its peak", made["peak MB"], other["peak MB"], name, unit="MB", at_least=1
        )
    if size != "720":
        return
    none = figures["without frames"]
    print_figure(f"{what}, none", none["wall s"], "s", at_most=MOST_S_WITHOUT_FRAMES)
    both = figures["eight with frames"]
    later, most_mb = both["wall s"] - made["wall s"], CLIPS * frames_mb + MOST_MB
    print_figure("outputs: eight connected, later than one", later, "s", at_most=MOST_S_OF_EIGHT)
    note = f"frames are {CLIPS * frames_mb:.0f} MB"
    print_figure(
        "outputs: eight connected, peak", both["peak MB"], "MB", at_most=most_mb, note=note
    )
    idle = figures["eight without frames"]
    each = idle["wall s"] / CLIPS
    print_figure("outputs: eight, none, each", each, "s", at_most=MOST_S_WITHOUT_FRAMES)
    print_figure("outputs: eight, none, peak", idle["peak MB"], "MB", at_most=MOST_MB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=SIZES)
    parser.add_argument("--work", nargs=2, metavar=("WORK", "CLIP"), help="one run, in a child")
    arguments = parser.parse_args()
    if arguments.work:
        name, clip = arguments.work
        run(lambda: WORK[name](Path(clip)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for size in [arguments.only] if arguments.only else SIZES:
            compare(size, Path(folder), arguments.rounds)


if __name__ == "__main__":
    main()
