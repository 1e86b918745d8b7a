"""Steps of OpenCV that spatter is made of: edges, distances, equalisation.

Pictures are float32 `(batch, height, width)`; where OpenCV computes in whole numbers, so does this.
"""

import numpy as np
from keras import ops

_TAN_22 = 13573 / 2**15  # 22.5 degrees, in OpenCV's fixed point
_DIAGONAL, _KNIGHT = 1.4, 2.1969  # lengths of the steps (1, 1) and (2, 1) where (1, 0) has length 1


def around(pictures, reach, mode="constant", value=None):
    """A function of (rows, columns) that gives the pictures moved by up to `reach` pixels."""
    height, width = pictures.shape[1:]
    margin = ((0, 0), (reach, reach), (reach, reach))
    padded = ops.pad(pictures, margin, mode=mode, constant_values=value)

    def at(row, column):
        row, column = row + reach, column + reach
        return padded[:, row : row + height, column : column + width]

    return at


def box_sum(pictures):
    """Sum over 3 x 3 pixels, mirrored about the border pixels."""
    padded = ops.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="reflect")
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]


def canny(levels, weak, strong):
    """`cv2.Canny` of whole grey levels: 1.0 on an edge, 0.0 elsewhere.

    Sobel derivatives, magnitude |dx| + |dy|, thinned across the edge. What exceeds `strong` is an
    edge, and what exceeds `weak` if a chain of such pixels leads to an edge.
    """
    padded = ops.pad(levels, ((0, 0), (1, 1), (1, 1)), mode="symmetric")
    rows = padded[:, :-2] + 2.0 * padded[:, 1:-1] + padded[:, 2:]
    dx = rows[:, :, 2:] - rows[:, :, :-2]
    rows = padded[:, 2:] - padded[:, :-2]
    dy = rows[:, :, :-2] + 2.0 * rows[:, :, 1:-1] + rows[:, :, 2:]
    x, y = ops.abs(dx), ops.abs(dy)
    size = x + y
    at = around(size, 1, value=0.0)
    flat = (size > at(0, -1)) & (size >= at(0, 1))
    steep = (size > at(-1, 0)) & (size >= at(1, 0))
    falling = (size > at(-1, -1)) & (size > at(1, 1))
    rising = (size > at(-1, 1)) & (size > at(1, -1))
    # tan 67.5 = tan 22.5 + 2: written like this the comparisons are exact in float32.
    bound = x * _TAN_22
    is_flat, is_steep = y < bound, y - 2.0 * x > bound
    is_rising = (dx < 0.0) != (dy < 0.0)
    peak = ops.where(is_rising, rising, falling)
    peak = ops.where(is_flat, flat, ops.where(is_steep, steep, peak))
    candidates = ops.cast(peak & (size > weak), "float32")
    edges = candidates * ops.cast(size > strong, "float32")

    def grow(edges, changed):
        at = around(edges, 1, value=0.0)
        rows = ops.maximum(ops.maximum(at(-1, 0), edges), at(1, 0))
        at = around(rows, 1, value=0.0)
        grown = ops.maximum(ops.maximum(at(0, -1), rows), at(0, 1)) * candidates
        return grown, ops.any(grown > edges)

    # Until a step finds nothing new in any picture: five to ten steps for spatter.
    start = (edges, ops.any(edges > 0.0))
    return ops.while_loop(lambda edges, changed: changed, grow, start)[0]


def chamfer_distance(edges, far):
    """Distance to the nearest edge, at most `far`: `cv2.distanceTransform` with a 5 x 5 mask.

    A shortest way is made of steps in two neighbouring directions out of sixteen, in any order. So
    all straight steps can come first, then the diagonal ones, then the knight's moves, and a
    number of equal steps as a sum of powers of two.
    """
    distance = ops.where(edges > 0.0, 0.0, far)
    for step in _strides(far):
        at = around(distance, step, value=far)
        near = ops.minimum(at(0, -step), at(0, step))
        near = ops.minimum(near, ops.minimum(at(-step, 0), at(step, 0)))
        distance = ops.minimum(distance, near + step)
    for step in _strides(far / _DIAGONAL):
        at = around(distance, step, value=far)
        near = ops.minimum(at(-step, -step), at(-step, step))
        near = ops.minimum(near, ops.minimum(at(step, -step), at(step, step)))
        distance = ops.minimum(distance, near + step * _DIAGONAL)
    for step in _strides(far / _KNIGHT):
        at = around(distance, 2 * step, value=far)
        moves = [(i * step, j * step) for i in (-2, -1, 1, 2) for j in (-2, -1, 1, 2)]
        near = [at(row, column) for row, column in moves if abs(row) != abs(column)]
        while len(near) > 1:
            near = [ops.minimum(*near[:2]), *near[2:]]
        distance = ops.minimum(distance, near[0] + step * _KNIGHT)
    return distance


def _strides(length):
    """Numbers of which some add up to each whole number below `length`."""
    strides: list[int] = []
    reach, most = 0, int(np.ceil(length)) - 1
    while reach < most:
        strides.append(min(2 ** len(strides), most - reach))
        reach += strides[-1]
    return strides


def equalise(levels, count):
    """`cv2.equalizeHist` of levels 0 to `count - 1`."""
    batch, height, width = ops.shape(levels)
    first = ops.reshape(ops.arange(batch, dtype="int32") * count, (-1, 1, 1))
    bins = ops.cast(levels, "int32") + first
    pixels = ops.ones_like(bins)
    found = ops.segment_sum(ops.ravel(pixels), ops.ravel(bins), num_segments=batch * count)
    below = ops.cast(ops.cumsum(ops.reshape(found, (-1, count)), axis=1), "float32")
    # The lowest level that occurs becomes 0, the others share 255 by their numbers.
    total = float(height * width)
    lowest = ops.min(ops.where(below > 0.0, below, total), axis=1, keepdims=True)
    scale = 255.0 / ops.maximum(total - lowest, 1.0)
    table = ops.round(ops.maximum(below - lowest, 0.0) * scale)
    flat = ops.convert_to_tensor(np.arange(count, dtype="float32"))
    table = ops.where(lowest < total, table, flat)  # a single level stays as it is
    return ops.take(ops.ravel(table), bins)
