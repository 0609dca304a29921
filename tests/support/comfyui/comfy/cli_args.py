"""The host's command line."""

from __future__ import annotations

from types import SimpleNamespace

args = SimpleNamespace(disable_metadata=False)
