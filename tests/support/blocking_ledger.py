"""The ledger without `await`, for tests that look into it between two runs, or from threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from vidu.ledger import open_ledger
from vidu.models import Entry


class BlockingLedger:
    """A ledger on an event loop of its own: each method of `Ledger` waits for its result."""

    def __init__(self, data_dir: Path | None, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._opening = open_ledger(data_dir, **options)
        try:
            self._ledger = self._wait(self._opening.__aenter__())
        except BaseException:
            self._stop()
            raise

    @classmethod
    def open(cls, data_dir: Path) -> BlockingLedger:
        return cls(data_dir)

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self._wait(self._opening.__aexit__(None, None, None))
        self._stop()

    def __enter__(self) -> BlockingLedger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def locked(self, fingerprint: str) -> Iterator[None]:
        """Hold the lock of a shot."""
        holding = self._ledger.lock_shot(fingerprint, lambda _: None)
        self._wait(holding.__aenter__())
        try:
            yield
        finally:
            self._wait(holding.__aexit__(None, None, None))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, getattr(self._ledger, name))

    def _call(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        made = method(*arguments, **options)
        return self._wait(made) if asyncio.iscoroutine(made) else made

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def read_entries(data_dir: Path) -> list[Entry]:
    """Return all rows of the ledger in this folder, newest first."""
    with BlockingLedger.open(data_dir) as ledger:
        return ledger.entries()
