"""Glass blur."""

from functools import cache

import numpy as np
from keras import ops

from keras_shr import _random
from keras_shr.perturbations import _common as common
from keras_shr.perturbations._common import Perturbation, at_severity
from keras_shr.perturbations._gaussian import smooth

_GLASS = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))  # sigma, reach, passes
_TILE = 256
_MARGIN = 64


def _draw_glass(images, severity, seed):
    """Where each pixel of the shuffled image comes from, as a flat index `(batch, h, w)`."""
    height, width = common.static_size(images)
    count = ops.shape(images)[0]
    corner = _random.integers((count, 2, 1, 1), seed, 0, _TILE)
    rows = ops.reshape(ops.arange(height, dtype="int32"), (-1, 1))
    columns = ops.arange(width, dtype="int32")
    place = ((rows + corner[:, 0]) % _TILE) * _TILE + (columns + corner[:, 1]) % _TILE
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
    sigmas = tuple(row[0] for row in _GLASS)
    planes = smooth(common.channels_first(images), severity, sigmas)
    # The reference shuffles 8-bit values.
    levels = common.channels_last(ops.floor(planes + common.TRUNCATION_SLACK))
    count = ops.shape(images)[0]
    first = ops.reshape(ops.arange(count, dtype="int32") * (height * width), (-1, 1, 1))
    pixels = ops.reshape(levels, (-1, levels.shape[-1]))
    shuffled = ops.take(pixels, parameters["source"] + first, axis=0)
    planes = smooth(common.channels_first(shuffled), severity, sigmas)
    return common.clip(common.channels_last(planes))


GLASS_BLUR = Perturbation("glass_blur", _draw_glass, _glass)
