"""From FINISHED to KEPT, and what is done when a clip is missing somewhere on that way."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .clip import Probe, check
from .entry import Entry, KeptFile, Output
from .errors import ClipGone, CorruptClip, KeepFailed, Money, Refused, UnsafeUrl
from .keep import keep
from .progress import Phase
from .request import ENDPOINTS
from .run import Run
from .threads import to_its_end

USUAL_SIZE = (1280, 720)
MOST_TRIES = 3
TRY_AGAIN_AFTER_S = 1.0


async def fetch(run: Run, entry: Entry) -> Entry:
    """Take a FINISHED row to KEPT; to FAILED when a clip once kept is gone everywhere.

    Raises:
        ClipUnavailable: The clip could not be fetched; the row stays.
        CorruptClip: What came is not the whole clip; the row stays.
        KeepFailed: It could not be written; the row stays, and so does the downloaded file.
    """
    assert entry.output is not None
    part = await asyncio.to_thread(_part, run, entry)
    try:
        probe = await to_its_end(_left_over, entry.output, part)
        probe = probe or await _fetched(run, entry.output, part)
    except ClipGone as gone:
        return await _renewed(run, entry, gone)
    except (UnsafeUrl, CorruptClip) as broken:
        # What fal keeps of this clip may never become better, so the way out is told as well.
        raise type(broken)(
            broken.happened,
            "Run the same shot again to fetch it anew, free. Should that never help, change the "
            f"seed. {run.anew(entry)}",
            request_id=entry.request_id,
        ) from broken
    return await to_its_end(_keep, run, entry, part, probe)


async def is_intact(entry: Entry) -> bool:
    """Tell whether the kept file is there, with the size and sha256 it was kept with."""
    return entry.file is not None and await asyncio.to_thread(_matches, entry.file)


async def recall(run: Run, entry: Entry) -> Entry | None:
    """Leave a KEPT row whose file is well as it is; take any other to FINISHED, its file alone."""
    if entry.file and await is_intact(entry):
        # A run killed right after it kept the clip left what it had downloaded.
        await asyncio.to_thread(_discard, entry.file.path.with_name(_part_name(entry)))
        return None
    run.warn(Phase.DOWNLOADING, "The kept file is gone or damaged: fetching it again, free", 0.85)
    assert entry.output is not None
    return run.ledger.finished(entry, entry.output)


async def forgotten(run: Run, entry: Entry) -> Entry:
    """Take a row whose request fal answers 404 for to FINISHED, when the listing has its clip.

    Raises:
        ClipGone: The listing does not have it.
    """
    output = await _listed(run, entry, Money.MAYBE_SPENT)
    if output:
        return run.ledger.finished(entry, output)
    _check_sees(run, entry, "fal does not know the request", Money.MAYBE_SPENT)
    # A clip nobody has seen yet is not paid for anew without a word from the artist.
    raise ClipGone(
        f"fal does not know request {entry.request_id}.",
        f"Run the same shot again later. {run.anew(entry)}",
        money=Money.MAYBE_SPENT,
        request_id=entry.request_id,
    )


async def _renewed(run: Run, entry: Entry, gone: ClipGone) -> Entry:
    assert entry.output is not None
    output = await _listed(run, entry, Money.SPENT)
    if output and output.video_url != entry.output.video_url:
        return run.ledger.finished(entry, output)
    if entry.kept_at is None or run.posted(entry):
        # A clip nobody has seen yet is not paid for anew without a word from the artist.
        raise ClipGone(
            gone.happened,
            f"Run the same shot again later to ask once more, free. {run.anew(entry)}",
            money=Money.CHARGED,
        ) from gone
    if entry.file is not None and await asyncio.to_thread(_is_out_of_reach, entry.file):
        raise ClipGone(
            f"fal no longer has the clip, and the kept file {entry.file.path} can not be read.",
            f"Make it readable and run the same shot again, free. {run.anew(entry)}",
        ) from gone
    what = "The clip is gone from disk and from fal"
    _check_sees(run, entry, what, Money.CHARGED)
    if not run.may_pay:
        raise ClipGone(
            f"{what}.",
            f"Run its shot to make it anew for ${entry.price_usd:.2f}.",
            money=Money.CHARGED,
        )
    price = ENDPOINTS[entry.endpoint].price.usd  # known, for this shot has just been asked for
    run.warn(Phase.UPLOADING, f"{what}: making it again for ${price:.2f}", 0.0)
    return run.ledger.failed(entry, what, billed=True)


async def _listed(run: Run, entry: Entry, money: Money) -> Output | None:
    assert entry.receipt is not None
    try:
        return await run.platform.find_output(entry.endpoint, entry.receipt)
    except Refused as problem:
        raise ClipGone(
            f"fal no longer serves request {entry.request_id}, and its listing of requests, which "
            f"may have the clip, can not be read: {problem.happened}",
            f"Run the same shot again later. {run.anew(entry)}",
            money=money,
        ) from problem


def _check_sees(run: Run, entry: Entry, what: str, money: Money) -> None:
    if not run.sees(entry):
        raise ClipGone(
            f"{what}, when asked with this key; request {entry.request_id} was made with another.",
            f"Set the key it was made with and run the same shot again. {run.anew(entry)}",
            money=money,
        )


def _part(run: Run, entry: Entry) -> Path:
    with _told_when_unwritable():
        return next(run.names(*USUAL_SIZE)).with_name(_part_name(entry))


@contextmanager
def _told_when_unwritable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename or "the folder of the clips"
        raise KeepFailed(f"The clip can not be kept: {place}: {error.strerror}.") from error


def _part_name(entry: Entry) -> str:
    # By request, not by shot: a draft's file must never be taken for the paid clip of its shot.
    return f".{hashlib.sha256(entry.request_id.encode()).hexdigest()[:16]}.part"


def _discard(part: Path) -> None:
    with suppress(OSError):  # on Windows another program may hold it for a moment
        part.unlink()


def _left_over(output: Output, part: Path) -> Probe | None:
    """Return what an earlier run brought whole but could not keep."""
    try:
        if output.video_size not in (None, part.stat().st_size):
            return None
        return check(part)
    except (OSError, CorruptClip):
        return None


async def _fetched(run: Run, output: Output, part: Path) -> Probe:
    for tries_left in reversed(range(MOST_TRIES)):
        _make_room(part)
        try:
            await run.platform.fetch(output, part, run.tell)
            run.say(Phase.CHECKING, "Checking the clip", 0.95)
            return await to_its_end(_checked, part)
        except CorruptClip:
            if not tries_left:
                raise
        await asyncio.sleep(TRY_AGAIN_AFTER_S)
    raise AssertionError("the last try returns or raises")


def _checked(part: Path) -> Probe:
    try:
        return check(part)
    except CorruptClip:
        _discard(part)
        raise


def _make_room(part: Path) -> None:
    with _told_when_unwritable():
        part.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)


def _keep(run: Run, entry: Entry, part: Path, probe: Probe) -> Entry:
    with _told_when_unwritable():
        path = keep(part, run.names(probe.width, probe.height), run.metadata)
        file = KeptFile(
            path=path,
            size=path.stat().st_size,
            sha256=_sha256(path),
            width=probe.width,
            height=probe.height,
            fps=probe.fps,
            frame_count=probe.frame_count,
            duration_s=probe.duration_s,
        )
    kept = run.ledger.kept(entry, file)
    _discard(part)
    return kept


def _matches(file: KeptFile) -> bool:
    try:
        return file.path.stat().st_size == file.size and _sha256(file.path) == file.sha256
    except OSError:
        return False


def _is_out_of_reach(file: KeptFile) -> bool:
    """Tell whether the file may be well though it can not be read; one that is gone may not."""
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
