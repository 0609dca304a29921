"""The `model` choice of a node: for each model exactly the inputs that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from comfy_api.latest import io

from ..vidu.catalog import MODELS, Model
from ..vidu.endpoint import Intention
from ..vidu.errors import InvalidSettingError
from ..vidu.fields import Choice, Field, MediaField, Ratio, Switch, WholeNumber

DISPLAY_NAMES: Mapping[str, str] = MappingProxyType({"bgm": "music"})
"""What a widget is called, where it is not its option's name."""

SOCKETS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "images": ("image", "A subject to keep. A batch counts as that many images."),
        "videos": ("video", "A video to edit, or to take the movement from."),
        "voices": ("voice", "A voice of 3 to 12 s. Call it [reference_audio_1] in the prompt."),
    }
)
"""What each socket of a growing input is called, and its tooltip."""

ModelInput = Mapping[str, Any] | None
"""What `execute` gets for `model`: the choice and its inputs, each as a list."""


def model_options(intention: Intention) -> list[io.DynamicCombo.Option]:
    """Return one option for each model, with the inputs that belong to it."""
    return [
        io.DynamicCombo.Option(model.name, _inputs_of(intention, model))
        for model in MODELS[intention]
    ]


def model_name(model: ModelInput, intention: Intention) -> str:
    """Return which model is chosen.

    Raises:
        InvalidSettingError: None is: the host hands on nothing for a name that is not an option.
    """
    names = [name for name in (model or {}).get("model", ()) if name]
    if len(set(names)) != 1:
        raise InvalidSettingError(
            "No model of this node is chosen.",
            f"Use one of {', '.join(model.name for model in MODELS[intention])}.",
        )
    return str(names[0])


def option_lists(model: ModelInput) -> dict[str, Sequence[Any]]:
    """Return the list of each option of the chosen model."""
    return {
        name: values
        for name, values in (model or {}).items()
        if name != "model" and name not in SOCKETS and values is not None
    }


def socket_lists(model: ModelInput, role: str) -> list[Sequence[Any]]:
    """Return the list on each connected socket of a growing input, in order."""
    return connected_sockets((model or {}).get(role))


def connected_sockets(grown: Mapping[str, Sequence[Any] | None] | None) -> list[Sequence[Any]]:
    """Return the list on each connected socket of a growing input, in order."""
    return [values for values in (grown or {}).values() if values]


def growing_input(field: MediaField, least: int | None = None) -> io.Autogrow.Input:
    """Return an input that grows by a socket for each that is connected.

    Args:
        field: The media field; it says what it takes, and how many.
        least: The fewest sockets that must be connected; by default the field's.
    """
    name, tooltip = SOCKETS[field.role]
    kinds = {"image": io.Image, "video": io.Video, "audio": io.Audio}
    return io.Autogrow.Input(
        field.role,
        template=io.Autogrow.TemplateNames(
            kinds[field.kind].Input(name, tooltip=tooltip),
            names=[f"{name}_{number}" for number in range(1, field.most + 1)],
            min=field.least if least is None else least,
        ),
        tooltip=tooltip,
    )


def _inputs_of(intention: Intention, model: Model) -> list[io.Input]:
    media: dict[str, MediaField] = {}
    for endpoint in model.endpoints:
        media |= {field.role: field for field in endpoint.media if field.role in model.media}
    least = 0 if len(model.endpoints) > 1 else None
    growing = [growing_input(field, least) for field in media.values() if field.role in SOCKETS]
    return [*growing, *(field_input(field) for field in model.endpoints[0].fields)]


def field_input(field: Field) -> io.Input:
    """Return the widget of one option."""
    shared = {"display_name": DISPLAY_NAMES.get(field.name), "tooltip": field.help}
    match field:
        case Choice():
            values = list(field.values)
            return io.Combo.Input(field.name, options=values, default=field.default, **shared)
        case Ratio():
            values = list(field.suggestions)
            return io.Combo.Input(field.name, options=values, default=field.default, **shared)
        case WholeNumber():
            limits = {"min": field.least, "max": field.most}
            return io.Int.Input(field.name, default=field.default, **limits, **shared)
        case Switch():
            return io.Boolean.Input(field.name, default=field.default, **shared)
