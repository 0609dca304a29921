"""The shots of a node: its lists paired, then each shot checked and made a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..vidu.builders import build_request
from ..vidu.endpoint import Intention
from ..vidu.errors import InvalidInputError
from ..vidu.media.image import encode
from ..vidu.media.medium import Medium
from ..vidu.request import Request, fold_seed
from . import host
from .input_lists import pair_inputs


@dataclass(frozen=True)
class NodeShot:
    """What one shot of a node asks for, as the graph has it.

    Args:
        intention: The node's.
        model: The model's name.
        prompt: Empty where the node has none.
        seed: As other nodes hand it on; folded into Vidu's range.
        filename_prefix: Where its file goes.
        options: The model's options.
        media: IMAGE, VIDEO and AUDIO values by role.
    """

    intention: Intention
    model: str
    prompt: str
    seed: Any
    filename_prefix: str
    options: Mapping[str, Any]
    media: Mapping[str, Sequence[Any]]


def pair_shots(
    intention: Intention,
    model: str,
    *,
    seed: Sequence[Any],
    filename_prefix: Sequence[str],
    prompt: Sequence[str] = ("",),
    options: Mapping[str, Sequence[Any]] | None = None,
    media: Mapping[str, Sequence[Sequence[Any]]] | None = None,
) -> list[NodeShot]:
    """Put a node's lists side by side.

    Args:
        intention: What the node makes.
        model: The model's name.
        seed: One seed for all shots, or one each; so with each of the following lists.
        filename_prefix: Where the files go.
        prompt: The prompts.
        options: A list for each option of the model.
        media: For each role the lists on its sockets; None in one of them is not a medium.

    Raises:
        InvalidSettingError: The lists do not pair; see `pair_inputs`.
    """
    sockets = {
        (role, number): values
        for role, lists in (media or {}).items()
        for number, values in enumerate(lists, 1)
    }
    names = {
        key: key[0] if len((media or {})[key[0]]) == 1 else f"{key[0]} {key[1]}" for key in sockets
    }
    paired = pair_inputs(
        **{"prompt": prompt, "seed": seed, "filename_prefix": filename_prefix},
        **(options or {}),
        **{names[key]: values for key, values in sockets.items()},
    )
    return [
        NodeShot(
            intention,
            model,
            shot["prompt"],
            shot["seed"],
            shot["filename_prefix"],
            {name: shot[name] for name in options or {}},
            {role: [shot[names[key]] for key in sockets if key[0] == role] for role in media or {}},
        )
        for shot in paired
    ]


@dataclass
class MediaOfRun:
    """The media of one run; each is converted and encoded once, however many shots share it."""

    _converted: dict[int, tuple[Any, list[Any]]] = field(default_factory=dict)
    _encoded: dict[int, Medium] = field(default_factory=dict)

    def convert(self, values: Sequence[Any]) -> list[Any]:
        """Return the media in the values of the graph: pictures as arrays, the rest encoded."""
        media = []
        for value in values:
            if id(value) not in self._converted:
                # The value is kept beside, for an id is another object's once it is gone.
                self._converted[id(value)] = value, host.to_media(value)
            media += self._converted[id(value)][1]
        return media

    def encode(self, picture: Any) -> Medium:
        """Return an encoded picture; `convert` keeps the picture alive."""
        if id(picture) not in self._encoded:
            self._encoded[id(picture)] = encode(picture)
        return self._encoded[id(picture)]


def build_requests(shots: Sequence[NodeShot], labels: Sequence[str]) -> list[Request]:
    """Return the request of each shot; blocks while it encodes.

    Raises:
        InvalidInputError: A shot is refused; the error names it where there are several.
    """
    run = MediaOfRun()
    requests = []
    for shot, label in zip(shots, labels, strict=True):
        try:
            requests.append(
                build_request(
                    shot.intention,
                    shot.model,
                    prompt=shot.prompt,
                    seed=fold_seed(shot.seed),
                    options=shot.options,
                    media={role: run.convert(values) for role, values in shot.media.items()},
                    encode=run.encode,
                )
            )
        except InvalidInputError as error:
            if len(shots) == 1:
                raise
            raise type(error)(f"Shot {label}: {error.message}", error.next_step) from error
    return requests


def folded_seed_notice(shots: Sequence[NodeShot]) -> str | None:
    """Return what to say when a seed was outside Vidu's range, or None."""
    for shot in shots:
        folded = fold_seed(shot.seed)
        if folded != shot.seed:
            return f"The seed {shot.seed} is outside Vidu's range and was folded to {folded}."
    return None
