"""From triangles to a photograph: materials, light, soft edges, the camera's character."""

import numpy as np
from scipy import ndimage

from keras_shr.rendering.geometry import CLOTH, SKIN, THING
from keras_shr.rendering.shading import (
    bump,
    encode,
    occlusion,
    shade,
    shadow,
    skin_albedo,
)

_SOFT_SKIN = np.array([0.30, 0.13, 0.08], np.float32)


class Window:
    """The part of the image that is covered, so that filters need not run over all of it."""

    def __init__(self, pixels, shape, margin=5):
        row, column = np.divmod(pixels, shape[1])
        self.top, self.left = max(0, row.min() - margin), max(0, column.min() - margin)
        bottom = min(shape[0], row.max() + margin + 1)
        right = min(shape[1], column.max() + margin + 1)
        self.shape = (int(bottom - self.top), int(right - self.left))
        self.row, self.column = row, column
        self.pixels = (row - self.top) * self.shape[1] + column - self.left

    @property
    def slices(self):
        """Rows and columns of the window in the image."""
        height, width = self.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def image(self, values):
        """Per-pixel values `(n,)` or `(n, channels)` as an image of the window, 0 elsewhere."""
        shape = (self.shape[0] * self.shape[1], *values.shape[1:])
        result = np.zeros(shape, np.float32)
        result[self.pixels] = values
        return result.reshape(*self.shape, *values.shape[1:])


def materials(scene, hands, owner, kind, atlas):
    """Albedo `(n, 3)`, gloss, relief (mm) `(n,)` and softness `(n, 3)` of the covered pixels.

    Args:
        scene: the `Scene`.
        hands: the `Hand`s.
        owner: `(n,)` which hand (or, past the last, thing) a pixel shows.
        kind: `(n,)` SKIN, CLOTH or THING + number.
        atlas: `(n, 3)` texture position.
    """
    count = len(kind)
    albedo, soft = np.zeros((count, 3), np.float32), np.zeros((count, 3), np.float32)
    gloss, relief = np.zeros(count, np.float32), np.zeros(count, np.float32)
    for number, hand in enumerate(hands):
        person, mine = hand.person, owner == number
        on = np.flatnonzero(mine & (kind == SKIN))
        albedo[on], nail, relief[on] = skin_albedo(person.skin, atlas[on])
        gloss[on] = person.skin.gloss * (1 + 2.5 * nail)
        soft[on] = _SOFT_SKIN
        if person.band is not None:
            start, end, colour = person.band
            on = on[(atlas[on, 1] < -start) & (atlas[on, 1] > -end)]
            albedo[on], gloss[on], relief[on], soft[on] = colour, 0.4, 1.5, 0
        on = np.flatnonzero(mine & (kind == CLOTH))
        if len(on):
            albedo[on], gloss[on] = _cloth(person.sleeve, atlas[on]), 0.02
    for number, colour in enumerate(scene.thing_colours):
        on = np.flatnonzero(kind == THING + number)
        albedo[on], gloss[on] = colour, 0.35
    return albedo, gloss, relief, soft


def _cloth(sleeve, atlas):
    """Albedo of a sleeve at (angle, mm along the arm)."""
    striped = (atlas[:, 1:2] / sleeve.period) % 1 < 0.5
    weave = 1 + 0.12 * np.sin(atlas[:, 1:2] * 2.1) * np.sin(atlas[:, :1] * 60)
    return np.where(striped, sleeve.stripe, sleeve.colour) * weave


def paint(scene, hands, surface, owner, seen, camera, shape):
    """The lit surface.

    Args:
        scene: the `Scene`.
        hands: the `Hand`s in it.
        surface: their triangles and the things'.
        owner: `(triangles,)` index of the hand.
        seen: the `Fragments`.
        camera: `(3, 3)`.
        shape: (height, width) of the image.

    Returns:
        colours float32 `(h, w, 3)` 0..255 and coverage `(h, w)` of a window, and the `Window`.
    """
    light, window = scene.light, Window(seen.pixels, shape)
    attributes = np.concatenate([surface.normals, surface.atlas], axis=1, dtype=np.float32)
    values = seen.interpolate(surface.triangles, attributes)
    normal, atlas = unit(values[:, :3]), values[:, 3:]
    rays = np.empty((len(seen.pixels), 3), np.float32)
    rays[:, 0] = (window.column - camera[0, 2]) / camera[0, 0]
    rays[:, 1] = (window.row - camera[1, 2]) / camera[1, 1]
    rays[:, 2] = 1
    place, views = rays * seen.depth[:, None], -unit(rays)
    kind = surface.kind[seen.triangles]
    found = materials(scene, hands, owner[seen.triangles], kind, atlas)
    albedo, gloss, relief, soft = found
    per_mm = float(camera[0, 0] / np.median(seen.depth))
    normal = bump(normal, relief, window, per_mm)
    facing = normal @ light.direction.astype(np.float32)
    dark = shadow(place, facing, surface.vertices, light.direction, window, per_mm)
    sky = occlusion(seen.depth, window, per_mm)
    lit = 1 - light.hardness * dark
    shine = hands[0].person.skin.shine
    radiance = shade(albedo, normal, facing, views, light, lit, sky, gloss, shine, soft)
    return window.image(encode(radiance)), window.image(np.ones(len(rays), np.float32)), window


def unit(vectors):
    """Vectors `(n, 3)` scaled to length 1."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return vectors / np.maximum(length, 1e-9)[:, None]


def develop(scene, painted):
    """Puts the hand over the background with soft edges and develops the photograph, uint8.

    Args:
        scene: the `Scene`.
        painted: what `paint` returned, or None where no triangle is in the picture.
    """
    height, width = scene.background.shape[:2]
    result = scene.background.astype(np.float32)
    if painted is not None:
        colours, alpha, window = painted
        if scene.contact[2]:
            result *= _cast_shadow(scene.contact, alpha, window, height, width)[..., None]
        sigma = 0.6 + scene.blur * height / 256
        layers = np.concatenate([colours, alpha[..., None]], axis=-1)
        layers = ndimage.gaussian_filter(layers, (sigma, sigma, 0), truncate=2.5)
        part = result[window.slices]
        part *= 1 - layers[..., 3:]
        part += layers[..., :3]
    if scene.vignette:
        y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        result *= (1 - scene.vignette * 0.5 * (x * x + y * y)).astype(np.float32)[..., None]
    # tint, gamma and lift as one table of 1024 steps for each channel
    level = np.linspace(0, 255.75, 1024)[:, None] * scene.tint / 255
    table = scene.lift + (255 - scene.lift) * np.clip(level, 0, 1) ** scene.gamma
    table = np.clip(table + 0.5, 0, 255).astype(np.uint8)
    steps = np.clip(result * 4 + 0.5, 0, 1023).astype(np.int16)
    return np.stack([table[steps[..., c], c] for c in range(3)], axis=-1)


def _cast_shadow(contact, alpha, window, height, width):
    """Factor `(height, width)` by which the hand's blurred, shifted outline darkens the wall."""
    dx, dy, strength = contact
    whole = np.zeros((height, width), np.float32)
    whole[window.slices] = alpha
    size = max(3, int(0.05 * height))
    cast = ndimage.shift(whole, (dy * height, dx * width), order=0, mode="nearest")
    cast = ndimage.uniform_filter(
        ndimage.uniform_filter(cast, size, mode="nearest"), size, mode="nearest"
    )
    return 1 - strength * cast
