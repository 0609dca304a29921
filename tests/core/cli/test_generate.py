"""`vidu generate` as a user runs it: real processes, exit codes, what goes to stdout."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from vidu.media.video import check

from ...support.cli_inputs import PROMPT, lines, picture
from ...support.shots import until

# generate


def test_generate_several_images_prints_a_path_for_each(shell, swift_fal, image, clips, tmp_path):
    second = picture(tmp_path / "cliff.png", (10, 20, 30))
    done = shell("generate", image, second, *PROMPT, "--out", clips)
    assert done.returncode == 0, done.stderr
    names = ["beach_00001.mp4", "cliff_00001.mp4"]
    assert sorted(done.stdout.splitlines()) == [str(clips / name) for name in names]
    assert [check(clips / name).frame_count for name in names] == [4, 4]
    for words in ("beach.png: Uploading", "cliff.png: Checking"):
        assert words in done.stderr
    again = shell("generate", image, second, *PROMPT, "--out", clips)
    assert sorted(again.stdout.splitlines()) == sorted(done.stdout.splitlines())
    assert swift_fal.ledger()["counts"]["jobs"] == 2


def test_generate_json_prints_the_whole_clip(shell, swift_fal, image, clips):
    options = ("--seed", 7, "--set", "movement_amplitude=small", "--out", clips, "--json")
    (first,) = lines(shell("generate", image, *PROMPT, *options).stdout)
    (job,) = swift_fal.ledger()["jobs"]
    assert (job["input"]["seed"], job["input"]["movement_amplitude"]) == (7, "small")
    assert first == {
        "file_path": str(clips / "beach_00001.mp4"),
        "request_id": job["request_id"],
        "seed": 7,
        "width": 64,
        "height": 48,
        "fps": 24.0,
        "frame_count": 4,
        "duration_s": pytest.approx(4 / 24),
        "cost_usd": 0.2,
        "reused": False,
    }
    (again,) = lines(shell("generate", image, *PROMPT, *options).stdout)
    assert again == first | {"cost_usd": 0.0, "reused": True}


def test_generate_clip_saved_elsewhere_is_copied_free(shell, swift_fal, image, clips, tmp_path):
    first = shell("generate", image, *PROMPT, "--out", clips).stdout.strip()
    here = tmp_path / "here"
    (copy,) = lines(shell("generate", image, *PROMPT, "--out", here, "--json").stdout)
    assert (copy["reused"], Path(copy["file_path"]).parent) == (True, here)
    assert Path(copy["file_path"]).read_bytes() == Path(first).read_bytes()
    assert swift_fal.ledger()["counts"]["jobs"] == 1


def test_generate_copy_overwrites_no_other_clip(shell, swift_fal, image, clips, tmp_path):
    here = tmp_path / "here"
    shell("generate", image, *PROMPT, "--seed", 1, "--out", clips)
    other = Path(shell("generate", image, *PROMPT, "--seed", 2, "--out", here).stdout.strip())
    before = other.read_bytes()
    for _ in range(2):
        copy = shell("generate", image, *PROMPT, "--seed", 1, "--out", here).stdout.strip()
        assert Path(copy).read_bytes() == (clips / other.name).read_bytes() != before
        assert other.read_bytes() == before
        assert len(list(here.iterdir())) == 2
    assert swift_fal.ledger()["counts"]["jobs"] == 2


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_generate_with_frames_and_overview_writes_pictures(suffix, shell, swift_fal, image, clips):
    options = ("--frames", suffix, "--overview", "--out", clips)
    assert shell("generate", image, *PROMPT, *options).returncode == 0
    frames = sorted((clips / "beach_00001_frames").iterdir())
    assert [frame.name for frame in frames] == [f"frame_{n:05}.{suffix}" for n in range(1, 5)]
    assert {Image.open(frame).size for frame in frames} == {(64, 48)}
    with Image.open(clips / "beach_00001_overview.jpg") as sheet:
        assert sheet.width > sheet.height


def test_generate_draft_needs_no_key_and_no_network(shell, swift_fal, image, clips, vidu_home):
    nowhere = {"FAL_KEY": "", "HTTPS_PROXY": "http://127.0.0.1:9"}
    done = shell("generate", image, *PROMPT, "--draft", "--json", "--out", clips, **nowhere)
    assert done.returncode == 0, done.stderr
    (clip,) = lines(done.stdout)
    assert (clip["cost_usd"], clip["frame_count"]) == (0.0, 96)
    assert check(Path(clip["file_path"])).duration_s == 4.0
    assert swift_fal.ledger()["requests"] == []
    assert not (vidu_home / "ledger.sqlite").exists()


def test_generate_draft_is_limited_by_no_budget(shell, image, clips, tmp_path):
    second = picture(tmp_path / "cliff.png", (10, 20, 30))
    options = ("--draft", "--out", clips)
    done = shell("generate", image, second, *PROMPT, *options, VIDU_DAILY_BUDGET_USD="0.20")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr


def test_generate_one_failed_clip_exits_with_1_and_saves_the_others(
    shell, swift_fal, image, clips, tmp_path
):
    swift_fal.set_faults("content_policy_violation:1")
    second = picture(tmp_path / "cliff.png", (10, 20, 30))
    done = shell("generate", image, second, *PROMPT, "--out", clips)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert "content checker" in done.stderr
    assert "Nothing was charged." in done.stderr


def test_generate_frames_that_cannot_be_written_fail_alone(
    shell, swift_fal, image, clips, tmp_path
):
    second = picture(tmp_path / "cliff.png", (10, 20, 30))
    clips.mkdir()
    (clips / "beach_00001_frames").write_text("a file where a folder should be")
    swift_fal.set_faults("status_500:1")  # one of the two takes longer
    done = shell("generate", image, second, *PROMPT, "--out", clips, "--frames", "png")
    assert done.returncode == 1
    assert f"The pictures of {clips / 'beach_00001.mp4'} could not be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.splitlines() == [str(clips / "cliff_00001.mp4")]
    assert (swift_fal.ledger()["counts"]["cancels"], swift_fal.ledger()["counts"]["jobs"]) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (("{image}",), {}, "The prompt is empty"),
        (("{image}", "--prompt", "  "), {}, "The prompt is empty"),
        (("{image}", "--prompt", "x" * 1501), {}, "1501 characters"),
        (("{image}", *PROMPT, "--seed", "-1"), {}, "seed is -1"),
        (
            ("{image}", *PROMPT, "--set", "movement_amplitude=huge"),
            {},
            "movement_amplitude is 'huge'",
        ),
        (("{image}", *PROMPT, "--set", "speed=1"), {}, "has no option 'speed'"),
        (("{image}", *PROMPT, "--set", "speed"), {}, "not NAME=VALUE"),
        (("{image}", *PROMPT, "--model", "q9"), {}, "model is 'q9'"),
        (("{image}", *PROMPT, "--model", "q4", "--end", "{image}"), {}, "Q4 takes no end_image"),
        ((*PROMPT,), {}, "No image is given"),
        (("missing.png", *PROMPT), {}, "missing.png"),
        (("{text}", *PROMPT), {}, "text.png"),
        (("{image}", "{wide}", *PROMPT), {}, "wide.png"),
        (("{image}", *PROMPT), {"FAL_KEY": ""}, "There is no fal key"),
        (("{image}", *PROMPT), {"FAL_KEY": "sesame open"}, "not a fal key"),
        (("{image}", *PROMPT), {"VIDU_DAILY_BUDGET_USD": "much"}, "VIDU_DAILY_BUDGET_USD"),
    ],
)
def test_generate_bad_usage_exits_with_2_and_sends_nothing(
    arguments, environment, words, shell, swift_fal, image, tmp_path
):
    (tmp_path / "text.png").write_text("no picture")
    Image.new("RGB", (410, 100)).save(tmp_path / "wide.png")
    places = {name: tmp_path / f"{name}.png" for name in ("text", "wide")} | {"image": image}
    done = shell("generate", *(part.format(**places) for part in arguments), **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "sesame" not in done.stderr
    assert swift_fal.ledger()["requests"] == []


def test_generate_over_the_budget_is_refused(shell, swift_fal, image, clips, tmp_path):
    second = picture(tmp_path / "cliff.png", (10, 20, 30))
    done = shell("generate", image, second, *PROMPT, "--out", clips, VIDU_DAILY_BUDGET_USD="0.20")
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 1)
    assert "$0.20 of today's $0.20" in done.stderr
    assert swift_fal.ledger()["counts"]["jobs"] == 1


def test_generate_draft_error_mentions_no_money(shell, image, clips):
    clips.mkdir()
    (clips / "beach_00001_frames").write_text("a file where a folder should be")
    done = shell("generate", image, *PROMPT, "--draft", "--out", clips, "--frames", "png")
    assert done.returncode == 1
    assert "The pictures of " in done.stderr
    assert "Nothing was charged." in done.stderr
    assert "paid" not in done.stderr


@pytest.mark.parametrize("command", ["generate", "batch", "watch", "resume"])
def test_generate_unwritable_folder_is_refused_before_anything_is_paid(
    command, shell, swift_fal, image, tmp_path
):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "shots.csv").write_text(f"image,prompt\n{image.name},A wave.\n")
    what = {"generate": [image, *PROMPT], "batch": [tmp_path / "shots.csv"], "watch": [tmp_path]}
    done = shell(command, *what.get(command, []), "--out", tmp_path / "file")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"A clip cannot be saved as {tmp_path / 'file' / 'clip'}_00001.mp4" in done.stderr
    assert swift_fal.ledger()["requests"] == []


@pytest.mark.parametrize("letter", ["x", "\u6d77"], ids=["ascii", "wide"])
def test_generate_image_with_the_longest_name_saves_its_clip(
    letter, shell, swift_fal, image, clips, tmp_path
):
    room = 255 - len(".png")
    long = image.rename(tmp_path / f"{letter * (room // len(letter.encode()))}.png")
    done = shell("generate", long, *PROMPT, "--out", clips, "--frames", "jpg", "--overview")
    assert done.returncode == 0, done.stderr
    (tmp_path / "shots.csv").write_text(f"image,prompt\n{long.name},A wave.\n", encoding="utf-8")
    assert shell("batch", tmp_path / "shots.csv", "--out", clips).returncode == 0
    assert swift_fal.ledger()["counts"]["jobs"] == 2


async def test_generate_killed_process_is_resumed(start, shell, open_fal, image, clips, vidu_home):
    fal = open_fal(generation_seconds=1.5)
    environment = fal.environment
    process = start("generate", image, *PROMPT, "--out", clips, **environment)
    await until(lambda: fal.ledger()["jobs"] and fal.ledger()["jobs"][0]["polls"])
    process.kill()
    process.communicate()
    done = shell("resume", "--out", clips, "--json", **environment)
    assert done.returncode == 0, done.stderr
    (clip,) = lines(done.stdout)
    (job,) = fal.ledger()["jobs"]
    assert (clip["request_id"], clip["reused"], clip["cost_usd"]) == (job["request_id"], True, 0.0)
    assert check(Path(clip["file_path"])).frame_count == 8
    again = shell("resume", "--out", clips, "--json", **environment)
    assert (again.stdout, again.stderr) == ("", "Nothing is unfinished.\n")
