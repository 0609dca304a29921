"""A graph in ComfyUI's API format: what a node depends on, and how many shots it makes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..vidu.errors import ViduError
from ..vidu.shots.shot_list import read_shots
from . import host
from .clip_frames import FRAMES

PACK_PREFIX = "FalVidu"
SHOTS = f"{PACK_PREFIX}Shots"
IMAGE = f"{PACK_PREFIX}Image"

RUN_INPUTS = frozenset(
    {"mode", "filename_prefix", "max_clips", "max_cost", "every_nth", "max_frames", "on_error"}
)
"""Inputs that change nothing of what is asked of fal."""

ONE_IMAGE_OUT = frozenset({"LoadImage", "LoadImageMask", "LoadImageOutput"})
"""Nodes that put out one image, animated files aside."""

SPLIT_INPUTS = frozenset({"image", "end_image"})
"""Inputs of which each picture of a batch is a shot; elsewhere a batch is one shot's references."""

SAME_COUNT = frozenset({"ImageScale", "ImageScaleBy", "ImageInvert", "ImageCrop", "ImageSharpen"})
"""Nodes that put out as many images as they are given."""

MAX_DEPTH = 150
"""Links that are followed one after the other; each takes four frames of Python's stack."""


@dataclass(frozen=True)
class Link:
    """A link to an output of another node."""

    node_id: str
    slot: int


@dataclass(frozen=True)
class GraphNode:
    """A node: its class, and its inputs as values or links."""

    class_type: str
    inputs: Mapping[str, Any]

    @property
    def is_ours(self) -> bool:
        """Whether this pack has the node."""
        return self.class_type.startswith(PACK_PREFIX)

    @property
    def links(self) -> dict[str, Link]:
        """The linked inputs."""
        return {name: value for name, value in self.inputs.items() if isinstance(value, Link)}


@dataclass(frozen=True)
class Graph:
    """All nodes of a graph, by the id that they run under."""

    nodes: Mapping[str, GraphNode]

    @classmethod
    def parse(cls, prompt: Mapping[str, Any]) -> Graph:
        """Read a graph in API format; what is not a node of it is left out."""
        return cls(
            {
                str(node_id): GraphNode(
                    node["class_type"],
                    {name: _value(given) for name, given in node.get("inputs", {}).items()},
                )
                for node_id, node in prompt.items()
                if isinstance(node, dict)
                and isinstance(node.get("class_type"), str)
                and isinstance(node.get("inputs", {}), dict)
            }
        )

    def with_input(self, node_id: str, name: str, value: Any) -> Graph:
        """Return the graph with another value for one input."""
        node = self.nodes[node_id]
        changed = replace(node, inputs={**node.inputs, name: value})
        return Graph({**self.nodes, node_id: changed})

    def upstream_of(self, node_id: str) -> Graph:
        """Return the node and all that it depends on."""
        found: dict[str, GraphNode] = {}
        waiting = [node_id]
        while waiting:
            current = waiting.pop()
            if current in found or current not in self.nodes:
                continue
            found[current] = self.nodes[current]
            waiting += [link.node_id for link in self.nodes[current].links.values()]
        return Graph(found)


def signature(graph: Graph, node_id: str) -> str | None:
    """Return a text that is the same whenever the node is given the same inputs, or None.

    None where a node before it may give another output each time.
    """
    upstream = graph.upstream_of(node_id)
    described = {}
    for number, (each_id, node) in enumerate(sorted(upstream.nodes.items())):
        files = list(_file_states(node))
        if not node.is_ours and not files and host.may_change(node.class_type):
            return None
        inputs = {
            name: [value.node_id, value.slot] if isinstance(value, Link) else value
            for name, value in sorted(node.inputs.items())
            if not (node.is_ours and name in RUN_INPUTS)
        }
        described[each_id] = [number, node.class_type, inputs, files]
    text = json.dumps([node_id, described], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _file_states(node: GraphNode) -> Iterator[tuple[str, int, int]]:
    for name, value in sorted(node.inputs.items()):
        state = host.input_file_state(value) if isinstance(value, str) else None
        if state is not None:
            yield (name, *state)


def is_content_known(graph: Graph, node_id: str) -> bool:
    """Return whether nothing that reaches the node is computed by a run.

    What is computed may be what a saved shot was made of: only its content tells.
    """
    upstream = graph.upstream_of(node_id).nodes
    return not any(
        node.links or host.may_change(node.class_type)
        for each_id, node in upstream.items()
        if each_id != node_id and node.class_type != SHOTS and not list(_file_states(node))
    )


def count_shots(graph: Graph, node_id: str) -> int | None:
    """Return how many shots a node of the pack makes, or None where only the run can tell."""
    return _Counter(graph).count_shots(node_id)


class _Counter:
    """Counts shots along the links of one graph, each node once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._counts: dict[str, int | None] = {}

    def count_shots(self, node_id: str, depth: int = 0) -> int | None:
        """Return how many times a node runs, as `count_shots` does."""
        if node_id not in self._counts:
            self._counts[node_id] = None  # for a circle, which comes back here
            node = self._graph.nodes[node_id]
            self._counts[node_id] = (
                _count_lines(node) if node.class_type == SHOTS else self._largest_input(node, depth)
            )
        return self._counts[node_id]

    def _largest_input(self, node: GraphNode, depth: int) -> int | None:
        counts = [
            self._count_values(link, depth + 1, is_split=not node.is_ours or name in SPLIT_INPUTS)
            for name, link in node.links.items()
        ]
        if None in counts:
            return None
        return max([1, *(count for count in counts if count is not None)])

    def _count_values(self, link: Link, depth: int, *, is_split: bool) -> int | None:
        node = self._graph.nodes.get(link.node_id)
        if node is None or depth > MAX_DEPTH:
            return None
        if node.is_ours:
            if is_split and _is_batch_of_frames(node, link.slot):
                return None
            return self.count_shots(link.node_id, depth)
        if node.class_type in ONE_IMAGE_OUT:
            names = [value for value in node.inputs.values() if isinstance(value, str)]
            return None if any(host.is_animated(name) for name in names) else 1
        kind = host.output_kind(node.class_type, link.slot)
        if kind is None or kind.is_list:
            return None
        if kind.is_batch and is_split and node.class_type not in SAME_COUNT:
            return None
        return self.count_shots(link.node_id, depth)


def _is_batch_of_frames(node: GraphNode, slot: int) -> bool:
    return slot == FRAMES and node.class_type not in (SHOTS, IMAGE)


def _count_lines(node: GraphNode) -> int | None:
    text = node.inputs.get("shots")
    if not isinstance(text, str):
        return None
    try:
        return len(read_shots(text))
    except ViduError:
        return None


def _value(given: Any) -> Any:
    if isinstance(given, list) and len(given) == 2 and isinstance(given[1], int):
        return Link(str(given[0]), given[1])
    return given


def remember_requests(fingerprints: Sequence[str]) -> None:
    """Note what the running node asks for, so that the cost of the same run again is known."""
    running = host.running_prompt()
    if running is None:
        return
    prompt, node_id = running
    graph = Graph.parse(prompt)
    key = signature(graph, node_id) if node_id in graph.nodes else None
    if key is not None:
        host.recent_requests().remember(key, fingerprints)
