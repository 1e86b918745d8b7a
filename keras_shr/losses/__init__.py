"""Losses on heatmaps; each is a pure function with a thin Keras class around it."""

from keras_shr.losses.base import reduce_keypoints
from keras_shr.losses.heatmap_mse import HeatmapMSE, heatmap_mse
from keras_shr.losses.stability import (
    MaximumStabilityLoss,
    StabilityLoss,
    maximum_stability,
    stability,
)
from keras_shr.losses.weighted_multi_label_ce import WeightedMultiLabelCE, weighted_multi_label_ce

__all__ = [
    "HeatmapMSE",
    "MaximumStabilityLoss",
    "StabilityLoss",
    "WeightedMultiLabelCE",
    "heatmap_mse",
    "maximum_stability",
    "reduce_keypoints",
    "stability",
    "weighted_multi_label_ce",
]
