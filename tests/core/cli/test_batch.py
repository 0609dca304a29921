"""A manifest from the command line: checked whole, paid once, resumed, limited and split."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger
from PIL import Image

from vidu.__main__ import main
from vidu.media.video import check

from ...support.shots import until


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def billed(fal) -> Counter[str]:
    """How often each prompt was paid for."""
    return Counter(job["input"]["prompt"] for job in fal.ledger()["jobs"] if job["billed"])


def spent(home: Path) -> Decimal:
    with BlockingLedger.open(home) as ledger:
        return ledger.spent_today()


def test_batch_makes_each_clip_under_its_name(shell, swift_fal, manifest, tmp_path):
    done = shell("batch", manifest(3), "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    told = lines(done.stdout)
    assert sorted(each["row"] for each in told) == [1, 2, 3]
    for each in told:
        assert each["file_path"] == str(tmp_path / "out" / f"{each['name']}_00001.mp4")
        assert check(Path(each["file_path"])).frame_count == each["frame_count"] == 4
        assert each["cost_usd"] == 0.2
    assert "3 of 3 clips, $0.60" in done.stderr
    assert swift_fal.ledger()["billed_usd"] == pytest.approx(0.6)


def test_batch_run_again_costs_nothing(shell, swift_fal, manifest, tmp_path):
    shell("batch", manifest(2), "--out", tmp_path / "out")
    again = shell("batch", manifest(2), "--out", tmp_path / "out", "--json")
    assert again.returncode == 0
    assert [each["reused"] for each in lines(again.stdout)] == [True, True]
    assert "2 of 2 clips, $0.00" in again.stderr
    assert swift_fal.ledger()["counts"]["jobs"] == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "s001_00001.mp4",
        "s002_00001.mp4",
    ]


def test_batch_clip_saved_elsewhere_is_copied_under_its_name(shell, swift_fal, manifest, tmp_path):
    shell("batch", manifest(1), "--out", tmp_path / "first")
    done = shell("batch", manifest(1, row_1={"out": "other"}), "--out", tmp_path / "second")
    assert done.stdout.strip() == str(tmp_path / "second" / "other_00001.mp4")
    made = (tmp_path / "first" / "s001_00001.mp4").read_bytes()
    assert (tmp_path / "second" / "other_00001.mp4").read_bytes() == made
    assert swift_fal.ledger()["counts"]["jobs"] == 1


def test_batch_clip_of_a_changed_row_does_not_replace_the_old_one(shell, manifest, tmp_path):
    shell("batch", manifest(1), "--out", tmp_path)
    old = (tmp_path / "s001_00001.mp4").read_bytes()
    for _ in range(2):
        done = shell("batch", manifest(1, row_1={"image": "i3.png"}), "--out", tmp_path)
        assert done.stdout.strip() == str(tmp_path / "s001_00002.mp4")
    assert (tmp_path / "s001_00001.mp4").read_bytes() == old


def test_batch_with_a_bad_row_is_refused_before_the_first_cent(
    shell, swift_fal, manifest, tmp_path
):
    (tmp_path / "broken.png").write_bytes((tmp_path / "i1.png").read_bytes()[:60])
    Image.new("RGB", (900, 100)).save(tmp_path / "wide.png")
    bad = {
        "row_2": {"image": "nowhere.png"},
        "row_3": {"image": "broken.png"},
        "row_4": {"image": "wide.png"},
        "row_5": {"out": "S001"},
    }
    done = shell("batch", manifest(6, **bad), "--out", tmp_path / "out")
    assert done.returncode == 2
    assert f"Row 2: {tmp_path / 'nowhere.png'} does not exist." in done.stderr
    assert "Row 3: broken.png cannot be read as an image" in done.stderr
    assert "Row 4: image is 900 x 100 pixels" in done.stderr
    assert "Row 5: its clip's name 'S001' is that of row 1." in done.stderr
    assert not swift_fal.ledger()["requests"]
    assert not (tmp_path / "out").exists()


def test_batch_dry_run_prints_the_cost_and_sends_nothing(shell, swift_fal, manifest, tmp_path):
    swift_fal.set_faults("content_policy_violation:1")
    shell("batch", manifest(3), "--out", tmp_path / "out", "--concurrency", 1)
    asked = len(swift_fal.ledger()["requests"])
    same = {"row_5": {"image": "i4.png", "prompt": "Shot 4, a wave", "seed": "4"}}
    path = manifest(5, **same)
    dry = shell("batch", path, "--dry-run", FAL_KEY="")
    assert dry.stdout.splitlines()[-1] == "5 clips: 2 new, 0 unfinished, 3 paid. To pay: $0.40"
    told = lines(shell("batch", path, "--dry-run", "--json").stdout)
    assert [each["status"] for each in told] == ["new", "paid", "paid", "new", "paid"]
    assert sum(each["cost_usd"] for each in told) == pytest.approx(0.4)
    assert len(swift_fal.ledger()["requests"]) == asked
    made = shell("batch", path, "--out", tmp_path / "out")
    assert "5 of 5 clips, $0.40" in made.stderr


async def test_batch_dry_run_prints_what_unfinished_shots_may_cost(
    start, shell, open_fal, manifest, tmp_path
):
    fal = open_fal(generation_seconds=60)
    process = start("batch", manifest(1), "--out", tmp_path / "out", **fal.environment)
    await until(lambda: fal.ledger()["jobs"])
    process.kill()
    process.communicate()
    dry = shell("batch", manifest(3), "--dry-run").stdout
    assert "3 clips: 2 new, 1 unfinished, 0 paid. To pay: $0.40, or up to $0.60" in dry


def test_batch_one_failed_shot_is_reported_and_the_others_saved(
    shell, swift_fal, manifest, tmp_path
):
    swift_fal.set_faults("content_policy_violation:1")
    done = shell("batch", manifest(3), "--out", tmp_path, "--json")
    assert done.returncode == 1
    (failed,) = [each for each in lines(done.stdout) if "error" in each]
    assert "content checker refused" in failed["error"]
    assert f"{failed['name']}: fal's content checker" in done.stderr
    assert "2 of 3 clips, $0.40, 1 failed" in done.stderr
    assert shell("batch", manifest(3), "--out", tmp_path).returncode == 0
    assert set(billed(swift_fal).values()) == {1}


def test_batch_of_200_killed_and_run_again_pays_each_shot_once(
    start, shell, swift_fal, manifest, tmp_path
):
    """One in ten goes wrong, each in its own way; the process is killed in the middle."""
    faults = (
        "content_policy_violation:5,internal_server_error:2,accepted_then_dropped:2,"
        "token_500:1,upload_503:1,submit_429:1,status_502:2,result_500:2,download_broken:4"
    )
    swift_fal.set_faults(faults)
    command = ("batch", manifest(200), "--out", tmp_path / "out", "--concurrency", 32)
    # How long a request can live: what was killed while it asked is looked for that long.
    limits = ("QUEUE_LIMIT", "GENERATION_LIMIT", "MAX_GENERATION")
    life = {f"VIDU_{limit}_S": "6" for limit in limits}
    first = start(*command, **life)
    for _ in range(70):
        assert first.stdout.readline().endswith(".mp4\n")
    first.kill()
    first.communicate()
    swift_fal.set_faults(faults)
    for _ in range(4):
        done = shell(*command, **life)
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr
    assert "200 of 200 clips" in done.stderr
    for number in range(1, 201):
        assert check(tmp_path / "out" / f"s{number:03}_00001.mp4").frame_count == 4
    assert billed(swift_fal) == {f"Shot {number}, a wave": 1 for number in range(1, 201)}


def test_batch_side_by_side_never_exceeds_the_budget(
    shell, swift_fal, manifest, tmp_path, vidu_home
):
    swift_fal.set_faults("content_policy_violation:1,upload_500:9")
    options = ("--out", tmp_path / "out", "--concurrency", 12)
    done = shell("batch", manifest(12), *options, "--budget", "1.00")
    assert done.returncode == 1
    assert "of this run's $1.00 is spent or reserved" in done.stderr
    assert Decimal("0.6") <= spent(vidu_home) <= 1
    assert swift_fal.ledger()["billed_usd"] <= 1
    saved = shell("batch", manifest(12), *options, "--budget", "0")
    assert len(saved.stdout.splitlines()) == len(billed(swift_fal)), "what is paid is still had"
    assert shell("batch", manifest(12), *options, "--budget", "9").returncode == 0
    assert set(billed(swift_fal).values()) == {1}


def test_batch_run_twice_at_once_makes_each_shot_once_and_shares_the_work(
    start, open_fal, manifest, tmp_path
):
    fal = open_fal(generation_seconds=1, concurrency=50)
    path = manifest(12)
    command = ("batch", path, "--concurrency", 2, "--json")
    runs = [start(*command, "--out", tmp_path / name, **fal.environment) for name in "ab"]
    told = [lines(run.communicate()[0]) for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert billed(fal) == {f"Shot {number}, a wave": 1 for number in range(1, 13)}
    paid = [sum(each["cost_usd"] > 0 for each in clips) for clips in told]
    assert sum(paid) == 12
    assert min(paid) >= 3, "one of them waited for the other instead of taking the next shot"
    for name in "ab":
        assert len(list((tmp_path / name).glob("s*.mp4"))) == 12


@pytest.mark.parametrize(
    "options",
    [
        ["--concurrency", "0"],
        ["--budget", "-1"],
        ["--budget", "nan"],
    ],
    ids=" ".join,
)
def test_batch_bad_usage_exits_with_2(manifest, options):
    with pytest.raises(SystemExit) as ended:
        main(["batch", str(manifest(1)), *options])
    assert ended.value.code == 2


def test_batch_draft_is_free_and_needs_no_key(shell, swift_fal, manifest, tmp_path):
    done = shell(
        "batch", manifest(1), "--out", tmp_path / "out", "--draft", "--budget", "0", FAL_KEY=""
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 1 clips, $0.00" in done.stderr
    assert not swift_fal.ledger()["requests"]
