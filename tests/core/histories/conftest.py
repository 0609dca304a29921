"""The outcomes of the histories of a module, which many processes run side by side."""

from __future__ import annotations

from typing import Any

import pytest

from ...support.history_pool import HistoryPool


@pytest.fixture(scope="module")
def outcomes(request) -> dict[str, dict[str, Any]]:
    """What came of each cell that was chosen."""
    items = [item for item in request.session.items if item.path == request.path]
    chosen = [item.callspec.params["cell"] for item in items if hasattr(item, "callspec")]
    with HistoryPool(request.module.WORKERS) as pool:
        return dict(
            zip(chosen, pool.run(request.module.CELLS[cell] for cell in chosen), strict=True)
        )
