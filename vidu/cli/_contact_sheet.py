"""The results of a batch on one page: an HTML file beside the clips, with their posters in it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from os.path import relpath
from pathlib import Path
from urllib.parse import quote

POSTER_WIDTH = 320

STYLE = """
:root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif }
body { margin: 2rem }
main { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)) }
figure { margin: 0 }
video { width: 100%; background: #0004; border-radius: 6px }
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
        prompt: What was asked for.
        facts: What else was asked for.
        clip: The mp4, when there is one.
        failure: Why there is none.
    """

    name: str
    prompt: str
    facts: str
    clip: Path | None
    failure: str | None


def write_contact_sheet(path: Path, title: str, cards: Sequence[SheetItem]) -> None:
    """Write the page; it finds the clips by their way from it, so that both can move together.

    Args:
        path: The HTML file; what is there is replaced.
        title: What the page is called.
        cards: The shots, in their order.

    Raises:
        CorruptClipError: A clip has no frame.
        OSError: The file cannot be written.
    """
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
        return f'<figure class="failed">{caption}<p>{escape(card.failure or "")}</p></figure>'
    address = quote(Path(relpath(card.clip, folder)).as_posix())
    return (
        f'<figure><video src="{address}" poster="{_poster(card.clip)}" preload="none" '
        f"controls loop muted playsinline></video>{caption}</figure>"
    )


def _poster(clip: Path) -> str:
    from PIL import Image

    from ..media.image import to_rgb8
    from ..media.video import decode

    (frame,) = decode(clip, max_frames=1)
    image = Image.fromarray(to_rgb8(frame))
    image.thumbnail((POSTER_WIDTH, POSTER_WIDTH))
    data = BytesIO()
    image.save(data, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
