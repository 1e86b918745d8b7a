"""One picture: draw person, light, background, pose and view, then put them together."""

from dataclasses import dataclass, field, replace

import numpy as np

from keras_shr.rendering.background import random_background
from keras_shr.rendering.camera import look_at, mirrored, random_view, visibility
from keras_shr.rendering.compose import develop, paint
from keras_shr.rendering.geometry import SKIN, posed_surface
from keras_shr.rendering.kinematics import keypoints as posed_keypoints
from keras_shr.rendering.kinematics import segment_transforms
from keras_shr.rendering.people import Person, random_light, random_person
from keras_shr.rendering.poses import random_pose
from keras_shr.rendering.raster import project, rasterize
from keras_shr.rendering.shading import Light


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
    """Everything that decides a picture but its pose and place."""

    person: Person
    light: Light
    background: np.ndarray
    things: tuple = ()
    thing_colours: tuple = ()
    contact: tuple = (
        0.0,
        0.0,
        0.0,
    )  # shadow on the background: dx, dy as share of size, strength
    tint: np.ndarray = field(default_factory=lambda: np.ones(3))
    gamma: float = 1.0
    lift: float = 0.0
    blur: float = 0.0
    vignette: float = 0.0


def random_scene(rng, height, width, side=None):
    """A random owner, light, background and photographic look."""
    person, light = random_person(rng, side), random_light(rng)
    background = random_background(rng, height, width)
    exposure = np.clip(
        0.55 + 0.45 * (light.lamp.mean() + light.sky.mean()) / 1.4, 0.5, 1.2
    )
    tint = np.exp(rng.normal(0, 0.05, 3)) * np.exp(rng.normal(0, 0.08))
    contact = (0.0, 0.0, 0.0)
    if rng.random() < 0.35:
        contact = (*rng.normal(0, 0.06, 2), rng.uniform(0.1, 0.5))
    return Scene(
        person=person,
        light=light,
        background=background * exposure,
        contact=contact,
        tint=tint,
        gamma=np.exp(rng.normal(0, 0.1)),
        lift=max(0.0, rng.normal(0, 5)),
        blur=max(0.0, rng.normal(0.1, 0.3)),
        vignette=max(0.0, rng.normal(0, 0.12)),
    )


def random_things(rng, points):
    """Now and then something in the hand or before it (camera mm, left-hand space)."""
    if rng.random() > 0.14:
        return (), ()
    anchor = points[rng.integers(len(points))]
    quaternion = rng.normal(size=(3, 3))
    rotation, _ = np.linalg.qr(quaternion)
    rotation *= np.sign(np.linalg.det(rotation))
    half = np.exp(rng.uniform(np.log(5), np.log(30), 3)) * (1, 1, rng.uniform(1, 3))
    towards = anchor * (1 - rng.uniform(0.0, 60) / np.linalg.norm(anchor))
    power = rng.choice([0.15, 0.4, 1.0], 2)
    colour = rng.beta(0.9, 1.4) * rng.uniform(0.1, 1, 3)
    return ((towards + rng.normal(0, 8, 3), rotation, half, power),), (colour,)


def render_scene(scene, pose, view, origin, camera):
    """The picture of one posed hand.

    Args:
        scene: the `Scene`; the size of its background is the size of the image.
        pose: `(bones, 3)` radians.
        view, origin: rotation and place (mm) of the hand before the camera, left-hand space.
        camera: `(3, 3)` for the final, possibly mirrored, image.

    Returns:
        A `RenderedSample`.
    """
    height, width = scene.background.shape[:2]
    person = scene.person
    surface, transforms = posed_surface(pose, person, view, origin, scene.things)
    points = (posed_keypoints(transforms) * person.size) @ view.T + origin
    vertices, triangles, normals = surface.vertices, surface.triangles, surface.normals
    if person.side == "right":
        mirror = np.array([-1.0, 1, 1])
        vertices, normals, points = vertices * mirror, normals * mirror, points * mirror
        triangles = triangles[:, ::-1]
    seen = rasterize(vertices, triangles, camera, height, width)
    painted = None
    if len(seen.pixels):
        shape = (height, width)
        painted = paint(
            scene, surface, seen, vertices, triangles, normals, camera, shape
        )
    depth = np.zeros(height * width, np.float32)
    depth[seen.pixels] = seen.depth
    depth = depth.reshape(height, width)
    mask = np.full(height * width, -1, np.int8)
    kind = surface.kind[seen.triangles]
    mask[seen.pixels] = np.where(kind == SKIN, surface.parts[seen.triangles], 18 + kind)
    keypoints = np.concatenate(
        [
            project(points, camera),
            visibility(points, camera, depth, person.size)[:, None],
        ],
        axis=1,
    )
    return RenderedSample(
        image=develop(scene, painted),
        keypoints=keypoints.astype(np.float32),
        xyz=points / 1000,
        camera=camera,
        side=person.side,
        mask=mask.reshape(height, width),
        depth=depth / 1000,
    )


def render_sample(seed, index, size=256, side=None):
    """Picture `index` of the endless data set `seed`; the same arguments give the same picture.

    Args:
        seed, index: non-negative integers; every pair is a picture of its own.
        size: side of the square image, pixels. Other sizes show the same scene.
        side: "left" or "right"; by default drawn.

    Returns:
        A `RenderedSample`.
    """
    rng = np.random.default_rng([seed, index])
    scene_rng, pose_rng, place_rng = rng.spawn(3)
    scene = random_scene(scene_rng, size, size, side)
    pose = random_pose(pose_rng)
    return place(scene, pose, random_view(place_rng), place_rng, size)


def place(scene, pose, view, rng, size):
    """Renders the scene's hand in a random crop about it."""
    person = scene.person
    relative = (
        posed_keypoints(segment_transforms(pose, person.lengths, person.widths))
        * person.size
        @ view.T
    )
    origin, camera = look_at(relative, rng, size)
    things, colours = random_things(rng, relative + origin)
    if person.side == "right":
        camera = mirrored(camera, size)
    return render_scene(
        replace(scene, things=things, thing_colours=colours), pose, view, origin, camera
    )
