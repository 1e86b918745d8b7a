"""What the skin looks like from close by: nails, creases, knuckle folds, veins, mottling.

Painted once per process on two flat maps of the resting hand (palm side, back), half a
millimetre per texel, and looked up by every rendered pixel. Depths are in mm, the rest are shares.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy import ndimage

from keras_shr.rendering.skeleton import BONES, FINGER_BONES, FINGERS

TEXEL = 0.5
LEFT, BOTTOM, WIDTH, HEIGHT = -66.0, -80.0, 200.0, 290.0


@dataclass(frozen=True)
class Atlas:
    """Maps of the skin.

    Attributes:
        layers: float32 `(2, rows, columns, 4)`, the palm side first, then the back: relief
            (height in mm, creases are negative), share of nail, flush (how much blood shows), share
            of vein.
        grain: `(512, 512)` tileable noise, mean 0, standard deviation 1.
    """

    layers: np.ndarray
    grain: np.ndarray


# Palm lines (mm, left hand): life, head, heart, and the folds of the wrist.
_PALM_LINES = (
    (((27, 74), (14, 66), (5, 48), (2, 28), (6, 14)), 1.0),
    (((28, 73), (12, 66), (-8, 56), (-26, 44)), 0.8),
    (((12, 86), (2, 78), (-14, 71), (-36, 68)), 0.9),
    (((-18, 2), (0, 0), (18, 3)), 0.7),
    (((-19, -5), (0, -7), (18, -4)), 0.5),
)
_VEINS = (
    ((-8, -30), (-6, 10), (-2, 40), (8, 74)),
    ((-4, 36), (-10, 60), (-12, 80)),
    ((-22, 6), (-24, 40), (-26, 66)),
    ((8, 8), (18, 44), (16, 72)),
)


def fractal_noise(rng, size, first=4, octaves=5, decay=0.6):
    """Tileable noise `(size, size)`, mean 0, standard deviation 1."""
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        cells = first * 2**octave
        if cells > size:
            break
        values = rng.standard_normal((cells, cells)).astype(np.float32)
        zoomed = ndimage.zoom(
            np.pad(values, 2, mode="wrap"),
            size / cells,
            order=1,
            grid_mode=True,
            mode="grid-wrap",
        )
        margin = 2 * size // cells
        total += decay**octave * zoomed[margin : margin + size, margin : margin + size]
    return (total - total.mean()) / total.std()


def _canvas():
    x = LEFT + TEXEL * np.arange(int(WIDTH / TEXEL))
    y = BOTTOM + TEXEL * np.arange(int(HEIGHT / TEXEL))
    return np.meshgrid(x, y)


def _line(x, y, points, width):
    """Profile of a smooth stroke: 1 on the polyline, falling off as a Gaussian of `width` mm."""
    points = np.asarray(points, float)
    t = np.linspace(0, len(points) - 1, 10 * len(points))
    fine = np.stack(
        [ndimage.map_coordinates(points[:, i], [t], order=2, mode="nearest") for i in (0, 1)],
        axis=1,
    )
    low, high = fine.min(0) - 4 * width, fine.max(0) + 4 * width
    box = (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1])
    result = np.zeros_like(x)
    gap = np.full(box.sum(), np.inf)
    px, py = x[box], y[box]
    for (ax, ay), (bx, by) in pairwise(fine):
        dx, dy = bx - ax, by - ay
        s = np.clip(((px - ax) * dx + (py - ay) * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
        gap = np.minimum(gap, (px - ax - s * dx) ** 2 + (py - ay - s * dy) ** 2)
    result[box] = np.exp(-gap / (2 * width**2))
    return result


def _near(x, y, centre, reach):
    """Rows and columns of the canvas within `reach` mm of a point."""
    columns = np.searchsorted(x[0], [centre[0] - reach, centre[0] + reach])
    rows = np.searchsorted(y[:, 0], [centre[1] - reach, centre[1] + reach])
    return slice(*rows), slice(*columns)


def _finger_marks(x, y, finger, relief, nail, flush):
    """Creases, folds, nail and blood of one finger, in its own (across u, along v) coordinates."""
    bones = [BONES[i] for i in FINGER_BONES[finger]]
    along = bones[0].frame[:2, 1] / np.linalg.norm(bones[0].frame[:2, 1])
    across = np.array([along[1], -along[0]])

    def local(centre, reach):
        box = _near(x, y, centre, reach)
        offset = np.stack([x[box] - centre[0], y[box] - centre[1]], axis=-1)
        return box, offset @ across, offset @ along

    for i, bone in enumerate(bones):
        r = bone.radii[0]
        box, u, v = local(bone.head[:2], 3.2 * r)
        if i or finger != "thumb":
            for offset, depth in ((-1.1, 0.5), (1.1, 0.45)) if i == 1 else ((0, 0.5),):
                v0 = offset + (0 if i else 17)  # a finger's first crease lies beyond the knuckle
                arc = v - v0 - 0.012 * u * u
                relief[0][box] -= depth * np.exp(-(arc**2) / 0.6) * (np.abs(u) < 1.25 * r)
            if i:  # folds on the back, more and wider at the middle joint
                for k in np.arange(-3, 4) * (1.5 if i == 1 else 1.0):
                    arc = v - k - np.sign(k) * 0.02 * u * u
                    fade = np.exp(-(k**2) / 14) * np.exp(-(u**2) / (0.9 * r * r))
                    relief[1][box] -= 0.24 * fade * np.exp(-(arc**2) / 0.22)
        share = 0.8 if i < 2 else 0.32
        flush[1][box] += share * np.exp(-(u**2 + v**2) / (0.7 * r * r))
    r = bones[-1].radii[1]
    box, u, v = local(bones[-1].tail[:2], 4.5 * r)
    wide = r * (1.0 if finger == "thumb" else 0.92)
    start, end = -r * 1.30, r * 0.72
    middle, half = (start + end) / 2, (end - start) / 2
    rounded = (np.abs(u) / wide) ** 3.2 + (np.abs(v - middle) / half) ** 3.2
    plate = np.clip((1.0 - rounded) * 4, 0, 1)
    nail[1][box] = np.maximum(nail[1][box], plate)
    rim = np.exp(-((rounded - 1.05) ** 2) / 0.03) * (v < end - 0.3 * r)
    relief[1][box] += 0.25 * plate - 0.55 * rim
    for side in (0, 1):
        flush[side][box] += 0.9 * np.exp(-(u**2 + (v + 1) ** 2) / (2.2 * r * r))


@lru_cache(maxsize=1)
def skin_atlas() -> Atlas:
    """The painted maps (built on the first call)."""
    rng = np.random.default_rng(20)
    x, y = _canvas()
    relief, nail, flush, vein = (np.zeros((2, *x.shape)) for _ in range(4))
    for finger in FINGERS:
        _finger_marks(x, y, finger, relief, nail, flush)
    for points, depth in _PALM_LINES:
        relief[0] -= 0.75 * depth * _line(x, y, points, 0.75)
    for points in _VEINS:
        vein[1] = np.maximum(vein[1], _line(x, y, points, 1.9))
    relief[1] += 0.5 * vein[1]
    for cx, cy, size, amount in (
        (-26, 40, 20, 0.5),
        (26, 34, 16, 0.5),
        (0, 82, 24, 0.5),
    ):
        flush[0] += amount * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * size**2))
    grain = fractal_noise(rng, 512)
    layers = np.stack([relief, nail, flush, vein], axis=-1).astype(np.float32)
    return Atlas(layers, grain)


def lookup(layers, place, back):
    """The four layers at texture positions, blended between the two sides.

    Args:
        layers: `Atlas.layers`.
        place: `(n, 2)` mm on the resting hand.
        back: `(n,)` share of the dorsal side.

    Returns:
        `(4, n)`.
    """
    rows, columns = layers.shape[1:3]
    column = np.clip((place[:, 0] - LEFT) * (1 / TEXEL) + 0.5, 0, columns - 1).astype(np.int32)
    row = np.clip((place[:, 1] - BOTTOM) * (1 / TEXEL) + 0.5, 0, rows - 1).astype(np.int32)
    flat, at = layers.reshape(2, -1, 4), row * columns + column
    palm = flat[0][at]
    return (palm + back[:, None] * (flat[1][at] - palm)).T
