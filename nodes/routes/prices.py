"""The route of the next run's cost: how many shots, at which price, which are saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from ...vidu.ledger import Ledger, open_ledger
from ...vidu.models import Entry, State
from .. import host
from ..graph import Graph, count_shots, signature
from ..price_estimate import Estimate, estimate

PAID = frozenset({State.SAVED, State.FINISHED})
"""A shot in one of these states costs nothing when it is run again."""

AT_LEAST = frozenset({"from", "each", "each_up_to"})
"""Kinds of which the sum of a run is not known, only that of the fewest and cheapest shots."""

UNDER_WAY = frozenset({State.SUBMITTING, State.SUBMITTED, State.CANCELLED})
"""A shot in one of these may cost nothing again: fal may have made it."""


@dataclass(frozen=True)
class NodePrice:
    """The price of one node's next run.

    Args:
        kind: "draft" and "saved" are free. "exact" is `count` times `usd`. "each" is `usd` for
            every shot of a number that is not known before the run, "from" at least `usd`, and
            "up_to" at most `count` times `usd`; "each_up_to" is at most `usd` for every shot.
        usd: US dollars for one shot.
        count: How many shots are paid for; None where it is not known.
    """

    kind: str
    usd: Decimal = Decimal(0)
    count: int | None = None

    @property
    def total_usd(self) -> Decimal:
        """The sum that is certain or the least that is known, in US dollars."""
        return self.usd * (self.count if self.count is not None else 1)

    def to_json(self) -> dict[str, Any]:
        """Return what the page is told."""
        return {"kind": self.kind, "usd": float(self.usd), "count": self.count}


async def prices_to_json(data_dir: Path, prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Return the price of each of the pack's generating nodes in a graph in API format."""
    prices = await _read_prices(data_dir, Graph.parse(prompt))
    return {node_id: price.to_json() for node_id, price in prices.items()}


async def rerun_to_json(
    data_dir: Path, entry: Entry, prompt: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return how a clip is made again with a new seed: the node, its input, clips and sum.

    None where no single node of the graph can be told to be the one that made it.
    """
    graph = Graph.parse(prompt)
    found = _seed_of(graph, entry)
    if found is None:
        return None
    node_id, seed_input = found
    again = graph.with_input(node_id, seed_input, -1).upstream_of(node_id)
    prices = await _read_prices(data_dir, again)
    paid = [price for price in prices.values() if price.kind not in ("draft", "saved")]
    return {
        "node_id": node_id,
        "seed_input": seed_input,
        "clips": sum(price.count or 1 for price in paid),
        "usd": float(sum(price.total_usd for price in paid)),
        "certain": all(price.kind == "exact" for price in paid),
        "at_least": any(price.kind in AT_LEAST for price in paid),
    }


async def _read_prices(data_dir: Path, graph: Graph) -> dict[str, NodePrice]:
    recent = host.recent_requests().snapshot()
    async with open_ledger(data_dir) as ledger:
        prices = {node_id: await _price(ledger, graph, node_id, recent) for node_id in graph.nodes}
    return {node_id: price for node_id, price in prices.items() if price is not None}


async def _price(
    ledger: Ledger, graph: Graph, node_id: str, recent: Mapping[str, tuple[str, ...]]
) -> NodePrice | None:
    node = graph.nodes[node_id]
    each = estimate(node.class_type, node.inputs)
    if each is None:
        return None
    if node.inputs.get("mode") == "draft":
        return NodePrice("draft")
    key = signature(graph, node_id)
    if key is None or key not in recent:
        return _of_shots(each, count_shots(graph, node_id))
    states = [await _state(ledger, shot) for shot in set(recent[key])]
    unsaved = [state for state in states if state not in PAID]
    if not unsaved:
        return NodePrice("saved")
    price = _of_shots(each, len(unsaved))
    is_open = price.kind == "exact" and any(state in UNDER_WAY for state in unsaved)
    return replace(price, kind="up_to") if is_open else price


def _of_shots(each: Estimate, count: int | None) -> NodePrice:
    if each.is_upper_bound:
        return NodePrice("each_up_to" if count is None else "up_to", each.high, count)
    if each.low != each.high:
        return NodePrice("from", each.low, count)
    return NodePrice("each" if count is None else "exact", each.high, count)


async def _state(ledger: Ledger, fingerprint: str) -> State | None:
    entry = await ledger.active(fingerprint)
    return entry.state if entry else None


def _seed_of(graph: Graph, entry: Entry) -> tuple[str, str] | None:
    found = [
        (node_id, name)
        for node_id, node in graph.nodes.items()
        if node.is_ours and _asked_for(node.inputs.values(), entry.prompt)
        for name, value in node.inputs.items()
        if name.rpartition(".")[2] == "seed" and not isinstance(value, bool) and value == entry.seed
    ]
    return found[0] if len(found) == 1 else None


def _asked_for(values: Any, prompt: str) -> bool:
    return any(isinstance(value, str) and value.strip() == prompt.strip() for value in values)
