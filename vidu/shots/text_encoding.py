"""The encoding of text files, as editors and spreadsheets of all systems save them."""

from __future__ import annotations

import locale
import re

BYTE_ORDER_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

WESTERN = re.compile(
    rb"(?:[\x00-\x7f]|[\x80\x82\x84\x85\x8b\x8c\x91-\x97\x99\x9b\x9c\xa0-\xff]{1,2}(?![\x80-\xff]))*"
)
"""Text in Windows-1252: single accents and quotation marks between ASCII.

Chinese, Japanese, Korean and Russian code pages have long runs of high bytes. Read as Western,
they would be paid for as gibberish.
"""


def decode_text(data: bytes, code_page: str | None = None) -> tuple[str, str]:
    """Return the text of a file and the encoding that it was read by.

    A byte order mark decides, then zero bytes (UTF-16), then UTF-8, then the code page.

    Args:
        data: The file.
        code_page: What this machine's programs write; None for the system's own.

    Raises:
        ValueError: The encoding cannot be told.
    """
    encoding = _unicode_encoding(data)
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise
    code_page = code_page or locale.getpreferredencoding(False)
    try:
        if not _is_unicode(code_page) and code_page.lower() != "cp1252":
            return data.decode(code_page), code_page
    except UnicodeDecodeError:
        pass
    if WESTERN.fullmatch(data):
        return data.decode("cp1252"), "cp1252"
    raise ValueError("its encoding cannot be told; save it as UTF-8")


def _unicode_encoding(data: bytes) -> str:
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return encoding
    # The head of a manifest is ASCII, so UTF-16 without a mark has a zero in each pair of bytes.
    head = data[:16]
    if len(head) > 3 and not any(head[1::2]):
        return "utf-16-le"
    if len(head) > 3 and not any(head[0::2]):
        return "utf-16-be"
    return "utf-8"


def _is_unicode(encoding: str) -> bool:
    return encoding.lower().replace("-", "").replace("_", "").startswith("utf")
