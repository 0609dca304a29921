"""Schemas that are kept as they were declared, and values that name a file."""

from __future__ import annotations

from enum import Enum
from types import SimpleNamespace
from typing import Any


class Declared:
    """An input, an output, an option, a template or a schema."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.args = args
        self.__dict__.update(options)


class NodeOutput:
    """What a node hands to the graph."""

    def __init__(self, *result: Any, ui: Any = None) -> None:
        self.result = result
        self.ui = ui


class ComfyNode:
    """What a node is derived from."""

    hidden = SimpleNamespace(prompt=None, extra_pnginfo=None, dynprompt=None)


class ComfyExtension:
    """What an extension is derived from."""


class FolderType(str, Enum):
    """The host's folders that the editor can show files of."""

    output = "output"
    temp = "temp"


class Video:
    """A VIDEO."""


class VideoFromFile(Video):
    """A VIDEO that is a file."""

    def __init__(self, file: str) -> None:
        self.file = file

    def get_stream_source(self) -> str:
        return self.file

    def get_active_trim_window(self) -> tuple[float, float]:
        return 0.0, 0.0


class VideoFromComponents(Video):
    """A VIDEO made of frames and sound."""

    def __init__(self, components: Any) -> None:
        self.components = components

    def get_components(self) -> Any:
        return self.components


class Shown:
    """What is shown on a node."""

    def __init__(self, results: Any) -> None:
        self.results = results


class ComfyAPI:
    """The host's services for nodes."""

    class execution:
        """Progress."""

        @staticmethod
        async def set_progress(value: float, max_value: float) -> None:
            """Show nothing."""


_KIND = SimpleNamespace(Input=Declared, Output=Declared, Option=Declared, TemplateNames=Declared)

io = SimpleNamespace(
    ComfyNode=ComfyNode,
    ControlAfterGenerate=SimpleNamespace(fixed="fixed"),
    FolderType=FolderType,
    Hidden=SimpleNamespace(prompt="prompt", extra_pnginfo="extra_pnginfo", dynprompt="dynprompt"),
    Input=Declared,
    NodeOutput=NodeOutput,
    Schema=Declared,
    **dict.fromkeys(
        (
            "Audio",
            "Autogrow",
            "Boolean",
            "Combo",
            "DynamicCombo",
            "Float",
            "Image",
            "Int",
            "String",
            "Video",
        ),
        _KIND,
    ),
)
ui = SimpleNamespace(PreviewVideo=Shown, SavedImages=Shown, SavedResult=Declared)
Input = SimpleNamespace(Video=Video)
InputImpl = SimpleNamespace(VideoFromFile=VideoFromFile, VideoFromComponents=VideoFromComponents)
