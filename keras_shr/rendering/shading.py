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


def shadow(points, facing, vertices, direction, window, per_mm, cell=3.0):
    """How much of the lamp is covered, 0..1, for `(n, 3)` points of the picture (mm).

    A shadow map: the surface's vertices are dropped on a grid across the light, the highest kept;
    a point lies in shadow where the grid, read bilinearly, is well above it.

    Args:
        points: `(n, 3)` mm.
        facing: `(n,)` cosine between normal and lamp; the map is coarse, so it needs more slack
            on surfaces that the light grazes.
        vertices: `(vertices, 3)` mm.
        direction: unit vector to the lamp.
        window: the `Window` of the picture; the result is smoothed over about 3 mm of it.
        per_mm: pixels for each mm.
        cell: edge of a grid cell, mm.
    """
    side = np.cross(direction, [0.31, 0.95, 0.05])
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(direction, side), direction], axis=1).astype(np.float32)
    dropped, own = vertices.astype(np.float32) @ axes, points @ axes
    low = dropped[:, :2].min(axis=0) - 2 * cell
    shape = np.minimum((dropped[:, :2].max(axis=0) - low) / cell + 4, 500).astype(int)
    index = np.clip(((dropped[:, :2] - low) / cell + 0.5).astype(np.int32), 0, shape - 1)
    height = np.full(shape[0] * shape[1], -1e6, np.float32)
    np.maximum.at(height, index[:, 0] * shape[1] + index[:, 1], dropped[:, 2])
    height = ndimage.grey_closing(height.reshape(shape), 3)
    place = np.clip((own[:, :2] - low) / cell, 0, shape - 1.001)
    corner = place.astype(np.int32)
    x, y = (place - corner).T
    flat, first = height.ravel(), corner[:, 0] * shape[1] + corner[:, 1]
    above = own[:, 2] + 5 + 5 * (1 - np.clip(facing, 0, 1))
    covered = [
        np.clip((flat[first + step] - above) * 0.3, 0, 1) for step in (0, 1, shape[1], shape[1] + 1)
    ]
    near, far = (
        covered[0] + y * (covered[1] - covered[0]),
        covered[2] + y * (covered[3] - covered[2]),
    )
    return _local_mean(near + x * (far - near), window, max(1, round(3 * per_mm)) | 1)


def _local_mean(values, window, size):
    """Mean of per-pixel values over a square of covered pixels."""
    image = ndimage.uniform_filter(window.image(values), size, mode="constant")
    cover = ndimage.uniform_filter(window.image(np.ones_like(values)), size, mode="constant")
    return image.ravel()[window.pixels] / np.maximum(cover.ravel()[window.pixels], 1e-6)


def occlusion(depth, window, per_mm):
    """How much of the sky a pixel sees, from the depths around it (1 = all of it)."""
    open_sky = np.ones(len(depth), np.float32)
    for reach, strength in ((7, 0.45), (22, 0.45)):
        sunk = depth - _local_mean(depth, window, max(3, int(reach * per_mm) | 1))
        open_sky *= 1 - strength * np.clip(sunk / reach, 0, 1)
    return open_sky


def bump(normals, relief, window, strength):
    """Normals `(n, 3)` tilted by a height `(n,)` in mm; strength is pixels per mm."""
    image, known = window.image(relief), window.image(np.ones_like(relief)) > 0
    tilt = []
    for axis in (1, 0):
        high, low = np.roll(image, -1, axis), np.roll(image, 1, axis)
        both = np.roll(known, -1, axis) & np.roll(known, 1, axis)
        tilt.append(np.where(both, high - low, 0).ravel()[window.pixels])
    tilted = normals.copy()
    tilted[:, :2] -= np.clip(np.stack(tilt, axis=1) * (0.5 * strength), -0.7, 0.7)
    return tilted / np.sqrt(np.einsum("ij,ij->i", tilted, tilted))[:, None]


def skin_albedo(skin, atlas):
    """Linear RGB `(n, 3)`, nail share `(n,)` and relief (mm) at texture positions `(n, 3)`."""
    maps = skin_atlas()
    back = np.clip(0.5 + 1.6 * atlas[:, 2], 0, 1)
    relief, nail, flush, vein = lookup(maps.layers, atlas[:, :2], back)
    nail = nail * (atlas[:, 2] > 0.15)
    place = atlas[:, :2] + (skin.grain_offset + 500).astype(np.float32)
    column, row = ((place * 1.6).astype(np.int32) & 511).T
    grain = maps.grain.ravel()[row * 512 + column]
    palm, tone = skin.palm.astype(np.float32), skin.back.astype(np.float32)
    colour = palm + back[:, None] * (tone - palm)
    colour *= 1 + np.minimum(flush, 1)[:, None] * (skin.flush - 1).astype(np.float32)
    colour *= (1 + skin.mottling * grain)[:, None]
    colour *= 1 - (skin.veins * vein)[:, None] * np.array([0.30, 0.12, 0.05], np.float32)
    dark = (np.clip(-relief, 0, 1) * skin.creases)[:, None]
    colour *= 1 - dark * np.array([0.38, 0.5, 0.52], np.float32)
    share = (nail * skin.nail_share)[:, None]
    colour += share * (skin.nail.astype(np.float32) - colour)
    return np.clip(colour, 0.003, 1), nail, relief * skin.creases + 0.05 * grain


def shade(albedo, normals, facing, views, light, lit, open_sky, gloss, shine, soft):
    """Linear radiance `(n, 3)`.

    Args:
        albedo: `(n, 3)` linear RGB.
        normals, views: `(n, 3)` unit vectors; views point to the camera.
        facing: `(n,)` cosine between normal and lamp.
        light: the `Light`.
        lit: `(n,)` share of the lamp that arrives.
        open_sky: `(n,)` ambient occlusion.
        gloss: `(n,)` strength of the highlight; shine: its exponent.
        soft: `(n, 3)` how far light bleeds past the terminator in each channel (skin: red most).
    """
    lamp, sky, ground = (np.asarray(c, np.float32) for c in (light.lamp, light.sky, light.ground))
    wrapped = np.clip((facing[:, None] + soft) / (1 + soft), 0, 1)
    half = views + light.direction.astype(np.float32)
    half /= np.sqrt(np.einsum("ij,ij->i", half, half))[:, None]
    highlight = np.clip(np.einsum("ij,ij->i", normals, half), 0, 1) ** shine
    highlight *= gloss * lit * (facing > 0)
    up = 0.5 - 0.5 * normals[:, 1:2]
    ambient = (ground + up * (sky - ground)) * open_sky[:, None]
    grazing = 1 - np.clip(np.einsum("ij,ij->i", normals, views), 0, 1)
    rim = grazing * grazing
    rim *= rim * gloss * 0.6
    result = albedo * (lamp * wrapped * lit[:, None] + ambient)
    return result + highlight[:, None] * lamp + rim[:, None] * ambient


def encode(linear):
    """Linear radiance to uint8-range sRGB-like values with a soft shoulder, float `(…, 3)`."""
    over = np.maximum(linear - 0.7, 0)
    squeezed = np.minimum(linear, 0.7) + over / (1 + over * (1 / 0.3))
    return 255 * np.maximum(squeezed, 0) ** np.float32(1 / 2.2)
