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
    xs, ys = (np.stack([p[:, k] for p in (a, b, c)]) for k in (0, 1))
    top, bottom = np.ceil(ys.min(axis=0)), np.floor(ys.max(axis=0))
    top, bottom = np.maximum(top, 0), np.minimum(bottom, height - 1)
    # y points down in the image, so an outside seen from the camera turns clockwise: area < 0
    usable = (area < -1e-9) & (top <= bottom)
    usable &= (xs.max(axis=0) >= 0) & (xs.min(axis=0) <= width - 1)
    usable &= points[triangles].min(axis=1)[:, 2] > near if points[:, 2].min() <= near else True
    index = np.flatnonzero(usable)
    a, b, c, scale = a[index], b[index], c[index], 1 / area[index]
    # shares of the corners b and c are affine: w = w0 + x wx + y wy
    wbx, wby = (c[:, 1] - a[:, 1]) * scale, (a[:, 0] - c[:, 0]) * scale
    wcx, wcy = (a[:, 1] - b[:, 1]) * scale, (b[:, 0] - a[:, 0]) * scale
    # one entry for each row of each triangle, then one for each pixel of each row
    owner, row = _expand(top[index].astype(np.int32), bottom[index].astype(np.int32))
    x0, dy = a[owner, 0], row.astype(np.float32) - a[owner, 1]
    first, last = _span(wbx[owner], wcx[owner], dy * wby[owner], dy * wcy[owner])
    first = np.maximum(np.ceil(x0 + first), 0).astype(np.int32)
    last = np.minimum(np.floor(x0 + last), width - 1).astype(np.int32)
    line, column = _expand(first, last)
    dx, dy, row, owner = column.astype(np.float32) - x0[line], dy[line], row[line], owner[line]
    wb = dx * wbx[owner] + dy * wby[owner]
    wc = dx * wcx[owner] + dy * wcy[owner]
    pixel = row * np.int32(width) + column
    corners = triangles[index]
    ia, ib, ic = (inverse[corners[:, i]] for i in range(3))
    nearness = ia[owner] * (1 - wb - wc) + ib[owner] * wb + ic[owner] * wc
    best = np.zeros(height * width, np.float32)
    np.maximum.at(best, pixel, nearness)
    front = np.full(height * width, -1, np.int32)
    winners = np.flatnonzero(nearness == best[pixel])
    front[pixel[winners]] = winners
    pixels = np.flatnonzero(front >= 0)
    chosen = front[pixels]
    owner, wb, wc, nearness = owner[chosen], wb[chosen], wc[chosen], nearness[chosen]
    shares = np.stack([ia[owner] * (1 - wb - wc), ib[owner] * wb, ic[owner] * wc], axis=1)
    shares /= nearness[:, None]
    return Fragments(pixels, index[owner], shares, 1 / nearness)


def _expand(first, last):
    """All whole numbers first..last of every entry: (entry, number), int32, one after another."""
    count = np.maximum(last - first + 1, 0)
    entry = np.repeat(np.arange(len(count), dtype=np.int32), count)
    start = first - (np.cumsum(count, dtype=np.int32) - count)
    return entry, np.arange(len(entry), dtype=np.int32) + start[entry]


def _span(wbx, wcx, wb, wc):
    """Least and greatest x at which all three shares are not negative, given them at x = 0."""
    low = np.full(len(wb), -1e6, np.float32)
    high = np.full(len(wb), 1e6, np.float32)
    for slope, value in ((wbx, wb), (wcx, wc), (-wbx - wcx, 1 - wb - wc)):
        value = value + np.float32(1e-4)  # neighbours share an edge: better both than neither
        level = np.abs(slope) < 1e-12
        zero = -value / np.where(level, 1, slope)
        low = np.where(~level & (slope > 0), np.maximum(low, zero), low)
        high = np.where(~level & (slope < 0), np.minimum(high, zero), high)
        high = np.where(level & (value < 0), low - 1, high)
    return low, np.maximum(high, low - 1)
