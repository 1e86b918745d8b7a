"""The pictures that frost lays over an image.

The six photographs come with the reference package and are read from there, not copied into this
one. Where that package is not installed, six pictures of the same sizes are made up from noise.
"""

import importlib.util
import warnings
from functools import cache
from math import ceil
from pathlib import Path

import numpy as np

_NAMES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg", "frost6.jpg")
_SIZES = ((600, 900), (315, 560), (315, 560), (350, 527), (495, 660), (323, 485))
_ENLARGED = 1.1
_CUBIC = -0.75  # slope of the interpolation's kernel at distance 1


@cache
def atlas(height, width):
    """The pictures at the size that images of `height` x `width` get, one after the other.

    Returns:
        pixels: uint8 `(total, 3)`, the rows of all pictures.
        sizes: int64 `(6, 2)`, height and width of each.
        starts: int64 `(6,)`, where each begins in `pixels`.
    """
    pictures = [_fitted(i, _scale(picture.shape, height, width)) for i, picture in _originals()]
    sizes = np.array([picture.shape[:2] for picture in pictures])
    starts = np.concatenate([[0], np.cumsum(sizes.prod(axis=1))[:-1]])
    return np.concatenate([picture.reshape(-1, 3) for picture in pictures]), sizes, starts


def _scale(shape, height, width):
    """The reference's rule: large enough for the image, then a tenth larger."""
    return max(1.0, height / shape[0], width / shape[1]) * _ENLARGED


@cache
def _fitted(index, scale):
    picture = dict(_originals())[index].astype("float32")
    for axis in (0, 1):
        length = picture.shape[axis]
        matrix = _cubic_matrix(length, ceil(length * scale))
        picture = np.moveaxis(np.tensordot(matrix, picture, (1, axis)), 0, axis)
    return np.clip(np.rint(picture), 0, 255).astype("uint8")


def _cubic_matrix(length, new_length):
    """Cubic interpolation and pixel centres aligned, as OpenCV resizes."""
    place = (np.arange(new_length) + 0.5) * (length / new_length) - 0.5
    matrix = np.zeros((new_length, length), "float32")
    first = np.floor(place).astype(int)
    for offset in range(-1, 3):
        x = np.abs(place - (first + offset))
        near = ((_CUBIC + 2) * x - (_CUBIC + 3)) * x**2 + 1
        far = _CUBIC * (((x - 5) * x + 8) * x - 4)
        weight = np.where(x <= 1, near, np.where(x < 2, far, 0.0))
        source = np.clip(first + offset, 0, length - 1)
        np.add.at(matrix, (np.arange(new_length), source), weight.astype("float32"))
    return matrix


@cache
def _originals():
    """The six pictures as uint8 arrays, numbered."""
    # find_spec does not run the package: importing it takes seconds and may fail.
    spec = importlib.util.find_spec("imagecorruptions")
    folder = Path(spec.origin).parent / "frost" if spec and spec.origin else None
    if folder is None or not all((folder / name).is_file() for name in _NAMES):
        warnings.warn(
            "the package imagecorruptions-imaug is not installed: frost uses made-up pictures",
            stacklevel=2,
        )
        return tuple(enumerate(procedural(size, seed) for seed, size in enumerate(_SIZES)))
    from PIL import Image

    return tuple(
        (i, np.asarray(Image.open(folder / name).convert("RGB"))) for i, name in enumerate(_NAMES)
    )


def procedural(size, seed):
    """A frosted pane from noise: bright needles on bluish grey, uint8 `(height, width, 3)`."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    needles = np.zeros(size)
    for sigma in ((1, 12), (12, 1), (2, 6), (6, 2)):
        streaks = gaussian_filter(rng.standard_normal(size), sigma)
        needles = np.maximum(needles, 1 - np.abs(streaks) / streaks.std())
    cover = gaussian_filter(rng.standard_normal(size), 40)
    cover = 1 / (1 + np.exp(-2 * cover / cover.std()))
    grain = 0.05 * rng.standard_normal(size)
    light = 0.25 + 0.5 * cover * np.clip(needles, 0, 1) + 0.2 * cover + grain
    colour = light[..., None] * np.array([0.92, 0.97, 1.03])
    return (255 * np.clip(colour, 0, 1)).astype("uint8")
