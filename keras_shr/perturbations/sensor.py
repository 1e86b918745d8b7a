"""Faults of lenses and sensors: a family that no training kind resembles, for evaluation alone.

Five kinds, severities 1 to 5, one image at a time. They show whether stability that was trained on
other kinds generalises; the strengths are our own choice and come from no benchmark.
"""

import numpy as np
from scipy.ndimage import map_coordinates

from keras_shr.errors import KerasShrError
from keras_shr.perturbations.names import SENSOR_PERTURBATIONS, check_severities


def perturb(image, kind, severity, seed) -> np.ndarray:
    """Perturb one image.

    Args:
        image: uint8 `(height, width, 3)`.
        kind: a name of `SENSOR_PERTURBATIONS`.
        severity: 1 to 5.
        seed: int; the same seed gives the same picture.

    Returns:
        uint8 of the same shape.
    """
    if kind not in SENSOR_PERTURBATIONS:
        raise KerasShrError(
            f"unknown perturbation {kind!r}; the kinds are " + ", ".join(SENSOR_PERTURBATIONS)
        )
    (severity,) = check_severities((severity,))
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise KerasShrError(
            f"image is {image.dtype} of shape {image.shape}; expected uint8 (height, width, 3)"
        )
    rng = np.random.default_rng(int(seed) % 2**32)
    result = _KINDS[kind](image.astype("float32"), severity - 1, rng)
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def _centred(shape):
    """Rows and columns from the centre, in halves of the longer side."""
    height, width = shape[:2]
    half = max(height, width) / 2
    y, x = np.mgrid[:height, :width].astype("float32")
    return (y - (height - 1) / 2) / half, (x - (width - 1) / 2) / half


def _chromatic_aberration(image, level, rng):
    """Red is magnified and blue shrunk about the centre: coloured edges that grow outwards."""
    stretch = (0.008, 0.016, 0.026, 0.038, 0.052)[level] * rng.choice((-1, 1))
    height, width = image.shape[:2]
    half = max(height, width) / 2
    y, x = _centred(image.shape)
    result = image.copy()
    for channel, factor in ((0, 1 + stretch), (2, 1 - stretch)):
        rows = y * factor * half + (height - 1) / 2
        columns = x * factor * half + (width - 1) / 2
        result[..., channel] = map_coordinates(
            image[..., channel], [rows, columns], order=1, mode="nearest"
        )
    return result


def _vignetting(image, level, rng):
    """The lens darkens towards a corner, about a centre that is a little off."""
    depth = (0.4, 0.6, 0.8, 1.1, 1.5)[level]
    y, x = _centred(image.shape)
    dy, dx = rng.uniform(-0.3, 0.3, 2)
    return image / (1 + depth * ((y - dy) ** 2 + (x - dx) ** 2))[..., None] ** 2


def _lens_flare(image, level, rng):
    """A lamp outside the picture: a veil of light and a row of ghosts through the centre."""
    strength = (0.15, 0.25, 0.35, 0.5, 0.65)[level]
    y, x = _centred(image.shape)
    angle = rng.uniform(0, 2 * np.pi)
    lamp = 1.1 * np.array([np.sin(angle), np.cos(angle)])
    light = np.exp(-((y - lamp[0]) ** 2 + (x - lamp[1]) ** 2) / 1.2)[..., None] * np.ones(3)
    for place in rng.uniform(-0.9, 0.9, 4):
        radius = rng.uniform(0.05, 0.2)
        distance = np.hypot(y - place * lamp[0], x - place * lamp[1])
        disc = 1 / (1 + np.exp(np.clip((distance - radius) / (0.1 * radius), -30, 30)))
        light += 0.5 * disc[..., None] * rng.uniform(0.3, 1, 3)
    return 255 - (255 - image) * (1 - strength * np.clip(light, 0, 1))


def _row_banding(image, level, rng):
    """A sensor that is read row by row: each row has a gain and an offset of its own."""
    spread = (0.04, 0.07, 0.11, 0.16, 0.22)[level]
    rows = image.shape[0]
    gain = 1 + spread * rng.normal(size=(rows, 1, 1))
    # Lamps on alternating current add slow waves to the noise.
    wave = np.sin(2 * np.pi * (rng.uniform(2, 9) * np.arange(rows) / rows + rng.uniform()))
    return image * gain * (1 + spread * wave[:, None, None])


def _hot_pixels(image, level, rng):
    """Single photosites that are stuck, seen through the colour mosaic."""
    share = (0.002, 0.005, 0.01, 0.02, 0.04)[level]
    stuck = rng.uniform(size=image.shape) < share
    value = np.where(rng.uniform(size=image.shape) < 0.7, 255.0, 0.0)
    return np.where(stuck, value, image)


_KINDS = {
    "chromatic_aberration": _chromatic_aberration,
    "vignetting": _vignetting,
    "lens_flare": _lens_flare,
    "row_banding": _row_banding,
    "hot_pixels": _hot_pixels,
}
