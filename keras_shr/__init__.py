"""Stable heatmap regression for Keras 3: keypoints that stay put under blur, noise and compression.

Importing the package registers its layers, losses, metrics and models, so that
`keras.saving.load_model` finds them.
"""

from keras_shr import _started  # noqa: F401  # isort: skip

from keras_shr import (
    callbacks,
    data,
    heatmaps,
    layers,
    losses,
    methods,
    metrics,
    models,
    perturbations,
)
from keras_shr.errors import DataError, KerasShrError
from keras_shr.prediction import Predictor
from keras_shr.skeletons import HAND_21, Skeleton

__version__ = "0.1.0"

__all__ = [
    "HAND_21",
    "DataError",
    "KerasShrError",
    "Predictor",
    "Skeleton",
    "callbacks",
    "data",
    "heatmaps",
    "layers",
    "losses",
    "methods",
    "metrics",
    "models",
    "perturbations",
]
