"""A manifest on several machines that share a ledger: each takes what no other holds."""

from __future__ import annotations

import asyncio
from collections import Counter

from ...support.shots import until

SHOTS = 12
MACHINES = ("one", "two", "three")


def test_batch_of_a_killed_machine_is_ended_by_the_others_with_all_clips(
    start, open_fal, shared_ledger, manifest, tmp_path
):
    path = manifest(SHOTS)
    fal = open_fal(generation_seconds=2, concurrency=50, clip_frames=4)
    machines = {
        name: start(
            *("batch", path, "--out", tmp_path / name, "--concurrency", 3),
            **fal.environment,
            VIDU_HOME=str(tmp_path / f"home {name}"),
        )
        for name in MACHINES
    }
    # Each has its first shots at fal, and none is done.
    asyncio.run(until(lambda: len(fal.ledger()["jobs"]) >= 3 * len(MACHINES)))
    machines["one"].kill()
    for name in MACHINES[1:]:
        _, complaint = machines[name].communicate(timeout=120)
        assert machines[name].returncode == 0, complaint
        assert f"{SHOTS} of {SHOTS} clips" in complaint
        assert len(list((tmp_path / name).glob("s*_00001.mp4"))) == SHOTS
    jobs = Counter(job["input"]["prompt"] for job in fal.ledger()["jobs"])
    assert jobs == {f"Shot {number}, a wave": 1 for number in range(1, SHOTS + 1)}
