"""Gaussian noise, speckle noise and shot noise."""

from functools import cache

import numpy as np
from keras import ops

from keras_shr import _random
from keras_shr.perturbations._common import Perturbation, at_severity, clip

_GAUSSIAN = (0.08, 0.12, 0.18, 0.26, 0.38)  # standard deviation, in units of 255
_SPECKLE = (0.15, 0.2, 0.35, 0.45, 0.6)  # standard deviation, as a share of the pixel's value
_PHOTONS = (60.0, 25.0, 12.0, 5.0, 3.0)  # expected count of a white pixel
_OUTCOMES = 128  # a count above 127 has a probability of 1e-13 at most


def _draw_gaussian(images, severity, seed):
    return {"noise": _random.normal(ops.shape(images), seed)}


def _gaussian(images, severity, parameters):
    return clip(
        images + parameters["noise"] * at_severity(255.0 * np.array(_GAUSSIAN), severity, 3)
    )


def _speckle(images, severity, parameters):
    return clip(images * (1.0 + parameters["noise"] * at_severity(_SPECKLE, severity, 3)))


def _draw_shot(images, severity, seed):
    return {"uniform": _random.uniform(ops.shape(images), seed)}


def _shot(images, severity, parameters):
    """Poisson counts by Walker's alias method: one look-up for each pixel, exact for 8-bit images.

    Values between two grey levels take the distribution of the nearest level, an error of 1/12
    grey level squared beside a variance of the order of 100.
    """
    # Resampled images reach beyond 0..255, where another severity's part of the table begins.
    level = ops.cast(ops.floor(clip(images) + 0.5), "int32")
    scaled = parameters["uniform"] * _OUTCOMES
    column = ops.floor(scaled)
    row = (ops.reshape(severity - 1, (-1, 1, 1, 1)) * 256 + level) * _OUTCOMES
    entry = ops.take(ops.convert_to_tensor(_alias_table()), row + ops.cast(column, "int32"))
    alias = ops.floor(entry)
    count = ops.where(scaled - column < entry - alias, column, alias)
    return clip(count * (255.0 / at_severity(_PHOTONS, severity, 3)))


@cache
def _alias_table():
    """Alias tables of the Poisson law for each severity and grey level, as one flat array.

    The entry of an outcome is `alias + probability to stay`: the integer part says which other
    outcome shares its column, the fraction how much of the column is its own.
    """
    from scipy.stats import poisson

    rates = np.outer(_PHOTONS, np.arange(256) / 255.0).reshape(-1, 1)
    weight = poisson.pmf(np.arange(_OUTCOMES), rates)
    weight *= _OUTCOMES / weight.sum(axis=1, keepdims=True)
    rows = np.arange(len(weight))
    stay = np.ones_like(weight)
    alias = np.tile(np.arange(_OUTCOMES), (len(weight), 1))
    open_ = weight.copy()
    for _ in range(_OUTCOMES - 1):
        # The emptiest column that is still open is filled up by the fullest one and closed.
        low, high = open_.argmin(axis=1), np.where(np.isinf(open_), -1, open_).argmax(axis=1)
        stay[rows, low] = open_[rows, low]
        alias[rows, low] = high
        open_[rows, high] -= 1.0 - open_[rows, low]
        open_[rows, low] = np.inf
    return (alias + np.clip(stay, 0.0, 1.0 - 2.0**-16)).astype("float32").ravel()


GAUSSIAN_NOISE = Perturbation("gaussian_noise", _draw_gaussian, _gaussian)
SPECKLE_NOISE = Perturbation("speckle_noise", _draw_gaussian, _speckle)
SHOT_NOISE = Perturbation("shot_noise", _draw_shot, _shot)
