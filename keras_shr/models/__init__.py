"""Keypoint models."""

from keras_shr.models import weights
from keras_shr.models.optimization import WarmupCosine, default_optimizer
from keras_shr.models.paired import PairedHeatmapModel
from keras_shr.models.pretrained import load_trained, pretrained_names, pretrained_path
from keras_shr.models.regressor import StableHeatmapRegressor

__all__ = [
    "PairedHeatmapModel",
    "StableHeatmapRegressor",
    "WarmupCosine",
    "default_optimizer",
    "load_trained",
    "pretrained_names",
    "pretrained_path",
    "weights",
]
