"""A copy of fal's schemas, price pages and limits, and each endpoint by its last part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vidu.endpoint import Endpoint
from vidu.endpoints import ENDPOINTS
from vidu.fields import MediumShape

FOLDER = Path(__file__).parents[1] / "facts"
FACTS = json.loads((FOLDER / "vidu_family.json").read_text("utf-8"))
each_endpoint = pytest.mark.parametrize("endpoint_id", FACTS)
HD = MediumShape(1280, 720)


def endpoint_called(part: str) -> Endpoint:
    return ENDPOINTS[f"fal-ai/vidu/{part}"]
