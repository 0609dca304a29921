"""The rules of fal's Vidu endpoints across fields, checked before anything is paid."""

from __future__ import annotations

from .endpoint import Options, Shapes
from .errors import InvalidImageError, InvalidSettingError
from .templates import TEMPLATE_IMAGES

CLOSEST_ASPECTS = (0.8, 1.25)
"""Between a first and a last frame (platform.vidu.com; ComfyUI's own node checks it as well)."""


def music_only_for_four_seconds(options: Options, shapes: Shapes) -> None:
    """Refuse background music for another length (the schemas' text of `bgm` in Q2)."""
    if options.get("bgm") and options.get("duration") != 4:
        raise InvalidSettingError(
            f"Background music is on and the duration is {options['duration']} s.",
            "Vidu Q2 adds music to clips of 4 s only: set the duration to 4, or turn bgm off.",
        )


def no_360p_with_an_end_image(options: Options, shapes: Shapes) -> None:
    """Refuse 360p between two frames (the schemas' text of `resolution` in Q3)."""
    if shapes.get("end_image") and options.get("resolution") == "360p":
        raise InvalidSettingError(
            "360p does not go with an end image.", "Use 540p or more, or disconnect end_image."
        )


def end_image_of_similar_aspect(options: Options, shapes: Shapes) -> None:
    """Refuse a first and a last frame whose aspect ratios differ by more than a quarter."""
    for first, last in zip(shapes.get("image", ()), shapes.get("end_image", ()), strict=False):
        closeness = (first.width / first.height) / (last.width / last.height)
        if not CLOSEST_ASPECTS[0] <= closeness <= CLOSEST_ASPECTS[1]:
            raise InvalidImageError(
                f"image is {first.width} x {first.height} pixels and end_image "
                f"{last.width} x {last.height}: their aspect ratios differ too much for Vidu.",
                "Crop one to the shape of the other.",
            )


def four_images_beside_videos(options: Options, shapes: Shapes) -> None:
    """Refuse more than 4 reference images beside a reference video (the text of Q2's schema)."""
    images = len(shapes.get("images", ()))
    if shapes.get("videos") and images > 4:
        raise InvalidSettingError(
            f"images holds {images} images beside a reference video.",
            "Vidu Q2 takes at most 4 images with videos, and 7 without.",
        )


def images_of_the_template(options: Options, shapes: Shapes) -> None:
    """Refuse another number of images than the template takes (the text of the schema)."""
    template, images = str(options["template"]), len(shapes.get("images", ()))
    least, most = TEMPLATE_IMAGES.get(template, (1, 1))
    if not least <= images <= most:
        wanted = f"{least} to {most}" if least < most else str(most)
        raise InvalidSettingError(
            f"The template {template} takes {wanted} image{'' if most == 1 else 's'}, "
            f"and there {'is' if images == 1 else 'are'} {images}.",
            f"Connect {wanted}.",
        )
