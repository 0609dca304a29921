"""Schemas, kept as they were declared."""

from __future__ import annotations

from enum import Enum
from types import SimpleNamespace
from typing import Any


class Input:
    """An input, an output, an option or a template."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.args = args
        self.__dict__.update(options)


class Kind:
    """A type of values."""

    Input = Input
    Output = Input


Audio = Boolean = Combo = Float = Image = Int = String = Video = Kind


class Autogrow:
    """An input that grows."""

    class Input(Input):
        """Its declaration."""

    class TemplateNames(Input):
        """The names of its sockets."""


class DynamicCombo:
    """A choice with inputs of its own."""

    class Input(Input):
        """Its declaration."""

    class Option(Input):
        """One of its options."""


class Schema(Input):
    """A node's face."""

    node_id: str
    inputs: list[Any]
    outputs: list[Any]


class NodeOutput:
    """What a node hands to the graph."""

    def __init__(self, *result: Any, ui: Any = None) -> None:
        self.result = result
        self.ui = ui


class ComfyNode:
    """What a node is derived from."""

    hidden: Any = SimpleNamespace(prompt=None, extra_pnginfo=None, dynprompt=None)


class FolderType(str, Enum):
    """The host's folders that the editor can show files of."""

    output = "output"
    temp = "temp"


class ControlAfterGenerate(str, Enum):
    """What happens to a seed after a run."""

    fixed = "fixed"


class Hidden(str, Enum):
    """What the host tells a node beside its inputs."""

    prompt = "prompt"
    extra_pnginfo = "extra_pnginfo"
    dynprompt = "dynprompt"
