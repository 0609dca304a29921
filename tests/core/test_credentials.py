"""The key: what is cleaned and refused, where it is looked for and stored."""

from __future__ import annotations

import os
import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vidu.credentials import (
    KEY_FILE,
    Secret,
    find_key,
    forget_key,
    key_path,
    parse_key,
    store_key,
)
from vidu.errors import MalformedKeyError, MissingKeyError

from ..support.file_holder import FileHolder
from ..support.made_up_keys import keys

KEY = "0f3a-id:5ecre7"
WRAPPED = [
    f" {KEY} ",
    f"{KEY}\n",
    f"{KEY}\r\n",
    f"\t{KEY}",
    f'"{KEY}"',
    f"'{KEY}'",
    f"`{KEY}`",
    f'  "{KEY}"\n',
    f"\u201c{KEY}\u201d",
    f"\u2018{KEY}\u2019",
    f"\ufeff{KEY}",
    f"\u00a0{KEY}\u200b",
]

# All that is ever said of a key that is none: nothing of what was pasted.
SAID = re.compile(
    r"What FAL_KEY holds is not a fal key \((it is empty|it has characters no key has|"
    r"it has a space inside|it has \d+ colons and a key has one|one side of its colon is empty)\)\."
    r" Nothing was charged\."
    r" Copy the key again from fal\.ai/dashboard/keys; it looks like id:secret\."
)

wrapping = st.text(st.sampled_from(" \t\r\n\"'`\u200b\ufeff\u201c\u201d"), max_size=4)

# -- what is cleaned, what is refused ------------------------------------------------------------


@pytest.mark.parametrize("text", [KEY, *WRAPPED])
def test_parse_key_drops_what_copying_adds(text):
    assert parse_key(text, "FAL_KEY").reveal() == KEY


@given(wrapping, keys, wrapping)
def test_parse_key_in_any_wrapping_returns_the_key(before, key, after):
    assert parse_key(before + key + after, "FAL_KEY").reveal() == key


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        (' "" ', "it is empty"),
        ("id secret", "it has a space inside"),
        ("id: secret", "it has a space inside"),
        ("id:se\ncret", "it has characters no key has"),
        ("id:s\u00e9cret", "it has characters no key has"),
        ("id:sec\u200bret", "it has characters no key has"),
        ("id:sec\x00ret", "it has characters no key has"),
        ("idsecret", "it has 0 colons and a key has one"),
        ("a:b:c", "it has 2 colons and a key has one"),
        ("::", "it has 2 colons and a key has one"),
        (":secret", "one side of its colon is empty"),
        ("id:", "one side of its colon is empty"),
    ],
)
def test_parse_key_impossible_key_is_refused_with_the_reason(text, why):
    with pytest.raises(MalformedKeyError, match=re.escape(f"({why})")):
        parse_key(text, "FAL_KEY")


@given(st.one_of(st.text(), st.text(string.printable), keys))
@example("id:s\u00e9cret")
@example(f"Authorization: Key {KEY}")
@example(f"{KEY}\n{KEY}")
def test_parse_key_of_any_text_never_repeats_it(text):
    try:
        secret = parse_key(text, "FAL_KEY")
    except MalformedKeyError as refused:
        assert SAID.fullmatch(str(refused))
        assert refused.__cause__ is None
        assert refused.__context__ is None
        return
    # What fal-client and httpx put into one header as it is.
    assert re.fullmatch(r"[!-~]+:[!-~]+", secret.reveal())
    assert secret.reveal() in text


# -- where it is looked for ----------------------------------------------------------------------


def test_find_key_fal_key_takes_precedence(tmp_path):
    store_key(tmp_path, Secret("stored:key"))
    environ = {"FAL_KEY": f" {KEY}\n", "FAL_KEY_ID": "a", "FAL_KEY_SECRET": "b"}
    found = find_key(tmp_path, environ)
    assert (found.secret.reveal(), found.source) == (KEY, "FAL_KEY")


def test_find_key_two_halves_take_precedence_over_the_file(tmp_path):
    store_key(tmp_path, Secret("stored:key"))
    environ = {"FAL_KEY": " ", "FAL_KEY_ID": ' "id"', "FAL_KEY_SECRET": "secret\n"}
    found = find_key(tmp_path, environ)
    assert found.secret.reveal() == "id:secret"
    assert found.source == "FAL_KEY_ID and FAL_KEY_SECRET"


@pytest.mark.parametrize("half", ["FAL_KEY_ID", "FAL_KEY_SECRET"])
def test_find_key_one_half_is_ignored(tmp_path, half):
    store_key(tmp_path, Secret(KEY))
    assert find_key(tmp_path, {half: "alone"}).source == "the stored key"


def test_find_key_file_written_by_hand_is_read(tmp_path):
    (tmp_path / KEY_FILE).write_bytes(f"\ufeff{KEY}\r\n".encode())
    assert find_key(tmp_path, {}).secret.reveal() == KEY


@pytest.mark.parametrize("content", [None, b"", b" \n"])
def test_find_key_nowhere_says_where_to_put_one(tmp_path, content):
    if content is not None:
        (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(MissingKeyError, match=r"Settings > Vidu.*FAL_KEY.*fal\.ai/dashboard/keys"):
        find_key(tmp_path, {})


@pytest.mark.parametrize("name", ["FAL_KEY", "FAL_KEY_ID and FAL_KEY_SECRET", "the stored key"])
def test_find_key_bad_key_is_refused_with_its_place(tmp_path, name):
    environ = {
        "FAL_KEY": {"FAL_KEY": "no key"},
        "FAL_KEY_ID and FAL_KEY_SECRET": {"FAL_KEY_ID": "no:key", "FAL_KEY_SECRET": "b"},
    }.get(name, {})
    (tmp_path / KEY_FILE).write_text("no key")
    with pytest.raises(MalformedKeyError, match=name):
        find_key(tmp_path, environ)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_find_key_unreadable_file_is_refused(tmp_path, encoding):
    (tmp_path / KEY_FILE).write_text(f"{KEY}\u00e9", encoding=encoding)
    with pytest.raises(MalformedKeyError, match="stored key cannot be read"):
        find_key(tmp_path, {})


# -- the file ------------------------------------------------------------------------------------


def test_store_key_is_found_until_it_is_deleted(tmp_path):
    home = tmp_path / "not" / "yet"
    store_key(home, Secret("old:key"))
    store_key(home, Secret(KEY))
    assert find_key(home, {}).secret.reveal() == KEY
    assert [path.name for path in home.iterdir()] == [KEY_FILE]
    forget_key(home)
    forget_key(home)
    with pytest.raises(MissingKeyError):
        find_key(home, {})


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mode bits; the folder is the user's")
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_store_key_file_is_readable_by_its_owner_alone(tmp_path, mask):
    (tmp_path / KEY_FILE).write_text("left behind, readable by all")
    (tmp_path / f"{KEY_FILE}.new").write_text("left behind by a crash, readable by all")
    before = os.umask(mask)
    try:
        store_key(tmp_path, Secret(KEY))
    finally:
        os.umask(before)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert find_key(tmp_path, {}).secret.reveal() == KEY


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mode bits; the folder is the user's")
def test_store_key_folder_is_open_to_its_owner_alone(tmp_path):
    store_key(tmp_path / "private", Secret(KEY))
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o700


OLD_PYTHONS = [(3, 10, 14), (3, 11, 9), (3, 12, 3)]
NEW_PYTHONS = [(3, 10, 15), (3, 11, 10), (3, 12, 4), (3, 13, 0), (3, 14, 0)]


@pytest.mark.parametrize("python", OLD_PYTHONS + NEW_PYTHONS)
def test_store_key_on_windows_says_where_others_may_read_it(python, tmp_path):
    warning = store_key(tmp_path, Secret(KEY), os_name="nt", python=python)
    assert (warning is not None) is (python in OLD_PYTHONS)
    if warning:
        assert ".".join(map(str, python)) in warning
        assert "FAL_KEY" in warning
        assert KEY not in warning
    path = key_path(tmp_path, os_name="nt")
    assert path.read_text(encoding="ascii") == KEY
    assert [each.name for each in path.parent.iterdir()] == ["fal_key"]


def test_store_key_on_windows_makes_its_folder_again(tmp_path):
    folder = key_path(tmp_path, os_name="nt").parent
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "fal_key").write_text("old:key")
    store_key(tmp_path, Secret(KEY), os_name="nt", python=(3, 13, 0))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "fal_key").read_text(encoding="ascii") == KEY


def test_store_key_leftover_held_for_a_moment_is_replaced(tmp_path, monkeypatch):
    (tmp_path / "fal_key.new").write_text("half a k")
    holder = FileHolder(monkeypatch, "unlink", 2, ".new")
    store_key(tmp_path, Secret("an-id:a-secret"))
    assert (tmp_path / "fal_key").read_text() == "an-id:a-secret"
    assert holder.refusals == 0


def test_store_key_elsewhere_says_nothing(tmp_path):
    assert store_key(tmp_path, Secret(KEY), os_name="posix", python=(3, 10, 0)) is None
    assert key_path(tmp_path, os_name="posix") == tmp_path / "fal_key"
