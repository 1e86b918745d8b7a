"""The skin of the resting hand as triangles that follow the bones.

The zero surface of `anatomy.distance` is extracted once per process by naive surface nets (Gibson
1998), moved onto the zero by Newton steps and kept; every picture only bends it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage, sparse

from keras_shr.rendering.anatomy import ARM_START, ARM_STRETCH, distance, gradient
from keras_shr.rendering.skeleton import COUNT
from keras_shr.rendering.weights import skin_weights, unrolled

GRID_STEP = 3.2
"""Edge of a sampling cell in mm, about the size of a triangle."""


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


def _sampled(low, high):
    """`distance` on a grid, exact near the surface and rough elsewhere (a tenth of the work)."""
    axes = [np.arange(a, b, GRID_STEP) for a, b in zip(low, high, strict=True)]
    shape = tuple(len(a) for a in axes)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    rough = distance(points[1::3, 1::3, 1::3])
    near = np.abs(rough) < 6.5 * GRID_STEP  # the blends make the field steeper than 1 in places
    for axis in range(3):
        rough, near = np.repeat(rough, 3, axis=axis), np.repeat(near, 3, axis=axis)
    pad = [(0, max(0, n - m)) for n, m in zip(shape, rough.shape, strict=True)]
    cut = tuple(slice(0, n) for n in shape)
    values = np.pad(rough, pad, mode="edge")[cut]
    near = ndimage.binary_dilation(np.pad(near, pad, mode="edge")[cut])
    values[near] = distance(points[near])
    return values


@lru_cache(maxsize=1)
def hand_mesh() -> HandMesh:
    """The resting hand's triangles (built on the first call, about a second)."""
    low, high = (
        np.array([-62.0, ARM_START - 700 / ARM_STRETCH, -52.0]),
        np.array([124.0, 206, 50]),
    )
    vertices, quads = surface_nets(_sampled(low, high), low, GRID_STEP)
    for _ in range(2):
        slope = gradient(vertices)
        squared = np.maximum((slope**2).sum(-1), 0.1)
        step = np.clip(distance(vertices) / squared, -1.5, 1.5)
        vertices = vertices - 0.8 * step[:, None] * slope
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    normals = gradient(vertices)
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
        (np.ones(len(rows), np.float32), (rows, columns)),
        shape=(len(vertices), len(triangles)),
    )
    return HandMesh(
        vertices.astype(np.float32),
        triangles,
        weights.astype(np.float32),
        atlas.astype(np.float32),
        vertex_parts[triangles[:, 0]].astype(np.int32),
        incidence,
    )
