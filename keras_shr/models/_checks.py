"""What images given to a model must be."""

import numpy as np
from keras import ops

from keras_shr.errors import KerasShrError

_LOOKED_AT = 16
_NORMALISED = 1.5  # no batch of photographs in 0..255 is that dark


def check_images(images, image_size, channels=3) -> None:
    """Refuses images that a model would take for something else.

    Args:
        images: `(count, height, width, channels)`, an array, memory map or tensor of any backend,
            or a list of arrays; the values of the first 16 are looked at.
        image_size: the model's `(height, width)`.
        channels: of the model's input.

    Raises:
        KerasShrError: another shape, no numbers, or numbers with a point that are positive and no
            larger than 1.5, as they are in 0..1. Black images are in order, and so are integers.
    """
    if not hasattr(images, "shape"):
        images = _stacked(images)
    shape, expected = tuple(images.shape), (*image_size, channels)
    if len(shape) != 4 or shape[1:] != expected:
        known = ", ".join(map(str, expected))
        hint = "; one image is images[None]" if shape == expected else ""
        raise KerasShrError(f"images have shape {shape}; expected (count, {known}){hint}")
    first = np.asarray(ops.convert_to_numpy(images[:_LOOKED_AT]))
    if first.dtype.kind in "iu" or not first.size:
        return
    kind = first.dtype.name
    if first.dtype.kind in "bcOSUmM":
        raise KerasShrError(f"images are {kind}; expected uint8 or float values in 0..255")
    highest = float(first.max())
    if 0 < highest <= _NORMALISED:
        raise KerasShrError(
            f"images are {kind} with values up to {highest:.4g}; expected 0..255 "
            "(the model scales them itself)"
        )


def _stacked(images):
    try:
        return np.asarray(images)
    except ValueError:  # as NumPy says of ragged lists
        raise KerasShrError(
            "images are a list whose parts differ in shape; expected images of one size"
        ) from None
