"""The events of a Windows console: it is closed, or the user logs off."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CLOSED, LOGOFF, SHUTDOWN = 2, 5, 6
"""CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT and CTRL_SHUTDOWN_EVENT of SetConsoleCtrlHandler."""

GRACE_S = 4.8
"""Windows ends the process when the handler returns, and 5 s after it was called at the latest."""

SetHandler = Callable[[Any, bool], object]


@contextmanager
def on_console_close(
    stop: Callable[[], None], set_handler: SetHandler, grace_s: float = GRACE_S
) -> Iterator[None]:
    """Call `stop` when the console goes away, and hold up Windows while the process ends.

    The C library's own handler, which Python's signals stand on, returns at once, and Windows
    ends the process before it could write down anything.

    Args:
        stop: Called from a thread that Windows starts.
        set_handler: `kernel32.SetConsoleCtrlHandler`.
        grace_s: How long Windows is held up, in seconds.
    """
    function = getattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE)

    @function(ctypes.c_int, ctypes.c_uint)  # type: ignore[untyped-decorator, unused-ignore]
    def handle(event: int) -> bool:
        if event not in (CLOSED, LOGOFF, SHUTDOWN):
            return False
        stop()
        time.sleep(grace_s)
        return True

    set_handler(handle, True)
    try:
        yield
    finally:
        set_handler(handle, False)
