"""One picture: draw person, light, background, pose and view, then put them together."""

from dataclasses import dataclass, field, replace

import numpy as np

from keras_shr.errors import KerasShrError
from keras_shr.rendering.background import random_background
from keras_shr.rendering.camera import VIEWS, look_at, mirrored, random_view, visibility
from keras_shr.rendering.compose import develop, paint
from keras_shr.rendering.geometry import (
    SKIN,
    THING,
    Hand,
    hand_surface,
    joined,
    plain_surface,
    thing_surface,
)
from keras_shr.rendering.people import random_light, random_person
from keras_shr.rendering.poses import POSES, random_pose
from keras_shr.rendering.raster import project, rasterize
from keras_shr.rendering.shading import Light

BACKGROUND, SLEEVE, OBJECT = -1, 19, 20
"""Values of a mask besides the indices of `skeleton.BONES`."""


@dataclass(frozen=True)
class RenderedSample:
    """One rendered hand with its truth.

    Attributes:
        image: uint8 `(size, size, 3)`.
        keypoints: float32 `(21, 3)`: x, y in pixels (integer = pixel centre) and visibility: 2
            seen, 1 hidden (behind another part of hand, arm or a thing), 0 outside the image;
            outside keypoints keep their true coordinates.
        xyz: float64 `(21, 3)` metres in the camera's frame (x right, y down, z forward).
        camera: float64 `(3, 3)` pinhole matrix of this crop.
        side: "left" or "right".
        mask: int8 `(size, size)`: -1 background, 19 sleeve, 20 a thing, otherwise the segment's
            index in `skeleton.BONES`.
        depth: float32 `(size, size)` metres along the optical axis, 0 on the background.
    """

    image: np.ndarray
    keypoints: np.ndarray
    xyz: np.ndarray
    camera: np.ndarray
    side: str
    mask: np.ndarray
    depth: np.ndarray


@dataclass(frozen=True)
class Scene:
    """Everything about a picture but the hands.

    Attributes:
        light: the `Light`.
        background: float `(height, width, 3)` 0..255; its size is the picture's.
        things: arguments for `thing_surface`; thing_colours: their linear RGB.
        contact: shadow on the background: dx, dy as share of the height and width, strength.
        tint, gamma, lift, blur, vignette: what the camera adds; blur in pixels of 256.
    """

    light: Light
    background: np.ndarray
    things: tuple = ()
    thing_colours: tuple = ()
    contact: tuple = (0.0, 0.0, 0.0)
    tint: np.ndarray = field(default_factory=lambda: np.ones(3))
    gamma: float = 1.0
    lift: float = 0.0
    blur: float = 0.0
    vignette: float = 0.0


@dataclass(frozen=True)
class Picture:
    """A rendered scene: image uint8 `(height, width, 3)`, depth in mm (0 = background), mask as in
    `RenderedSample` and owner (index of the hand, -1 background; a thing counts past the hands).
    """

    image: np.ndarray
    depth: np.ndarray
    mask: np.ndarray
    owner: np.ndarray


def render_picture(scene, hands, camera) -> Picture:
    """Renders hands and things of a scene.

    Args:
        scene: the `Scene`.
        hands: list of `Hand`.
        camera: `(3, 3)` pinhole matrix in pixels.
    """
    height, width = scene.background.shape[:2]
    surfaces = [hand_surface(hand) for hand in hands]
    for number, thing in enumerate(scene.things):
        vertices, triangles = thing_surface(*thing)
        surfaces.append(plain_surface(vertices, triangles, THING + number))
    owner = np.repeat(np.arange(len(surfaces)), [len(s.triangles) for s in surfaces])
    surface = joined(surfaces)
    seen = rasterize(surface.vertices, surface.triangles, camera, height, width)
    painted = None
    depth = np.zeros(height * width, np.float32)
    mask = np.full(height * width, BACKGROUND, np.int8)
    owners = np.full(height * width, -1, np.int8)
    if len(seen.pixels):
        painted = paint(scene, hands, surface, owner, seen, camera, (height, width))
        depth[seen.pixels] = seen.depth
        kind = np.minimum(surface.kind[seen.triangles], THING)
        parts = surface.parts[seen.triangles]
        mask[seen.pixels] = np.where(kind == SKIN, parts, SLEEVE - 1 + kind)
        owners[seen.pixels] = owner[seen.triangles]
    shape = (height, width)
    return Picture(
        develop(scene, painted), depth.reshape(shape), mask.reshape(shape), owners.reshape(shape)
    )


def render_hand(scene, hand, camera) -> RenderedSample:
    """Renders a scene with one hand and labels it."""
    picture = render_picture(scene, [hand], camera)
    points = hand.keypoints()
    seen = visibility(points, camera, picture.depth, hand.person.size)
    return RenderedSample(
        image=picture.image,
        keypoints=np.c_[project(points, camera), seen].astype(np.float32),
        xyz=points / 1000,
        camera=camera,
        side=hand.person.side,
        mask=picture.mask,
        depth=picture.depth / 1000,
    )


def random_scene(rng, height, width, light=None):
    """A random light, background and photographic look."""
    light = random_light(rng) if light is None else light
    background = random_background(rng, height, width)
    exposure = np.clip(0.55 + 0.32 * (light.lamp.mean() + light.sky.mean()), 0.5, 1.2)
    contact = (0.0, 0.0, 0.0)
    if rng.random() < 0.35:
        contact = (*rng.normal(0, 0.06, 2), rng.uniform(0.1, 0.5))
    return Scene(
        light=light,
        background=background * exposure,
        contact=contact,
        tint=np.exp(rng.normal(0, 0.05, 3) + rng.normal(0, 0.08)),
        gamma=np.exp(rng.normal(0, 0.1)),
        lift=max(0.0, rng.normal(0, 5)),
        blur=max(0.0, rng.normal(0.1, 0.3)),
        vignette=max(0.0, rng.normal(0, 0.12)),
    )


def random_things(rng, points, share=0.14):
    """Now and then something in the hand or before it: arguments and colours for a `Scene`.

    Args:
        rng: NumPy generator.
        points: `(21, 3)` keypoints, camera mm.
        share: how often.
    """
    if rng.random() > share:
        return (), ()
    anchor = points[rng.integers(len(points))]
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    half = np.exp(rng.uniform(np.log(5), np.log(30), 3)) * (1, 1, rng.uniform(1, 3))
    towards = anchor * (1 - rng.uniform(0.0, 60) / np.linalg.norm(anchor))
    power = rng.choice([0.15, 0.4, 1.0], 2)
    colour = rng.beta(0.9, 1.4) * rng.uniform(0.1, 1, 3)
    return ((towards + rng.normal(0, 8, 3), rotation, half, power),), (colour,)


_CROPS = {"all": {}, "front": {"truncated": 0.0, "widest": 1.45}}


def render_sample(seed, index, size=256, side=None, views="all", poses="all") -> RenderedSample:
    """Picture `index` of the endless data set `seed`; the same arguments give the same picture.

    Args:
        seed, index: non-negative integers; every pair is a picture of its own.
        size: side of the square image, pixels. Other sizes show the same scene.
        side: "left" or "right"; by default drawn. The other side gives the mirror image of hand
            and keypoints before another background.
        views: `"all"`, or `"front"` for an easier set: palm or back to the camera, fingers up,
            the whole hand large in the picture.
        poses: `"all"`, or `"open"` for an easier set: open, flat, relaxed and stretched hands, of
            which one joint in eleven is hidden.

    Raises:
        KerasShrError: for another name of views or poses.
    """
    for name, value, known in (("views", views, VIEWS), ("poses", poses, POSES)):
        if value not in known:
            raise KerasShrError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
    rngs = np.random.default_rng([seed, index]).spawn(5)
    person = random_person(rngs[0], side)
    scene = random_scene(rngs[1], size, size)
    hand = Hand(person, random_pose(rngs[2], poses=poses), np.eye(3), np.zeros(3))
    hand = replace(hand, view=random_view(rngs[3], hand.elbow() * hand.mirror, views))
    points = hand.keypoints() * hand.mirror
    elbow = hand.elbow() * hand.mirror
    origin, camera = look_at(points, elbow[None], rngs[3], size, **_CROPS[views])
    things, colours = random_things(rngs[4], points + origin)
    if person.side == "right":
        camera = mirrored(camera, size)
        things = tuple((c * (-1, 1, 1), *rest) for c, *rest in things)
    scene = replace(scene, things=things, thing_colours=colours)
    return render_hand(scene, replace(hand, origin=origin), camera)
