"""The host's own nodes: Load Image alone."""

from __future__ import annotations

from typing import Any

import folder_paths
import numpy as np
import torch
from PIL import Image


class LoadImage:
    """Loads a picture of the input folder."""

    RETURN_TYPES = ("IMAGE", "MASK")

    def load_image(self, image: str) -> tuple[Any, None]:
        with Image.open(folder_paths.get_annotated_filepath(image)) as file:
            pixels = np.asarray(file.convert("RGB"), np.float32) / np.float32(255)
        return torch.from_numpy(pixels[np.newaxis]), None


NODE_CLASS_MAPPINGS: dict[str, type] = {}
