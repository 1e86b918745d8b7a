"""Triangles to pixels: which triangle each pixel sees, where in it, and how far away."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Fragments:
    """What the camera sees, one row for each covered pixel.

    Attributes:
        pixels: `(n,)` flat pixel index, row * width + column.
        triangles: `(n,)` index of the visible triangle.
        corners: `(n, 3)` shares of its three vertices (perspective-correct).
        depth: `(n,)` distance along the optical axis.
    """

    pixels: np.ndarray
    triangles: np.ndarray
    corners: np.ndarray
    depth: np.ndarray

    def interpolate(self, triangles, attributes):
        """Attributes `(vertices, channels)` at every covered pixel."""
        corners = triangles[self.triangles]
        result = attributes[corners[:, 0]] * self.corners[:, :1]
        result += attributes[corners[:, 1]] * self.corners[:, 1:2]
        result += attributes[corners[:, 2]] * self.corners[:, 2:]
        return result


def project(points, camera):
    """Pixels `(n, 2)` of points `(n, 3)` in camera coordinates (x right, y down, z forward)."""
    image = points @ np.asarray(camera).T
    return image[:, :2] / image[:, 2:]


def rasterize(points, triangles, camera, height, width, near=1e-3):
    """Nearest triangle at every pixel centre (integer coordinates).

    Args:
        points: `(vertices, 3)` in camera coordinates.
        triangles: `(triangles, 3)`, anticlockwise seen from outside; back faces are skipped.
        camera: `(3, 3)` pinhole matrix in pixels.
        height, width: size of the image.
        near: triangles nearer than this are dropped.
    """
    screen = project(np.where(points[:, 2:] > near, points, [0, 0, near]), camera).astype(
        np.float32
    )
    inverse = (1 / np.maximum(points[:, 2], near)).astype(np.float32)
    a, b, c = (screen[triangles[:, i]] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    low = np.ceil(np.minimum(np.minimum(a, b), c))
    high = np.floor(np.maximum(np.maximum(a, b), c))
    limits = np.array([width - 1, height - 1], np.float32)
    low, high = np.maximum(low, 0), np.minimum(high, limits)
    # y points down in the image, so an outside seen from the camera turns clockwise: area < 0
    usable = (area < -1e-9) & (low <= high).all(axis=1)
    usable &= (points[triangles, 2] > near).all(axis=1)
    index = np.flatnonzero(usable)
    low = low[index].astype(np.int32)
    size = high[index].astype(np.int32) - low + 1
    count = size[:, 0] * size[:, 1]
    if not count.sum():
        empty = np.zeros(0, np.int64)
        return Fragments(empty, empty, np.zeros((0, 3), np.float32), np.zeros(0, np.float32))
    owner = np.repeat(np.arange(len(index)), count)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    row, column = np.divmod(step, size[owner, 0])
    x, y = low[owner, 0] + column, low[owner, 1] + row
    # barycentric shares are affine in x, y: w = w0 + x wx + y wy
    a, b, c, scale = a[index], b[index], c[index], 1 / area[index]
    wbx, wby = (c[:, 1] - a[:, 1]) * scale, (a[:, 0] - c[:, 0]) * scale
    wcx, wcy = (a[:, 1] - b[:, 1]) * scale, (b[:, 0] - a[:, 0]) * scale
    dx, dy = x.astype(np.float32) - a[owner, 0], y.astype(np.float32) - a[owner, 1]
    wb = dx * wbx[owner] + dy * wby[owner]
    wc = dx * wcx[owner] + dy * wcy[owner]
    keep = np.flatnonzero((wb >= -1e-4) & (wc >= -1e-4) & (wb + wc <= 1.0001))
    owner, wb, wc = owner[keep], wb[keep], wc[keep]
    pixel = y[keep] * np.int64(width) + x[keep]
    corners = triangles[index]
    ia, ib, ic = (inverse[corners[:, i]] for i in range(3))
    nearness = ia[owner] * (1 - wb - wc) + ib[owner] * wb + ic[owner] * wc
    best = np.zeros(height * width, np.float32)
    np.maximum.at(best, pixel, nearness)
    first = np.full(height * width, -1, np.int64)
    winners = np.flatnonzero(nearness == best[pixel])
    first[pixel[winners]] = winners
    pixels = np.flatnonzero(first >= 0)
    chosen = first[pixels]
    owner, wb, wc, nearness = owner[chosen], wb[chosen], wc[chosen], nearness[chosen]
    shares = np.stack([ia[owner] * (1 - wb - wc), ib[owner] * wb, ic[owner] * wc], axis=1)
    shares /= nearness[:, None]
    return Fragments(pixels, index[owner], shares, 1 / nearness)
