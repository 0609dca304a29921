"""Faults that no history has yet: the pack learns to survive them."""

from __future__ import annotations

PENDING: frozenset[str] = frozenset()
