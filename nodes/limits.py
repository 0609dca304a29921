"""The limits of a run, checked before anything is sent: its cost, the memory of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ..vidu.errors import Charge, ClipTooLargeError, CostLimitError
from ..vidu.ledger.ledger import Ledger
from ..vidu.media.memory import free_memory, working_bytes
from ..vidu.models import State
from ..vidu.pricing import format_usd
from ..vidu.request import Request
from .clip_frames import Wanted, frames_size

NOT_SENT = (State.RESERVED, State.FAILED)

MAYBE_UNPAID = (State.SUBMITTING, State.CANCELLED)
"""fal may say of these that it has made nothing, and then the shot is paid for."""

LESS_OF_ONE = "Disconnect frames and use the video output, raise every_nth, or set max_frames."
LESS_OF_SEVERAL = (
    "Disconnect frames and use the video output, raise every_nth, set max_frames, or make fewer "
    "shots at a time."
)
LESS_OF_LAST_FRAMES = "Disconnect last_frame, or make fewer shots at a time."
"""What a run needs less memory with, by what is connected."""


async def check_cost(requests: Sequence[Request], ledger: Ledger, max_cost: Decimal) -> None:
    """Refuse a run that would cost more than the node allows.

    What is saved or under way already costs nothing, and the same shot twice is paid for once.
    What fal may not have made counts in full.

    Raises:
        CostLimitError: It would.
    """
    new = {request.fingerprint: request for request in requests}
    is_upper_bound = False
    for fingerprint, request in list(new.items()):
        entry = await ledger.active(fingerprint)
        if entry is None or entry.state in NOT_SENT:
            is_upper_bound |= request.quote.is_upper_bound
        elif entry.state in MAYBE_UNPAID:
            is_upper_bound = True
        else:
            del new[fingerprint]
    cost = sum((request.price for request in new.values()), Decimal(0))
    if cost <= max_cost:
        return
    up_to = "up to " if is_upper_bound else ""
    shots = "1 shot" if len(new) == 1 else f"{len(new)} shots"
    raise CostLimitError(
        f"This run would cost {up_to}{format_usd(cost)} for {shots}, and max_cost is "
        f"{format_usd(max_cost)}.",
        "Make fewer or cheaper ones, or raise max_cost (an advanced input of this node).",
    )


def check_memory(requests: Sequence[Request], wanted: Wanted) -> None:
    """Refuse a run whose frames will not fit into memory.

    They are counted as when the clips are there: all of them, and what decoding one takes beside.

    Raises:
        ClipTooLargeError: They will not.
    """
    sizes = [frames_size(request, wanted) for request in requests]
    if not any(sizes):
        return
    needed, free = sum(sizes) + working_bytes(max(sizes)), free_memory()
    if needed <= free:
        return
    several = len(requests) > 1
    clips = f"{len(requests)} clips" if several else "clip"
    what = "The frames" if wanted.frames else "last_frame"
    if not wanted.frames:
        way_out = LESS_OF_LAST_FRAMES
    else:
        way_out = LESS_OF_SEVERAL if several else LESS_OF_ONE
    raise ClipTooLargeError(
        f"{what} of the {clips} will need {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB "
        "are free.",
        way_out,
        charge=Charge.NOT_SPENT,
    )
