"""Signals: Ctrl-C is the user's cancel, a shutdown cancels nothing at fal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ..command_line import command_line
from ..errors import LedgerUnavailableError
from ..ledger import open_ledger
from ..models import State
from ._windows_console import on_console_close

T = TypeVar("T")

SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
)
"""Ctrl-C, a shutdown, a closed terminal, and Ctrl-Break, which only Windows has."""

OPEN_STATES = {
    State.CANCELLED: "asked to cancel",
    State.SUBMITTING: "perhaps arrived",
    State.SUBMITTED: "being made",
    State.FINISHED: "made, not yet fetched",
}
"""What may still cost or bring a clip after a command was stopped, in the user's words."""


class TerminatedBySignal(Exception):
    """A signal stopped the command.

    Args:
        words: What becomes of its shots.
        number: The signal.
    """

    def __init__(self, words: str, number: int) -> None:
        super().__init__(words)
        self.exit_code = 128 + number


def run_stoppable(
    work: Callable[[Callable[[], bool]], Coroutine[Any, Any, T]], data_dir: Path | None
) -> T:
    """Run what makes clips to its end, or to its orderly end when a signal comes.

    Args:
        work: Given a function that tells whether the user pressed Ctrl-C.
        data_dir: The ledger's folder; None when no clip is paid for.

    Raises:
        TerminatedBySignal: A signal came first.
    """
    received: list[int] = []

    async def run() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop(number: int) -> None:
            received.append(number)
            loop.call_soon_threadsafe(task.cancel)

        def handle(number: int, _: object) -> None:
            if task.done():
                raise SystemExit(128 + number)  # what is left to wait for is a thread that hangs
            stop(number)

        for each in SIGNALS:
            if signal.getsignal(each) is not signal.SIG_IGN:  # as under nohup, or behind an &
                signal.signal(each, handle)
        with _console_watched(lambda: stop(signal.SIGTERM)):
            return await work(lambda: signal.SIGINT in received)

    with _handlers_restored():
        try:
            return asyncio.run(run())
        except asyncio.CancelledError:
            if not received:
                raise
    verb = "interrupted" if received[0] == signal.SIGINT else "stopped"
    raise TerminatedBySignal(f"{verb}.{_left_at_fal(data_dir) if data_dir else ''}", received[0])


def _console_watched(stop: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
    if sys.platform != "win32":
        return contextlib.nullcontext()
    import ctypes

    return on_console_close(stop, ctypes.windll.kernel32.SetConsoleCtrlHandler)


@contextlib.contextmanager
def _handlers_restored() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


async def _count_unfinished(data_dir: Path) -> Counter[State]:
    async with open_ledger(data_dir) as ledger:
        return Counter(entry.state for entry in await ledger.unfinished())


def _left_at_fal(data_dir: Path) -> str:
    try:
        counts = asyncio.run(_count_unfinished(data_dir))
    except LedgerUnavailableError as problem:
        return f" {problem.message}"
    if not counts:
        return " Nothing is left at fal."
    told = ", ".join(
        f"{counts[state]} {words}" for state, words in OPEN_STATES.items() if counts[state]
    )
    return (
        f" At fal: {told}. Run the same again, or `{command_line('resume', '--home', data_dir)}`: "
        "what fal finishes is downloaded and not paid for again."
    )
