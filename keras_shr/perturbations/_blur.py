"""Defocus and motion blur, and the motion kernel that snow uses too."""

from functools import cache

import numpy as np
from keras import ops

from keras_shr import _random
from keras_shr.perturbations import _common as common
from keras_shr.perturbations._common import Perturbation, at_severity

_DEFOCUS = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))  # radius, sigma of the smoothing
_DEFOCUS_REACH = 10
_MOTION = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))  # radius, sigma
_MOTION_TAPS = 2 * 20 + 1
_MOTION_ANGLES = (-45.0, 45.0)  # degrees


def _defocus(images, severity, parameters):
    height, width = common.static_size(images)
    pad = _DEFOCUS_REACH
    size = common.fast_length(height + 2 * pad), common.fast_length(width + 2 * pad)
    # The border of cv2.filter2D: mirrored about the last pixel, which is not repeated.
    # PyTorch mirrors the last two axes only.
    margin = ((0, 0), (0, 0), (pad, pad), (pad, pad))
    padded = ops.pad(common.channels_first(images), margin, mode="reflect")
    planes = common.zero_pad(padded, *size)
    spectrum = ops.expand_dims(at_severity(_disk_spectra(*size), severity), 1)
    planes = common.fft_filter(planes, spectrum)
    planes = planes[:, :, pad : pad + height, pad : pad + width]
    return common.clip(common.channels_last(planes))


@cache
def _disk_spectra(height, width):
    """Real spectra `(5, height, width)` of the disks, centred on the origin."""
    spectra = []
    for radius, sigma in _DEFOCUS:
        reach = max(8, radius)
        x = np.arange(-reach, reach + 1)
        disk = (x**2 + x[:, None] ** 2 <= radius**2).astype("float64")
        disk /= disk.sum()
        # The reference smooths the disk inside its own square, mirrored at the border.
        taps = 3 if radius <= 8 else 5
        smooth = np.exp(-((np.arange(taps) - taps // 2) ** 2) / (2 * sigma**2))
        smooth /= smooth.sum()
        for axis in (0, 1):
            widths = [(0, 0), (0, 0)]
            widths[axis] = (taps // 2, taps // 2)
            padded = np.pad(disk, widths, mode="reflect")
            disk = sum(
                weight * np.take(padded, range(i, i + len(x)), axis)
                for i, weight in enumerate(smooth)
            )
        kernel = np.zeros((height, width))
        kernel[np.ix_(x, x)] = disk
        spectra.append(np.fft.fft2(kernel).real)
    return np.stack(spectra).astype("float32")


def motion_taps(settings):
    """Weights `(5, taps)` of one-sided Gaussian streaks given by (radius, sigma) pairs."""
    longest = max(2 * radius + 1 for radius, _ in settings)
    table = np.zeros((len(settings), longest), "float32")
    for row, (radius, sigma) in zip(table, settings, strict=True):
        taps = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2))
        row[: len(taps)] = taps / taps.sum()
    return table


def motion_filter(planes, weights, angle, limit):
    """Smear planes `(batch, planes, h, w)` along a direction, circularly.

    Args:
        weights: `(batch, taps)`, weight of the point i steps along the line.
        angle: `(batch,)` degrees; the output reads at `+i cos` columns and `+i sin` rows, each
            rounded, which are the reference's integer shifts.
        limit: `(batch, 2)` height and width of the picture in the reference: taps that reach
            further are dropped, as there, and the others not rescaled.
    """
    height, width = (int(n) for n in planes.shape[2:])
    step = ops.convert_to_tensor(np.arange(weights.shape[1], dtype="float32"))
    radians = ops.expand_dims(angle, -1) * (np.pi / 180.0)
    rows = ops.ceil(step * ops.sin(radians) - 0.5)
    columns = ops.ceil(step * ops.cos(radians) - 0.5)
    limit = ops.cast(limit, "float32")
    inside = ops.logical_and(ops.abs(rows) < limit[:, :1], ops.abs(columns) < limit[:, 1:])
    weights = weights * ops.cast(inside, "float32")
    # The spectrum of a few points is a product of two thin matrices of waves.
    row_cos, row_sin = _waves(rows, height)
    column_cos, column_sin = _waves(columns, width)
    row_cos, row_sin = (x * ops.expand_dims(weights, -1) for x in (row_cos, row_sin))
    row_cos, row_sin = (ops.transpose(x, (0, 2, 1)) for x in (row_cos, row_sin))
    columns = ops.concatenate([column_cos, column_sin], axis=1)
    real = ops.matmul(ops.concatenate([row_cos, -row_sin], axis=2), columns)
    imaginary = ops.matmul(ops.concatenate([row_sin, row_cos], axis=2), columns)
    return common.fft_filter(planes, ops.expand_dims(real, 1), ops.expand_dims(imaginary, 1))


def _waves(shift, length):
    """cos and sin, `(batch, taps, length)`, of the spectrum of reading `shift` points further."""
    shift = ops.cast(shift, "int32") + _MOTION_TAPS
    return tuple(ops.take(ops.convert_to_tensor(table), shift, axis=0) for table in _tables(length))


@cache
def _tables(length):
    turn = np.outer(np.arange(-_MOTION_TAPS, _MOTION_TAPS + 1), np.arange(length)) % length
    angle = turn * (2.0 * np.pi / length)
    return np.cos(angle).astype("float32"), np.sin(angle).astype("float32")


def _draw_motion(images, severity, seed):
    return {"angle": _random.uniform((ops.shape(images)[0],), seed, *_MOTION_ANGLES)}


def _motion(images, severity, parameters):
    height, width = common.static_size(images)
    right = _MOTION_TAPS - 1
    up = int(np.ceil(right * np.sin(np.radians(max(_MOTION_ANGLES))))) + 1
    rows = np.clip(np.arange(-up, height + up), 0, height - 1)
    columns = np.clip(np.arange(width + right), 0, width - 1)
    padded = ops.take(ops.take(images, rows, axis=1), columns, axis=2)
    planes = common.zero_pad(
        common.channels_first(padded),
        common.fast_length(len(rows)),
        common.fast_length(len(columns)),
    )
    weights = at_severity(motion_taps(_MOTION), severity)
    limit = ops.tile(ops.convert_to_tensor([[height, width]]), (ops.shape(images)[0], 1))
    planes = motion_filter(planes, weights, parameters["angle"], limit)
    return common.clip(common.channels_last(planes[:, :, up : up + height, :width]))


DEFOCUS_BLUR = Perturbation("defocus_blur", common.draw_nothing, _defocus)
MOTION_BLUR = Perturbation("motion_blur", _draw_motion, _motion)
