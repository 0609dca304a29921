"""The step from FINISHED to SAVED: a clip downloaded, checked and saved."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ..endpoints import ENDPOINTS
from ..errors import Charge, ClipGoneError, CorruptClipError, SaveError, UnsafeUrlError
from ..files import remove_file, sha256_of
from ..media.mux import write_clip
from ..media.packets import hash_packets
from ..media.probe import Probe
from ..media.still_file import check_still, write_still
from ..media.video import Check
from ..media.write_result import WriteResult
from ..models import Entry, Output, SavedFile
from ..progress import Phase
from ..provider import Length
from ..retry import retry
from ..threads import run_in_thread_until_done, run_until_done, start_in_own_event_loop
from .context import Context
from .history import check_account, find_in_history
from .verify import find_saved_file

Write = Callable[[Path, Path, Mapping[str, str]], WriteResult]
"""Writes a checked file with metadata inside."""

MOST_DOWNLOADS = 3
"""How often a clip is downloaded when it comes broken.

A file that shows no end, and whose length nothing confirms, is taken when it came so each time.
"""


async def retrieve(context: Context, entry: Entry) -> Entry:
    """Move a FINISHED row to SAVED.

    Raises:
        ClipGoneError: fal no longer has the clip; only the user decides to pay again.
        ClipUnavailableError: The clip could not be downloaded; the row stays.
        CorruptClipError: What came is not the whole clip; the row stays.
        SaveError: It could not be written; the row stays, and so does the downloaded file.
    """
    assert entry.output is not None
    file = await asyncio.to_thread(find_saved_file, entry, context.destination)
    if file:
        return await context.ledger.mark_saved(entry, file)
    if entry.file:
        what = "The saved file is gone or damaged: downloading it again, free"
        context.warn(Phase.DOWNLOADING, what, 0.85)
    # By request, not by shot: a draft must never be taken for the paid clip of its shot.
    part = context.destination.temporary_path(entry.request_id)
    try:
        check = check_still if _is_still(entry) else context.check
        probe = await run_in_thread_until_done(_reuse_partial_download, entry.output, part, check)
        if probe is None:
            entry, probe = await _download_wherever_it_is(context, entry, part, check)
    except (UnsafeUrlError, CorruptClipError) as broken:
        # What fal keeps of this clip may never become better, so the way out is told as well.
        raise type(broken)(
            broken.message,
            "Run the same shot again to download it again, free. Should that never help, change "
            f"the seed. {context.regenerate_hint(entry)}",
            request_id=entry.request_id,
        ) from broken
    # To its end even if the task is cancelled: a file that no row knows would be paid for again.
    saved, written = await run_until_done(
        start_in_own_event_loop(lambda: _save_and_record(context, entry, part, probe))
    )
    if not written.has_metadata:
        context.warn(
            Phase.DOWNLOADING,
            f"The file came as {written.suffix}, which cannot carry the workflow. The library has "
            "it.",
            0.96,
        )
    return saved


async def _download_wherever_it_is(
    context: Context, entry: Entry, part: Path, check: Check
) -> tuple[Entry, Probe]:
    """Download from the address in the row, or else, once, from the one in fal's history."""
    assert entry.output is not None
    try:
        return entry, await _download_and_check(context, entry.output, part, check)
    except ClipGoneError as gone:
        output = await find_in_history(context, entry, Charge.SPENT)
        if output is None or output.url == entry.output.url:
            raise _missing_clip(context, entry, gone) from gone
    entry = await context.ledger.mark_finished(entry, output)
    try:
        return entry, await _download_and_check(context, output, part, check)
    except ClipGoneError as gone:
        # Not asked again: a history that signs its addresses has a new one at every look.
        raise _missing_clip(context, entry, gone) from gone


def _missing_clip(context: Context, entry: Entry, gone: ClipGoneError) -> ClipGoneError:
    what = "fal no longer has the clip"
    check_account(context, entry, what, Charge.CHARGED)
    if entry.file is None:
        return ClipGoneError(
            gone.message,
            "Run the same shot again later to ask once more, free. "
            f"{context.regenerate_hint(entry)}",
            charge=Charge.CHARGED,
        )
    where = "" if entry.host in ("", socket.gethostname()) else f" of the machine {entry.host}"
    return ClipGoneError(
        f"{what}, and its file {entry.file.path}{where} is gone, changed or cannot be read.",
        "Connect the drive or put the file back, and run the same shot again, free. "
        f"{context.regenerate_hint(entry)}",
        charge=Charge.CHARGED,
    )


def _reuse_partial_download(output: Output, part: Path, check: Check) -> Probe | None:
    """Return the facts of what an earlier run downloaded whole but could not save.

    A part that ends at a fragment decodes as well: where the size does not show it whole, the file
    has to show its end.
    """
    try:
        confirmed = part.stat().st_size == output.size
        return check(part, require_end=not confirmed)
    except (OSError, CorruptClipError):
        return None


async def _download_and_check(context: Context, output: Output, part: Path, check: Check) -> Probe:
    ended: list[str] = []

    async def download() -> Probe:
        await run_in_thread_until_done(_prepare, part)
        length = await context.provider.download(output, part, context.notify)
        context.report(Phase.CHECKING, "Checking what came", 0.95)
        return await run_in_thread_until_done(_check_or_discard, part, check, length, ended)

    return await retry(
        download,
        timeout_s=math.inf,
        attempts=MOST_DOWNLOADS,
        retry_if=lambda error: isinstance(error, CorruptClipError),
    )


def _check_or_discard(part: Path, check: Check, length: Length, ended: list[str]) -> Probe:
    """Check a download, and remove it if it is not whole.

    Args:
        part: The file.
        check: Decodes it.
        length: What is known of its length.
        ended: The hashes of the files before it that the server ended; its own is added.
    """
    require_end = length is not Length.CONFIRMED
    if length is Length.ENDED:
        ended.append(sha256_of(part))
        require_end = len(ended) < MOST_DOWNLOADS or len(set(ended)) > 1
    try:
        return check(part, require_end=require_end)
    except CorruptClipError:
        _discard(part)
        raise


def _is_still(entry: Entry) -> bool:
    endpoint = ENDPOINTS.get(entry.endpoint)  # an older row may be of one that is gone
    return endpoint is not None and endpoint.output == "image"


def _prepare(part: Path) -> None:
    with _wrap_os_errors():
        part.parent.mkdir(parents=True, exist_ok=True)
        remove_file(part)


async def _save_and_record(
    context: Context, entry: Entry, part: Path, probe: Probe
) -> tuple[Entry, WriteResult]:
    write = write_still if _is_still(entry) else write_clip
    file, written = await asyncio.to_thread(_save, context, part, probe, write)
    saved = await context.ledger.mark_saved(entry, file)
    await asyncio.to_thread(_discard, part)
    return saved, written


def _save(
    context: Context, part: Path, probe: Probe, write: Write
) -> tuple[SavedFile, WriteResult]:
    destination = context.destination.for_size(probe.width, probe.height)
    whole = destination.temporary_path()
    with _wrap_os_errors():
        try:
            written = write(part, whole, context.metadata)
            # Before it has its name: another program may take it away at once.
            size, sha256 = whole.stat().st_size, sha256_of(whole)
            content_sha256 = hash_packets(whole)
            path = destination.claim(whole, written.suffix)
        finally:
            _discard(whole)
    file = SavedFile(
        path=path,
        size=size,
        sha256=sha256,
        width=probe.width,
        height=probe.height,
        fps=probe.fps,
        frame_count=probe.frame_count,
        duration_s=probe.duration_s,
        content_sha256=content_sha256,
        relative_path=destination.relative_path(path),
    )
    return file, written


def _discard(file: Path) -> None:
    with suppress(OSError):
        remove_file(file)


@contextmanager
def _wrap_os_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or "the folder of the clips"
        raise SaveError(f"The clip cannot be saved: {place}: {error.strerror}.") from error
