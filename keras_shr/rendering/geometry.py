"""The triangles of one picture: posed hand, sleeve, and things held or standing in the way."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse

from keras_shr.rendering.kinematics import segment_transforms, skin
from keras_shr.rendering.anatomy import ARM_START, ARM_STRETCH, distance
from keras_shr.rendering.mesh import hand_mesh
from keras_shr.rendering.people import Sleeve
from keras_shr.rendering.skeleton import INDEX

SKIN, CLOTH, THING = 0, 1, 2


@dataclass
class Surface:
    """Triangles in camera millimetres with what shading needs.

    Attributes:
        vertices: `(vertices, 3)`.
        triangles: `(triangles, 3)`.
        normals: `(vertices, 3)`, unit length, outward.
        atlas: `(vertices, 3)` texture position (cloth: angle, mm along the arm, 0).
        kind: `(triangles,)` SKIN, CLOTH or THING.
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
    corners = vertices[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    if incidence is None:
        rows, columns = triangles.T.ravel(), np.tile(np.arange(len(triangles)), 3)
        shape = (len(vertices), len(triangles))
        incidence = sparse.csr_matrix(
            (np.ones(len(rows)), (rows, columns)), shape=shape
        )
    normals = incidence @ faces
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


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


def sleeve_surface(sleeve: Sleeve, transforms, widths):
    """Vertices, triangles and texture of a sleeve about the posed forearm (hand's frame, mm)."""
    radius = _arm_radius()
    keep = sleeve.start < _ALONG
    along = np.r_[sleeve.start, sleeve.start, _ALONG[keep]]
    middle = np.stack([np.interp(along, _ALONG, column) for column in radius.T], axis=1)
    loose = sleeve.gap + 0.05 * (along - sleeve.start)[:, None]
    folds = sleeve.fold * np.sin(
        0.11 * along[:, None] + 1.7 * np.sin(_ANGLES + sleeve.phase) + sleeve.phase
    )
    folds += (
        0.6
        * sleeve.fold
        * np.sin(0.31 * along[:, None] + 3 * _ANGLES + 2 * sleeve.phase)
    )
    outer = (
        middle
        + (loose + folds * np.minimum(1, (along - sleeve.start)[:, None] / 15))
        / widths[1]
    )
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


def posed_surface(pose, person, view, origin, things=()):
    """Everything in the picture, in camera millimetres, for a *left* hand.

    Args:
        pose: `(bones, 3)` radians.
        person: the `Person`; lengths, widths, size and sleeve are used.
        view: `(3, 3)` rotation from the hand's frame to the camera.
        origin: `(3,)` mm, where the wrist lies.
        things: tuples for `thing_surface`, already in camera coordinates.

    Returns:
        The `Surface` and the segment transforms (hand's frame, before `size`).
    """
    mesh = hand_mesh()
    transforms = segment_transforms(pose, person.lengths, person.widths)
    vertices = [skin(mesh.vertices, mesh.weights, transforms)]
    triangles, atlas = [mesh.triangles], [mesh.atlas]
    counts, kinds = [len(mesh.triangles)], [SKIN]
    if person.sleeve is not None:
        points, faces, texture = sleeve_surface(
            person.sleeve, transforms, person.widths[INDEX["forearm"]] * np.ones(2)
        )
        triangles.append(faces + len(vertices[0]))
        vertices.append(points)
        atlas.append(texture)
        counts.append(len(faces))
        kinds.append(CLOTH)
    points = (np.concatenate(vertices) * person.size) @ view.T + origin
    normals = [
        vertex_normals(points[: len(mesh.vertices)], mesh.triangles, mesh.incidence)
    ]
    if len(vertices) > 1:
        normals.append(
            vertex_normals(
                points[len(mesh.vertices) :], triangles[1] - len(mesh.vertices)
            )
        )
    for thing in things:
        more, faces = thing_surface(*thing)
        triangles.append(faces + len(points))
        points = np.concatenate([points, more])
        atlas.append(np.zeros((len(more), 3)))
        normals.append(vertex_normals(more, faces))
        counts.append(len(faces))
        kinds.append(THING)
    total = sum(counts)
    parts = np.full(total, -1, np.int32)
    parts[: counts[0]] = mesh.parts
    surface = Surface(
        points,
        np.concatenate(triangles).astype(np.int32),
        np.concatenate(normals),
        np.concatenate(atlas).astype(np.float32),
        np.repeat(np.array(kinds, np.int8), counts),
        parts,
    )
    return surface, transforms
