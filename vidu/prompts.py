"""Prompts as they are sent: one form for what looks the same, and nothing that cannot be seen."""

from __future__ import annotations

import re
import unicodedata

from .errors import InvalidPromptError
from .fields import Text

BYTE_ORDER_MARK = "\ufeff"

BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Fillers and the empty braille pattern: letters and symbols by category, blank to the eye."""


def normalize_prompt(prompt: str, limits: Text) -> str:
    """Return the prompt as it is sent and fingerprinted.

    Line breaks become LF, accents are composed (NFC), blanks at line ends and around the whole are
    dropped, and so is a leading byte order mark.

    Args:
        prompt: As it was typed, wired or read.
        limits: What the endpoint takes; its length counts code points.

    Raises:
        InvalidPromptError: It is too long, is not text, or has nothing in it that can be seen.
    """
    _check_characters(prompt)
    lines = re.split(r"\r\n|\r|\n", prompt.removeprefix(BYTE_ORDER_MARK))
    text = unicodedata.normalize("NFC", "\n".join(line.rstrip() for line in lines)).strip()
    if not text:
        if limits.is_required:
            raise InvalidPromptError(
                "The prompt is empty.", f"Write 1 to {limits.max_length} characters."
            )
        return ""
    if not any(_is_visible(character) for character in text):
        raise InvalidPromptError(
            f"The prompt has {len(text)} characters and none of them can be seen.",
            "Type the prompt again instead of pasting it.",
        )
    if len(text) > limits.max_length:
        raise InvalidPromptError(
            f"The prompt is {len(text)} characters long, "
            f"{len(text) - limits.max_length} more than this model takes.",
            f"Shorten it to {limits.max_length} characters or fewer.",
        )
    return text


def _check_characters(prompt: object) -> None:
    if not isinstance(prompt, str):
        raise InvalidPromptError(
            f"The prompt is a {type(prompt).__name__}, not a text.", "Connect a text."
        )
    bad = re.search("[\x00\ud800-\udfff]", prompt)
    if not bad:
        return
    what = "a NUL" if bad[0] == "\x00" else "an unpaired surrogate"
    raise InvalidPromptError(
        f"The prompt contains an invalid character at position {bad.start() + 1} ({what}).",
        "Type the prompt again instead of pasting it.",
    )


def _is_visible(character: str) -> bool:
    """Return whether the character leaves a mark: no control, format, blank or lone accent."""
    category = unicodedata.category(character)
    return category[0] not in "CZM" and character not in BLANK_LETTERS
