"""The inputs and outputs that several nodes share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from comfy_api.latest import io

from ..vidu.credentials import find_key
from ..vidu.errors import ViduError
from ..vidu.request import SEED_MAX
from . import host
from .input_lists import single_value

MODES = ("live", "draft")

SEED = io.Int.Input(
    "seed",
    default=0,
    min=0,
    max=2**64 - 1,
    control_after_generate=io.ControlAfterGenerate.fixed,
    tooltip="The same inputs give the same result, free. Another seed gives another result. 0 lets "
    f"Vidu choose. Vidu's own seeds end at {SEED_MAX}: a larger one is folded into that range.",
)

MODE = io.Combo.Input(
    "mode",
    options=list(MODES),
    default="live",
    tooltip="live: fal makes it, at its list price. draft: a stand-in made here, free, without "
    "key or network, marked DRAFT.",
)

FILENAME_PREFIX = io.String.Input(
    "filename_prefix",
    default="video/Vidu",
    tooltip="Where in the output folder the file is saved; %date:yyyy-MM-dd% and the like work as "
    "in Save Video.",
)

MAX_COST = io.Float.Input(
    "max_cost",
    default=5.0,
    min=0.0,
    max=1000.0,
    step=0.5,
    advanced=True,
    tooltip="US dollars. A run that would cost more is refused before anything is sent. What is "
    "saved already costs nothing.",
)

FRAME_INPUTS = [
    io.Int.Input(
        "every_nth",
        default=1,
        min=1,
        max=1000,
        optional=True,
        advanced=True,
        tooltip="frames holds only every nth frame, and fps follows. A change never pays again.",
    ),
    io.Int.Input(
        "max_frames",
        default=0,
        min=0,
        max=100_000,
        optional=True,
        advanced=True,
        tooltip="frames holds at most this many; 0 is all. A change never pays again.",
    ),
]
"""Which frames a node that yields clips hands on."""

ON_ERROR = io.Combo.Input(
    "on_error",
    options=["stop", "skip"],
    default="stop",
    optional=True,
    advanced=True,
    tooltip="When one of several shots fails: stop, and keep the others for the next run; or skip "
    "it, and go on with the others. A skipped shot is tried again when an input changes.",
)

CLIP_OUTPUTS = [
    io.Image.Output(
        "frames", is_output_list=True, tooltip="Every frame; decoded only when connected."
    ),
    io.String.Output("file_path", is_output_list=True, tooltip="The saved file."),
    io.Video.Output("video", is_output_list=True, tooltip="The saved file, for video nodes."),
    io.Image.Output("last_frame", is_output_list=True, tooltip="To begin the next clip with."),
    io.Float.Output("fps", is_output_list=True, tooltip="Frames per second, on average."),
    io.Int.Output("frame_count", is_output_list=True, tooltip="How many frames there are."),
    io.String.Output("request_id", is_output_list=True, tooltip="fal's id of the request."),
    io.Audio.Output("audio", is_output_list=True, tooltip="The sound, or silence as long."),
]
"""What every node that yields clips yields, in this order; one list element for each clip."""

HIDDEN = [io.Hidden.prompt, io.Hidden.extra_pnginfo, io.Hidden.dynprompt]


@dataclass(frozen=True)
class RunSettings:
    """What all shots of one run share.

    Args:
        is_draft: Whether to work without key, network and cost.
        max_cost: US dollars that the run may cost at most.
        skip_failed: Whether to go on with the others when some shots fail.
        every_nth: Hand on frame 0 and every n-th after it.
        max_frames: Hand on at most this many frames; 0 is all.
    """

    is_draft: bool
    max_cost: Decimal
    skip_failed: bool
    every_nth: int = 1
    max_frames: int = 0

    @classmethod
    def read(
        cls,
        mode: Sequence[str],
        max_cost: Sequence[float],
        on_error: Sequence[str],
        every_nth: Sequence[int] = (1,),
        max_frames: Sequence[int] = (0,),
    ) -> RunSettings:
        """Read the inputs as the host hands them over.

        Raises:
            InvalidSettingError: One of them holds several values.
        """
        return cls(
            is_draft=single_value("mode", mode) == "draft",
            max_cost=Decimal(str(single_value("max_cost", max_cost))),
            skip_failed=single_value("on_error", on_error) == "skip",
            every_nth=single_value("every_nth", every_nth),
            max_frames=single_value("max_frames", max_frames),
        )


def check_mode(mode: Sequence[str | None]) -> bool | str:
    """Refuse a live run without a key before it begins; a linked mode is None here.

    A node's `validate_inputs` names this input alone: the host blames every input it names.
    """
    if mode[0] not in (None, *MODES):
        return f"mode is {mode[0]!r}: choose live or draft."
    try:
        if mode[0] == "live":
            find_key(host.data_dir())
    except ViduError as error:
        return str(error)
    return True
