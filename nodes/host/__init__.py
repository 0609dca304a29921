"""The seam to ComfyUI: the only folder that knows its inside and torch."""

from __future__ import annotations

from .editor import jobs, notify, recent_requests, route_table
from .files import data_dir, destination, locate, metadata, preview, preview_stills
from .links import blocked, connected_slots, running_prompt, wiring
from .media import (
    as_image,
    as_video,
    batch_to_arrays,
    read_audio,
    read_image,
    single_images,
    to_media,
)
from .node_classes import (
    input_file_state,
    is_animated,
    load_picture,
    may_change,
    output_kind,
    view_of,
)
from .runs import interrupted_since, listen_for_interrupts, run_interruptible, run_with_progress

__all__ = [
    "as_image",
    "as_video",
    "batch_to_arrays",
    "blocked",
    "connected_slots",
    "data_dir",
    "destination",
    "input_file_state",
    "interrupted_since",
    "is_animated",
    "jobs",
    "listen_for_interrupts",
    "load_picture",
    "locate",
    "may_change",
    "metadata",
    "notify",
    "output_kind",
    "preview",
    "preview_stills",
    "read_audio",
    "read_image",
    "recent_requests",
    "route_table",
    "run_interruptible",
    "run_with_progress",
    "running_prompt",
    "single_images",
    "to_media",
    "view_of",
    "wiring",
]
