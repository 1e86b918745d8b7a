"""Zoom blur, and the reference's `clipped_zoom` as matrices."""

from functools import cache
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


def zoom_matrix(length, factor):
    """What `clipped_zoom` does along one axis: `(new length, crop)`, and where the crop starts."""
    from scipy.ndimage import zoom

    crop = ceil(length / float(factor))
    return zoom(np.eye(crop), (factor, 1), order=1), (length - crop) // 2


@cache
def _matrices(length):
    """`(5, layers, length, length)`: each zoom along one axis, zero where a severity has fewer."""
    layers = max(len(factors) for factors in _FACTORS)
    table = np.zeros((5, layers, length, length), "float32")
    for severity, factors in enumerate(_FACTORS):
        for layer, factor in enumerate(factors):
            matrix, start = zoom_matrix(length, factor)
            table[severity, layer, :, start : start + matrix.shape[1]] = matrix[:length]
    return table


def _zoom(images, severity, parameters):
    height, width = common.static_size(images)
    planes = ops.expand_dims(common.channels_first(images), 2)
    rows = ops.expand_dims(at_severity(_matrices(height), severity), 1)
    columns = ops.expand_dims(at_severity(_matrices(width), severity), 1)
    layers = ops.matmul(ops.matmul(rows, planes), ops.transpose(columns, (0, 1, 2, 4, 3)))
    count = np.array([len(factors) + 1.0 for factors in _FACTORS])
    total = ops.sum(layers, axis=2) + planes[:, :, 0]
    return common.clip(common.channels_last(total / at_severity(count, severity, 3)))


ZOOM_BLUR = Perturbation("zoom_blur", common.draw_nothing, _zoom)
