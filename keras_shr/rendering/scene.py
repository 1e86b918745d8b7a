"""One picture: draw pose, person, view, camera, light and background, then put them together."""

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from keras_shr.rendering.background import random_background
from keras_shr.rendering.geometry import CLOTH, SKIN, THING, posed_surface
from keras_shr.rendering.kinematics import keypoints as posed_keypoints
from keras_shr.rendering.people import Person, random_light, random_person
from keras_shr.rendering.poses import random_pose
from keras_shr.rendering.raster import project, rasterize
from keras_shr.rendering.shading import bump, encode, occlusion, shade, shadow, skin_albedo
from keras_shr.rendering.skeleton import KEYPOINT_RADII

UPRIGHT = np.diag([1.0, -1.0, -1.0])
"""Turns the hand's frame to the camera's: fingers up, back of the hand to the viewer."""


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
    light: object
    background: np.ndarray
    things: tuple = ()
    thing_colours: tuple = ()
    contact: tuple = (0.0, 0.0, 0.0)  # shadow on the background: dx, dy as share of size, strength
    tint: np.ndarray = field(default_factory=lambda: np.ones(3))
    gamma: float = 1.0
    lift: float = 0.0
    blur: float = 0.0
    vignette: float = 0.0


def turn(axis, angle):
    """Rotation matrix about the camera axis 0 (x), 1 (y) or 2 (z)."""
    c, s = np.cos(angle), np.sin(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def random_view(rng):
    """Rotation hand → camera: palm, back and edge views, mostly upright, sometimes anything."""
    if rng.random() < 0.15:
        quaternion = rng.normal(size=4)
        w, x, y, z = quaternion / np.linalg.norm(quaternion)
        return np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
    facing = (0.0, np.pi)[rng.integers(2)] + rng.normal(0, 0.65)
    tilt = rng.normal(0.05, 0.45)
    roll = rng.normal(0, 0.55) if rng.random() < 0.6 else rng.uniform(-np.pi, np.pi)
    return turn(2, roll) @ turn(0, tilt) @ turn(1, facing) @ UPRIGHT


def look_at(points, rng, size, truncated=0.06):
    """Where the hand stands and the camera of a square crop about it.

    Args:
        points: `(21, 3)` mm, keypoints about the wrist, turned into the camera's axes.
        rng: NumPy generator.
        size: side of the crop, pixels.
        truncated: share of crops that may cut the hand.

    Returns:
        origin `(3,)` mm to add to the points, camera matrix `(3, 3)`.
    """
    distance = np.exp(rng.uniform(np.log(280), np.log(1300)))
    centre = 0.5 * (points.min(axis=0) + points.max(axis=0))
    nearest = 130 - (points[:, 2].min() - centre[2])  # no closer than 13 cm
    distance = max(distance, nearest)
    off_axis = np.tan(rng.normal(0, 0.16, 2))
    origin = np.r_[off_axis * distance, distance] - centre
    placed = points + origin
    rays = placed[:, :2] / placed[:, 2:]
    low, high = rays.min(axis=0), rays.max(axis=0)
    extent = np.maximum((high - low).max(), 60 / distance)
    cut = rng.random() < truncated
    factor = rng.uniform(0.85, 1.15) if cut else np.exp(rng.uniform(np.log(1.22), np.log(2.3)))
    room = 0.5 * (factor * extent - (high - low)) if not cut else np.full(2, 0.2 * extent)
    shift = np.clip(rng.normal(0, 0.35, 2), -0.85, 0.85) * (room - 0.04 * factor * extent)
    middle = 0.5 * (low + high) + shift
    focal = size / (factor * extent)
    offset = (size - 1) / 2 - focal * middle
    camera = np.array([[focal, 0, offset[0]], [0, focal, offset[1]], [0, 0, 1.0]])
    return origin, camera


def mirrored(camera, size):
    """The camera that sees the mirror image (x → -x) mirrored left to right."""
    camera = camera.copy()
    camera[0, 2] = size - 1 - camera[0, 2]
    return camera


def visibility(points, camera, depth, scale=1.0):
    """2 seen, 1 hidden, 0 outside, for keypoints `(21, 3)` mm against a depth map in mm.

    A joint lies inside flesh: it is seen when the surface at its pixel is its own, that is no
    further in front of it than the flesh about it is thick.
    """
    height, width = depth.shape
    image = project(points, camera)
    column, row = np.rint(image).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height) & (points[:, 2] > 0)
    surface = np.zeros(len(points))
    surface[inside] = depth[row[inside], column[inside]]
    gap = np.where(surface > 0, points[:, 2] - surface, 0)
    seen = gap < (1.4 * KEYPOINT_RADII + 4) * scale
    return np.where(inside, np.where(seen, 2, 1), 0)


def random_scene(rng, height, width, side=None):
    """A random owner, light, background and photographic look."""
    person, light = random_person(rng, side), random_light(rng)
    background = random_background(rng, height, width)
    exposure = np.clip(0.55 + 0.45 * (light.lamp.mean() + light.sky.mean()) / 1.4, 0.5, 1.2)
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
    person, light = scene.person, scene.light
    surface, transforms = posed_surface(pose, person, view, origin, scene.things)
    points = (posed_keypoints(transforms) * person.size) @ view.T + origin
    vertices, triangles, normals = surface.vertices, surface.triangles, surface.normals
    if person.side == "right":
        mirror = np.array([-1.0, 1, 1])
        vertices, normals, points = vertices * mirror, normals * mirror, points * mirror
        triangles = triangles[:, ::-1]
    seen = rasterize(vertices, triangles, camera, height, width)
    image, alpha = _paint(
        scene, surface, seen, vertices, triangles, normals, camera, (height, width)
    )
    depth = np.zeros(height * width, np.float32)
    depth[seen.pixels] = seen.depth
    depth = depth.reshape(height, width)
    mask = np.full(height * width, -1, np.int8)
    kind = surface.kind[seen.triangles]
    mask[seen.pixels] = np.where(kind == SKIN, surface.parts[seen.triangles], 18 + kind)
    keypoints = np.concatenate(
        [project(points, camera), visibility(points, camera, depth, person.size)[:, None]], axis=1
    )
    return RenderedSample(
        image=_develop(scene, image, alpha),
        keypoints=keypoints.astype(np.float32),
        xyz=points / 1000,
        camera=camera,
        side=person.side,
        mask=mask.reshape(height, width),
        depth=depth / 1000,
    )


def _paint(scene, surface, seen, vertices, triangles, normals, camera, shape):
    """Linear radiance of the covered pixels as an image, and the mask."""
    light, person = scene.light, scene.person
    attributes = np.concatenate([normals, surface.atlas], axis=1).astype(np.float32)
    values = seen.interpolate(triangles, attributes)
    normal = values[:, :3] / np.maximum(np.linalg.norm(values[:, :3], axis=1, keepdims=True), 1e-6)
    atlas = values[:, 3:]
    row, column = np.divmod(seen.pixels, shape[1])
    rays = np.stack(
        [
            (column - camera[0, 2]) / camera[0, 0],
            (row - camera[1, 2]) / camera[1, 1],
            np.ones(len(row)),
        ],
        axis=1,
    ).astype(np.float32)
    place = rays * seen.depth[:, None]
    views = -rays / np.linalg.norm(rays, axis=1, keepdims=True)
    count = len(row)
    kind = surface.kind[seen.triangles]
    albedo, gloss = np.zeros((count, 3)), np.zeros(count)
    relief = np.zeros(count)
    soft = np.tile(np.array([0.0, 0.0, 0.0]), (count, 1))
    pixels_per_mm = camera[0, 0] / np.median(seen.depth) if count else 1.0
    on = kind == SKIN
    colour, nail, height = skin_albedo(person.skin, atlas[on])
    albedo[on], relief[on] = colour, height
    gloss[on] = person.skin.gloss * (1 + 2.5 * nail)
    soft[on] = (0.30, 0.13, 0.08)
    if person.band is not None:
        start, end, tone = person.band
        worn = on & (atlas[:, 1] < -start) & (atlas[:, 1] > -end)
        albedo[worn], gloss[worn], relief[worn] = tone, 0.5, 1.5
    on = kind == CLOTH
    if on.any():
        sleeve = person.sleeve
        stripe = (atlas[on, 1:2] / sleeve.period) % 1 < 0.5
        albedo[on] = np.where(stripe, sleeve.stripe, sleeve.colour)
        gloss[on] = 0.02
    for thing, tone in enumerate(scene.thing_colours):
        on = kind == THING + thing
        albedo[on], gloss[on] = tone, 0.35
    normal = bump(normal, relief, seen.pixels, shape, pixels_per_mm)
    dark = shadow(place, vertices, light.direction)
    lit = 1 - light.hardness * dark
    sky = occlusion(seen.depth, seen.pixels, shape, pixels_per_mm)
    radiance = shade(albedo, normal, views, light, lit, sky, gloss, person.skin.shine, soft)
    image = np.zeros((shape[0] * shape[1], 3), np.float32)
    alpha = np.zeros(shape[0] * shape[1], np.float32)
    image[seen.pixels], alpha[seen.pixels] = encode(radiance), 1
    return image.reshape(*shape, 3), alpha.reshape(shape)


def _develop(scene, image, alpha):
    """Puts the hand over the background with soft edges, then the camera's own character."""
    height, width = alpha.shape
    sigma = 0.55 + scene.blur * height / 256
    soft = ndimage.gaussian_filter(alpha, sigma, truncate=2.5)
    hand = np.stack(
        [ndimage.gaussian_filter(image[..., c], sigma, truncate=2.5) for c in range(3)], axis=-1
    )
    behind = scene.background
    dx, dy, strength = scene.contact
    if strength:
        cast = ndimage.uniform_filter(alpha, max(3, int(0.05 * height)))
        cast = np.roll(cast, (int(dy * height), int(dx * width)), axis=(0, 1))
        behind = behind * (1 - strength * cast)[..., None]
    result = hand + behind * (1 - soft)[..., None]
    if scene.vignette:
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        result = result * (1 - scene.vignette * 0.5 * (x * x + y * y))[..., None]
    result = 255 * np.clip(result * scene.tint / 255, 0, 1) ** scene.gamma
    result = scene.lift + result * (1 - scene.lift / 255)
    return np.clip(result + 0.5, 0, 255).astype(np.uint8)


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
    from dataclasses import replace

    from keras_shr.rendering.kinematics import segment_transforms

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
