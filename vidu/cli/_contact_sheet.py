"""The contact sheet of a batch: one HTML page with a thumbnail and the facts of each clip."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from os.path import relpath
from pathlib import Path
from urllib.parse import quote

from ..errors import Charge, SaveError, ViduError
from ..models import Clip
from ._frames import STILL_SUFFIXES
from ._output import print_notice

CONTACT_SHEET = "contact_sheet.html"
THUMBNAIL_WIDTH = 320

STYLE = """
:root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif }
body { margin: 2rem }
main { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)) }
figure { margin: 0 }
video, img { width: 100%; background: #0004; border-radius: 6px }
figcaption b { overflow-wrap: anywhere }
figcaption p { margin: .2rem 0; white-space: pre-line }
figcaption small { opacity: .7 }
.failed { border-left: 4px solid #c33; padding-left: .8rem }
"""


@dataclass(frozen=True)
class SheetItem:
    """One shot on the page.

    Args:
        name: What it is called.
        prompt: What should happen in it.
        facts: Its model, seed and options.
        clip: Its file; None when it failed.
        failure: Why it failed.
    """

    name: str
    prompt: str
    facts: str
    clip: Clip | None
    failure: str = ""

    @classmethod
    def of(cls, name: str, prompt: str, facts: str, result: Clip | ViduError) -> SheetItem:
        """Return the item of a shot and what became of it."""
        if isinstance(result, ViduError):
            return cls(name, prompt, facts, None, str(result))
        return cls(name, prompt, facts, result)


def save_contact_sheet(folder: Path, title: str, items: Sequence[SheetItem]) -> None:
    """Write the page into a folder, and say where it is.

    Raises:
        SaveError: It could not be written.
    """
    path = folder.absolute() / CONTACT_SHEET
    try:
        _write(path, title, items)
    except OSError as error:
        raise SaveError(
            f"{path} could not be written ({error.strerror}).", charge=Charge.EACH_ITS_OWN
        ) from error
    print_notice(f"contact sheet: {path}")


def _write(path: Path, title: str, cards: Sequence[SheetItem]) -> None:
    """Write the page with relative addresses of the clips, so that both can move together."""
    made = sum(card.clip is not None for card in cards)
    figures = "\n".join(_figure(card, path.parent) for card in cards)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "<!doctype html>\n"
        '<html lang="en">\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n"
        f"<style>{STYLE}</style>\n"
        f"<h1>{escape(title)}</h1>\n"
        f"<p>{made} of {len(cards)} clips</p>\n"
        f"<main>\n{figures}\n</main>\n"
        "</html>\n",
        encoding="utf-8",
    )


def _figure(card: SheetItem, folder: Path) -> str:
    caption = (
        f"<figcaption><b>{escape(card.name)}</b><p>{escape(card.prompt)}</p>"
        f"<small>{escape(card.facts)}</small></figcaption>"
    )
    if card.clip is None:
        return f'<figure class="failed">{caption}<p>{escape(card.failure)}</p></figure>'
    address, thumbnail = _address(card.clip.path, folder), _thumbnail(card.clip.path)
    if not card.clip.fps:
        return f'<figure><a href="{address}"><img src="{thumbnail}" alt=""></a>{caption}</figure>'
    return (
        f'<figure><video src="{address}" poster="{thumbnail}" preload="none" '
        f"controls loop muted playsinline></video>{caption}</figure>"
    )


def _address(clip: Path, folder: Path) -> str:
    if clip.drive != folder.drive:  # no relative path leads to another drive of Windows
        return clip.as_uri()
    return quote(Path(relpath(clip, folder)).as_posix())


def _thumbnail(path: Path) -> str:
    """Return a small picture of a clip or a still as a data URL."""
    from PIL import Image

    from ..media.image import to_rgb8
    from ..media.video import decode

    if path.suffix.lower() in STILL_SUFFIXES:
        image = Image.open(path).convert("RGB")
    else:
        (frame,) = decode(path, max_frames=1)
        image = Image.fromarray(to_rgb8(frame))
    image.thumbnail((THUMBNAIL_WIDTH, THUMBNAIL_WIDTH))
    data = BytesIO()
    image.save(data, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
