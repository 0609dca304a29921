"""Many shots side by side: a bug in one does not stop the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from ._output import OutputClosedError

T = TypeVar("T")


async def gather_all(
    shots: Sequence[Coroutine[Any, Any, T]], names: Sequence[str], say: Callable[[str], None]
) -> list[T]:
    """Await all shots to their ends.

    Args:
        shots: Each turns the errors it knows into words itself.
        names: What each is called.
        say: Told of the errors they do not know, as they come.

    Raises:
        Exception: The first of those, after all shots have ended.
    """

    async def told(shot: Coroutine[Any, Any, T], name: str) -> T:
        try:
            return await shot
        except OutputClosedError:
            raise
        except Exception as error:
            say(unexpected(name, error))
            raise

    tasks = [asyncio.ensure_future(told(*each)) for each in zip(shots, names, strict=True)]
    await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]


def unexpected(name: str, error: Exception) -> str:
    """Return what is said of an error nobody foresaw."""
    return f"{name}: {type(error).__name__}: {error}. The other shots go on."
