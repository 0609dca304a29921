"""The price of one output of a node before it runs, by the values of its widgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from types import MappingProxyType
from typing import Any

from ..vidu.catalog import MODELS, find_endpoint, find_model
from ..vidu.endpoint import Endpoint, Intention
from ..vidu.errors import InvalidInputError
from ..vidu.fields import Choice, Field, MediumShape, OptionValue, Switch, WholeNumber
from .graph import Link

INTENTIONS: Mapping[str, Intention] = MappingProxyType(
    {
        "FalViduImageToVideo": Intention.IMAGE_TO_VIDEO,
        "FalViduTextToVideo": Intention.TEXT_TO_VIDEO,
        "FalViduReferenceToVideo": Intention.REFERENCE_TO_VIDEO,
        "FalViduExtendVideo": Intention.EXTEND_VIDEO,
        "FalViduTemplate": Intention.TEMPLATE,
        "FalViduImage": Intention.IMAGE,
    }
)
"""What each generating node makes."""


@dataclass(frozen=True)
class Estimate:
    """The price of one output in US dollars.

    Args:
        low: The least that it may cost.
        high: The most; more than `low` where an input is linked that the price depends on.
        is_upper_bound: Whether even `high` may turn out to be less at fal.
    """

    low: Decimal
    high: Decimal
    is_upper_bound: bool = False


def estimate(class_type: str, inputs: Mapping[str, Any]) -> Estimate | None:
    """Return what one output of a node costs, or None for a node that costs nothing.

    Args:
        class_type: The node's class.
        inputs: Its inputs in API format, links as `Link`: `model`, `model.duration`, ...
    """
    intention = INTENTIONS.get(class_type)
    if intention is None:
        return None
    endpoint = _endpoint(intention, inputs)
    quotes = [
        endpoint.quote(options, {"video": [MediumShape(duration_s=seconds)]})
        for options in _possible_options(endpoint, inputs)
        for seconds in _input_seconds(endpoint)
    ]
    amounts = [quote.usd for quote in quotes]
    return Estimate(min(amounts), max(amounts), any(quote.is_upper_bound for quote in quotes))


def _endpoint(intention: Intention, inputs: Mapping[str, Any]) -> Endpoint:
    name = inputs.get("model")
    if not isinstance(name, str):
        name = MODELS[intention][0].name
    roles = {media_role(key) for key, value in inputs.items() if isinstance(value, Link)}
    try:
        model = find_model(intention, name)
    except InvalidInputError:
        model = MODELS[intention][0]
    try:
        return find_endpoint(intention, model.name, roles & set(model.media))
    except InvalidInputError:  # not all of it is connected yet
        return model.endpoints[0]


def media_role(name: str) -> str:
    """Return the role of a media input: `image`, `images.image_2`, `model.videos.video_1`."""
    return name.removeprefix("model.").partition(".")[0]


def _possible_options(
    endpoint: Endpoint, inputs: Mapping[str, Any]
) -> Iterator[Mapping[str, OptionValue]]:
    fields = {
        field.name: _possible_values(field, _given(inputs, field)) for field in endpoint.fields
    }
    priced = {"duration", endpoint.price.by}
    choices = [values if name in priced else values[:1] for name, values in fields.items()]
    for chosen in product(*choices):
        yield dict(zip(fields, chosen, strict=True))


def _given(inputs: Mapping[str, Any], field: Field) -> Any:
    return inputs.get(f"model.{field.name}", inputs.get(field.name, field.default))


def _possible_values(field: Field, given: Any) -> Sequence[OptionValue]:
    if not isinstance(given, Link):
        try:
            return [field.check(given)]
        except InvalidInputError:  # refused when it is run
            return [field.default]
    match field:
        case Choice():
            return field.values
        case WholeNumber():
            return [field.least, field.most]
        case Switch():
            return [False, True]
    return [field.default]


def _input_seconds(endpoint: Endpoint) -> Sequence[float]:
    if not endpoint.price.charges_input_seconds:
        return [0.0]
    return [limit for field in endpoint.media for limit in (field.min_s, field.max_s) if limit]
