"""Which node of which prompt runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class ExecutionContext(NamedTuple):
    """A node of a prompt."""

    prompt_id: str
    node_id: str


_current: ContextVar[ExecutionContext | None] = ContextVar("current", default=None)


def get_executing_context() -> ExecutionContext | None:
    return _current.get()


@contextmanager
def CurrentNodeContext(prompt_id: str, node_id: str) -> Iterator[None]:
    token = _current.set(ExecutionContext(prompt_id, node_id))
    try:
        yield
    finally:
        _current.reset(token)
