"""The formats of a manifest: CSV, JSONL and YAML as editors and spreadsheets save them."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Unusable:
    """A value that the format reads as something else than what stands in the file.

    Args:
        reason: Why, a sentence.
        next_step: What to write instead, a sentence.
    """

    reason: str
    next_step: str


def parse_csv(text: str) -> list[Any]:
    """Return a mapping for each row that holds something.

    Raises:
        ValueError: It is not a table.
        csv.Error: The same, in the words of the csv module.
    """
    delimiter, text = _split_delimiter(text)
    rows = csv.reader(
        StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    names = [column_name(name) for name in next(rows, [])]
    named = [name for name in names if name]
    if len(set(named)) < len(named):
        raise ValueError("two columns have the same name")
    return [_named_cells(names, row) for row in rows if any(cell.strip() for cell in row)]


def column_name(head: str) -> str:
    """Return the field that the head of a column names: `Movement Amplitude` is one, too."""
    return re.sub(r"[\s-]+", "_", head.strip().lower())


def _split_delimiter(text: str) -> tuple[str, str]:
    """Return the delimiter and the table; Excel reads and writes a first line such as `sep=;`."""
    first, _, rest = text.partition("\n")
    told = re.fullmatch(r'"?sep=(.)"?[,;\t]*\s*', first.strip("\r"), re.IGNORECASE)
    if told:
        return told[1], rest
    return max(DELIMITERS, key=first.count), text


def _named_cells(names: Sequence[str], row: Sequence[str]) -> dict[str, object]:
    cells: dict[str, object] = {}
    for index, cell in enumerate(row):
        name = names[index] if index < len(names) else ""
        if name:
            cells[name] = cell
        elif cell.strip():
            cells["more values than columns"] = cell
    return cells


def parse_jsonl(text: str) -> list[Any]:
    """Return the value of each line that is not blank.

    Raises:
        ValueError: A line is not JSON.
    """
    shots: list[Any] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            shots.append(json.loads(line, object_pairs_hook=_json_object))
        except ValueError as error:
            raise ValueError(f"line {number} is not JSON: {error}") from error
    return shots


def _json_object(pairs: Sequence[tuple[str, object]]) -> object:
    return _unique([name for name, _ in pairs]) or dict(pairs)


def _unique(names: Sequence[Hashable]) -> Unusable | None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is None:
        return None
    return Unusable(f"{twice} is given twice.", "Keep one of the two.")


def parse_yaml(text: str) -> list[Any]:
    """Return the shots of a YAML list.

    Raises:
        ValueError: It is not YAML, or not a list.
    """
    import yaml  # the only format that needs a package

    try:
        shots = yaml.load(text, _loader())
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(shots, list):
        raise ValueError("it does not hold a list of shots")
    return shots


def _loader() -> type[yaml.SafeLoader]:
    """Return a SafeLoader that hands on what YAML 1.1 reads differently from how it looks."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Plain numbers as numbers, dates, yes and no as text, what is doubtful as `Unusable`."""

    def whole_number(loader: Loader, node: yaml.ScalarNode) -> object:
        if re.fullmatch(r"[-+]?(0|[1-9][0-9]*)", node.value):
            return int(node.value)
        return _misread(node.value, loader.construct_yaml_int(node))

    def number(loader: Loader, node: yaml.ScalarNode) -> object:
        if re.fullmatch(r"[-+]?[0-9]+\.[0-9]*([eE][-+]?[0-9]+)?", node.value):
            return float(node.value)
        return _misread(node.value, loader.construct_yaml_float(node))

    def switch(loader: Loader, node: yaml.ScalarNode) -> object:
        truth = {"true": True, "false": False}
        return truth.get(node.value.lower(), node.value)

    def text(loader: Loader, node: yaml.ScalarNode) -> object:
        return node.value

    def mapping(loader: Loader, node: yaml.MappingNode) -> object:
        names = [key.value for key, _ in node.value if isinstance(key.value, str)]
        return _unique(names) or loader.construct_mapping(node, deep=True)

    for tag, construct in (
        ("int", whole_number),
        ("float", number),
        ("bool", switch),
        ("timestamp", text),
        ("map", mapping),
    ):
        Loader.add_constructor(f"tag:yaml.org,2002:{tag}", construct)
    return Loader


def _misread(written: str, read: object) -> Unusable:
    return Unusable(
        f"It says {written}, which YAML reads as {read}.",
        f'Write the number in plain digits, or "{written}" in quotes for a text.',
    )


FORMATS: Mapping[str, Callable[[str], list[Any]]] = MappingProxyType(
    {".csv": parse_csv, ".jsonl": parse_jsonl, ".yaml": parse_yaml, ".yml": parse_yaml}
)
