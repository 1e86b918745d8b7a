"""JPEG compression, as Pillow saves and loads an image with libjpeg-turbo's default settings.

Baseline JPEG (ITU-T T.81) of 8-bit samples: YCbCr (JFIF), colour at half the resolution both ways
(4:2:0), 8x8 DCT, quantisation, and all of it back. Entropy coding loses nothing and is left out.
The decoder is where codecs differ, so libjpeg's integer arithmetic is followed: every step is a
product with a constant matrix, exact or nearly so in float32, and libjpeg's rounding after it. On
a CPU the result is the reference's picture, pixel by pixel, but for a rare rounding. Where float32
is multiplied as TensorFloat-32 the mean difference is some hundredths of a grey level (simulated):
one factor of most products is a small integer, which that format holds.

All tensors keep the order of the image in memory, because moving pixels costs more than
multiplying them: rows of blocks are cut by reshaping, columns belong to the product's last axis.
"""

from functools import cache

import numpy as np
from keras import ops

from keras_shr.perturbations import _common as common
from keras_shr.perturbations._common import Perturbation, at_severity

_QUALITY = (25, 18, 15, 10, 7)
# T.81, tables K.1 and K.2.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *4 * ((99,) * 8,),
)
# sqrt(8) times the DCT in units of 2^-13: frequency by sample, the first four of eight, the rest
# being their mirror image with the sign of (-1)^frequency. These are the sums of the rounded
# constants of libjpeg's "islow" transform, so a few are one off the nearest integer.
_DCT = (
    (8192, 8192, 8192, 8192),
    (11363, 9633, 6437, 2260),
    (10703, 4433, -4433, -10703),
    (9633, -2259, -11362, -6436),
    (8192, -8192, -8192, 8192),
    (6437, -11362, 2261, 9633),
    (4433, -10704, 10704, -4433),
    (2260, -6436, 9633, -11363),
)
_TO_YCC = np.array(((19595, 38470, 7471), (-11059, -21709, 32768), (32768, -27439, -5329))) / 2**16
_TO_RGB = np.array(((2**16, 0, 91881), (2**16, -22554, -46802), (2**16, 116130, 0))) / 2**16
_TRIANGLE = (3, 1)  # weights of the nearest and the next colour sample, in quarters


@cache
def quantisation_tables():
    """float32 `(5, 2, 8, 8)`: by severity, luminance and chrominance, vertical, horizontal.

    The standard's tables scaled by libjpeg's formula for a quality below 50.
    """
    standard = np.array([_LUMINANCE, _CHROMINANCE])
    scale = np.array([5000 // quality for quality in _QUALITY]).reshape(-1, 1, 1, 1)
    return np.clip((standard * scale + 50) // 100, 1, 255).astype("float32")


@cache
def _matrices():
    """The constant matrices, each acting on eight or sixteen pixels side by side.

    Interleaved pixels (RGB RGB ...) become planes ([eight Cb | eight Cr]) and back, so that no
    transpose is needed. The matrices are small, and mostly zero for that.
    """
    half = np.array(_DCT, "float64")
    sign = (-1.0) ** np.arange(8)[:, None]
    dct = np.concatenate([half, sign * half[:, ::-1]], axis=1)
    one, two = np.eye(8), np.eye(2)
    pair = np.repeat(np.eye(8), 2, axis=0)  # 16 columns, added in pairs
    # Nearest and next sample of the triangle filter, in a row of 8 with both neighbours.
    pixel = np.arange(16)
    triangle = np.zeros((16, 10))
    triangle[pixel, 1 + pixel // 2] = _TRIANGLE[0]
    triangle[pixel, np.where(pixel % 2, 2, 0) + pixel // 2] = _TRIANGLE[1]
    # (Cb 10 | Cr 10) -> two times (Cb 8 | Cr 8)
    widen = np.einsum("ghs,ab->asgbh", triangle.reshape(2, 8, 10), two)
    # Two times (Cb 8 | Cr 8) -> (Cb 8 | Cr 8)
    narrow = np.einsum("gpn,ab->gapbn", pair.reshape(2, 8, 8), two)
    matrices = {
        "rows_forward": dct.T / 2**11,
        "columns_forward": dct / 2**15,
        "columns_inverse": dct.T / 2**11,
        "rows_inverse": dct / 2**18,
        "luminance": np.einsum("pq,oc->pcoq", one, _TO_YCC[:1]).reshape(24, 8),
        "chrominance": np.einsum("pq,oc->pcoq", one, _TO_YCC[1:]).reshape(24, 16),
        "from_luminance": np.einsum("pq,oc->cpqo", one, _TO_RGB[:, :1]).reshape(8, 24),
        "from_chrominance": np.einsum("pq,oc->cpqo", one, _TO_RGB[:, 1:]).reshape(16, 24),
        "narrow": narrow.reshape(32, 16) / 4,
        "triangle": triangle,
        "widen": widen.reshape(20, 32) / 16,
    }
    return {name: matrix.astype("float32") for name, matrix in matrices.items()}


def _right(x, name):
    """The last axis, cut in groups of the matrix's height, times the matrix: `(groups, width)`."""
    matrix = _matrices()[name]
    return ops.matmul(ops.reshape(x, (-1, len(matrix))), matrix)


def _left(name, x):
    return ops.matmul(_matrices()[name], x)


def _in_turn(even, odd, count):
    """What is added before rounding down: one number in even columns, another in odd ones."""
    return ops.convert_to_tensor(np.tile(np.array([even, odd], "float32"), count))


def _half_up(x):
    return ops.floor(x + 0.5)


def _code(samples, table, offset):
    """Transform, quantise and return: samples `(batch, strips, 8, width)` around zero.

    A strip is a row of blocks. `offset`, 128 or 0, is added in the end; the samples that come back
    have the range of 8 bits that goes with it.
    """
    shape = samples.shape
    table = ops.tile(ops.expand_dims(table, 1), (1, 1, 1, shape[3] // 8))
    rows = ops.reshape(_half_up(_right(samples, "rows_forward")), (-1, *shape[2:]))
    levels = ops.reshape(_half_up(_left("columns_forward", rows)), (-1, *shape[1:]))
    # The transform is 8 times too large. Ties go away from zero, as the excess makes sure.
    levels = ops.round(levels * ((1.0 + 1e-6) / 8.0 / table)) * table
    columns = _half_up(_left("columns_inverse", ops.reshape(levels, (-1, *shape[2:]))))
    samples = ops.floor(_right(columns, "rows_inverse") + (offset + 0.5))
    return ops.clip(samples, offset - 128.0, offset + 127.0)


def _halve(chrominance, height, width):
    """Mean of 2x2, rounded down and up by turns along a row: two planes at half the size.

    Gives `(batch, rows / 2, width)`, a row being groups of (eight Cb | eight Cr).
    """
    pairs = ops.sum(ops.reshape(chrominance, (-1, 2, 2 * width)), axis=1)
    mean = ops.floor(_right(pairs, "narrow") + _in_turn(1 / 4, 2 / 4, 8))
    mean = ops.reshape(mean, (-1, _whole(height) // 2, width))
    # Below the image libjpeg repeats the last mean, not the last row of pixels.
    return _extend(mean, (height + 1) // 2, mean.shape[1], axis=1)


def _double(chrominance, height, width):
    """libjpeg's "fancy" upsampling: 3/4 of the nearest sample, 1/4 of the next, both ways.

    Ties are rounded up in even columns and down in odd ones. From `(batch, rows / 2, groups, 2,
    8)` to two groups of (eight Cb | eight Cr) for each group. Beyond the image its last sample is
    repeated, which may lie inside a block.
    """
    last = _extend(chrominance[:, :, -1:], ((width + 1) // 2 - 1) % 8 + 1, 8, axis=4)
    body = chrominance[:, :, :-1]
    groups = chrominance.shape[2]
    middle = ops.concatenate([body, last], axis=2)
    left = ops.concatenate([middle[:, :, :1, :, :1], body[..., 7:]], axis=2)
    right = ops.concatenate([middle[:, :, 1:, :, :1], last[..., 7:]], axis=2)
    rows = ops.concatenate([left, middle, right], axis=4)
    rows = ops.reshape(rows, (-1, chrominance.shape[1], groups * 20))
    near = np.arange(-1, 9) + 8 * np.arange(chrominance.shape[1] // 8)[:, None]
    near = np.clip(near, 0, (height + 1) // 2 - 1).astype("int32")
    rows = ops.reshape(ops.take(rows, near.ravel(), axis=1), (-1, 10, groups * 20))
    return ops.floor(_right(_left("triangle", rows), "widen") + _in_turn(8 / 16, 7 / 16, 16))


def _whole(length):
    """Up to a whole number of 16, the pixels that share a chrominance block."""
    return -(-length // 16) * 16


def _extend(x, length, whole, axis):
    """The first `length` places of an axis, the last of them repeated up to `whole`."""
    if x.shape[axis] == length == whole:
        return x
    return ops.take(x, np.minimum(np.arange(whole), length - 1), axis=axis)


def _jpeg(images, severity, parameters):
    """The colour conversion rounds, so float images need not be rounded first."""
    height, width = common.static_size(images)
    tall, wide = _whole(height), _whole(width)
    images = _extend(_extend(images, height, tall, axis=1), width, wide, axis=2)
    tables = at_severity(quantisation_tables(), severity)
    # Half of a level is rounded up in luminance and down in chrominance.
    luminance = ops.floor(_right(images, "luminance") - 127.5)
    luminance = ops.reshape(luminance, (-1, tall // 8, 8, wide))
    luminance = _code(luminance, tables[:, 0], 128.0)
    chrominance = _halve(ops.ceil(_right(images, "chrominance") - 0.5), height, wide)
    chrominance = ops.reshape(chrominance, (-1, tall // 16, 8, wide))
    chrominance = _code(chrominance, tables[:, 1], 0.0)
    chrominance = ops.reshape(chrominance, (-1, tall // 2, wide // 16, 2, 8))
    chrominance = _double(chrominance, height, width)
    pixels = _right(chrominance, "from_chrominance") + _right(luminance + 0.5, "from_luminance")
    pixels = ops.reshape(common.clip(ops.floor(pixels)), (-1, tall, wide, 3))
    return pixels[:, :height, :width]


JPEG_COMPRESSION = Perturbation("jpeg_compression", common.draw_nothing, _jpeg)
