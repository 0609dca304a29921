"""Manifests in their three forms: what is read, and what is refused by row."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from vidu.endpoints import AMPLITUDE
from vidu.errors import InvalidInputError, ViduError
from vidu.request import SEED_MAX
from vidu.shots.manifest import FIELDS, read_manifest

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1)
SHOTS = st.lists(
    st.fixed_dictionaries(
        {"image": st.just("a.png"), "prompt": WORDS.map(str.strip)},
        optional={
            "seed": st.integers(0, SEED_MAX),
            "movement_amplitude": st.sampled_from(AMPLITUDE.values),
        },
    ),
    min_size=1,
    max_size=4,
)


def as_csv(shots: list[dict], delimiter: str = ",") -> str:
    file = io.StringIO(newline="")
    rows = csv.DictWriter(file, FIELDS, delimiter=delimiter)
    rows.writeheader()
    rows.writerows(shots)
    return file.getvalue()


def as_jsonl(shots: list[dict]) -> str:
    return "\n".join(map(json.dumps, shots))


FORMS = {".csv": as_csv, ".jsonl": as_jsonl, ".yaml": yaml.safe_dump, ".yml": yaml.safe_dump}


@pytest.fixture
def written(tmp_path):
    def write(name: str, text: str):
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


@pytest.mark.parametrize("suffix", FORMS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(shots=SHOTS)
def test_every_form_gives_what_was_written(suffix, shots, written):
    assume(all(shot["prompt"] for shot in shots))
    path = written(f"shots{suffix}", FORMS[suffix](shots))
    rows = read_manifest(path)
    assert [row.number for row in rows] == list(range(1, len(shots) + 1))
    for row, shot in zip(rows, shots, strict=True):
        assert row.image == path.parent / "a.png"
        assert row.prompt == shot["prompt"]
        assert row.seed == shot.get("seed", 0)
        assert row.movement_amplitude == shot.get("movement_amplitude", "auto")
        assert row.out == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(suffix=st.sampled_from(sorted(FORMS)), text=st.text(max_size=80))
def test_any_text_is_read_or_refused_in_words(suffix, text, written):
    try:
        assert read_manifest(written(f"shots{suffix}", text.encode(errors="replace").decode()))
    except ViduError as error:
        assert error.message


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_as_spreadsheets_write_it(written, delimiter):
    text = as_csv([{"image": "a.png", "prompt": "Red, green; blue", "out": "one.mp4"}], delimiter)
    (row,) = read_manifest(written("shots.CSV", "\ufeff" + text.replace("\n", "\r\n")))
    assert (row.prompt, row.out) == ("Red, green; blue", "one")


def test_columns_may_stand_in_any_order_and_be_left_out(written):
    (row,) = read_manifest(written("shots.csv", "prompt, image\nA wave, sub/a.png\n,\n"))
    assert row.prompt == "A wave"
    assert row.image.parts[-2:] == ("sub", "a.png")


def test_a_prompt_may_have_several_lines(written):
    (row,) = read_manifest(written("shots.csv", 'image,prompt\na.png,"One\nTwo"\n'))
    assert row.prompt == "One\nTwo"


def test_an_absolute_image_stays_so(written, tmp_path):
    image = tmp_path / "elsewhere" / "a.png"
    (row,) = read_manifest(written("s.jsonl", json.dumps({"image": str(image), "prompt": "A"})))
    assert row.image == image


GOOD = {"image": "a.png", "prompt": "A wave"}


@pytest.mark.parametrize(
    ("shot", "words"),
    [
        ({"prompt": "A wave"}, "It has no image."),
        ({"image": "a.png"}, "It has no prompt."),
        ({**GOOD, "prompt": " "}, "The prompt is empty."),
        ({**GOOD, "prompt": "a" * 1501}, "The prompt is 1501 characters long"),
        ({**GOOD, "prompt": 5}, "prompt is 5, no text."),
        ({**GOOD, "seed": "x"}, "The seed is 'x'."),
        ({**GOOD, "seed": -1}, "The seed is -1."),
        ({**GOOD, "seed": 1.5}, "The seed is 1.5."),
        ({**GOOD, "seed": True}, "The seed is True."),
        ({**GOOD, "seed": SEED_MAX + 1}, "The seed is 2147483648."),
        ({**GOOD, "movement_amplitude": "huge"}, "movement_amplitude is 'huge'."),
        ({**GOOD, "promt": "x"}, "It has promt."),
        ({**GOOD, "out": "a/b"}, "out is 'a/b', no plain file name."),
        ({**GOOD, "out": "..\\b"}, "no plain file name."),
        ({**GOOD, "out": "a:b"}, "no plain file name."),
        ({**GOOD, "out": ".hidden"}, "no plain file name."),
        ({**GOOD, "out": "end."}, "no plain file name."),
        ({**GOOD, "out": "NUL.mp4"}, "no plain file name."),
        ({**GOOD, "out": "com1.take 2"}, "no plain file name."),
        ({**GOOD, "out": "\u6d77" * 67}, "out is 201 bytes long."),
        ("only words", "It is no set of named values."),
    ],
)
def test_a_row_that_can_not_be_used_is_named(written, shot, words):
    with pytest.raises(InvalidInputError) as refused:
        read_manifest(written("shots.jsonl", as_jsonl([GOOD, shot])))
    assert re.search(f"Row 2: .*{re.escape(words)}", str(refused.value))
    assert "Row 1" not in str(refused.value)


def test_every_bad_row_is_named_at_once(written):
    shots = [{**GOOD, "seed": "x"}, GOOD, {"image": "a.png"}]
    with pytest.raises(InvalidInputError) as refused:
        read_manifest(written("shots.yaml", yaml.safe_dump(shots)))
    assert "Row 1:" in str(refused.value)
    assert "Row 3:" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("shots.txt", "", "no manifest by its name"),
        ("shots.csv", "", "holds no shot"),
        ("shots.csv", "image,prompt\n", "holds no shot"),
        ("shots.csv", "image,prompt,image\n", "two columns have the same name"),
        ("shots.csv", 'image,prompt\na.png,"open', "cannot be read"),
        ("shots.csv", "image,prompt\na.png,A wave,3\n", "more values than columns"),
        ("shots.jsonl", "\n\n", "holds no shot"),
        ("shots.jsonl", '{"image": "a.png"}\n{', "line 2 is no JSON"),
        ("shots.yaml", "a: [", "cannot be read"),
        ("shots.yaml", "image: a.png", "it holds no list of shots"),
        ("shots.yaml", "!!python/object/apply:os.getcwd []", "cannot be read"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(written, name, text, words):
    with pytest.raises(InvalidInputError, match=words):
        read_manifest(written(name, text))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_manifest(tmp_path / "nowhere.csv")


def test_text_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "shots.csv"
    path.write_bytes("image,prompt\na.png,Caf\xe9\n".encode("latin-1"))
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_manifest(path)
