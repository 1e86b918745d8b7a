"""Light on the hand: skin, cloth and objects under one lamp and a sky, with soft shadows."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from keras_shr.rendering.texture import lookup, skin_atlas


@dataclass(frozen=True)
class Light:
    """A lamp far away and the light from all around. Colours are linear RGB `(3,)`.

    Attributes:
        direction: unit vector from the scene to the lamp, camera coordinates.
        lamp, sky, ground: colours; sky comes from above (camera -y), ground from below.
        hardness: how dark a cast shadow is, 0..1.
    """

    direction: np.ndarray
    lamp: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    hardness: float


@dataclass(frozen=True)
class Skin:
    """Linear RGB albedo of back and palm, and how the surface differs from person to person."""

    back: np.ndarray
    palm: np.ndarray
    flush: np.ndarray
    nail: np.ndarray
    nail_share: float
    creases: float
    veins: float
    mottling: float
    gloss: float
    shine: float
    grain_offset: np.ndarray


def shadow(points, vertices, direction, cell=3.0, bias=6.0):
    """1 where the lamp is covered for `(n, 3)` points by the surface with these vertices (mm).

    A shadow map: the vertices are dropped on a grid across the light, the nearest one kept.
    """
    side = np.cross(direction, [0.31, 0.95, 0.05])
    side /= np.linalg.norm(side)
    across = np.stack([side, np.cross(direction, side)], axis=1)
    low = (vertices @ across).min(axis=0) - 2 * cell
    shape = np.minimum(((vertices @ across).max(axis=0) - low) / cell + 3, 400).astype(int)

    def cells(p):
        index = np.clip(((p @ across - low) / cell + 0.5).astype(np.int32), 0, shape - 1)
        return index[:, 0] * shape[1] + index[:, 1]

    height = np.full(shape[0] * shape[1], -1e9, np.float32)
    np.maximum.at(height, cells(vertices), (vertices @ direction).astype(np.float32))
    height = ndimage.grey_closing(height.reshape(shape), 3).ravel()
    return np.clip((height[cells(points)] - points @ direction - bias) / 3.0, 0, 1)


def _spread(values, pixels, shape, size):
    """Local mean of per-pixel values over the covered pixels only."""
    image, mask = (
        np.zeros(shape[0] * shape[1], np.float32),
        np.zeros(shape[0] * shape[1], np.float32),
    )
    image[pixels], mask[pixels] = values, 1
    image, mask = (
        ndimage.uniform_filter(a.reshape(shape), size, mode="constant") for a in (image, mask)
    )
    return image.ravel()[pixels] / np.maximum(mask.ravel()[pixels], 1e-6)


def occlusion(depth, pixels, shape, millimetre):
    """How much of the sky a pixel sees, from the depths around it (1 = all of it)."""
    open_sky = np.ones(len(depth), np.float32)
    for reach, strength in ((7, 0.45), (22, 0.45)):
        size = max(3, int(reach * millimetre) | 1)
        sunk = depth - _spread(depth, pixels, shape, size)
        open_sky *= 1 - strength * np.clip(sunk / reach, 0, 1)
    return open_sky


def bump(normals, relief, pixels, shape, strength):
    """Normals `(n, 3)` tilted by a height `(n,)` in mm; strength is pixels per mm."""
    image = np.zeros(shape[0] * shape[1], np.float32)
    known = np.zeros(shape[0] * shape[1], bool)
    image[pixels], known[pixels] = relief, True
    image, known = image.reshape(shape), known.reshape(shape)
    dx, dy = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    dx[:, 1:-1] = np.where(known[:, 2:] & known[:, :-2], image[:, 2:] - image[:, :-2], 0)
    dy[1:-1] = np.where(known[2:] & known[:-2], image[2:] - image[:-2], 0)
    tilt = np.stack([dx.ravel()[pixels], dy.ravel()[pixels], np.zeros(len(pixels))], axis=1)
    normals = normals - 0.5 * strength * np.clip(tilt, -2, 2)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def skin_albedo(skin, atlas):
    """Linear RGB `(n, 3)`, nail share `(n,)` and relief (mm) at texture positions `(n, 3)`."""
    maps = skin_atlas()
    back = np.clip(0.5 + 1.6 * atlas[:, 2], 0, 1)
    relief, nail, flush, vein = lookup(
        [maps.relief, maps.nail, maps.flush, maps.vein], atlas[:, :2], back
    )
    nail = nail * (atlas[:, 2] > 0.15)
    place = atlas[:, :2] + skin.grain_offset + 37.0 * (atlas[:, 2:] > 0)
    column, row = ((place * 1.6).astype(np.int32) % 512).T
    grain = maps.grain[row, column]
    colour = skin.palm + back[:, None] * (skin.back - skin.palm)
    colour = colour * (1 + np.clip(flush, 0, 1)[:, None] * (skin.flush - 1))
    colour = colour * (1 + skin.mottling * grain)[:, None]
    colour = colour * (1 - skin.veins * vein[:, None] * np.array([0.30, 0.12, 0.05]))
    dark = np.clip(-relief, 0, 1)[:, None] * skin.creases
    colour = colour * (1 - dark * np.array([0.38, 0.5, 0.52]))
    share = (nail * skin.nail_share)[:, None]
    colour = colour * (1 - share) + share * skin.nail
    return np.clip(colour, 0.003, 1), nail, relief * skin.creases + 0.05 * grain


def shade(albedo, normals, views, light, lit, open_sky, gloss, shine, soft):
    """Linear radiance `(n, 3)`.

    Args:
        albedo: `(n, 3)` linear RGB.
        normals, views: `(n, 3)` unit vectors; views point to the camera.
        light: the `Light`.
        lit: `(n,)` share of the lamp that arrives.
        open_sky: `(n,)` ambient occlusion.
        gloss: `(n,)` strength of the highlight; shine: its exponent.
        soft: `(3,)` how far light bleeds past the terminator in each channel (skin: red most).
    """
    facing = normals @ light.direction
    wrapped = np.clip((facing[:, None] + soft) / (1 + soft), 0, 1)
    # red light also leaks a little way into shadows cast on skin
    arriving = lit[:, None] ** (1 / (1 + 2 * np.asarray(soft)))
    half = views + light.direction
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    highlight = np.clip((normals * half).sum(axis=1), 0, 1) ** shine * gloss * lit * (facing > 0)
    up = (0.5 - 0.5 * normals[:, 1])[:, None]
    ambient = (light.ground + up * (light.sky - light.ground)) * open_sky[:, None]
    rim = (1 - np.clip((normals * views).sum(axis=1), 0, 1)) ** 4 * gloss * 0.6
    result = albedo * (light.lamp * wrapped * arriving + ambient)
    return result + highlight[:, None] * light.lamp + rim[:, None] * ambient


def encode(linear):
    """Linear radiance to uint8-range sRGB-like values with a soft shoulder, float `(…, 3)`."""
    squeezed = np.where(linear > 0.7, 0.7 + 0.3 * np.tanh((linear - 0.7) / 0.3), linear)
    return 255 * np.clip(squeezed, 0, 1) ** (1 / 2.2)
