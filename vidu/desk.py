"""What clips are made at: a platform and the ledger that goes with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from .credentials import find_key
from .ledger import Ledger
from .platform import Platform
from .settings import Settings
from .threads import to_its_end


@asynccontextmanager
async def open_desk(
    home: Path, settings: Settings, *, draft: bool = False
) -> AsyncIterator[tuple[Platform, Ledger]]:
    """Open fal and the ledger in `home`; for drafts a stand-in and a book that is thrown away.

    Args:
        home: The folder of the ledger and the stored key.
        settings: Limits.
        draft: Whether to work without key, network and cost.

    Raises:
        KeyProblem: There is no usable key.
        LedgerUnavailable: The ledger can not be opened.
    """
    if draft:
        from .draft import Draft

        with Ledger(":memory:") as ledger:
            yield Draft(), ledger
        return
    from .fal import Fal  # brings fal-client and httpx, which nobody waits for at start-up

    with ExitStack() as closing:
        async with Fal(find_key(home).secret, settings) as fal:
            # In a thread, for another process may hold the file, and a damaged one is mended.
            yield fal, await to_its_end(lambda: closing.enter_context(Ledger.open(home)))
