"""Zoom blur, and the reference's `clipped_zoom` as matrices."""

from functools import cache
from itertools import pairwise
from math import ceil

import numpy as np
from keras import ops

from keras_shr.perturbations import _common as common
from keras_shr.perturbations._common import Perturbation, at_severity

_FACTORS = (
    np.arange(1, 1.11, 0.01),
    np.arange(1, 1.16, 0.01),
    np.arange(1, 1.21, 0.02),
    np.arange(1, 1.26, 0.02),
    np.arange(1, 1.31, 0.03),
)
_OWN_WEIGHT = 2.0  # the image itself counts twice among the zoomed ones


def zoom_matrix(length, factor):
    """What `clipped_zoom` does along one axis: `(new length, crop)`, and where the crop starts."""
    from scipy.ndimage import zoom

    crop = ceil(length / float(factor))
    return zoom(np.eye(crop), (factor, 1), order=1), (length - crop) // 2


@cache
def _places(length):
    """Where each zoomed layer reads along an axis: `(5, length, layers)`, in source pixels.

    Layers that a severity does not have read far outside, where every weight is zero. The factor
    1, the image itself, is left out.
    """
    layers = max(len(factors) for factors in _FACTORS) - 1
    table = np.full((5, length, layers), -10.0, "float32")
    for severity, factors in enumerate(_FACTORS):
        for layer, factor in enumerate(factors[1:]):
            matrix, start = zoom_matrix(length, factor)
            matrix = matrix[:length]
            inside = matrix.sum(axis=1) > 0.5
            place = matrix @ np.arange(start, start + matrix.shape[1])
            table[severity, inside, layer] = place[inside]
    return table


def _blocks(length, count):
    """Cut an axis in `count`: slices of the output and of the source that it is computed from."""
    edges = [length * i // count for i in range(count + 1)]
    places = _places(length)
    blocks = []
    for start, stop in pairwise(edges):
        read = places[:, start:stop]
        read = read[read > -1.0]
        first, last = int(np.floor(read.min())), min(int(np.floor(read.max())) + 2, length)
        blocks.append((slice(start, stop), slice(first, last)))
    return blocks


def _weights(places, source):
    """Linear interpolation as a matrix: one row for each place, one column for each pixel."""
    pixels = ops.convert_to_tensor(np.arange(source.start, source.stop, dtype="float32"))
    return ops.relu(1.0 - ops.abs(ops.expand_dims(places, -1) - pixels))


def _zoom(images, severity, parameters):
    """Zoom, add up, divide.

    A zoomed layer is rows @ image @ columns, with a different pair of matrices for each layer, so
    the sum over the layers cannot be taken first. The matrices have a narrow band only: block by
    block of the output, with the layers side by side in one product, a third of the work is left
    at any size.
    """
    height, width = common.static_size(images)
    planes = common.channels_first(images)
    row_places = at_severity(_places(height), severity)
    column_places = at_severity(_places(width), severity)
    columns = []
    for out, source in _blocks(width, 4):
        weights = ops.transpose(_weights(column_places[:, out], source), (0, 2, 3, 1))
        columns.append((source, ops.reshape(weights, (-1, 1, *_merged(weights)))))
    if common.accelerated():  # which wants few and large products
        groups, strips_of_rows = [planes], 4
    else:  # all channels at once would copy the weights for each
        groups, strips_of_rows = [planes[:, i : i + 1] for i in range(3)], 8
    strips = []
    for out, source in _blocks(height, strips_of_rows):
        weights = _weights(row_places[:, out], source)
        weights = ops.reshape(weights, (-1, 1, *_merged(weights)))
        rows = out.stop - out.start
        strip = [_strip(group[:, :, source], weights, columns, rows) for group in groups]
        strips.append(ops.concatenate(strip, axis=1))
    total = ops.concatenate(strips, axis=2) + _OWN_WEIGHT * planes
    layers = np.array([len(factors) + 1.0 for factors in _FACTORS])
    return common.clip(common.channels_last(total / at_severity(layers, severity, 3)))


def _strip(planes, weights, columns, rows):
    """`rows` rows of the summed layers, from the source rows that they need."""
    parts = []
    for source, column_weights in columns:
        part = ops.matmul(weights, planes[..., source])
        # Rows are ordered (row, layer): layers move over to the columns without a copy.
        layers = part.shape[2] // rows
        part = ops.reshape(part, (-1, planes.shape[1], rows, layers * part.shape[3]))
        parts.append(ops.matmul(part, column_weights))
    return ops.concatenate(parts, axis=3)


def _merged(weights):
    return weights.shape[1] * weights.shape[2], weights.shape[3]


ZOOM_BLUR = Perturbation("zoom_blur", common.draw_nothing, _zoom)
