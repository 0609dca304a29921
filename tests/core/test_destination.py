"""Names of saved files: numbered, cut, cleaned, and inside their folder."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vidu.destination import Destination, clean_folder_name, clean_name
from vidu.errors import InvalidSettingError

ROOT = Path(__file__).resolve().parents[2]


def names(destination: Destination) -> list[str]:
    return sorted(path.name for path in destination.folder.iterdir())


def claim(destination: Destination, text: str = "clip", suffix: str = ".mp4") -> Path:
    part = destination.temporary_path()
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_text(text)
    return destination.claim(part, suffix)


# Names.


def test_claim_numbers_files_from_1_and_makes_the_folder(tmp_path):
    destination = Destination(tmp_path / "new" / "folder", "Vidu")
    assert [claim(destination).name for _ in range(3)] == [
        "Vidu_00001.mp4",
        "Vidu_00002.mp4",
        "Vidu_00003.mp4",
    ]
    assert names(destination) == ["Vidu_00001.mp4", "Vidu_00002.mp4", "Vidu_00003.mp4"]


def test_claim_goes_on_after_the_highest_number_whatever_its_suffix(tmp_path):
    for name in ("Vidu_00007.png", "Vidu_100000.mp4", "Vidu_other_00900.mp4", "Vidu_1.mp4"):
        (tmp_path / name).touch()
    assert claim(Destination(tmp_path, "Vidu")).name == "Vidu_100001.mp4"


def test_claim_side_by_side_never_shares_a_name(tmp_path):
    destination = Destination(tmp_path, "Vidu")
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda number: claim(destination, str(number)), range(60)))
    assert len(set(paths)) == 60
    assert sorted(path.read_text() for path in paths) == sorted(map(str, range(60)))


CLAIM_MANY = """
import sys
from pathlib import Path
from vidu.destination import Destination
destination = Destination(Path(sys.argv[1]), "Vidu")
sys.stdin.readline()
for _ in range(6):
    part = destination.temporary_path()
    part.touch()
    print(destination.claim(part, ".mp4").name)
"""


def test_claim_in_several_processes_never_shares_a_name(tmp_path):
    command = [sys.executable, "-c", CLAIM_MANY, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [subprocess.Popen(command, env=environ, **pipes) for _ in range(3)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    claimed = [name for process in processes for name in process.communicate()[0].split()]
    assert sorted(claimed) == [f"Vidu_{number:05}.mp4" for number in range(1, 19)]


def test_claim_whatever_numbers_are_taken_overwrites_nothing(tmp_path):
    for taken in itertools.chain.from_iterable(
        itertools.combinations(range(1, 5), count) for count in range(5)
    ):
        folder = tmp_path / "_".join(map(str, (0, *taken)))
        folder.mkdir()
        for number in taken:
            (folder / f"Vidu_{number:05}.mp4").write_text("another's")
        following = max(taken, default=0) + 1
        assert claim(Destination(folder, "Vidu")).name == f"Vidu_{following:05}.mp4"
        assert all((folder / f"Vidu_{n:05}.mp4").read_text() == "another's" for n in taken)


def test_destination_size_in_folder_and_stem_is_filled_in(tmp_path):
    destination = Destination(tmp_path / "%width%", "a_%width%x%height%")
    destination.check()
    assert list(tmp_path.iterdir()) == []
    assert destination.temporary_path("r-1").parent == tmp_path
    path = claim(destination.for_size(1280, 720))
    assert path == tmp_path / "1280" / "a_1280x720_00001.mp4"


@pytest.mark.parametrize(
    ("stem", "cleaned"),
    [
        ("x" * 300, "x" * 200),
        ("\u6d77" * 90, "\u6d77" * 66),
        ("\N{GRINNING FACE}" * 60, "\N{GRINNING FACE}" * 50),
        ("The tide\r\ncomes\tin\0", "The tide comes in"),
        ("a/b", "a_b"),
        ("", "clip"),
        ("\n", "clip"),
        (" ", "clip"),
        ("\udce9t\udce9", "t"),
    ],
)
def test_destination_stem_is_made_writable(stem, cleaned, tmp_path):
    destination = Destination(tmp_path, stem)
    assert destination.stem == cleaned
    destination.check()
    assert claim(destination).name == f"{cleaned}_00001.mp4"


def test_temporary_path_is_never_longer_than_a_clips_name(tmp_path):
    destination = Destination(tmp_path, "x")
    clip = next(iter(destination.candidates(".mp4")))
    for part in (destination.temporary_path(), destination.temporary_path("request-1")):
        assert len(str(part)) <= len(str(clip))
        assert part.name.startswith(".")


def test_temporary_path_is_told_by_its_key(tmp_path):
    destination = Destination(tmp_path, "x")
    assert destination.temporary_path("r-1") == destination.temporary_path("r-1")
    parts = {destination.temporary_path(f"r-{number}") for number in range(2000)}
    assert len(parts) == 2000
    assert destination.temporary_path() != destination.temporary_path()


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ('a<b>:c"|?*', "a_b__c____"),
        ("12:30", "12_30"),
        ("a\\b", "a_b"),
        ("plain", "plain"),
    ],
)
def test_clean_name_on_windows_replaces_what_names_cannot_have(name, cleaned):
    assert clean_name(name, windows=True) == cleaned


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("con", "con_"),
        ("NUL.txt", "NUL.txt_"),
        ("com1", "com1_"),
        ("LPT\u00b9", "LPT\u00b9_"),
        ("console", "console"),
        ("trailing. .", "trailing"),
        ("...", "_"),
    ],
)
def test_clean_folder_name_on_windows_names_no_device(name, cleaned):
    assert clean_folder_name(name, windows=True) == cleaned


# Prefixes.


@pytest.mark.parametrize(
    ("prefix", "folder", "stem"),
    [
        ("video/Vidu", "video", "Vidu"),
        ("Vidu", "", "Vidu"),
        ("video/", "video", "clip"),
        ("a//./b/c", "a/b", "c"),
        ("a..b/c..", "a..b", "c.."),
    ],
)
def test_inside_splits_a_prefix_into_folder_and_stem(prefix, folder, stem, tmp_path):
    destination = Destination.inside(tmp_path, prefix, windows=False)
    assert (destination.folder, destination.stem) == (tmp_path / folder, stem)


@pytest.mark.parametrize("prefix", ["../x", "a/../../x", "/etc/x", "a/..", ".."])
def test_inside_prefix_that_leads_out_is_refused(prefix, tmp_path):
    with pytest.raises(InvalidSettingError, match="leads out of the folder"):
        Destination.inside(tmp_path, prefix)


@pytest.mark.parametrize("prefix", ["..\\x", "C:\\x", "C:/x", "\\\\server\\share\\x", "\\x"])
def test_inside_on_windows_knows_its_ways_out(prefix, tmp_path):
    with pytest.raises(InvalidSettingError, match="leads out of the folder"):
        Destination.inside(tmp_path, prefix, windows=True)


def test_inside_on_windows_a_time_is_no_alternate_stream(tmp_path):
    destination = Destination.inside(tmp_path, "nul\\at 12:30\\shot 12:31", windows=True)
    assert (destination.folder, destination.stem) == (
        tmp_path / "nul_" / "at 12_30",
        "shot 12_31",
    )


def test_inside_a_link_out_of_the_folder_is_followed(tmp_path):
    (tmp_path / "drive").mkdir()
    root = tmp_path / "output"
    root.mkdir()
    (root / "video").symlink_to(tmp_path / "drive", target_is_directory=True)
    destination = Destination.inside(root, "video/Vidu")
    destination.check()
    claim(destination)
    assert (tmp_path / "drive" / "Vidu_00001.mp4").is_file()


# Copies.


def test_find_copy_finds_the_same_content_under_such_a_name_only(tmp_path):
    destination = Destination(tmp_path / "out", "shot")
    clip = tmp_path / "elsewhere.mp4"
    clip.write_text("the clip")
    assert destination.find_copy(clip) is None
    claim(destination, "another")
    (tmp_path / "out" / "other_00001.mp4").write_text("the clip")
    assert destination.find_copy(clip) is None
    copy = claim(destination, "the clip")
    assert destination.find_copy(clip) == copy
    assert destination.find_copy(copy) == copy
