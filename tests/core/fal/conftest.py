"""fal's hosts with responses written byte by byte by a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ...support.raw_fal import RawFal, Respond, running_raw_fal


@pytest.fixture
def raw_fal(tmp_path, monkeypatch, bare_environment) -> Iterator[Callable[..., RawFal]]:
    """Starts a raw fal, and leads this process to it."""
    with ExitStack() as running:

        def start(respond: Respond, **options: Any) -> RawFal:
            fal = running.enter_context(running_raw_fal(tmp_path, respond, **options))
            for name, value in fal.environment.items():
                monkeypatch.setenv(name, value)
            return fal

        yield start
