"""The models that a person chooses from for each intention, and the endpoint behind each choice."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from . import endpoints as e
from .endpoint import Endpoint, Intention
from .errors import InvalidSettingError


@dataclass(frozen=True)
class Model:
    """One choice of `model`.

    Args:
        name: As nodes show it, and frozen once released.
        endpoints: Those behind it; which one is asked depends on the media that are given.
        media: The roles that the intention offers of this model.
    """

    name: str
    endpoints: tuple[Endpoint, ...]
    media: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """The name as it is typed in a shell: `q3-turbo`."""
        return slug(self.name)


def _images(name: str, *endpoints: Endpoint) -> Model:
    roles = {field.role: None for endpoint in endpoints for field in endpoint.media}
    return Model(name, endpoints, tuple(roles))


MODELS: Mapping[Intention, tuple[Model, ...]] = MappingProxyType(
    {
        Intention.IMAGE_TO_VIDEO: (
            _images("Vidu", e.VIDU_IMAGE_TO_VIDEO, e.VIDU_START_END_TO_VIDEO),
            _images("Q1", e.Q1_IMAGE_TO_VIDEO, e.Q1_START_END_TO_VIDEO),
            _images("Q2 Turbo", e.Q2_IMAGE_TO_VIDEO_TURBO),
            _images("Q2 Pro", e.Q2_IMAGE_TO_VIDEO_PRO),
            _images("Q3 Turbo", e.Q3_IMAGE_TO_VIDEO_TURBO),
            _images("Q3", e.Q3_IMAGE_TO_VIDEO),
            _images("Q4", e.Q4_IMAGE_TO_VIDEO),
        ),
        Intention.TEXT_TO_VIDEO: (
            Model("Q1", (e.Q1_TEXT_TO_VIDEO,)),
            Model("Q2", (e.Q2_TEXT_TO_VIDEO,)),
            Model("Q3 Turbo", (e.Q3_TEXT_TO_VIDEO_TURBO,)),
            Model("Q3", (e.Q3_TEXT_TO_VIDEO,)),
            Model("Q4", (e.Q4_REFERENCE_TO_VIDEO,)),
        ),
        Intention.REFERENCE_TO_VIDEO: (
            _images("Vidu", e.VIDU_REFERENCE_TO_VIDEO),
            _images("Q1", e.Q1_REFERENCE_TO_VIDEO),
            _images("Q2 Pro", e.Q2_REFERENCE_TO_VIDEO_PRO),
            _images("Q3 Mix", e.Q3_REFERENCE_TO_VIDEO_MIX),
            _images("Q4", e.Q4_REFERENCE_TO_VIDEO),
        ),
        Intention.EXTEND_VIDEO: (_images("Q2 Pro", e.Q2_VIDEO_EXTENSION_PRO),),
        Intention.TEMPLATE: (_images("Vidu", e.TEMPLATE_TO_VIDEO),),
        Intention.IMAGE: (
            _images("Q2", e.Q2_TEXT_TO_IMAGE, e.Q2_REFERENCE_TO_IMAGE),
            _images("Vidu", e.VIDU_REFERENCE_TO_IMAGE),
        ),
    }
)
"""The first of each is the default."""


def find_model(intention: Intention, name: str) -> Model:
    """Return the model with this name, however it is written: Q3 Turbo, q3-turbo, q3_turbo.

    Raises:
        InvalidSettingError: The intention has no such model.
    """
    for model in MODELS[intention]:
        if model.slug == slug(name):
            return model
    raise InvalidSettingError(
        f"model is {name!r}.", f"Use one of {', '.join(m.name for m in MODELS[intention])}."
    )


def find_endpoint(intention: Intention, name: str, roles: Collection[str]) -> Endpoint:
    """Return the endpoint that makes this with the model, from media in these roles.

    Raises:
        InvalidSettingError: There is no such model, or it does not take these media.
    """
    model = find_model(intention, name)
    for role in roles:
        if role not in model.media:
            raise InvalidSettingError(f"{model.name} takes no {role}.", _who_takes(intention, role))
    if intention is Intention.REFERENCE_TO_VIDEO and not roles:
        raise InvalidSettingError("No reference is connected.", "Connect at least one.")
    for endpoint in model.endpoints:
        if endpoint.takes(roles):
            return endpoint
    needed = [field.role for field in model.endpoints[0].media if field.least]
    missing = next(role for role in needed if role not in roles)
    raise InvalidSettingError(f"{missing} is missing.", f"{model.name} needs it: connect one.")


def endpoint_title(endpoint_id: str) -> str:
    """Return the model's name for a row of the ledger; its id where it is no longer known."""
    endpoint = e.ENDPOINTS.get(endpoint_id)
    return endpoint.model if endpoint else endpoint_id


def is_price_upper_bound(endpoint_id: str, options: Mapping[str, Any]) -> bool:
    """Return whether fal may have charged less for a row of the ledger than was reserved."""
    endpoint = e.ENDPOINTS.get(endpoint_id)
    return endpoint is not None and endpoint.price.is_upper_bound(options)


def all_choices() -> Iterator[tuple[Intention, Model, Endpoint]]:
    """Yield each endpoint with the intention and the model that it stands behind."""
    for intention, models in MODELS.items():
        for model in models:
            for endpoint in model.endpoints:
                yield intention, model, endpoint


def slug(name: str) -> str:
    """Return a model's name as it is typed in a shell."""
    return re.sub(r"[\s_-]+", "-", name.strip().lower())


def _who_takes(intention: Intention, role: str) -> str:
    takers = [model.name for model in MODELS[intention] if role in model.media]
    if takers:
        return f"Choose a model that does ({', '.join(takers)}), or disconnect {role}."
    return f"Disconnect {role}."
