"""The session: a provider and the ledger that goes with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from .credentials import find_key
from .ledger import Ledger, open_ledger
from .preflight import check_packages
from .provider import Provider
from .settings import Settings
from .synced_folder import warn_of_synced_folder


@asynccontextmanager
async def open_session(
    data_dir: Path, settings: Settings, *, draft: bool = False
) -> AsyncIterator[tuple[Provider, Ledger]]:
    """Open fal and the ledger in `data_dir`; for drafts, a local renderer and an in-memory ledger.

    Args:
        data_dir: The folder of the ledger and the stored key.
        settings: Limits.
        draft: Whether to work without key, network and cost.

    Raises:
        DependencyError: A package is missing, does not load or is too old.
        CredentialError: There is no usable key.
        LedgerUnavailableError: The ledger cannot be opened.
    """
    # In a thread, for importing takes time.
    await asyncio.to_thread(check_packages, draft=draft)
    if draft:
        from .draft.client import Draft

        async with open_ledger(None) as ledger:
            yield Draft(), ledger
        return
    warn_of_synced_folder(data_dir)
    from .fal.client import Fal  # brings fal-client and httpx, which nobody waits for at start-up

    async with Fal(find_key(data_dir).secret, settings) as fal, open_ledger(data_dir) as ledger:
        yield fal, ledger
