"""What backgrounds are made of: colours, noise, gradients and scattered things."""

import numpy as np
from PIL import Image, ImageFilter

from keras_shr.rendering.texture import skin_atlas


def colour(rng, vivid=None):
    """A random colour, 0..255, mostly muted as most things are."""
    vivid = rng.beta(1.0, 4.5) if vivid is None else vivid
    hue, value = rng.random(), rng.beta(1.6, 1.4)
    spectrum = 0.5 + 0.5 * np.cos(2 * np.pi * (hue + np.array([0, 1 / 3, 2 / 3])))
    return 255 * value * (1 - vivid + vivid * spectrum)


def skin_colour(rng):
    """A colour that skin can have, 0..255."""
    light, dark = np.array([236, 190, 165]), np.array([70, 42, 30])
    share = rng.beta(1.2, 1.6)
    return np.clip((light + share * (dark - light)) * rng.uniform(0.75, 1.1), 0, 255)


def to_tuple(values):
    """A colour as Pillow wants it."""
    return tuple(int(v) for v in np.clip(values, 0, 255))


def noise(rng, height, width, scale=None):
    """A patch of smooth noise `(height, width)`, about mean 0 and standard deviation 1."""
    grain = skin_atlas().grain
    scale = np.exp(rng.uniform(np.log(0.15), np.log(2.0))) if scale is None else scale
    side = int(np.clip(512 * scale, 16, 511))
    top, left = rng.integers(0, 512 - side, 2)
    patch = Image.fromarray(grain[top : top + side, left : left + side])
    patch = patch.resize((width, height), Image.Resampling.BICUBIC)
    if rng.random() < 0.5:
        patch = patch.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(patch)


def grid(height, width):
    """Rows and columns as shares of the longer side, float32 `(height, 1)` and `(1, width)`."""
    longest = np.float32(max(height, width))
    y, x = np.ogrid[:height, :width]
    return y.astype(np.float32) / longest, x.astype(np.float32) / longest


def ramp(rng, height, width):
    """Light that fades evenly in a random direction, `(height, width)` in 0..1."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = grid(height, width)
    return np.clip(
        0.5 + (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)) * rng.uniform(0.5, 1.4), 0, 1
    )


def _blob(rng, size, count=None):
    """Corner points of a rounded random shape about the origin."""
    count = int(rng.integers(7, 14)) if count is None else count
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    radius = size * rng.uniform(0.6, 1.3, count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle) * rng.uniform(0.4, 1)], axis=1)


def scatter(rng, draw, height, width, count, skin_share):
    """Draws `count` random things: boxes, blobs, sticks; `skin_share` of them skin-coloured."""
    side = max(height, width)
    for _ in range(count):
        size = side * np.exp(rng.uniform(np.log(0.02), np.log(0.3)))
        centre = rng.uniform(-0.1, 1.1, 2) * (width, height)
        fill = to_tuple(skin_colour(rng) if rng.random() < skin_share else colour(rng))
        kind = rng.integers(5)
        if kind == 0:
            a, b = (
                centre - size * rng.uniform(0.3, 1, 2),
                centre + size * rng.uniform(0.3, 1, 2),
            )
            draw.rectangle([*a, *b], fill=fill)
            if rng.random() < 0.5:  # a screen, book or picture has a frame
                m = 0.12 * (b - a)
                draw.rectangle([*(a + m), *(b - m)], fill=to_tuple(colour(rng)))
        elif kind == 1:
            a, b = (
                centre - size * rng.uniform(0.4, 1, 2),
                centre + size * rng.uniform(0.4, 1, 2),
            )
            draw.ellipse([*a, *b], fill=fill)
        elif kind == 2:
            draw.polygon([tuple(p) for p in centre + _blob(rng, size)], fill=fill)
        elif kind == 3:  # cable, finger, stick: a bent thick line with round ends
            points = centre + np.cumsum(rng.normal(0, size * 0.6, (4, 2)), axis=0)
            thick = max(1, int(side * rng.uniform(0.005, 0.09)))
            flat = [tuple(p) for p in points]
            draw.line(flat, fill=fill, width=thick, joint="curve")
            for p in points:
                draw.ellipse([*(p - thick / 2), *(p + thick / 2)], fill=fill)
        else:
            corners = centre + _blob(rng, size, 4)
            draw.polygon([tuple(p) for p in corners], fill=fill)


def soften(rng, image, height, width, low=0.3, high=5.0):
    """The picture as float32 `(height, width, 3)`, out of focus by a random amount."""
    blur = np.exp(rng.uniform(np.log(low), np.log(high))) * max(height, width) / 256
    if blur > 1.2:  # shrinking and enlarging blurs at a tenth of a Gaussian filter's price
        factor = max(2, round(1.3 * blur))
        image = image.reduce(factor).resize(image.size, Image.Resampling.BICUBIC)
    elif blur > 0.5:
        image = image.filter(ImageFilter.GaussianBlur(float(blur)))
    return np.asarray(image, np.float32)


def canvas(values):
    """A Pillow picture of `(height, width, 3)` values."""
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
