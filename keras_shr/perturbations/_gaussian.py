"""Gaussian smoothing of pictures, as `skimage.filters.gaussian` does it, and Gaussian blur."""

from functools import cache
from itertools import pairwise

import numpy as np
from keras import ops

from keras_shr.perturbations import _common as common
from keras_shr.perturbations._common import Perturbation, at_severity

_BLUR = (1.0, 2.0, 3.0, 4.0, 6.0)  # sigma
_TRUNCATE = 4.0  # the filter ends at this many sigma
_BLOCK = 128


def smooth(planes, severity, sigmas):
    """Smooth planes `(batch, planes, h, w)` by a Gaussian, the border pixels being repeated.

    Args:
        severity: int32 `(batch,)`.
        sigmas: tuple of five standard deviations in pixels, one for each severity.

    Where float32 is multiplied as TensorFloat-32, grey levels come out 0.05 off in the mean
    (simulated at 256 x 256).
    """
    # A filter whose width differs from image to image is a product with a band of a matrix. Cut
    # into blocks, most of what is outside the band is left out.
    parts = []
    for out, source in _blocks(int(planes.shape[3]), sigmas):
        columns = at_severity(_matrices(int(planes.shape[3]), sigmas)[:, out, source], severity)
        columns = ops.expand_dims(ops.transpose(columns, (0, 2, 1)), 1)
        parts.append(ops.matmul(planes[:, :, :, source], columns))
    planes = ops.concatenate(parts, axis=3)
    parts = []
    for out, source in _blocks(int(planes.shape[2]), sigmas):
        rows = at_severity(_matrices(int(planes.shape[2]), sigmas)[:, out, source], severity)
        parts.append(ops.matmul(ops.expand_dims(rows, 1), planes[:, :, source]))
    return ops.concatenate(parts, axis=2)


def _reach(sigmas):
    return int(_TRUNCATE * max(sigmas) + 0.5)


def _blocks(length, sigmas):
    """Slices of the output along an axis, and of the input that each is computed from."""
    count = max(1, round(length / _BLOCK))
    edges = [length * i // count for i in range(count + 1)]
    reach = _reach(sigmas)
    return [
        (slice(start, stop), slice(max(0, start - reach), min(length, stop + reach)))
        for start, stop in pairwise(edges)
    ]


@cache
def _matrices(length, sigmas):
    """`(5, length, length)`: the smoothing of an axis as a matrix, for each sigma."""
    table = np.zeros((len(sigmas), length, length), "float32")
    for matrix, sigma in zip(table, sigmas, strict=True):
        reach = _reach((sigma,))
        offsets = np.arange(-reach, reach + 1)
        taps = np.exp(-(offsets**2) / (2 * sigma**2))
        for offset, tap in zip(offsets, taps / taps.sum(), strict=True):
            source = np.clip(np.arange(length) + offset, 0, length - 1)
            np.add.at(matrix, (np.arange(length), source), tap)
    return table


def _blur(images, severity, parameters):
    planes = smooth(common.channels_first(images), severity, _BLUR)
    return common.clip(common.channels_last(planes))


GAUSSIAN_BLUR = Perturbation("gaussian_blur", common.draw_nothing, _blur)
