"""The route of the next run's cost: how many shots, at which price, which are saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from ...vidu.ledger import Ledger, open_ledger
from ...vidu.models import Entry, State
from ...vidu.pricing import Quote
from .. import host
from ..graph import Graph, count_shots, is_content_known, signature
from ..known_shots import KnownShots, NamedPictures
from ..price_estimate import estimate
from .http import Threads

PAID = frozenset({State.SAVED, State.FINISHED})
"""A shot in one of these states costs nothing when it is run again."""

UNDER_WAY = frozenset({State.SUBMITTING, State.SUBMITTED, State.CANCELLED})
"""A shot in one of these may cost nothing again: fal may have made it."""

NEW_SEED = -1
"""Stands for a seed that no shot has had yet."""


@dataclass(frozen=True)
class NodePrice:
    """The price of one node's next run, in US dollars.

    Args:
        count: How many shots may be paid for; None where only the run can tell.
        each: The least and the most that one of them costs.
        least: The least that the run costs.
        most: The most that it costs, or None where that is not known.
    """

    count: int | None
    each: tuple[Decimal, Decimal]
    least: Decimal
    most: Decimal | None

    def to_json(self) -> dict[str, Any]:
        """Return what the page is told; "saved" where nothing is left to pay for."""
        if self.count == 0:
            return {"kind": "saved"}
        total = _range(self.least, self.most)
        return {"kind": "paid", "count": self.count, "each": _range(*self.each), "total": total}


@dataclass(frozen=True)
class Outlook:
    """What the next run of a node asks for, as far as it can be told before.

    Args:
        count: How many shots there are; None where only the run can tell.
        each: The least and the most that one of them costs, in US dollars.
        shots: The same of each by its fingerprint; None where only the run can tell.
        is_new: Whether none of them can have been paid for before.
    """

    count: int | None
    each: tuple[Decimal, Decimal]
    shots: Mapping[str, tuple[Decimal, Decimal]] | None
    is_new: bool

    async def price(self, ledger: Ledger) -> NodePrice:
        """Return the price: that of the shots which the ledger has not."""
        if self.shots is None:
            least, most = self.each if self.is_new else (Decimal(0), self.each[1])
            total = None if self.count is None else most * self.count
            return NodePrice(self.count, (least, most), least * (self.count or 1), total)
        states = {shot: await _state(ledger, shot) for shot in self.shots}
        unpaid = [shot for shot, state in states.items() if state not in PAID]
        none = Decimal(0)
        leasts = [none if states[shot] in UNDER_WAY else self.shots[shot][0] for shot in unpaid]
        mosts = [self.shots[shot][1] for shot in unpaid]
        each = min(leasts, default=none), max(mosts, default=none)
        return NodePrice(len(unpaid), each, sum(leasts, none), sum(mosts, none))


class Prices:
    """Tells prices of graphs in API format.

    Args:
        data_dir: The private folder of ledger, settings and key.
        threads: Where graphs and pictures are read.
    """

    def __init__(self, data_dir: Path, threads: Threads) -> None:
        self._data_dir = data_dir
        self._threads = threads
        self._pictures = NamedPictures()

    async def of_graph(self, prompt: Mapping[str, Any]) -> dict[str, Any]:
        """Return the price of each of the pack's generating nodes."""
        graph = await self._threads.run(Graph.parse, prompt)
        drafts = {
            node_id: {"kind": "draft"}
            for node_id, node in graph.nodes.items()
            if _is_draft(graph, node_id) and estimate(node.class_type, node.inputs)
        }
        prices = await self._read(graph)
        return drafts | {node_id: price.to_json() for node_id, price in prices.items()}

    async def of_rerun(self, entry: Entry, prompt: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return how a clip is made again with a new seed: the node, its input, clips and sum.

        None where no single node of the graph can be told to be the one that made it.
        """
        graph = await self._threads.run(Graph.parse, prompt)
        found = _seed_of(graph, entry)
        if found is None:
            return None
        node_id, seed_input = found
        again = graph.with_input(node_id, seed_input, NEW_SEED).upstream_of(node_id)
        prices = list((await self._read(again)).values())
        counts, most = [price.count for price in prices], [price.most for price in prices]
        least = sum((price.least for price in prices), Decimal(0))
        return {
            "node_id": node_id,
            "seed_input": seed_input,
            "clips": _sum(counts),
            "total": _range(least, _sum(most)),
        }

    async def _read(self, graph: Graph) -> dict[str, NodePrice]:
        recent = host.recent_requests().snapshot()
        outlooks = await self._threads.run(self._look_ahead, graph, recent)
        async with open_ledger(self._data_dir) as ledger:
            return {node_id: await each.price(ledger) for node_id, each in outlooks.items()}

    def _look_ahead(
        self, graph: Graph, recent: Mapping[str, tuple[str, ...]]
    ) -> dict[str, Outlook]:
        known = KnownShots(graph, self._pictures)
        outlooks = {}
        for node_id, node in graph.nodes.items():
            each = estimate(node.class_type, node.inputs)
            if each is None or _is_draft(graph, node_id):
                continue
            one = Decimal(0) if each.is_upper_bound else each.low, each.high
            shots: dict[str, tuple[Decimal, Decimal]] | None = None
            key = signature(graph, node_id)
            if quotes := known.quotes(node_id):
                shots = {shot: _amounts(quote) for shot, quote in quotes.items()}
            elif key and key in recent:
                shots = dict.fromkeys(recent[key], one)
            is_new = NEW_SEED in node.inputs.values() or is_content_known(graph, node_id)
            outlooks[node_id] = Outlook(count_shots(graph, node_id), one, shots, is_new)
        return outlooks


def _is_draft(graph: Graph, node_id: str) -> bool:
    return graph.nodes[node_id].inputs.get("mode") == "draft"


def _amounts(quote: Quote) -> tuple[Decimal, Decimal]:
    return Decimal(0) if quote.is_upper_bound else quote.usd, quote.usd


def _range(least: Decimal, most: Decimal | None) -> dict[str, float | None]:
    return {"least": float(least), "most": None if most is None else float(most)}


def _sum(numbers: Sequence[Any]) -> Any:
    return None if None in numbers else sum(numbers)


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
