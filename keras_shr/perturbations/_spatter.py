"""Spatter: drops of water (severities 1 to 3) or splashes of mud (4 and 5).

Both come from smoothed noise, cut at a threshold. The look of the water is the reference's own: its
outline by Canny's method, the distance to the outline, that distance equalised, embossed and
smoothed. Nothing is approximated: with the reference's noise one pixel in some thousands differs,
by a rounding. Where float32 is multiplied as TensorFloat-32 a few more pixels fall on the other
side of the threshold, 0.2 grey levels in the mean (simulated at 256 x 256).
"""

from functools import partial

import numpy as np
from keras import ops

from keras_shr import _random
from keras_shr.perturbations import _common as common
from keras_shr.perturbations import _opencv as opencv
from keras_shr.perturbations._common import Perturbation, at_severity
from keras_shr.perturbations._gaussian import smooth

# Mean and deviation of the noise, sigma of its smoothing, threshold.
_FIELD = (
    (0.65, 0.3, 4.0, 0.69),
    (0.65, 0.3, 3.0, 0.68),
    (0.65, 0.3, 2.0, 0.68),
    (0.65, 0.3, 1.0, 0.65),
    (0.67, 0.4, 1.0, 0.65),
)
_LAST_WATER = 3  # severity
_CANNY = (50.0, 150.0)
_FAR = 20.0
_WATER_STRENGTH = (0.6, 0.6, 0.5, 0.0, 0.0)
_EMBOSS = (2.0, 1.0)  # weights of the corners and of the sides
_WATER = (175.0, 238.0, 238.0)
_MUD_SIGMA = 1.5
_MUD_CUT = 0.8
_MUD = (63.0, 42.0, 20.0)


def _column(index):
    return tuple(row[index] for row in _FIELD)


def _draw_spatter(images, severity, seed):
    """The noise before smoothing, `(batch, height, width)`, with the severity's own law."""
    height, width = common.static_size(images)
    mean, deviation = (at_severity(_column(i), severity, 2) for i in range(2))
    shape = (ops.shape(images)[0], height, width)
    return {"noise": _random.normal(shape, seed, mean, deviation)}


def _smooth(noise, severity, sigmas):
    return smooth(ops.expand_dims(noise, 1), severity, sigmas)[:, 0]


def _add_water(images, field, severity):
    """A picture without a drop is black in the reference, which divides 0 by 0 there."""
    depth = ops.where(field < at_severity(_column(3), severity, 2), 0.0, ops.floor(255.0 * field))
    distance = opencv.chamfer_distance(opencv.canny(depth, *_CANNY), _FAR)
    levels = ops.floor(opencv.box_sum(distance) / 9.0)
    shade = opencv.equalise(levels, int(_FAR) + 1)
    shade = ops.clip(_emboss(shade), 0.0, 255.0)
    water = depth * ops.round(opencv.box_sum(shade) / 9.0)
    most = ops.max(water, axis=(1, 2), keepdims=True)
    water = water * (at_severity(_WATER_STRENGTH, severity, 2) / ops.maximum(most, 1.0))
    images = images * ops.expand_dims(ops.cast(most > 0.0, "float32"), -1)
    return ops.minimum(images + _coloured(water, _WATER), 255.0)


def _emboss(shade):
    """Light from the top left: the weights are [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]."""
    at = opencv.around(shade, 1, mode="reflect")
    sides = (at(0, 1) - at(0, -1)) + (at(1, 0) - at(-1, 0))
    return shade + _EMBOSS[0] * (at(1, 1) - at(-1, -1)) + _EMBOSS[1] * sides


def _add_mud(images, field, severity):
    splash = ops.cast(field > at_severity(_column(3), severity, 2), "float32")
    mud = _smooth(splash, severity, (_MUD_SIGMA,) * 5)
    mud = ops.where(mud < _MUD_CUT, 0.0, mud)
    return images * ops.expand_dims(1.0 - mud, -1) + _coloured(mud, _MUD)


def _coloured(layer, colour):
    """`(batch, h, w)` times a colour: as a product of matrices, which TensorFlow does sooner."""
    colour = ops.convert_to_tensor(np.array([colour], "float32"))
    coloured = ops.matmul(ops.reshape(layer, (-1, 1)), colour)
    return ops.reshape(coloured, (-1, *layer.shape[1:], 3))


def _spatter(images, severity, parameters):
    field = _smooth(parameters["noise"], severity, _column(2))
    is_water = severity <= _LAST_WATER
    branches = [partial(branch, images, field, severity) for branch in (_add_water, _add_mud)]
    if severity.shape[0] == 1:
        return ops.cond(is_water[0], *branches)
    water, mud = (branch() for branch in branches)
    return ops.where(ops.reshape(is_water, (-1, 1, 1, 1)), water, mud)


def _apply(images, severity, parameters):
    return common.by_image(_spatter, images, severity, parameters)


SPATTER = Perturbation("spatter", _draw_spatter, _apply)
