"""Glass blur."""

from functools import cache

import numpy as np
from keras import ops

from keras_shr import _random
from keras_shr.perturbations import _common as common
from keras_shr.perturbations._common import Perturbation, at_severity

_GLASS = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))  # sigma, reach, passes
_TILE = 256
_MARGIN = 64


def _smooth(planes, severity):
    height, width = planes.shape[2:]
    rows = ops.expand_dims(at_severity(_gaussian_matrices(int(height)), severity), 1)
    columns = ops.expand_dims(at_severity(_gaussian_matrices(int(width)), severity), 1)
    return ops.matmul(rows, ops.matmul(planes, ops.transpose(columns, (0, 1, 3, 2))))


@cache
def _gaussian_matrices(length):
    """`(5, length, length)`: Gaussian smoothing of an axis, border repeated, cut at 4 sigma."""
    table = np.zeros((5, length, length), "float32")
    for matrix, (sigma, _, _) in zip(table, _GLASS, strict=True):
        reach = int(4.0 * sigma + 0.5)
        offsets = np.arange(-reach, reach + 1)
        taps = np.exp(-(offsets**2) / (2 * sigma**2))
        for offset, tap in zip(offsets, taps / taps.sum(), strict=True):
            source = np.clip(np.arange(length) + offset, 0, length - 1)
            np.add.at(matrix, (np.arange(length), source), tap)
    return table


def _draw_glass(images, severity, seed):
    """Where each pixel of the shuffled image comes from, as a flat index `(batch, h, w)`."""
    height, width = common.static_size(images)
    count = ops.shape(images)[0]
    corner = _random.integers((2, count, 1, 1), seed, 0, _TILE)
    rows = np.arange(height, dtype="int32")[:, None]
    columns = np.arange(width, dtype="int32")
    place = ((rows + corner[0]) % _TILE) * _TILE + (columns + corner[1]) % _TILE
    place = place + ops.reshape((severity - 1) * _TILE**2, (-1, 1, 1))
    packed = ops.take(ops.convert_to_tensor(_displacements()), place)
    reach = at_severity(np.array([c[1] for c in _GLASS], "int32"), severity, 2)
    # The reference leaves a margin alone.
    moves = (rows > reach) & (rows <= height - reach) & (columns > reach)
    moves = moves & (columns <= width - reach)
    packed = ops.where(moves, packed, 128 * 256 + 128)
    rows = ops.clip(rows + packed // 256 - 128, 0, height - 1)
    columns = ops.clip(columns + packed % 256 - 128, 0, width - 1)
    return {"source": rows * width + columns}


@cache
def _displacements():
    """The shuffle itself, run once for each severity on a large canvas.

    Every pass visits the pixels from the bottom right to the top left and swaps each with a
    random neighbour; on colour images the reference's swap goes through views of one array, so
    that the visited pixel takes the neighbour's value and the neighbour keeps it. One visit
    depends on those before it, which no parallel device can follow. Far from the border the law
    is the same everywhere, so a random window of one large shuffle is a sample of it.

    Returns:
        int32 `(5 * 256 * 256,)`: (row displacement + 128) * 256 + column displacement + 128.
    """
    rng = np.random.default_rng(20210503)
    size = _TILE + 2 * _MARGIN
    tables = []
    for _, reach, passes in _GLASS:
        source = list(range(size * size))
        for _ in range(passes):
            move = rng.integers(-reach, reach, (2, size * size))
            move = (move[0] * size + move[1]).tolist()
            for row in range(size - reach, reach, -1):
                for place in range(row * size + size - reach, row * size + reach, -1):
                    source[place] = source[place + move[place]]
        window = np.s_[_MARGIN : _MARGIN + _TILE]
        source = np.array(source).reshape(size, size)[window, window]
        place = np.arange(size * size).reshape(size, size)[window, window]
        rows, columns = source // size - place // size, source % size - place % size
        tables.append((np.clip(rows, -128, 127) + 128) * 256 + np.clip(columns, -128, 127) + 128)
    return np.stack(tables).astype("int32").ravel()


def _glass(images, severity, parameters):
    height, width = common.static_size(images)
    planes = _smooth(common.channels_first(images), severity)
    # The reference shuffles 8-bit values.
    smooth = common.channels_last(ops.floor(planes + common.TRUNCATION_SLACK))
    count = ops.shape(images)[0]
    first = ops.reshape(ops.arange(count, dtype="int32") * (height * width), (-1, 1, 1))
    pixels = ops.reshape(smooth, (-1, smooth.shape[-1]))
    shuffled = ops.take(pixels, parameters["source"] + first, axis=0)
    return common.clip(common.channels_last(_smooth(common.channels_first(shuffled), severity)))


GLASS_BLUR = Perturbation("glass_blur", _draw_glass, _glass)
