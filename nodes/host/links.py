"""The connected outputs of the running node."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from comfy_execution.graph_utils import ExecutionBlocker
from comfy_execution.utils import get_executing_context
from server import PromptServer

Graph = Mapping[str, Mapping[str, Any]]
"""A prompt in the API's format: nodes by id, each with `inputs`."""


def connected_slots(slots: Collection[int], dynprompt: Any = None) -> frozenset[int]:
    """Return those of the running node's output slots that something is connected to.

    A node that expanded while the prompt ran is not in the prompt as it was queued: all its slots
    count as connected, for nobody knows what the nodes made after it will ask for.

    Args:
        slots: The slots to tell of.
        dynprompt: The host's DynamicPrompt, which knows the links of nodes that expanded; None
            where the host has none to give, as in `fingerprint_inputs`.
    """
    running = running_prompt()
    if running is None or running[1] not in running[0]:
        return frozenset(slots)
    graph, node_id = running
    linked = linked_slots(graph, node_id)
    if dynprompt is not None:
        nodes = {name: dynprompt.get_node(name) for name in dynprompt.all_node_ids()}
        linked |= linked_slots(nodes, node_id)
    return linked & frozenset(slots)


def running_prompt() -> tuple[Graph, str] | None:
    """Return the running graph in API format and the node that asks, or None outside of a run."""
    context = get_executing_context()
    if context is None:
        return None
    running = PromptServer.instance.prompt_queue.get_current_queue_volatile()[0]
    graphs = [item[2] for item in running if item[1] == context.prompt_id]
    return (graphs[0], context.node_id) if graphs else None


def blocked(message: str) -> ExecutionBlocker:
    """Return an output that keeps what is connected to it from running, and says why."""
    return ExecutionBlocker(message)


def wiring(slots: Collection[int]) -> str:
    """Return what names the wiring of these slots: part of the host's cache key.

    A node whose `fingerprint_inputs` returns this runs again when one of them is connected.
    """
    return ",".join(str(slot) for slot in sorted(connected_slots(slots)))


def linked_slots(graph: Graph, node_id: str) -> frozenset[int]:
    """Return the output slots of a node that a node of the graph takes as an input."""
    return frozenset(
        int(value[1])
        for node in graph.values()
        for value in node.get("inputs", {}).values()
        if _is_link(value) and value[0] == node_id
    )


def _is_link(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int | float)
    )
