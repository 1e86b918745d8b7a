"""What is behind the hand: plain, gradients, cloth, clutter, rooms, desks, people.

Every function takes (rng, height, width) and returns float `(height, width, 3)` in 0..255. Some
of the clutter is skin-coloured on purpose, so that colour alone does not give the hand away.
"""

import numpy as np
from PIL import Image, ImageDraw

from keras_shr.rendering.drawing import (
    canvas,
    colour,
    grid,
    noise,
    ramp,
    scatter,
    skin_colour,
    soften,
    to_tuple,
)


def plain(rng, height, width):
    """A wall: one colour, uneven light, a little texture."""
    base = colour(rng, rng.beta(1, 6)) * 0.7 + 255 * 0.3 * rng.random()
    shade = 0.75 + 0.5 * ramp(rng, height, width)[..., None]
    return base * shade + rng.uniform(0, 6) * noise(rng, height, width)[..., None]


def gradient(rng, height, width):
    """Two colours flowing into each other."""
    share = ramp(rng, height, width)[..., None]
    return colour(rng) * share + colour(rng) * (1 - share)


def clouds(rng, height, width):
    """Coloured noise at several scales, as of something far out of focus, or grass, or stone."""
    scale = np.exp(rng.uniform(np.log(0.08), np.log(1.0)))
    a, b, c = (noise(rng, height, width, scale)[..., None] for _ in range(3))
    tint, other = colour(rng), colour(rng)
    mixed = tint + (other - tint) / (1 + np.exp(-1.5 * a))
    return mixed + b * rng.uniform(5, 30) + c * rng.normal(0, 6, 3)


def cloth(rng, height, width):
    """Stripes, checks or tiles in a random direction."""
    y, x = grid(height, width)
    angle, period = (
        rng.uniform(0, np.pi),
        np.exp(rng.uniform(np.log(0.03), np.log(0.4))),
    )
    u = (np.cos(angle) * x + np.sin(angle) * y) / period + 0.02 * noise(rng, height, width)
    v = (np.cos(angle) * y - np.sin(angle) * x) / period
    lines = (u % 1 < rng.uniform(0.2, 0.8)).astype(float)
    kind = rng.integers(3)
    if kind == 1:
        lines = 0.5 * (lines + (v % 1 < rng.uniform(0.2, 0.8)))
    elif kind == 2:
        lines = ((np.floor(u) + np.floor(v)) % 2).astype(float)
    a, b = colour(rng), colour(rng)
    b = a + rng.uniform(0.15, 1) * (b - a)
    shade = 0.8 + 0.4 * ramp(rng, height, width)[..., None]
    return (a + lines[..., None] * (b - a)) * shade


def clutter(rng, height, width):
    """Many things, some of them the colour of skin."""
    base = (plain, gradient, clouds)[rng.integers(3)](rng, height, width)
    image = canvas(base)
    scatter(rng, ImageDraw.Draw(image), height, width, int(rng.integers(5, 45)), 0.3)
    return soften(rng, image, height, width)


def room(rng, height, width):
    """Two walls, floor or ceiling, a window or a door, furniture."""
    image = canvas(plain(rng, height, width))
    draw = ImageDraw.Draw(image)
    corner = rng.uniform(-0.2, 1.2) * width
    level = rng.uniform(0.5, 1.1) * height
    slope = rng.uniform(-0.3, 0.3) * height
    wall = colour(rng, 0.08)
    draw.polygon(
        [(corner, 0), (corner, level), (width, level + slope), (width, 0)],
        fill=to_tuple(wall),
    )
    floor = [
        (0, level - slope),
        (corner, level),
        (width, level + slope),
        (width, height),
        (0, height),
    ]
    draw.polygon(floor, fill=to_tuple(colour(rng, 0.3) * 0.8))
    for _ in range(rng.integers(0, 4)):  # windows, doors, pictures, with bars
        x, y = rng.uniform(-0.1, 0.9) * width, rng.uniform(-0.1, 0.6) * height
        w, h = rng.uniform(0.1, 0.45) * width, rng.uniform(0.15, 0.7) * height
        glass = (250, 250, 245) if rng.random() < 0.4 else to_tuple(colour(rng))
        draw.rectangle([x, y, x + w, y + h], fill=to_tuple(colour(rng, 0.1)))
        bars = int(rng.integers(1, 4))
        rim_x, rim_y = min(3, 0.4 * w), min(3, 0.8 * h / bars)  # small pictures have small windows
        for i in range(bars):
            draw.rectangle(
                [
                    x + rim_x,
                    y + rim_y + i * h / bars,
                    x + w - rim_x,
                    y + (i + 1) * h / bars - 3 if h / bars > 7 else y + h,
                ],
                fill=glass,
            )
    scatter(rng, draw, height, width, int(rng.integers(0, 14)), 0.15)
    return soften(rng, image, height, width)


def desk(rng, height, width):
    """A table from above: wood or plain, with keyboards, sheets, cables."""
    y, x = grid(height, width)
    base = colour(rng, rng.uniform(0, 0.5))[None, None] * np.ones((height, width, 1))
    if rng.random() < 0.5:
        rings = noise(rng, height, width, 0.2) * 0.2 + (
            x if rng.random() < 0.5 else y
        ) * rng.uniform(10, 40)
        base = base * (0.9 + 0.12 * np.sin(2 * np.pi * rings))[..., None]
    image = canvas(base * (0.75 + 0.5 * ramp(rng, height, width))[..., None])
    draw = ImageDraw.Draw(image)
    scatter(rng, draw, height, width, int(rng.integers(1, 9)), 0.1)
    if rng.random() < 0.5:
        left, top = rng.uniform(-0.2, 0.8, 2) * (width, height)
        step, fill = rng.uniform(0.03, 0.07) * width, to_tuple(colour(rng, 0.05))
        draw.rectangle(
            [left - 4, top - 4, left + 10 * step, top + 4 * step],
            fill=to_tuple(colour(rng, 0)),
        )
        for i in range(4):
            for j in range(10):
                a, b = left + j * step, top + i * step
                draw.rectangle([a, b, a + 0.8 * step, b + 0.8 * step], fill=fill)
    return soften(rng, image, height, width, 0.3, 3)


def person(rng, height, width):
    """Somebody's clothes, neck and face, often the owner of the hand."""
    scene = (plain, room, clouds)[rng.integers(3)](rng, height, width)
    image, skin = canvas(scene), skin_colour(rng)
    draw = ImageDraw.Draw(image)
    cx, top = rng.uniform(-0.1, 1.1) * width, rng.uniform(-0.3, 0.7) * height
    size = rng.uniform(0.25, 0.7) * max(height, width)
    shirt = (
        cloth(rng, height, width)
        if rng.random() < 0.35
        else colour(rng) * np.ones((height, width, 1))
    )
    shirt = shirt * (1 + 0.06 * noise(rng, height, width, 0.3))[..., None]
    mask = Image.new("L", (width, height))
    body = [
        (-1.1, 3.5),
        (-1.0, 0.7),
        (-0.35, 0.42),
        (0.35, 0.42),
        (1.0, 0.7),
        (1.1, 3.5),
    ]
    ImageDraw.Draw(mask).polygon([(cx + size * a, top + size * b) for a, b in body], fill=255)
    image.paste(canvas(shirt), (0, 0), mask)
    draw.polygon(
        [
            (cx + size * a, top + size * b)
            for a, b in ((-0.18, 0), (0.18, 0), (0.22, 0.45), (0, 0.6), (-0.22, 0.45))
        ],
        fill=to_tuple(skin * 0.85),
    )
    face = np.array([cx - 0.3 * size, top - 0.65 * size, cx + 0.3 * size, top + 0.15 * size])
    draw.ellipse(
        [*(face + size * np.array([-0.05, -0.08, 0.05, -0.1]))],
        fill=to_tuple(colour(rng, 0.2) * 0.35),
    )
    draw.ellipse([*face], fill=to_tuple(skin))
    for side in (-0.12, 0.12):
        eye = np.array([cx + side * size, top - 0.27 * size])
        draw.ellipse([*(eye - 0.035 * size), *(eye + 0.035 * size)], fill=(40, 30, 28))
    draw.line(
        [(cx - 0.1 * size, top - 0.02 * size), (cx + 0.1 * size, top - 0.02 * size)],
        fill=to_tuple(skin * 0.6),
        width=3,
    )
    return soften(rng, image, height, width, 0.5, 4)


STYLES = (plain, gradient, clouds, cloth, clutter, room, desk, person)
SHARES = (0.14, 0.06, 0.12, 0.06, 0.2, 0.16, 0.1, 0.16)


def random_background(rng, height, width):
    """A background of a random kind, float `(height, width, 3)` in 0..255."""
    style = STYLES[rng.choice(len(STYLES), p=SHARES)]
    picture = style(rng, height, width).astype(np.float32)
    # nothing real is lit evenly or quite smooth
    light = 1 + rng.uniform(0, 0.22) * noise(rng, height, width, 0.12)
    picture *= np.clip(light, 0.4, 1.7)[..., None]
    picture += (rng.uniform(0, 5) * noise(rng, height, width, 0.99))[..., None]
    return np.clip(picture, 0, 255)
