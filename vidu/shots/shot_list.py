"""A shot list as text: one shot a line, `prompt | seed | amplitude | duration | end`.

::

    # The storm, morning
    The waves roll in.
    The lamp begins to turn. | 7
    "Red | green | blue flags fly." | | large
    Night falls. | | | 8 | next
    The beam goes round and round. | 3 | small | 4 | loop

All but the prompt may be left out. Blank lines, and lines that begin with #, are passed over. A
bar between double quotes does not divide; quotes around a whole field are taken off, and inside
them "" stands for one quote.

`end` is the shot's last frame: `loop` is its own first frame, `next` the first frame of the next
shot, and a number the end image with that number.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass

from ..endpoints import AMPLITUDE, ENDPOINTS
from ..errors import InvalidImageError, InvalidInputError, InvalidPromptError, InvalidSettingError
from ..fields import Text, WholeNumber
from ..prompts import normalize_prompt
from ..request import SEED_MAX, check_seed

LINE_BREAK = re.compile(r"\r\n|\r|\n")
TOKEN = re.compile(r'"[^"]*"|[^"|]+|["|]')
QUOTED = re.compile(r'"((?:[^"]|"")*)"')

LONGEST_PROMPT = Text(max(each.prompt.max_length for each in ENDPOINTS.values() if each.prompt))
"""What any model takes; the node that makes the clip knows its model's own limit."""

COLUMN_COUNT = 5

FORM = (
    "Write prompt | seed | amplitude | duration | end; put a prompt that has a bar in it between "
    "double quotes."
)

_DURATIONS = [
    field
    for endpoint in ENDPOINTS.values()
    for field in endpoint.fields
    if isinstance(field, WholeNumber) and field.name == "duration"
]
ANY_DURATION = WholeNumber(
    "duration",
    min(field.least for field in _DURATIONS),
    max(field.most for field in _DURATIONS),
    5,
)
"""What any model takes; the node that makes the clip knows its model's own range."""

LOOP, NEXT = "loop", "next"


@dataclass(frozen=True)
class Shot:
    """One shot of a list.

    Args:
        line: Where it stands in the text, from 1; blank lines and comments count.
        prompt: As it is sent; see `prompts.normalize_prompt`.
        seed: 0..2147483647; 0 lets Vidu choose.
        movement_amplitude: auto, small, medium or large.
        duration: Seconds; None where the line has none.
        end: `loop`, `next`, the number of an end image from 1, or None.
    """

    line: int
    prompt: str
    seed: int
    movement_amplitude: str = "auto"
    duration: int | None = None
    end: str | int | None = None


def read_shots(text: str, base_seed: int = 0) -> list[Shot]:
    """Read a shot list.

    A seed that is left out is made from the base seed and the prompt, so that the list gives the
    same clips again, and a line keeps its seed, and its paid clip, when others are added, edited,
    moved or removed. The same prompt once more in the list gets another seed: it is another take.

    Args:
        text: The list; see the module.
        base_seed: What the seeds that are left out are made from.

    Returns:
        At least one shot.

    Raises:
        InvalidInputError: The list is empty, or lines of it cannot be used: all of them are named.
    """
    shots: list[Shot] = []
    problems: list[str] = []
    takes: Counter[str] = Counter()
    for number, line in enumerate(LINE_BREAK.split(text), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            prompt, seed, movement_amplitude, duration, end = _read_line(line)
        except InvalidInputError as error:
            problems.append(f"Line {number}: {error.message} {error.next_step}")
            continue
        takes[prompt] += 1
        if seed is None:
            seed = derive_seed(base_seed, prompt, takes[prompt])
        shots.append(Shot(number, prompt, seed, movement_amplitude, duration, end))
    if problems:
        raise InvalidInputError("\n".join(problems), "Fix the shot list, then run again.")
    if not shots:
        raise InvalidPromptError("The shot list is empty.", f"Write one shot a line. {FORM}")
    return shots


def derive_seed(base_seed: int, prompt: str, take: int) -> int:
    """Return the seed, 1..2147483647, of the `take`-th take of a prompt, from 1."""
    digest = hashlib.sha256(f"{base_seed} {take} {prompt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % SEED_MAX + 1


def read_seed(text: str) -> int:
    """Return the seed that a text is.

    Raises:
        InvalidSettingError: It is not a whole number in 0..2147483647.
    """
    digits = text.strip()
    seed = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 10 else text
    check_seed(seed)
    return int(seed)


def parse_amplitude(text: str) -> str:
    """Return the movement amplitude that a text is, in whatever case; auto when it is empty.

    Raises:
        InvalidSettingError: There is no such amplitude.
    """
    return AMPLITUDE.parse(text.lower()) if text.strip() else AMPLITUDE.default


def assign_images(shots: list[Shot], image_count: int) -> list[int]:
    """Return which image, from 0, each shot begins with: one for all, or one each.

    Raises:
        InvalidImageError: The counts differ; the first line or image without a partner is named.
    """
    if image_count == 1:
        return [0] * len(shots)
    if image_count == len(shots):
        return list(range(image_count))
    counted = f"There are {len(shots)} shots and {image_count} images"
    if image_count > len(shots):
        odd = f"image {len(shots) + 1} has no line; the last one is line {shots[-1].line}."
    else:
        odd = f"line {shots[image_count].line} has no image."
    raise InvalidImageError(f"{counted}: {odd}", "Give one image for all lines, or one each.")


def assign_end_images(shots: list[Shot], image_count: int) -> list[str | int | None]:
    """Return the last frame of each shot: `loop`, `next`, an end image from 0, or None.

    Where no line says anything in its column `end`, the end images belong to the shots as
    `assign_images` says.

    Raises:
        InvalidImageError: A line asks for an end image, or a next shot, that is not there.
    """
    if all(shot.end is None for shot in shots):
        return list(assign_images(shots, image_count)) if image_count else [None] * len(shots)
    for shot in shots:
        if isinstance(shot.end, int) and shot.end > image_count:
            raise InvalidImageError(
                f"Line {shot.line} ends with image {shot.end}, and there "
                f"{'is' if image_count == 1 else 'are'} {image_count}.",
                "Connect it to end_image, or change the line.",
            )
    if shots[-1].end == NEXT:
        raise InvalidImageError(
            f"Line {shots[-1].line} ends with the next shot, and is the last one.",
            "Leave its column end empty, or add a line.",
        )
    return [shot.end - 1 if isinstance(shot.end, int) else shot.end for shot in shots]


def _read_line(line: str) -> tuple[str, int | None, str, int | None, str | int | None]:
    fields = _fields(line)
    if len(fields) > COLUMN_COUNT:
        raise InvalidSettingError(
            f"Too many '|' separators ({len(fields) - 1}; at most {COLUMN_COUNT - 1}).", FORM
        )
    prompt, seed, movement_amplitude, duration, end = (*fields, "", "", "", "")[:COLUMN_COUNT]
    return (
        normalize_prompt(prompt, LONGEST_PROMPT),
        read_seed(seed) if seed else None,
        parse_amplitude(movement_amplitude),
        ANY_DURATION.parse(duration) if duration else None,
        _read_end(end) if end else None,
    )


def _read_end(text: str) -> str | int:
    word = text.strip().lower()
    if word in (LOOP, NEXT):
        return word
    if word.isascii() and word.isdecimal() and 1 <= int(word[:4]) <= 1000:
        return int(word[:4])
    raise InvalidSettingError(f"end is {text!r}.", "Use loop, next, or the number of an end image.")


def _fields(line: str) -> list[str]:
    fields = [""]
    for token in TOKEN.findall(line):
        if token == "|":
            fields.append("")
        else:
            fields[-1] += token
    return [_unquoted(field.strip()) for field in fields]


def _unquoted(field: str) -> str:
    quoted = QUOTED.fullmatch(field)
    return quoted[1].replace('""', '"').strip() if quoted else field
