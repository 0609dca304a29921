"""The shots that a node asks for, where they can be told without running the graph.

They can where all that reaches the node is typed in, is a picture that ComfyUI loads from a file,
or comes from such things through Vidu Shots. So the editor knows before a run what is saved.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..vidu.builders import build_request
from ..vidu.catalog import MODELS, find_model
from ..vidu.endpoint import Intention
from ..vidu.errors import ViduError
from ..vidu.media.image import EncodedImage, encode
from ..vidu.pricing import Quote
from ..vidu.request import Request, fold_seed
from . import host
from .graph import SHOTS, Graph, GraphNode, Link
from .price_estimate import INTENTIONS, media_role
from .shot_requests import NodeShot, pair_shots
from .shots import FalViduShots

LOADERS = frozenset({"LoadImage", "LoadImageOutput"})
"""Nodes of the host whose first output is the picture of a file."""

PICTURES_REMEMBERED = 200

Batch = tuple[EncodedImage, ...]
"""Stands for an IMAGE batch: it has a length and slices, as the tensor has."""


class Undetermined(Exception):
    """Only a run can tell."""


class NamedPictures:
    """The pictures of files without their bytes: what names them in a shot, and their size."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, tuple[int, int]], EncodedImage] = OrderedDict()

    def find(self, name: str) -> EncodedImage:
        """Return the picture that an input names; blocks while it is decoded.

        Raises:
            Undetermined: There is none, or it is too large to be decoded for a look.
        """
        state = host.input_file_state(name)
        if state is None or host.is_animated(name):
            raise Undetermined
        key = name, state
        if key not in self._known:
            image = host.load_picture(name)
            if image is None:
                raise Undetermined
            (pixels,) = host.batch_to_arrays(image)
            self._known[key] = replace(encode(pixels), data=b"")
        while len(self._known) > PICTURES_REMEMBERED:
            self._known.popitem(last=False)
        return self._known[key]


@dataclass(frozen=True)
class KnownShots:
    """Reads the shots of nodes from one graph.

    Args:
        graph: The graph.
        pictures: The pictures that were named before.
    """

    graph: Graph
    pictures: NamedPictures

    def quotes(self, node_id: str) -> Mapping[str, Quote] | None:
        """Return what each shot of a node costs by its fingerprint; blocks.

        None where only a run can tell.
        """
        node = self.graph.nodes[node_id]
        try:
            shots = self._pair(node, INTENTIONS[node.class_type])
            requests = [_build(shot) for shot in shots]
            return {request.fingerprint: request.quote for request in requests}
        except (Undetermined, ViduError, LookupError, TypeError, ValueError):
            return None  # a run would be refused, and the page may have sent anything

    def _pair(self, node: GraphNode, intention: Intention) -> list[NodeShot]:
        lists = {name: self._values(value) for name, value in node.inputs.items()}
        name = lists.get("model", [MODELS[intention][0].name])[0]
        fields = find_model(intention, name).endpoints[0].fields
        options = {
            field.name: lists.get(f"model.{field.name}", lists.get(field.name)) for field in fields
        }
        return pair_shots(
            intention,
            name,
            seed=lists["seed"],
            filename_prefix=[""],
            prompt=lists.get("prompt", [""]),
            options={name: values for name, values in options.items() if values},
            media=_media(lists),
        )

    def _values(self, given: Any) -> Sequence[Any]:
        if not isinstance(given, Link):
            return [given]
        node = self.graph.nodes.get(given.node_id)
        if node is None:
            raise Undetermined
        if node.class_type in LOADERS and given.slot == 0:
            name = node.inputs.get("image")
            return [(self.pictures.find(name),)] if isinstance(name, str) else []
        if node.class_type != SHOTS:
            raise Undetermined
        lists: dict[str, Any] = {n: self._values(value) for n, value in node.inputs.items()}
        output = FalViduShots.execute(**lists).result[given.slot]
        if not isinstance(output, list):  # nothing is connected that it could hand on
            raise Undetermined
        return output


def _media(lists: Mapping[str, Sequence[Any]]) -> dict[str, list[Sequence[Any]]]:
    """Return the list on each connected socket by role, in the order of their numbers."""
    media: dict[str, list[Sequence[Any]]] = {}
    for name in sorted(lists, key=lambda name: (len(name), name)):
        values = lists[name]
        if not any(isinstance(value, tuple) for value in values):
            continue
        role = media_role(name)
        media.setdefault(role, []).append(
            host.single_images(values) if role in ("image", "end_image") else values
        )
    return media


def _build(shot: NodeShot) -> Request:
    media = {
        role: [picture for batch in batches if batch for picture in batch]
        for role, batches in shot.media.items()
    }
    return build_request(
        shot.intention,
        shot.model,
        prompt=shot.prompt,
        seed=fold_seed(shot.seed),
        options=shot.options,
        media=media,
    )
