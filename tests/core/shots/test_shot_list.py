"""A shot list: what is read, what is refused, and which seeds are made."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vidu.endpoints import AMPLITUDE
from vidu.errors import InvalidImageError, InvalidInputError, InvalidPromptError
from vidu.request import SEED_MAX
from vidu.shots.shot_list import Shot, assign_end_images, assign_images, derive_seed, read_shots

PROMPTS = st.text(
    st.characters(codec="latin-1", exclude_categories=["Cc", "Cf"]), min_size=1, max_size=200
).map(str.strip)
SEEDS = st.integers(0, SEED_MAX)
AMPLITUDES = st.sampled_from(AMPLITUDE.values)


def quoted(prompt: str) -> str:
    return '"' + prompt.replace('"', '""') + '"'


def prompts(shots: list[Shot]) -> list[str]:
    return [shot.prompt for shot in shots]


def test_read_shots_returns_prompts_seeds_and_options():
    shots = read_shots(
        "# Morning\n"
        "The waves roll in.\n"
        "\n"
        "   # and then\n"
        "  The lamp turns.  |  7\n"
        '"Red | green | blue flags" | | Large\r\n'
        'He says "left | right" and goes | 8 | small\n'
        'A 7" screen | 9\n'
        '"He says ""go"" | she goes" | 10'
    )
    assert [(shot.line, shot.prompt, shot.movement_amplitude) for shot in shots] == [
        (2, "The waves roll in.", "auto"),
        (5, "The lamp turns.", "auto"),
        (6, "Red | green | blue flags", "large"),
        (7, 'He says "left | right" and goes', "small"),
        (8, 'A 7" screen', "auto"),
        (9, 'He says "go" | she goes', "auto"),
    ]
    assert [shot.seed for shot in shots][1] == 7
    assert [shot.seed for shot in shots][3:] == [8, 9, 10]


@given(st.lists(st.tuples(PROMPTS, SEEDS, AMPLITUDES), min_size=1, max_size=5))
def test_read_shots_returns_what_was_written(written):
    assume(all(prompt for prompt, _, _ in written))
    lines = [f"{quoted(prompt)} | {seed} | {size}" for prompt, seed, size in written]
    shots = read_shots("\n".join(lines))
    assert [(shot.prompt, shot.seed, shot.movement_amplitude) for shot in shots] == written


@given(st.text(st.sampled_from('ab"|#7 \n\r'), max_size=60) | st.text(max_size=60))
def test_read_shots_of_any_text_is_read_or_refused(text):
    try:
        shots = read_shots(text)
    except InvalidInputError as error:
        assert "Line " in str(error) or "empty" in str(error)
        return
    assert [shot.line for shot in shots] == sorted({shot.line for shot in shots})
    assert all(shot.prompt and 0 <= shot.seed <= SEED_MAX for shot in shots)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a | b", "Line 3: The seed is 'b'."),
        ("a | -1", "Line 3: The seed is '-1'."),
        ("a | 2147483648", "Line 3: The seed is 2147483648."),
        ("a | " + "9" * 5000, "Line 3: The seed is "),
        ("a | 1.5", "Line 3: The seed is '1.5'."),
        ("a | 1 | huge", "Line 3: movement_amplitude is 'huge'."),
        ("a | 1 | small | 17", "Line 3: duration is 17."),
        ("a | 1 | small | 4 | never", "Line 3: end is 'never'."),
        ("a | 1 | small | 4 | loop | ", "Line 3: Too many '|' separators (5; at most 4)"),
        ("| 1", "Line 3: The prompt is empty."),
        ('"" | 1', "Line 3: The prompt is empty."),
        ("a" * 5001, "Line 3: The prompt is 5001 characters long"),
    ],
)
def test_read_shots_bad_line_is_refused_by_its_number(line, words):
    with pytest.raises(InvalidInputError) as refused:
        read_shots(f"# two good ones\na good one\n{line}\n")
    assert words in str(refused.value)


def test_read_shots_several_bad_lines_are_all_named():
    with pytest.raises(InvalidInputError) as refused:
        read_shots("a | x\nfine\nb | | huge")
    assert "Line 1:" in str(refused.value)
    assert "Line 2:" not in str(refused.value)
    assert "Line 3:" in str(refused.value)


@pytest.mark.parametrize("text", ["", "\n\n", "  \n# only words about it\n"])
def test_read_shots_of_nothing_is_refused(text):
    with pytest.raises(InvalidPromptError, match="empty"):
        read_shots(text)


@given(SEEDS, PROMPTS, st.integers(1, 500))
def test_derive_seed_is_in_range_and_always_the_same(base_seed, prompt, take):
    seed = derive_seed(base_seed, prompt, take)
    assert 1 <= seed <= SEED_MAX
    assert seed == derive_seed(base_seed, prompt, take)


def test_derive_seed_outlives_this_version():
    """A clip that was paid for is found by its seed: this number must never change."""
    assert derive_seed(0, "The waves roll in.", 1) == 438207748


@given(
    st.lists(PROMPTS, min_size=2, max_size=6, unique=True), st.integers(0, 5), PROMPTS, st.data()
)
def test_derive_seed_is_the_same_when_other_lines_change(saved, place, new, data):
    assume(all(saved) and new and new not in saved)
    seeds = dict(zip(saved, (shot.seed for shot in read_shots(lines(saved))), strict=True))
    changed = data.draw(st.permutations(saved))
    removed = changed.pop()
    changed.insert(place, new)
    for shot in read_shots(lines(changed)):
        if shot.prompt != new:
            assert shot.seed == seeds[shot.prompt]
    assert removed not in prompts(read_shots(lines(changed)))


def lines(texts: list[str]) -> str:
    return "\n".join(quoted(text) for text in texts)


def test_derive_seed_of_a_repeated_prompt_differs():
    first, other, again = read_shots("waves\nwind\nwaves")
    assert len({first.seed, other.seed, again.seed}) == 3


def test_derive_seed_of_another_base_seed_differs():
    assert read_shots("waves", 1) != read_shots("waves", 2)
    assert read_shots("waves | 5", 1) == read_shots("waves | 5", 2)


def test_assign_images_one_for_all_or_one_each_is_taken():
    shots = read_shots("# three\na\nb\n\nc")
    assert assign_images(shots, 1) == [0, 0, 0]
    assert assign_images(shots, 3) == [0, 1, 2]


@pytest.mark.parametrize(
    ("count", "words"),
    [(2, "3 shots and 2 images: line 5 has no image"), (4, "image 4 has no line; the last one is")],
)
def test_assign_images_of_another_number_is_refused(count, words):
    with pytest.raises(InvalidImageError, match=words):
        assign_images(read_shots("# three\na\nb\n\nc"), count)


def test_read_shots_columns_of_duration_and_end_are_read():
    shots = read_shots("One. | | | 8 | Next\nTwo. | | | | loop\nThree. | | | 1 | 2\nFour.")
    assert [(shot.duration, shot.end) for shot in shots] == [
        (8, "next"),
        (None, "loop"),
        (1, 2),
        (None, None),
    ]


def test_assign_end_images_follow_the_lines():
    shots = read_shots("One. | | | | next\nTwo. | | | | 2\nThree. | | | | loop\nFour.")
    assert assign_end_images(shots, 2) == ["next", 1, "loop", None]


@pytest.mark.parametrize(("count", "assigned"), [(0, [None, None]), (1, [0, 0]), (2, [0, 1])])
def test_assign_end_images_without_a_column_is_one_for_all_or_one_each(count, assigned):
    assert assign_end_images(read_shots("One.\nTwo."), count) == assigned


@pytest.mark.parametrize(
    ("text", "count", "words"),
    [
        ("One. | | | | 3\nTwo.", 2, "Line 1 ends with image 3, and there are 2."),
        ("One.\nTwo. | | | | next", 0, "Line 2 ends with the next shot"),
        ("One.\nTwo.", 3, "2 shots and 3 images"),
    ],
)
def test_assign_end_images_that_are_not_there_is_refused(text, count, words):
    with pytest.raises(InvalidImageError, match=words):
        assign_end_images(read_shots(text), count)
