"""The skin of the resting hand: a signed distance field, its surface as triangles, its weights.

Tapered capsules and spheres joined by a smooth minimum give flesh between the bones (webs, the
balls of thumb and little finger). The surface is extracted once per process by naive surface nets
(Gibson 1998), moved onto the field's zero by Newton steps and kept; every image only bends it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse

from keras_shr.rendering.skeleton import BONES, COUNT, FINGER_BONES, FINGERS, HEADS, INDEX

GRID_STEP = 2.6
ARM_START, ARM_STRETCH = -52.0, 9.0
"""The forearm is meshed shortened: below ARM_START (mm along y) every mm stands for nine."""


@dataclass(frozen=True)
class HandMesh:
    """Triangles of the resting left hand.

    Attributes:
        vertices: `(vertices, 3)` mm.
        triangles: int32 `(triangles, 3)`, anticlockwise seen from outside.
        weights: scipy sparse `(vertices, 2 * bones)`: segments, then helpers.
        atlas: `(vertices, 3)`: x, y of the texture in mm (the thumb unrolled so that its nail
            faces up) and the z component of the unrolled normal, 1 on the dorsal side.
        parts: int32 `(triangles,)` index of the segment that moves the triangle most.
        incidence: sparse `(vertices, triangles)`; times face normals it gives vertex normals.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    weights: sparse.csr_matrix
    atlas: np.ndarray
    parts: np.ndarray
    incidence: sparse.csr_matrix


def capsule(points, start, end, start_radius, end_radius):
    """Signed distance to a capsule whose radius changes evenly (exact for equal radii)."""
    axis = np.asarray(end, float) - start
    along = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
    nearest = np.linalg.norm(points - start - along[..., None] * axis, axis=-1)
    return nearest - (start_radius + along * (end_radius - start_radius))


def smooth_minimum(a, b, blend):
    """Polynomial smooth minimum: as `minimum`, rounded over `blend` mm."""
    overlap = np.maximum(blend - np.abs(a - b), 0) / blend
    return np.minimum(a, b) - overlap * overlap * blend * 0.25


def _join(fields, blend):
    result = fields[0]
    for field in fields[1:]:
        result = smooth_minimum(result, field, blend)
    return result


def _finger(points, finger):
    """One finger: its segments, a knuckle at each joint and the pad under the tip."""
    bones = [BONES[i] for i in FINGER_BONES[finger]]
    fields = [capsule(points, b.head, b.tail, *b.radii) for b in bones]
    for bone in bones[1:]:
        knuckle = bone.head + bone.frame[:, 2] * 0.9
        fields.append(np.linalg.norm(points - knuckle, axis=-1) - bone.radii[0] * 1.0)
    last = bones[-1]
    tip_radius = last.radii[1]
    pad = last.tail - last.frame[:, 1] * tip_radius * 1.1 - last.frame[:, 2] * tip_radius * 0.30
    fields.append(np.linalg.norm(points - pad, axis=-1) - tip_radius * 1.12)
    for bone in bones[:-1]:  # the cushions between the creases of the palmar side
        middle = 0.5 * (bone.head + bone.tail) - bone.frame[:, 2] * bone.radii[1] * 0.28
        ends = bone.frame[:, 1] * 0.18 * np.linalg.norm(bone.tail - bone.head)
        fields.append(capsule(points, middle - ends, middle + ends, *(bone.radii[1] * 0.9,) * 2))
    return _join(fields, 3.5)


def _palm(points):
    heads = {f: HEADS[FINGER_BONES[f][0]] for f in FINGERS}
    carpals = {
        "index": (9, 12, 0),
        "middle": (1, 14, 1),
        "ring": (-8, 13, 0),
        "little": (-14, 11, -2),
    }
    fields = [
        capsule(points, carpals[f], heads[f] + (0, -2, -1.0), 14.0, r)
        for f, r in zip(FINGERS[1:], (11.8, 12.0, 11.6, 10.6), strict=True)
    ]
    fields += [
        capsule(points, (15, 16, -9), (41, 50, -13), 13.5, 10.5),  # ball of the thumb
        capsule(points, (12, 34, -8), (30, 58, -8), 9.0, 8.0),  # web between thumb and index
        capsule(points, (34, 44, -7), (29, 74, -2), 6.5, 7.0),
        capsule(points, (-17, 14, -8), (-33, 58, -8), 13.0, 9.5),  # ball of the little finger
        capsule(points, (20, 84, -7), (-28, 74, -9), 8.0, 7.0),  # pads under the knuckles
    ]
    webs = zip(FINGERS[1:-1], FINGERS[2:], strict=True)
    fields += [  # flesh between neighbouring fingers, a third of the first segment far
        capsule(
            points,
            (heads[a] + heads[b]) / 2 + (0, -4, -2),
            (heads[a] + heads[b]) / 2 + (0, 12, -3),
            8.0,
            5.5,
        )
        for a, b in webs
    ]
    return _join(fields, 7.0)


def _arm(points):
    fields = []
    for x, wide, far in ((10.5, 16.5, 26), (-10.5, 16.0, 25)):
        a, b, c = (x, 6, -1), (x, -50, -1), (x * 1.7, ARM_START - 250 / ARM_STRETCH, 0)
        fields += [capsule(points, a, b, wide, wide + 1.5), capsule(points, b, c, wide + 1.5, far)]
    d = (0.0, ARM_START - 900 / ARM_STRETCH, 0)
    fields.append(capsule(points, (0, ARM_START - 250 / ARM_STRETCH, 0), d, 42, 42))
    fields.append(np.linalg.norm(points - (-18, -2, 9), axis=-1) - 9.5)  # head of the ulna
    return _join(fields, 9.0)


def distance(points):
    """Signed distance (mm, negative inside) of the resting hand at `(..., 3)` points."""
    body = smooth_minimum(_palm(points), _arm(points), 12.0)
    thumb = _finger(points, "thumb")
    body = smooth_minimum(body, thumb, 9.0)
    fingers = _join([_finger(points, f) for f in FINGERS[1:]], 1.5)
    return smooth_minimum(body, fingers, 5.0)


def surface_nets(values, origin, step):
    """Vertices `(n, 3)` and quads `(m, 4)` of the zero surface of a sampled field (Gibson 1998)."""
    inside = values < 0
    corners = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    shape = tuple(n - 1 for n in values.shape)
    at = {c: tuple(slice(o, o + n) for o, n in zip(c, shape, strict=True)) for c in corners}
    filled = sum(inside[at[c]].astype(np.int8) for c in corners)
    cells = np.argwhere((filled > 0) & (filled < 8))
    number = np.full(shape, -1, np.int32)
    number[tuple(cells.T)] = np.arange(len(cells))
    total, crossings = np.zeros((len(cells), 3)), np.zeros(len(cells))
    for c in corners:
        for axis in range(3):
            if c[axis]:
                continue
            a = values[tuple((cells + c).T)]
            d = np.array(c)
            d[axis] = 1
            b = values[tuple((cells + d).T)]
            cut = (a < 0) != (b < 0)
            fraction = np.where(cut, a / np.where(cut, a - b, 1), 0)
            point = np.array(c) + fraction[:, None] * (d - c)
            total += point * cut[:, None]
            crossings += cut
    vertices = origin + step * (cells + total / crossings[:, None])
    quads = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        low = [slice(1, -1)] * 3
        low[axis] = slice(0, -1)
        high = list(low)
        high[axis] = slice(1, None)
        a, b = inside[tuple(low)], inside[tuple(high)]
        edge = np.argwhere(a != b) + [0 if i == axis else 1 for i in range(3)]
        ring = []
        for du, dv in ((0, 0), (1, 0), (1, 1), (0, 1)):
            cell = edge.copy()
            cell[:, u] -= du
            cell[:, v] -= dv
            ring.append(number[tuple(cell.T)])
        ring = np.stack(ring, axis=1)
        outward = inside[tuple(edge.T)]
        quads.append(np.where(outward[:, None], ring, ring[:, ::-1]))
    return vertices, np.concatenate(quads)


def _gradient(points):
    h = 0.15
    return np.stack(
        [(distance(points + h * e) - distance(points - h * e)) / (2 * h) for e in np.eye(3)],
        axis=-1,
    )


@lru_cache(maxsize=1)
def hand_mesh() -> HandMesh:
    """The resting hand's triangles (built on the first call, about a second)."""
    from keras_shr.rendering.weights import skin_weights, unrolled

    low, high = np.array([-62.0, ARM_START - 700 / ARM_STRETCH, -52.0]), np.array([124.0, 206, 50])
    axes = [np.arange(a, b, GRID_STEP) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = np.stack([distance(plane) for plane in grid])
    vertices, quads = surface_nets(values, low, GRID_STEP)
    for _ in range(3):
        gradient = _gradient(vertices)
        squared = np.maximum((gradient**2).sum(-1), 0.1)
        step = np.clip(distance(vertices) / squared, -1.5, 1.5)
        vertices = vertices - 0.8 * step[:, None] * gradient
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    normals = _gradient(vertices)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    weights = skin_weights(vertices, triangles)
    atlas = unrolled(vertices, normals, weights)
    below = vertices[:, 1] < ARM_START
    vertices[below, 1] = ARM_START + (vertices[below, 1] - ARM_START) * ARM_STRETCH
    atlas[below, 1] = vertices[below, 1]
    vertex_parts = np.asarray((weights[:, :COUNT] + weights[:, COUNT:]).argmax(axis=1)).ravel()
    rows = triangles.T.ravel()
    columns = np.tile(np.arange(len(triangles)), 3)
    incidence = sparse.csr_matrix(
        (np.ones(len(rows), np.float32), (rows, columns)), shape=(len(vertices), len(triangles))
    )
    return HandMesh(
        vertices,
        triangles,
        weights,
        atlas.astype(np.float32),
        vertex_parts[triangles[:, 0]].astype(np.int32),
        incidence,
    )


PALM, FOREARM = INDEX["palm"], INDEX["forearm"]
