"""`vidu models`: the models of each task, with their inputs, limits and prices."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..catalog import Model, all_choices
from ..endpoint import Endpoint, Intention
from ..fields import Field, MediaField
from ..pricing import ANY, Rate, format_usd
from ._arguments import add_json, read_options
from ._output import print_result

if TYPE_CHECKING:
    import argparse

    from ._arguments import Commands

MOST_CHOICES = 12
"""Longer lists of values are cut; `--json` has them whole."""


@dataclass(frozen=True)
class Options:
    """The arguments of `models`, under their own names."""

    json: bool


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "models", parents=[shared], help="models, their inputs, limits and prices"
    )
    add_json(parser)
    parser.set_defaults(run=lambda namespace: run(read_options(Options, namespace)))


def run(options: Options) -> int:
    """Print each model of each task; return 0."""
    task = None
    for intention, model, endpoint in all_choices():
        if options.json:
            print_result(json.dumps(_facts(intention, model, endpoint)))
            continue
        if intention is not task:
            print_result(("" if task is None else "\n") + intention.value)
        task = intention
        for line in _lines(intention, model, endpoint):
            print_result(line)
    return 0


def _lines(intention: Intention, model: Model, endpoint: Endpoint) -> list[str]:
    indent = " " * 14
    length = f"{endpoint.seconds} s, " if endpoint.seconds else ""
    return [
        f"  {model.slug:<12}{endpoint.id}",
        indent + "; ".join(_inputs(intention, endpoint)),
        *(f"{indent}--set {field.name}={_values(field)}" for field in endpoint.fields),
        indent + length + _price(endpoint),
    ]


def _inputs(intention: Intention, endpoint: Endpoint) -> list[str]:
    media = () if intention is Intention.TEXT_TO_VIDEO else endpoint.media
    inputs = [_medium(field) for field in media]
    if endpoint.prompt is not None:
        need = "" if endpoint.prompt.is_required else "optional, "
        inputs.append(f"prompt ({need}up to {endpoint.prompt.max_length} characters)")
    return inputs


def _medium(field: MediaField) -> str:
    limits = []
    if field.least == 0:
        limits.append("optional")
    if field.most > 1:
        limits.append(f"up to {field.most}")
    if field.kind != "audio" and field.max_aspect:
        limits.append(f"1:{field.max_aspect:g} to {field.max_aspect:g}:1")
    if field.min_side > 1:
        limits.append(f"at least {field.min_side} pixels a side")
    if field.max_s:
        limits.append(f"{field.min_s:g} to {field.max_s:g} s")
    elif field.min_s:
        limits.append(f"{field.min_s:g} s or more")
    if field.max_bytes:
        limits.append(f"up to {field.max_bytes / 1e6:g} MB")
    return f"{field.role} ({', '.join(limits)})" if limits else field.role


def _values(field: Field) -> str:
    values = field.range.split(", ")
    shown = "|".join(values[:MOST_CHOICES])
    more = len(values) - MOST_CHOICES
    default = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return f"{shown}{f'|... {more} more' if more > 0 else ''} (default {default})"


def _price(endpoint: Endpoint) -> str:
    """Return the price rows, each rate with the values of the option that pick it."""
    by_rate: defaultdict[Rate, list[str]] = defaultdict(list)
    for value, rate in endpoint.price.rates.items():
        by_rate[rate].append(value)
    return ", ".join(_rate(endpoint, rate, values) for rate, values in by_rate.items())


def _rate(endpoint: Endpoint, rate: Rate, values: Sequence[str]) -> str:
    parts = [format_usd(rate.base)] if rate.base or not rate.per_second else []
    if rate.per_second:
        parts.append(f"{format_usd(rate.per_second)} a second")
    bound = "up to " if rate.is_upper_bound or endpoint.price.charges_input_seconds else ""
    price = bound + " + ".join(parts)
    if list(values) == [ANY]:
        return price if len(endpoint.price.rates) == 1 else f"{price} otherwise"
    names = (
        "/".join(values) if len(values) <= MOST_CHOICES else f"{len(values)} {endpoint.price.by}s"
    )
    return f"{price} at {names}"


def _facts(intention: Intention, model: Model, endpoint: Endpoint) -> dict[str, Any]:
    return {
        "task": intention.value,
        "model": model.slug,
        "endpoint": endpoint.id,
        "output": endpoint.output,
        "inputs": _inputs(intention, endpoint),
        "options": {field.name: field.range.split(", ") for field in endpoint.fields},
        "defaults": {field.name: field.default for field in endpoint.fields},
        "seconds": endpoint.seconds or None,
        "price": {
            value: {"base_usd": float(rate.base), "per_second_usd": float(rate.per_second)}
            for value, rate in endpoint.price.rates.items()
        },
        "price_by": endpoint.price.by or None,
        "price_source": endpoint.price.source,
        "price_date": endpoint.price.date,
    }
