"""A shot as a shell or a manifest describes it: words, values and files, not yet a request."""

from __future__ import annotations

import mimetypes
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ..builders import Picture, build_request
from ..catalog import MODELS, find_endpoint
from ..endpoint import Endpoint, Intention
from ..errors import InvalidSettingError
from ..fields import Choice, Field, MediumKind, OptionValue
from ..media.audio import load_audio
from ..media.image_file import OnNotice, load_image
from ..media.medium import Medium
from ..media.video_file import load_video
from ..request import Request, check_prompt

REFERENCE_ROLES: Mapping[str, str] = MappingProxyType(
    {"image": "images", "video": "videos", "audio": "voices"}
)
"""The role of a reference by the kind of its file."""


@dataclass(frozen=True)
class ShotSpec:
    """What one shot is made of.

    Args:
        prompt: What should happen.
        seed: 0..2147483647; 0 lets Vidu choose.
        model: A model's name; empty for the first one of the task.
        task: What is made; None to tell it from the media and options.
        options: Values for the model's options; text is read as the option's kind.
        media: The files by role; see `MediaField.role`.
    """

    prompt: str = ""
    seed: int = 0
    model: str = ""
    task: Intention | None = None
    options: Mapping[str, OptionValue] = field(default_factory=lambda: MappingProxyType({}))
    media: Mapping[str, tuple[Path, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def intention(self) -> Intention:
        """The task that was named, or the one that these media are for.

        Raises:
            InvalidSettingError: There are no media, and nothing says that this is meant so.
        """
        if self.task:
            return self.task
        if "template" in self.options:
            return Intention.TEMPLATE
        if "video" in self.media:
            return Intention.EXTEND_VIDEO
        if REFERENCE_ROLES.values() & self.media.keys():
            return Intention.REFERENCE_TO_VIDEO
        if not self.media:
            raise InvalidSettingError(
                "No image is given.", "Give one, or set the task, such as text-to-video."
            )
        return Intention.IMAGE_TO_VIDEO

    @property
    def model_name(self) -> str:
        """The model that was named, or the first one of the task."""
        return self.model or MODELS[self.intention][0].name

    @property
    def first_file(self) -> Path | None:
        """The file that the clip is named for; None where there is none."""
        return next((path for paths in self.media.values() for path in paths), None)

    def check(self) -> None:
        """Check all that can be checked without reading a file.

        Raises:
            InvalidInputError: The model does not take this.
        """
        endpoint = self._find_endpoint()
        check_prompt(self.prompt, endpoint)
        endpoint.check_options(_read_options(endpoint, self.options))

    def build(self, on_notice: OnNotice | None = None) -> Request:
        """Read the files and build the request.

        Args:
            on_notice: Called with a sentence for each thing in a file that is not sent.

        Raises:
            InvalidInputError: A file cannot be used, or the model does not take this.
        """
        endpoint = self._find_endpoint()
        options = _read_options(endpoint, self.options)
        kinds = {medium.role: medium.kind for medium in endpoint.media}
        media = {
            role: [load_medium(path, kinds[role], on_notice) for path in paths]
            for role, paths in self.media.items()
        }
        return build_request(
            self.intention,
            self.model_name,
            prompt=self.prompt,
            seed=self.seed,
            options=options,
            media=media,
        )

    def _find_endpoint(self) -> Endpoint:
        return find_endpoint(self.intention, self.model_name, [*self.media])


def load_medium(
    path: Path, kind: MediumKind, on_notice: OnNotice | None = None
) -> Medium | Picture:
    """Read the file of a shot.

    Raises:
        InvalidInputError: It cannot be used; the message names the file.
    """
    if kind == "image":
        return load_image(path, on_notice)
    return load_video(path) if kind == "video" else load_audio(path)


def first_role(task: Intention | None) -> str:
    """Return the role of the image that a shot of this task is made for."""
    with_images = (Intention.REFERENCE_TO_VIDEO, Intention.TEMPLATE, Intention.IMAGE)
    return "images" if task in with_images else "image"


def role_of_reference(path: Path) -> str:
    """Return the role of a reference: images, or by the file's name videos or voices."""
    kind = (mimetypes.guess_type(path.name)[0] or "image").partition("/")[0]
    return REFERENCE_ROLES.get(kind, "images")


def find_file(folder: Path, name: str) -> Path:
    """Return the file that a name means, as other systems and programs write names.

    A path copied on Windows has quotation marks and backslashes, and macOS writes accents as
    characters of their own.

    Args:
        folder: The folder that a relative path begins in.
        name: The path as it was written.
    """
    written = folder / name
    plain = name.strip().strip('"')
    spellings = (plain, plain.replace("\\", "/"))
    candidates = [
        folder / unicodedata.normalize(form, spelling)
        for spelling in spellings
        for form in ("NFC", "NFD")
    ]
    return next((path for path in (written, *candidates) if path.exists()), written)


def _read_options(
    endpoint: Endpoint, options: Mapping[str, OptionValue]
) -> Mapping[str, OptionValue]:
    fields = {field.name: field for field in endpoint.fields}
    return {
        name: _read_option(fields[name], value) if name in fields else value
        for name, value in options.items()
    }


def _read_option(field: Field, value: OptionValue) -> OptionValue:
    if not isinstance(value, str):
        return value
    if isinstance(field, Choice):  # 1080P and Small are what people type
        value = next((known for known in field.values if known.lower() == value.lower()), value)
    return field.parse(value)
