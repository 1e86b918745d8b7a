"""Whose hand it is: proportions, skin, nails, sleeve. And the light it stands in."""

from dataclasses import dataclass

import numpy as np

from keras_shr.rendering.shading import Light, Skin
from keras_shr.rendering.skeleton import COUNT, FINGER_BONES, FINGERS, INDEX

# Linear albedo along the range of human skin, light to dark (sRGB photographs, linearised by eye).
_TONES = np.array(
    [
        [0.72, 0.47, 0.36],
        [0.60, 0.36, 0.25],
        [0.46, 0.26, 0.17],
        [0.31, 0.165, 0.10],
        [0.17, 0.085, 0.055],
        [0.085, 0.045, 0.032],
    ]
)


@dataclass(frozen=True)
class Sleeve:
    """Cloth over the forearm. Lengths in mm along the arm, colours linear RGB."""

    start: float
    gap: float
    colour: np.ndarray
    stripe: np.ndarray
    period: float
    fold: float
    phase: float


@dataclass(frozen=True)
class Person:
    """One hand's owner.

    Attributes:
        side: "left" or "right".
        size: factor on the average adult's hand.
        lengths, widths: `(bones,)` factors along and across each segment.
        skin: the `Skin`.
        sleeve: the `Sleeve` or None for a bare arm.
        band: (start, end, colour) of a bracelet, mm from the wrist, or None.
    """

    side: str
    size: float
    lengths: np.ndarray
    widths: np.ndarray
    skin: Skin
    sleeve: Sleeve | None
    band: tuple | None


def _skin(rng):
    tone = rng.beta(1.0, 1.35) * (len(_TONES) - 1.001)
    whole, part = int(tone), tone % 1
    back = _TONES[whole] * (1 - part) + _TONES[whole + 1] * part
    back = back * np.exp(rng.normal(0, (0.03, 0.05, 0.08)))
    # palms are hardly pigmented: far lighter than the back on dark skin, a little pinker on light
    palm = back ** (1 - 0.07 * tone) * (1.04, 0.97, 0.97)
    polish = rng.random() < 0.12
    varnish = rng.uniform(0.02, 0.6, 3) * (1, 0.4, 0.5)
    nail = varnish if polish else np.clip(back * 0.85 + (0.12, 0.07, 0.06), 0, 0.9)
    return Skin(
        back=back,
        palm=np.clip(palm, 0, 0.9),
        flush=1 + rng.uniform(0.3, 1.2) * np.array([0.03, -0.16, -0.14]),
        nail=nail,
        nail_share=1.0 if polish else rng.uniform(0.45, 0.85),
        creases=rng.uniform(0.5, 1.3),
        veins=rng.beta(1.2, 2),
        mottling=rng.uniform(0.015, 0.07),
        gloss=rng.beta(1.4, 4) * 0.32,
        shine=rng.uniform(12, 45),
        grain_offset=rng.uniform(0, 300, 2),
    )


def random_person(rng, side=None):
    """A random owner; `side` fixes "left" or "right"."""
    drawn = "left" if rng.random() < 0.5 else "right"
    lengths, widths = np.ones(COUNT), np.ones(COUNT)
    lengths[INDEX["palm"]] = np.exp(rng.normal(0, 0.05))
    widths[INDEX["palm"]] = np.exp(rng.normal(0, 0.06))
    slim = rng.normal(0, 0.08)
    for finger in FINGERS:
        bones = list(FINGER_BONES[finger])
        lengths[bones] = np.exp(rng.normal(0.0, 0.05) + rng.normal(0, 0.03, 3))
        widths[bones] = np.exp(slim + rng.normal(0, 0.03))
    for name in ("ring_metacarpal", "little_metacarpal"):
        lengths[INDEX[name]], widths[INDEX[name]] = lengths[0], widths[0]
    widths[INDEX["thumb_metacarpal"]] = widths[0]
    widths[INDEX["forearm"]] = widths[0] * np.exp(rng.normal(0, 0.06))
    sleeve = None
    if rng.random() < 0.55:
        colour, stripe = rng.beta(0.9, 1.6, (2, 1)) * rng.uniform(0.35, 1.0, (2, 3))
        sleeve = Sleeve(
            start=rng.uniform(8, 60) if rng.random() < 0.7 else rng.uniform(60, 220),
            gap=rng.uniform(3, 12),
            colour=colour,
            stripe=stripe if rng.random() < 0.35 else colour,
            period=rng.uniform(6, 40),
            fold=rng.uniform(0.5, 3.0),
            phase=rng.uniform(0, 6.28),
        )
    band = None
    if rng.random() < 0.15:
        start = rng.uniform(8, 35)
        band = (
            start,
            start + rng.uniform(3, 22),
            rng.beta(0.8, 1.5) * rng.uniform(0.2, 1, 3),
        )
    return Person(
        side or drawn,
        np.exp(rng.normal(-0.02, 0.09)),
        lengths,
        widths,
        _skin(rng),
        sleeve,
        band,
    )


def random_light(rng):
    """A random lamp and surroundings."""
    # more often above and before the hand
    direction = rng.normal(0, 1, 3) - np.array([0, 0.9, 0.9])
    if direction[2] > 0.25:
        direction[2] *= -1
    direction /= np.linalg.norm(direction)
    warmth = rng.normal(0, 0.09)
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    contrast = rng.beta(2, 1.6)
    level = np.exp(rng.normal(0.0, 0.28))
    sky = np.array([1 - 0.7 * warmth, 1, 1 + 0.9 * warmth]) * (1.15 - 0.85 * contrast) * level
    return Light(
        direction=direction,
        lamp=tint * (0.35 + 1.0 * contrast) * level,
        sky=sky,
        ground=sky * rng.uniform(0.35, 0.9) * np.exp(rng.normal(0, 0.06, 3)),
        hardness=rng.uniform(0.5, 1.0),
    )
