"""Which endpoint serves a model, an intention and its media."""

from __future__ import annotations

import pytest

from vidu.catalog import MODELS, all_choices, find_endpoint, find_model
from vidu.endpoint import Intention
from vidu.endpoints import ENDPOINTS
from vidu.errors import InvalidSettingError


def test_catalog_offers_every_endpoint():
    assert {endpoint.id for _, _, endpoint in all_choices()} == ENDPOINTS.keys()


@pytest.mark.parametrize("written", ["Q3 Turbo", "q3-turbo", "q3_turbo", " q3 TURBO "])
def test_find_model_reads_every_way_of_writing(written):
    assert find_model(Intention.IMAGE_TO_VIDEO, written).name == "Q3 Turbo"


@pytest.mark.parametrize(
    ("intention", "model", "roles", "part"),
    [
        (Intention.IMAGE_TO_VIDEO, "Vidu", ["image"], "image-to-video"),
        (Intention.IMAGE_TO_VIDEO, "Vidu", ["image", "end_image"], "start-end-to-video"),
        (Intention.IMAGE_TO_VIDEO, "Q3", ["image", "end_image"], "q3/image-to-video"),
        (Intention.TEXT_TO_VIDEO, "Q4", [], "q4/reference-to-video"),
        (Intention.REFERENCE_TO_VIDEO, "Q4", ["voices"], "q4/reference-to-video"),
        (Intention.IMAGE, "Q2", [], "q2/text-to-image"),
        (Intention.IMAGE, "Q2", ["images"], "q2/reference-to-image"),
        (Intention.IMAGE, "Vidu", ["images"], "reference-to-image"),
    ],
)
def test_find_endpoint_depends_on_the_media(intention, model, roles, part):
    assert find_endpoint(intention, model, roles).id == f"fal-ai/vidu/{part}"


@pytest.mark.parametrize(
    ("intention", "model", "roles", "said"),
    [
        (Intention.IMAGE_TO_VIDEO, "Q4", ["image", "end_image"], r"\(Vidu, Q1, Q2 Turbo, .*Q3\)"),
        (Intention.IMAGE_TO_VIDEO, "Q9", ["image"], "Q2 Turbo"),
        (Intention.IMAGE, "Vidu", [], "images is missing"),
        (Intention.REFERENCE_TO_VIDEO, "Q2 Pro", [], "No reference"),
        (Intention.REFERENCE_TO_VIDEO, "Q1", ["images", "voices"], r"\(Q4\)"),
        (Intention.TEXT_TO_VIDEO, "Q4", ["images"], "Disconnect images"),
    ],
)
def test_find_endpoint_that_takes_no_such_media_names_those_that_do(intention, model, roles, said):
    with pytest.raises(InvalidSettingError, match=said):
        find_endpoint(intention, model, roles)


def test_models_of_one_choice_share_their_options():
    """So that a node shows the same widgets whether an end image is connected or not."""
    for models in MODELS.values():
        for model in models:
            assert len({endpoint.fields for endpoint in model.endpoints}) == 1, model.name
