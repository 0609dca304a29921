"""Manifests: what is read whatever the format, and what is refused by row."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from vidu.endpoint import Intention
from vidu.errors import InvalidInputError, ViduError
from vidu.request import SEED_MAX
from vidu.shots.manifest import read_manifest

from ...support.manifest_files import as_csv, only_shot

AMPLITUDES = ("auto", "small", "medium", "large")
LETTERS = st.characters(codec="utf-8", exclude_categories=["C", "Z"])
WORDS = st.text(LETTERS).map("A{}".format)
SHOTS = st.lists(
    st.fixed_dictionaries(
        {"image": st.just("a.png"), "prompt": WORDS},
        optional={
            "seed": st.integers(0, SEED_MAX),
            "movement_amplitude": st.sampled_from(AMPLITUDES),
        },
    ),
    min_size=1,
    max_size=4,
)


def as_jsonl(shots: list[dict]) -> str:
    return "\n".join(map(json.dumps, shots))


FORMATS = {".csv": as_csv, ".jsonl": as_jsonl, ".yaml": yaml.safe_dump, ".yml": yaml.safe_dump}


@pytest.mark.parametrize("suffix", FORMATS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(shots=SHOTS)
def test_read_manifest_of_every_format_returns_what_was_written(suffix, shots, written):
    assume(all(shot["prompt"].strip() == shot["prompt"] for shot in shots))
    path = written(f"shots{suffix}", FORMATS[suffix](shots))
    found = read_manifest(path).shots
    assert [shot.number for shot in found] == list(range(1, len(shots) + 1))
    for shot, given_shot in zip(found, shots, strict=True):
        options = {name: given_shot[name] for name in ("movement_amplitude",) if name in given_shot}
        assert shot.spec.media == {"image": (path.parent / "a.png",)}
        assert shot.spec.prompt == given_shot["prompt"]
        assert shot.spec.seed == given_shot.get("seed", 0)
        assert shot.spec.options == options
        assert shot.spec.intention is Intention.IMAGE_TO_VIDEO
        assert shot.out == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(suffix=st.sampled_from(sorted(FORMATS)), data=st.binary(max_size=80) | st.text(max_size=80))
def test_read_manifest_of_any_file_is_read_or_refused(suffix, data, written):
    content = data.encode(errors="replace") if isinstance(data, str) else data
    try:
        assert read_manifest(written(f"shots{suffix}", content)).shots
    except ViduError as error:
        assert error.message


def test_read_manifest_absolute_image_stays_absolute(written, tmp_path):
    image = tmp_path / "elsewhere" / "a.png"
    shot = only_shot(written("s.jsonl", json.dumps({"image": str(image), "prompt": "A"})))
    assert shot.spec.media["image"] == (image,)


@pytest.mark.parametrize("name", ["sub\\a.png", '"sub/a.png"', '"sub\\a.png"', "sub/a.png"])
def test_read_manifest_path_as_windows_copies_it_is_found(written, tmp_path, name):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").touch()
    shot = only_shot(written("s.jsonl", json.dumps({"image": name, "prompt": "A"})))
    assert shot.spec.media["image"][0].samefile(tmp_path / "sub" / "a.png")


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_manifest", ["NFC", "NFD"])
def test_read_manifest_accent_is_found_composed_and_decomposed(
    written, tmp_path, on_disk, in_manifest
):
    file = tmp_path / unicodedata.normalize(on_disk, "K\xfcste.png")
    file.touch()
    name = unicodedata.normalize(in_manifest, "K\xfcste.png")
    shot = only_shot(written("s.jsonl", json.dumps({"image": name, "prompt": "A"})))
    assert shot.spec.media["image"][0].samefile(file)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.csv", "images,prompt\na.png|b.png,A\n"),
        ("s.jsonl", '{"images": ["a.png", "b.png"], "prompt": "A"}'),
    ],
)
def test_read_manifest_references_are_several_files(written, tmp_path, name, text):
    shot = only_shot(written(name, text))
    assert shot.spec.media == {"images": (tmp_path / "a.png", tmp_path / "b.png")}
    assert shot.spec.intention is Intention.REFERENCE_TO_VIDEO


def test_read_manifest_shot_of_another_model_has_its_options(written):
    shot = only_shot(
        written("s.csv", "image,end_image,prompt,model,duration\na.png,b.png,A,q3,8\n")
    )
    assert shot.spec.model == "q3"
    assert shot.spec.options == {"duration": "8"}
    assert list(shot.spec.media) == ["end_image", "image"]


GOOD = {"image": "a.png", "prompt": "A wave"}


@pytest.mark.parametrize(
    ("shot", "words"),
    [
        ({"prompt": "A wave"}, "No image is given."),
        ({"image": "a.png"}, "The prompt is empty."),
        ({**GOOD, "prompt": " "}, "The prompt is empty."),
        ({**GOOD, "prompt": "a" * 1501}, "The prompt is 1501 characters long"),
        ({**GOOD, "prompt": 5}, "prompt is 5, which is not text."),
        ({**GOOD, "prompt": "#NAME?"}, "prompt is #NAME?, an error of the spreadsheet."),
        ({**GOOD, "prompt": "#REF!"}, "an error of the spreadsheet."),
        ({**GOOD, "seed": "########"}, "an error of the spreadsheet."),
        ({**GOOD, "seed": "1.23E+09"}, "a spreadsheet cut off its digits."),
        ({**GOOD, "seed": "1,23e9"}, "a spreadsheet cut off its digits."),
        ({**GOOD, "seed": "1.234.567"}, "The seed is '1.234.567'."),
        ({**GOOD, "seed": "x"}, "The seed is 'x'."),
        ({**GOOD, "seed": -1}, "The seed is -1."),
        ({**GOOD, "seed": 1.5}, "The seed is 1.5."),
        ({**GOOD, "seed": True}, "The seed is True."),
        ({**GOOD, "seed": SEED_MAX + 1}, "The seed is 2147483648."),
        ({**GOOD, "movement_amplitude": "huge"}, "movement_amplitude is 'huge'."),
        ({**GOOD, "duration": 8}, "has no option 'duration'"),
        ({**GOOD, "model": "q9"}, "model is 'q9'."),
        ({**GOOD, "task": "sing"}, "task is 'sing'."),
        ({**GOOD, "video": "a.mp4"}, "Q2 Pro takes no image."),
        ({**GOOD, "image": ["a.png", "b.png"]}, "image is ['a.png', 'b.png']."),
        ({**GOOD, "promt": "x"}, "It has promt, which no model takes. Did you mean prompt?"),
        ({**GOOD, "out": "a/b"}, "out is 'a/b', which is not a plain file name."),
        ({**GOOD, "out": "..\\b"}, "not a plain file name."),
        ({**GOOD, "out": "a:b"}, "not a plain file name."),
        ({**GOOD, "out": ".hidden"}, "not a plain file name."),
        ({**GOOD, "out": "end."}, "not a plain file name."),
        ({**GOOD, "out": "NUL.mp4"}, "not a plain file name."),
        ({**GOOD, "out": "com1.take 2"}, "not a plain file name."),
        ({**GOOD, "out": "\u6d77" * 67}, "out is 201 bytes long."),
        ("only words", "It is not an object with named values."),
    ],
)
def test_read_manifest_bad_row_is_refused_by_its_number(written, shot, words):
    with pytest.raises(InvalidInputError) as refused:
        read_manifest(written("shots.jsonl", as_jsonl([GOOD, shot])))
    assert re.search(f"Row 2: .*{re.escape(words)}", str(refused.value)), refused.value
    assert "Row 1" not in str(refused.value)


def test_read_manifest_several_bad_rows_are_all_named(written):
    shots = [{**GOOD, "seed": "x"}, GOOD, {"image": "a.png"}]
    with pytest.raises(InvalidInputError) as refused:
        read_manifest(written("shots.yaml", yaml.safe_dump(shots)))
    assert "Row 1:" in str(refused.value)
    assert "Row 3:" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("shots.txt", "", "not a manifest by its name"),
        ("shots.csv", "", "holds no shot"),
        ("shots.csv", "image,prompt\n", "holds no shot"),
        ("shots.csv", "image,prompt,Image\n", "two columns have the same name"),
        ("shots.csv", 'image,prompt\na.png,"open', "cannot be read"),
        ("shots.csv", "image,prompt\na.png,A wave,3\n", "more values than columns"),
        ("shots.jsonl", "\n\n", "holds no shot"),
        ("shots.jsonl", '{"image": "a.png"}\n{', "line 2 is not JSON"),
        ("shots.yaml", "a: [", "cannot be read"),
        ("shots.yaml", "image: a.png", "it does not hold a list of shots"),
        ("shots.yaml", "!!python/object/apply:os.getcwd []", "cannot be read"),
        ("shots.yaml", "&a [*a]", "not an object with named values"),
    ],
)
def test_read_manifest_of_another_file_is_refused(written, name, text, words):
    with pytest.raises(InvalidInputError, match=words):
        read_manifest(written(name, text))


def test_read_manifest_of_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_manifest(tmp_path / "nowhere.csv")
