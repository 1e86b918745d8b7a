"""The triangles of one picture: posed hand, sleeve, and things held or standing in the way."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy import sparse

from keras_shr.rendering.anatomy import ARM_START, ARM_STRETCH, distance
from keras_shr.rendering.kinematics import keypoints as posed_keypoints
from keras_shr.rendering.kinematics import segment_transforms, skin
from keras_shr.rendering.mesh import hand_mesh
from keras_shr.rendering.people import Person, Sleeve
from keras_shr.rendering.skeleton import INDEX

SKIN, CLOTH, THING = 0, 1, 2
"""What a triangle is made of; further things count on from THING."""


@dataclass
class Surface:
    """Triangles in camera millimetres with what shading needs.

    Attributes:
        vertices: `(vertices, 3)`.
        triangles: `(triangles, 3)`.
        normals: `(vertices, 3)`, unit length, outward.
        atlas: `(vertices, 3)` texture position (cloth: angle, mm along the arm, 0).
        kind: `(triangles,)` SKIN, CLOTH or THING + number of the thing.
        parts: `(triangles,)` segment of the skeleton, -1 for what is not skin.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    normals: np.ndarray
    atlas: np.ndarray
    kind: np.ndarray
    parts: np.ndarray


def vertex_normals(vertices, triangles, incidence=None):
    """Unit normals `(vertices, 3)`, the area-weighted mean of the faces around each vertex."""
    first = vertices[triangles[:, 0]]
    ax, ay, az = (vertices[triangles[:, 1]] - first).T
    bx, by, bz = (vertices[triangles[:, 2]] - first).T
    faces = np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=1)
    if incidence is None:
        rows, columns = triangles.T.ravel(), np.tile(np.arange(len(triangles)), 3)
        shape = (len(vertices), len(triangles))
        incidence = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    normals = incidence @ faces
    return normals / np.maximum(np.sqrt(np.einsum("ij,ij->i", normals, normals)), 1e-12)[:, None]


ELBOW = 270.0
"""Where the arm bends, mm from the wrist at rest."""

_ANGLES = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_ALONG = np.arange(0, 720, 12.0)


@lru_cache(maxsize=1)
def _arm_radius():
    """Radius of the resting forearm `(along, angles)` by bisection, at _ALONG mm from the wrist."""
    y = -_ALONG
    y = np.where(y < ARM_START, ARM_START + (y - ARM_START) / ARM_STRETCH, y)
    low, high = np.zeros((len(y), len(_ANGLES))), np.full((len(y), len(_ANGLES)), 90.0)
    for _ in range(10):
        middle = 0.5 * (low + high)
        points = np.stack(
            [
                middle * np.cos(_ANGLES),
                np.broadcast_to(y[:, None], middle.shape),
                middle * np.sin(_ANGLES),
            ],
            axis=-1,
        )
        outside = distance(points) > 0
        low, high = np.where(outside, low, middle), np.where(outside, middle, high)
    return middle


def tube_triangles(rings, sides):
    """Triangles of a tube of `rings` closed rings of `sides` vertices each."""
    i, j = np.meshgrid(np.arange(rings - 1), np.arange(sides), indexing="ij")
    a, b = i * sides + j, i * sides + (j + 1) % sides
    c, d = a + sides, b + sides
    return np.concatenate(
        [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)]
    )


def sleeve_surface(sleeve: Sleeve, transforms, width):
    """Vertices, triangles and texture of a sleeve about the posed forearm (hand's frame, mm)."""
    radius = _arm_radius()
    keep = sleeve.start < _ALONG
    along = np.r_[sleeve.start, sleeve.start, _ALONG[keep]]
    middle = np.stack([np.interp(along, _ALONG, column) for column in radius.T], axis=1)
    loose = sleeve.gap + 0.05 * (along - sleeve.start)[:, None]
    folds = sleeve.fold * np.sin(
        0.11 * along[:, None] + 1.7 * np.sin(_ANGLES + sleeve.phase) + sleeve.phase
    )
    folds += 0.6 * sleeve.fold * np.sin(0.31 * along[:, None] + 3 * _ANGLES + 2 * sleeve.phase)
    outer = middle + (loose + folds * np.minimum(1, (along - sleeve.start)[:, None] / 15)) / width
    outer[0] = middle[0] * 0.9  # the first ring turns inwards and closes the opening
    points = np.stack(
        [
            outer * np.cos(_ANGLES),
            np.broadcast_to(-along[:, None], outer.shape),
            outer * np.sin(_ANGLES),
        ],
        axis=-1,
    ).reshape(-1, 3)
    arm = transforms[INDEX["forearm"]]
    posed = points @ arm[:, :3].T + arm[:, 3]
    texture = np.stack(
        [
            np.tile(_ANGLES, len(along)),
            np.repeat(along, len(_ANGLES)),
            np.zeros(outer.size),
        ],
        axis=1,
    )
    return posed, tube_triangles(len(along), len(_ANGLES)), texture


def thing_surface(centre, rotation, half, power):
    """A rounded box, cylinder-like or round thing: a superellipsoid (vertices, triangles)."""
    u = np.linspace(-np.pi / 2 + 0.02, np.pi / 2 - 0.02, 20)[:, None]
    v = np.linspace(0, 2 * np.pi, 36, endpoint=False)[None]

    def curve(w, exponent):
        return np.sign(w) * np.abs(w) ** exponent

    ring = curve(np.cos(u), power[0])
    points = np.stack(
        [
            ring * curve(np.cos(v), power[1]),
            ring * curve(np.sin(v), power[1]),
            curve(np.sin(u), power[0]) + 0 * v,
        ],
        axis=-1,
    ).reshape(-1, 3)
    return (points * half) @ rotation.T + centre, tube_triangles(20, 36)


@dataclass(frozen=True)
class Hand:
    """A person's hand in a pose, standing before the camera.

    Attributes:
        person: the `Person` it belongs to.
        pose: `(bones, 3)` radians.
        view: `(3, 3)` rotation from the hand's frame to the camera's.
        origin: `(3,)` mm, where the wrist lies.

    View and origin are those of a left hand; a right hand is its mirror image in the camera's x.
    """

    person: Person
    pose: np.ndarray
    view: np.ndarray
    origin: np.ndarray

    @property
    def mirror(self):
        """`(3,)` factor on camera coordinates."""
        return np.array([-1.0 if self.person.side == "right" else 1.0, 1, 1])

    @cached_property
    def transforms(self):
        """`segment_transforms` of pose and proportions."""
        return segment_transforms(self.pose, self.person.lengths, self.person.widths)

    def to_camera(self, points):
        """Camera millimetres of `(n, 3)` points of the hand's frame."""
        return ((points * self.person.size) @ self.view.T + self.origin) * self.mirror

    def elbow(self):
        """`(3,)` camera millimetres of the elbow."""
        arm = self.transforms[INDEX["forearm"]]
        return self.to_camera(arm[None, :, :3] @ (0, -ELBOW, 0) + arm[:, 3])[0]

    def bend_at_elbow(self, points, along):
        """Camera points at `along` mm from the wrist, those past the elbow led away from the lens.

        The arm is modelled straight; an upper arm that ran on would often end in the camera.
        """
        forearm = self.elbow() - self.to_camera(np.zeros((1, 3)))[0]
        forearm /= np.linalg.norm(forearm)
        upper = forearm + np.array([0, 0.5, 0.9])
        upper /= np.linalg.norm(upper)
        past = np.maximum(along - ELBOW, 0)[:, None] * self.person.size
        return points + past * (upper - forearm)

    def keypoints(self):
        """`(21, 3)` camera millimetres in the order of `HAND_21`."""
        return self.to_camera(posed_keypoints(self.transforms))


def hand_surface(hand: Hand) -> Surface:
    """Skin and sleeve of a hand."""
    mesh, person = hand_mesh(), hand.person
    transforms = hand.transforms
    vertices = hand.to_camera(skin(mesh.vertices, mesh.weights, transforms))
    vertices = hand.bend_at_elbow(vertices, -mesh.atlas[:, 1]).astype(np.float32)
    step = 1 if person.side == "left" else -1  # a mirror image turns its triangles round
    normals = vertex_normals(vertices, mesh.triangles, mesh.incidence) * np.float32(step)
    kind = np.full(len(mesh.triangles), SKIN, np.int8)
    flesh = Surface(vertices, mesh.triangles[:, ::step], normals, mesh.atlas, kind, mesh.parts)
    if person.sleeve is None:
        return flesh
    points, triangles, texture = sleeve_surface(
        person.sleeve, transforms, person.widths[INDEX["forearm"]]
    )
    points = hand.bend_at_elbow(hand.to_camera(points), texture[:, 1])
    return joined([flesh, plain_surface(points, triangles[:, ::step], CLOTH, texture)])


def plain_surface(vertices, triangles, kind, texture=None) -> Surface:
    """A surface that is not skin."""
    vertices = vertices.astype(np.float32)
    texture = np.zeros((len(vertices), 3)) if texture is None else texture
    return Surface(
        vertices,
        triangles.astype(np.int32),
        vertex_normals(vertices, triangles),
        texture.astype(np.float32),
        np.full(len(triangles), kind, np.int8),
        np.full(len(triangles), -1, np.int32),
    )


def joined(surfaces) -> Surface:
    """Several surfaces as one."""
    if len(surfaces) == 1:
        return surfaces[0]
    starts = np.cumsum([0] + [len(s.vertices) for s in surfaces])
    shifted = [s.triangles + np.int32(n) for s, n in zip(surfaces, starts, strict=False)]
    rest = (
        np.concatenate([getattr(s, f) for s in surfaces])
        for f in ("normals", "atlas", "kind", "parts")
    )
    return Surface(np.concatenate([s.vertices for s in surfaces]), np.concatenate(shifted), *rest)
