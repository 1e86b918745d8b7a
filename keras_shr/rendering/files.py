"""What both writers of data sets need: pictures, depth coding, whose folder it is."""

from pathlib import Path

import numpy as np
from PIL import Image

from keras_shr.errors import DataError
from keras_shr.files import read_json, replacing, write_json


def write_png(path, pixels):
    """Writes uint8 `(height, width)` or `(height, width, 3)` as a PNG."""
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    with replacing(path) as temporary:
        picture.save(temporary, "PNG", compress_level=1)


def split_depth(depth):
    """Depth 0..65535 `(height, width)` as three uint8 channels: high byte, low byte, 0."""
    depth = np.clip(np.rint(depth), 0, 65535).astype(np.uint16)
    return np.stack([depth >> 8, depth & 255, np.zeros_like(depth)], axis=-1).astype(np.uint8)


def claim(folder, settings):
    """Marks a folder as rendered with these settings, or checks that it was.

    A run that goes on must not mix pictures of different seeds, so `rendered.json` keeps them.

    Args:
        folder: made if absent.
        settings: dict of plain JSON values that every run into the folder must share.

    Raises:
        DataError: the folder holds something else.
    """
    folder = Path(folder)
    path = folder / "rendered.json"
    found = read_json(path)
    if found is not None:
        if found != settings:
            raise DataError(f"{path}: says {found}, this run has {settings}; use another folder")
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise DataError(f"{folder}: not empty and not rendered by keras_shr; use another folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, settings)
