"""Each of the 23 endpoints at local_fal, in each case that any of them can meet.

A cell is an endpoint and a case; its history is run until the shot succeeds. The whole table is
printed by `pytest --collect-only -q` on this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from vidu.endpoint import Endpoint
from vidu.endpoints import ENDPOINTS

from ...support.history_pool import HistoryPool

pytestmark = pytest.mark.timeout(1800)  # all histories of the file are run at once

WORKERS = 12  # most of a history is waiting


@dataclass(frozen=True)
class Case:
    """What happens to a shot, and what must come of it.

    Args:
        steps: The history; see tests/support/history.py.
        jobs: How many jobs fal has in the end; one of them is billed.
        said: What the first error says, if there is one.
        has_clip: Whether the clip can be had at all.
        has_all_media: Whether the fields that may be left out have a medium as well.
    """

    steps: tuple[str, ...]
    jobs: int = 1
    said: str = ""
    has_clip: bool = True
    has_all_media: bool = False


LOST_REPLY = "fal accepted_then_dropped:1"
ALWAYS = {
    "is made": Case(("run",)),
    "with all media is made": Case(("run",), has_all_media=True),
    "is free when it is run again": Case(("run", "run")),
    "goes on after a kill before it is sent": Case(("kill before:submit",)),
    "goes on after a kill when it is sent": Case(("kill after:mark_submitted",)),
    "goes on after a teardown": Case(("teardown generating",)),
    "is cancelled": Case(("fal slow:1", "cancel generating"), jobs=2),
    "is found after a lost reply": Case((LOST_REPLY,)),
    "with all media is found after a lost reply": Case((LOST_REPLY,), has_all_media=True),
    "is told from a twin": Case(("seed 0", "twin", LOST_REPLY)),
    "with all media is told from a twin": Case(("seed 0", "twin", LOST_REPLY), has_all_media=True),
    "gives way to a full server": Case(("fal downstream_service_unavailable:1",), jobs=2),
}
OF_KIND = {
    "image": ("image_load_error", "image_aspect_ratio_error", "face_detection_error"),
    "video": ("unsupported_video_format",),
    "audio": ("unsupported_audio_format", "audio_duration_too_long"),
}
"""What fal may say of a medium, by its kind."""


def cases_of(endpoint: Endpoint) -> Iterator[tuple[str, Case]]:
    """The cases that an endpoint can meet."""
    has_optional = any(not field.least for field in endpoint.media)
    for name, case in ALWAYS.items():
        if has_optional or not case.has_all_media:
            yield name, case
    if endpoint.prompt:
        refused = Case(
            ("fal content_policy_violation:1",), 2, "content checker refused this shot: prompt"
        )
        yield "has a prompt refused", refused
    if endpoint.media:
        first, last = endpoint.media[0], endpoint.media[-1]
        for which, field in (("first", first), ("last", last)):
            said = f"content checker refused this shot: {named(field)}: "
            steps = (f"fal {which}_medium_refused:1",)
            yield f"has its {which} medium refused", Case(steps, 2, said, has_all_media=True)
    for kind, faults in OF_KIND.items():
        field = next((one for one in endpoint.media if one.kind == kind), None)
        for fault in faults if field else ():
            said = f": {named(field)}: "
            yield f"ends with {fault}", Case((f"fal {fault}:1",), 2, said, has_all_media=True)
    if endpoint.output == "image":
        broken = Case(("fal clip_instead:1",), said="paid for", has_clip=False)
        yield "comes as a clip", broken
    else:
        broken = Case(("fal still_instead:1",), said="paid for", has_clip=False)
        yield "comes as a still", broken
        yield "comes without sound", Case(("fal without_audio:1",))


def named(field: Any) -> str:
    return f"{field.role} 1" if field.is_list else field.role


CELLS = {
    f"{endpoint.id.removeprefix('fal-ai/vidu/')} {name}": (endpoint, case)
    for endpoint in ENDPOINTS.values()
    for name, case in cases_of(endpoint)
}


def history_of(endpoint: Endpoint, case: Case) -> list[str]:
    name = endpoint.id.removeprefix("fal-ai/vidu/")
    return [f"shot {name}{' whole' if case.has_all_media else ''}", *case.steps]


@pytest.fixture(scope="module")
def outcomes(request) -> dict[str, dict[str, Any]]:
    """What came of each cell that was chosen."""
    items = [item for item in request.session.items if item.path == request.path]
    chosen = [item.callspec.params["cell"] for item in items if hasattr(item, "callspec")]
    with HistoryPool(WORKERS) as pool:
        histories = [history_of(*CELLS[cell]) for cell in chosen]
        return dict(zip(chosen, pool.run(histories), strict=True))


def test_cells_are_all_endpoints_in_all_their_cases():
    assert {endpoint.id for endpoint, _ in CELLS.values()} == ENDPOINTS.keys()
    assert len(ENDPOINTS) == 23


@pytest.mark.parametrize("cell", CELLS)
def test_endpoint_in_each_case_is_paid_for_once(cell, outcomes, tally):
    (endpoint, case), outcome = CELLS[cell], outcomes[cell]
    tally(outcome)
    assert outcome["problems"] == ([] if case.has_clip else ["there is no clip"]), outcome
    assert (outcome["jobs"], outcome["billed"]) == (case.jobs, 1), outcome
    assert case.said in (outcome["errors"] or [""])[0], outcome
    assert bool(case.said) <= bool(outcome["errors"])
    assert not [error for error in outcome["errors"] if "_url" in error], outcome
    # What was reserved is fal's bill, or the most that it can be: of a job that was cancelled while
    # it ran, and of the seconds of an input video, fal does not say whether it bills them.
    spent, billed = outcome["spent_usd"], outcome["billed_usd"]
    is_bound = endpoint.price.charges_input_seconds or "cancel generating" in case.steps
    assert spent == pytest.approx(billed) or (is_bound and spent >= billed), outcome
