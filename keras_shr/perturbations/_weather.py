"""Snow and frost."""

from functools import cache
from math import ceil

import numpy as np
from keras import ops

from keras_shr import _random
from keras_shr.perturbations import _common as common
from keras_shr.perturbations import _frost_pictures
from keras_shr.perturbations._blur import motion_filter, motion_taps
from keras_shr.perturbations._common import Perturbation, at_severity
from keras_shr.perturbations._zoom import zoom_matrix

# Mean and deviation of the noise, its zoom, threshold, radius and sigma of the streaks, and how
# much of the colour is left.
_SNOW = (
    (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
    (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
    (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
    (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
    (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
)
_SNOW_REACH = 24  # the longest streak
_SNOW_SIDE = 17  # how far it reaches sideways
_SNOW_ANGLES = (-135.0, -45.0)  # degrees
_GREY = (0.299, 0.587, 0.114)
_PALE = (1.5, 127.5)  # factor and addition that turn grey into the pale colour under snow
_FROST = ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))  # weights: image, frost


def _column(index):
    return np.array([row[index] for row in _SNOW])


def _draw_snow(images, severity, seed):
    """Flakes before zooming: standard normal `(batch, ceil(h / 2), ceil(w / 2))`, and the wind.

    A severity that zooms by more than 2 uses the top left part only.
    """
    height, width = common.static_size(images)
    flakes, wind = _random.split(seed, 2)
    count = ops.shape(images)[0]
    return {
        "noise": _random.normal((count, ceil(height / 2), ceil(width / 2)), flakes),
        "angle": _random.uniform((count,), wind, *_SNOW_ANGLES),
    }


@cache
def _flake_matrices(length, before, after):
    """Zoom matrices `(5, before + length + after, ceil(length / 2))`, borders repeated.

    Also the lengths `(5,)` of the zoomed axis, which may exceed `length` a little.
    """
    table = np.zeros((5, before + length + after, ceil(length / 2)), "float32")
    lengths = []
    for rows, factor in zip(table, _column(2), strict=True):
        matrix, _ = zoom_matrix(length, factor)
        lengths.append(len(matrix))
        picked = np.clip(np.arange(-before, length + after), 0, len(matrix) - 1)
        rows[:, : matrix.shape[1]] = matrix[picked]
    return table, np.array(lengths, "int32")


def _snow(images, severity, parameters):
    height, width = common.static_size(images)
    rows, heights = _flake_matrices(height, _SNOW_REACH, 0)
    columns, widths = _flake_matrices(width, _SNOW_SIDE, _SNOW_SIDE)
    noise = parameters["noise"] * at_severity(_column(1), severity, 2)
    noise = noise + at_severity(_column(0), severity, 2)
    layer = ops.matmul(at_severity(rows, severity), noise)
    layer = ops.matmul(layer, ops.transpose(at_severity(columns, severity), (0, 2, 1)))
    layer = ops.where(layer < at_severity(_column(3), severity, 2), 0.0, layer)
    layer = ops.clip(layer, 0.0, 1.0)
    # Two strips, one above the other, share a transform half as high.
    half = (height + 1) // 2
    strips = [layer[:, start : start + half + _SNOW_REACH] for start in (0, height - half)]
    strips = ops.stack(strips, axis=1)
    strips = common.zero_pad(strips, *(common.fast_length(int(n)) for n in strips.shape[2:]))
    strips = motion_filter(
        strips,
        at_severity(motion_taps([row[4:6] for row in _SNOW]), severity),
        parameters["angle"],
        at_severity(np.stack([heights, widths], 1), severity),
    )
    strips = strips[:, :, _SNOW_REACH : _SNOW_REACH + half, _SNOW_SIDE : _SNOW_SIDE + width]
    layer = ops.concatenate([strips[:, 0], strips[:, 1, 2 * half - height :]], axis=1)
    layer = ops.round(layer * 255.0)
    layer = ops.expand_dims(layer + ops.flip(ops.flip(layer, axis=1), axis=2), -1)
    weights = ops.convert_to_tensor(np.array(_GREY, "float32"))
    grey = ops.sum(images * weights, axis=-1, keepdims=True)
    keep = at_severity(_column(6), severity, 3)
    pale = ops.maximum(images, _PALE[0] * grey + _PALE[1])
    return common.clip(keep * images + (1.0 - keep) * pale + layer)


def _draw_frost(images, severity, seed):
    """Which picture, and the top left corner of the window in it, all `(batch,)`."""
    height, width = common.static_size(images)
    _, sizes, _ = _frost_pictures.atlas(height, width)
    count = ops.shape(images)[0]
    which, corner = _random.split(seed, 2)
    picture = _random.integers((count,), which, 0, len(sizes))
    room = ops.take(ops.convert_to_tensor(sizes - np.array([height, width])), picture, axis=0)
    corner = _random.integers((count, 2), corner, 0, ops.cast(room, "int32"))
    return {"picture": picture, "top": corner[:, 0], "left": corner[:, 1]}


def _frost(images, severity, parameters):
    height, width = common.static_size(images)
    pixels, sizes, starts = _frost_pictures.atlas(height, width)
    picture = parameters["picture"]
    stride = ops.reshape(ops.take(sizes[:, 1].astype("int32"), picture), (-1, 1, 1))
    first = ops.reshape(ops.take(starts.astype("int32"), picture), (-1, 1, 1))
    rows = ops.reshape(ops.arange(height, dtype="int32"), (-1, 1))
    rows = ops.reshape(parameters["top"], (-1, 1, 1)) + rows
    columns = ops.reshape(parameters["left"], (-1, 1, 1)) + ops.arange(width, dtype="int32")
    frost = ops.take(ops.convert_to_tensor(pixels), first + rows * stride + columns, axis=0)
    image_weight, frost_weight = (
        at_severity([row[i] for row in _FROST], severity, 3) for i in range(2)
    )
    return common.clip(image_weight * images + frost_weight * ops.cast(frost, "float32"))


SNOW = Perturbation("snow", _draw_snow, _snow)
FROST = Perturbation("frost", _draw_frost, _frost)
