"""From FINISHED to SAVED, and what is done when a clip is missing somewhere on that way."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import (
    ApiStatusError,
    Charge,
    ClipGoneError,
    CorruptClipError,
    SaveError,
    UnreadableResponseError,
    UnsafeUrlError,
)
from ..media.mux import save_clip
from ..media.video import Probe, check
from ..models import Entry, Output, SavedFile
from ..pricing import format_usd
from ..progress import Phase
from ..threads import run_in_thread_until_done
from .context import Context

USUAL_SIZE = (1280, 720)
MOST_TRIES = 3
TRY_AGAIN_AFTER_S = 1.0


async def retrieve(context: Context, entry: Entry) -> Entry:
    """Move a FINISHED row to SAVED; to FAILED when a clip once saved is gone everywhere.

    Raises:
        ClipUnavailableError: The clip could not be fetched; the row stays.
        CorruptClipError: What came is not the whole clip; the row stays.
        SaveError: It could not be written; the row stays, and so does the downloaded file.
    """
    assert entry.output is not None
    part = await asyncio.to_thread(_part, context, entry)
    try:
        probe = await run_in_thread_until_done(_reuse_partial_download, entry.output, part)
        probe = probe or await _download_and_check(context, entry.output, part)
    except ClipGoneError as gone:
        return await _handle_missing_clip(context, entry, gone)
    except (UnsafeUrlError, CorruptClipError) as broken:
        # What fal keeps of this clip may never become better, so the way out is told as well.
        raise type(broken)(
            broken.message,
            "Run the same shot again to fetch it anew, free. Should that never help, change the "
            f"seed. {context.regenerate_hint(entry)}",
            request_id=entry.request_id,
        ) from broken
    return await run_in_thread_until_done(_save, context, entry, part, probe)


async def is_intact(entry: Entry) -> bool:
    """Return whether the saved file is there, with the size and sha256 it was saved with."""
    return entry.file is not None and await asyncio.to_thread(_matches, entry.file)


async def verify_saved_file(context: Context, entry: Entry) -> Entry | None:
    """Leave a SAVED row whose file is well as it is; take any other to FINISHED, its file alone."""
    if entry.file and await is_intact(entry):
        # A run killed right after it saved the clip left what it had downloaded.
        await asyncio.to_thread(_discard, entry.file.path.with_name(_part_name(entry)))
        return None
    context.warn(
        Phase.DOWNLOADING, "The saved file is gone or damaged: fetching it again, free", 0.85
    )
    assert entry.output is not None
    return context.ledger.mark_finished(entry, entry.output)


async def recover_from_history(context: Context, entry: Entry) -> Entry:
    """Move a row whose request fal answers 404 for to FINISHED, when the listing has its clip.

    Raises:
        ClipGoneError: The listing does not have it.
    """
    output = await _find_in_history(context, entry, Charge.MAYBE_SPENT)
    if output:
        return context.ledger.mark_finished(entry, output)
    _check_sees(context, entry, "fal does not know the request", Charge.MAYBE_SPENT)
    # A clip nobody has seen yet is not paid for anew without a word from the user.
    raise ClipGoneError(
        f"fal does not know request {entry.request_id}.",
        f"Run the same shot again later. {context.regenerate_hint(entry)}",
        charge=Charge.MAYBE_SPENT,
        request_id=entry.request_id,
    )


async def _handle_missing_clip(context: Context, entry: Entry, gone: ClipGoneError) -> Entry:
    assert entry.output is not None
    output = await _find_in_history(context, entry, Charge.SPENT)
    if output and output.video_url != entry.output.video_url:
        return context.ledger.mark_finished(entry, output)
    if entry.saved_at is None or context.paid_in_this_run(entry):
        # A clip nobody has seen yet is not paid for anew without a word from the user.
        raise ClipGoneError(
            gone.message,
            "Run the same shot again later to ask once more, free. "
            f"{context.regenerate_hint(entry)}",
            charge=Charge.CHARGED,
        ) from gone
    if entry.file is not None and await asyncio.to_thread(_is_out_of_reach, entry.file):
        raise ClipGoneError(
            f"fal no longer has the clip, and the saved file {entry.file.path} cannot be read.",
            f"Make it readable and run the same shot again, free. {context.regenerate_hint(entry)}",
        ) from gone
    what = "The clip is gone from disk and from fal"
    _check_sees(context, entry, what, Charge.CHARGED)
    if not context.may_pay:
        raise ClipGoneError(
            f"{what}.",
            f"Run its shot to make it again for {format_usd(entry.price_usd)}.",
            charge=Charge.CHARGED,
        )
    price = format_usd(entry.price_usd)
    context.warn(Phase.UPLOADING, f"{what}: making it again for {price}", 0.0)
    return context.ledger.mark_failed(entry, what, billed=True)


async def _find_in_history(context: Context, entry: Entry, charge: Charge) -> Output | None:
    assert entry.handle is not None
    try:
        return await context.provider.find_output(entry.endpoint, entry.handle)
    except (ApiStatusError, UnreadableResponseError) as problem:
        raise ClipGoneError(
            f"fal no longer serves request {entry.request_id}, and its listing of requests, which "
            f"may have the clip, cannot be read: {problem.message}",
            f"Run the same shot again later. {context.regenerate_hint(entry)}",
            charge=charge,
        ) from problem


def _check_sees(context: Context, entry: Entry, what: str, charge: Charge) -> None:
    if not context.same_account(entry):
        raise ClipGoneError(
            f"{what}, when asked with this key; request {entry.request_id} was made with another.",
            "Set the key it was made with and run the same shot again. "
            f"{context.regenerate_hint(entry)}",
            charge=charge,
        )


def _part(context: Context, entry: Entry) -> Path:
    with _wrap_os_errors():
        return next(context.names(*USUAL_SIZE)).with_name(_part_name(entry))


@contextmanager
def _wrap_os_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or "the folder of the clips"
        raise SaveError(f"The clip cannot be saved: {place}: {error.strerror}.") from error


def _part_name(entry: Entry) -> str:
    # By request, not by shot: a draft's file must never be taken for the paid clip of its shot.
    return f".{hashlib.sha256(entry.request_id.encode()).hexdigest()[:16]}.part"


def _discard(part: Path) -> None:
    with suppress(OSError):  # on Windows another program may hold it for a moment
        part.unlink()


def _reuse_partial_download(output: Output, part: Path) -> Probe | None:
    """Return what an earlier run brought whole but could not keep."""
    try:
        if output.video_size not in (None, part.stat().st_size):
            return None
        return check(part)
    except (OSError, CorruptClipError):
        return None


async def _download_and_check(context: Context, output: Output, part: Path) -> Probe:
    for tries_left in reversed(range(MOST_TRIES)):
        _make_room(part)
        try:
            await context.provider.download(output, part, context.on_progress)
            context.report(Phase.CHECKING, "Checking the clip", 0.95)
            return await run_in_thread_until_done(_checked, part)
        except CorruptClipError:
            if not tries_left:
                raise
        await asyncio.sleep(TRY_AGAIN_AFTER_S)
    raise AssertionError("the last try returns or raises")


def _checked(part: Path) -> Probe:
    try:
        return check(part)
    except CorruptClipError:
        _discard(part)
        raise


def _make_room(part: Path) -> None:
    with _wrap_os_errors():
        part.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)


def _save(context: Context, entry: Entry, part: Path, probe: Probe) -> Entry:
    with _wrap_os_errors():
        path = save_clip(part, context.names(probe.width, probe.height), context.metadata)
        file = SavedFile(
            path=path,
            size=path.stat().st_size,
            sha256=_sha256(path),
            width=probe.width,
            height=probe.height,
            fps=probe.fps,
            frame_count=probe.frame_count,
            duration_s=probe.duration_s,
        )
    saved = context.ledger.mark_saved(entry, file)
    _discard(part)
    return saved


def _matches(file: SavedFile) -> bool:
    try:
        return file.path.stat().st_size == file.size and _sha256(file.path) == file.sha256
    except OSError:
        return False


def _is_out_of_reach(file: SavedFile) -> bool:
    """Return whether the file may be well though it cannot be read; one that is gone may not."""
    try:
        file.path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return False


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
