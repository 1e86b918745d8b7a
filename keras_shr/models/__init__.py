"""Keypoint models."""

from keras_shr.models import weights
from keras_shr.models.optimization import WarmupCosine, default_optimizer
from keras_shr.models.paired import PairedHeatmapModel
from keras_shr.models.regressor import StableHeatmapRegressor

__all__ = [
    "PairedHeatmapModel",
    "StableHeatmapRegressor",
    "WarmupCosine",
    "default_optimizer",
    "weights",
]
