"""What CSV, YAML and JSON write in their own way, and how it is read."""

from __future__ import annotations

import re

import pytest

from vidu.errors import InvalidInputError
from vidu.shots.manifest import read_manifest
from vidu.shots.text_encoding import decode_text

from ...support.manifest_files import as_csv, only_shot


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_with_each_delimiter_is_read(written, delimiter):
    text = as_csv([{"image": "a.png", "prompt": "Red, green; blue", "out": "one.mp4"}], delimiter)
    shot = only_shot(written("shots.CSV", "\ufeff" + text.replace("\n", "\r\n")))
    assert (shot.spec.prompt, shot.out) == ("Red, green; blue", "one")


@pytest.mark.parametrize("line", ["sep=;", "sep=;\r", '"sep=;"', "SEP=;"])
def test_csv_with_a_sep_line_is_read(written, line):
    assert only_shot(written("s.csv", f"{line}\nimage;prompt\na.png;A, B\n")).spec.prompt == "A, B"


@pytest.mark.parametrize(
    "head",
    [
        "Image,Prompt,Movement Amplitude",
        "IMAGE,PROMPT,MOVEMENT-AMPLITUDE",
        " image , prompt , movement_amplitude ",
    ],
)
def test_csv_heads_in_capitals_and_with_blanks_are_read(written, head):
    shot = only_shot(written("s.csv", f"{head}\na.png,A wave,Small\n"))
    assert (shot.spec.prompt, shot.spec.options) == ("A wave", {"movement_amplitude": "Small"})


def test_csv_with_empty_columns_and_rows_is_read(written):
    shot = only_shot(written("s.csv", "prompt, image,,\nA wave, sub/a.png,,\n,,,\n"))
    assert shot.spec.prompt == "A wave"
    assert shot.spec.media["image"][0].parts[-2:] == ("sub", "a.png")


def test_csv_prompt_of_several_lines_is_kept(written):
    shot = only_shot(written("shots.csv", 'image,prompt\na.png,"One\nTwo"\n'))
    assert shot.spec.prompt == "One\nTwo"


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_csv_in_each_encoding_is_read(written, encoding):
    text = "image;prompt\na.png;Caf\xe9 \u201eam Meer\u201c \u2013 50 \u20ac\n"
    found = read_manifest(written("s.csv", text.encode(encoding)))
    assert found.shots[0].spec.prompt == "Caf\xe9 \u201eam Meer\u201c \u2013 50 \u20ac"


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp932", "\u6d77\u306e\u6ce2"),
        ("gb18030", "\u6d77\u6d6a"),
        ("cp949", "\ubc14\ub2e4"),
        ("cp1251", "\u0432\u043e\u043b\u043d\u0430"),
    ],
)
def test_decode_text_of_another_code_page_is_refused(written, encoding, words):
    path = written("s.csv", f"image,prompt\na.png,{words}\n".encode(encoding))
    with pytest.raises(InvalidInputError, match="save it as UTF-8"):
        read_manifest(path)


def test_decode_text_reads_the_code_page_of_the_system_first():
    assert decode_text("\u6ce2\u306e\u97f3".encode("cp932"), "cp932") == (
        "\u6ce2\u306e\u97f3",
        "cp932",
    )


@pytest.mark.parametrize("seed", ["7", "7.0", "7,00", " 7 "])
def test_csv_seed_with_decimals_of_a_spreadsheet_is_a_whole_number(written, seed):
    assert only_shot(written("s.csv", f"image;prompt;seed\na.png;A;{seed}\n")).spec.seed == 7


@pytest.mark.parametrize(
    ("ratio", "read"), [("16:9", "16:9"), ("16:09", "16:9"), ("09:16:00", "9:16"), ("1:1", "1:1")]
)
def test_csv_aspect_ratio_that_became_a_time_is_read(written, ratio, read):
    text = f"task,prompt,aspect_ratio\ntext-to-video,A wave,{ratio}\n"
    assert only_shot(written("s.csv", text)).spec.options == {"aspect_ratio": read}


# YAML and JSON, which read some things differently from how they look.


def test_yaml_words_and_dates_stay_text(written):
    text = "- {image: a.png, prompt: No, out: 2026-11-26}\n"
    shot = only_shot(written("s.yaml", text))
    assert (shot.spec.prompt, shot.out) == ("No", "2026-11-26")


@pytest.mark.parametrize("seed", ["010", "0o10", "0x1F", "0b11", "1_000", "1:30"])
def test_yaml_number_that_reads_as_another_is_refused(written, seed):
    with pytest.raises(InvalidInputError, match=rf"Row 2: .*{re.escape(seed)}"):
        read_manifest(
            written(
                "s.yaml",
                f"- {{image: a.png, prompt: A}}\n- {{image: a.png, prompt: A, seed: {seed}}}\n",
            )
        )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.yaml", "- {image: a.png, prompt: A}\n- {image: a.png, prompt: A, prompt: B}\n"),
        (
            "s.jsonl",
            '{"image": "a.png", "prompt": "A"}\n{"image": "a.png", "prompt": "A", "prompt": "B"}',
        ),
    ],
)
def test_read_manifest_key_given_twice_is_refused_with_its_row(written, name, text):
    with pytest.raises(InvalidInputError, match="Row 2: prompt is given twice"):
        read_manifest(written(name, text))
