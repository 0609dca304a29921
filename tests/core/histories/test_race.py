"""Several processes on one shot at the same moment: one job, one clip, the same path for all."""

from __future__ import annotations

from PIL import Image

PROCESSES = 8


def test_generate_in_eight_processes_shares_one_job_and_one_clip(
    open_fal, start, tmp_path, clips, tally
):
    fal = open_fal(generation_seconds=3)
    Image.linear_gradient("L").save(tmp_path / "image.png")
    command = ("generate", tmp_path / "image.png", "--prompt", "waves", "--out", clips)
    racers = [start(*command, **fal.environment) for _ in range(PROCESSES)]
    said = [racer.communicate() for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * PROCESSES, said
    assert {out for out, _ in said} == {f"{clips / 'image_00001.mp4'}\n"}
    assert [path.name for path in clips.iterdir()] == ["image_00001.mp4"]
    jobs = fal.ledger()["counts"]["jobs"]
    assert jobs == 1
    assert any("This shot is already being generated" in err for _, err in said)
    saved = len(list(clips.iterdir()))
    tally({"shots": len(racers), "jobs": jobs, "clips": saved})
