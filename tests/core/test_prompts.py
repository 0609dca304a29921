"""Prompts: what is refused, how characters are counted, what is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu import builders
from vidu.endpoint import Intention
from vidu.errors import (
    InvalidPromptError,
)
from vidu.fields import Text
from vidu.prompts import normalize_prompt

from ..support.requests_by_hand import shot, still

LIMITS = Text(1500)
LIMIT = LIMITS.max_length
GRINNING = "\N{GRINNING FACE}"


@pytest.mark.parametrize("prompt", ["", " ", "\n\t ", "\u3000\u2003\u00a0", "\ufeff", "\ufeff \n"])
def test_prompt_that_is_blank_is_refused(prompt):
    with pytest.raises(InvalidPromptError, match="empty"):
        shot(prompt)


@pytest.mark.parametrize(
    "prompt", ["\u200b", "\u200b\u200d \u2060", "\u3164", "\u2800\u2800", "\u0301", "a\x00b"[1:2]]
)
def test_prompt_with_nothing_visible_is_refused(prompt):
    with pytest.raises(InvalidPromptError):
        shot(prompt)


@pytest.mark.parametrize("prompt", ["wa\x00ves", "\x00"])
def test_prompt_with_a_nul_is_refused(prompt):
    with pytest.raises(InvalidPromptError, match=r"position \d+ \(a NUL\)"):
        shot(prompt)


@pytest.mark.parametrize("prompt", ["\ud83d", "waves \ude00", "\ude00\ud83d"])
def test_prompt_with_an_unpaired_surrogate_is_refused(prompt):
    with pytest.raises(InvalidPromptError, match=r"position \d+ \(an unpaired surrogate\)"):
        shot(prompt)


@pytest.mark.parametrize("letter", ["a", "\N{LATIN SMALL LETTER E WITH ACUTE}", GRINNING])
def test_prompt_is_counted_in_code_points(letter):
    assert shot(letter * LIMIT).prompt == letter * LIMIT
    with pytest.raises(InvalidPromptError, match=f"{LIMIT + 1} characters long, 1 more"):
        shot(letter * (LIMIT + 1))


def test_prompt_of_an_emoji_family_counts_each_code_point():
    family = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
    assert shot(family * (LIMIT // 5)).prompt == family * (LIMIT // 5)
    with pytest.raises(InvalidPromptError):
        shot(family * (LIMIT // 5) + "a")


def test_prompt_is_trimmed_before_it_is_counted():
    assert shot(f"\n  {'a' * LIMIT}\t ").prompt == "a" * LIMIT


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        (" two  words\nand a line ", "two  words\nand a line"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("one  \t\n two", "one\n two"),
        ("\ufeffwaves", "waves"),
        ("cafe\u0301", "caf\u00e9"),
        ("{a|b} // c", "{a|b} // c"),
    ],
)
def test_prompt_is_sent_in_one_form(typed, sent):
    assert shot(typed).prompt == sent
    assert shot(typed).fingerprint == shot(sent).fingerprint


@given(st.text())
def test_prompt_that_passes_can_be_sent_and_passes_unchanged_again(prompt):
    try:
        checked = normalize_prompt(prompt, LIMITS)
    except InvalidPromptError:
        return
    assert normalize_prompt(checked, LIMITS) == checked
    assert checked.encode().decode() == checked


def test_prompt_that_is_optional_may_be_blank_and_is_not_sent():
    request = builders.image_to_video(still(), " ", model="Q3")
    assert "prompt" not in request.arguments({"image": ["https://x/1"]})


def test_prompt_where_none_is_taken_is_refused():
    with pytest.raises(InvalidPromptError, match="takes no prompt"):
        builders.build_request(Intention.TEMPLATE, "Vidu", prompt="hi", media={"images": [still()]})
