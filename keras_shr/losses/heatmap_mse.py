"""Mean squared error between heatmaps, the usual heatmap regression loss."""

import keras
from keras import ops

from keras_shr._typing import Tensor
from keras_shr.losses.base import KeypointLoss, has_target


def heatmap_mse(target, heatmaps, scale=1000.0) -> Tensor:
    """`scale * mean over pixels of (heatmap - target)^2` per keypoint.

    Args:
        target: `(batch, height, width, keypoints)`, such as a Gaussian heatmap.
        heatmaps: same shape.
        scale: a Gaussian covers few pixels, so the plain mean is of the order of 0.001.

    Returns:
        `(batch, keypoints)`; 0 where the target is all zero.
    """
    supervised = has_target(target)[:, None, None, :]
    difference = ops.where(supervised, heatmaps - ops.where(supervised, target, 0.0), 0.0)
    return scale * ops.mean(ops.square(difference), axis=(1, 2))


@keras.saving.register_keras_serializable(package="keras_shr")
class HeatmapMSE(KeypointLoss):
    """Loss around `heatmap_mse`: its mean over supervised keypoints.

    `y_true` and `y_pred` are `(batch, height, width, keypoints)`. A keypoint whose target is all
    zero contributes nothing.

    Args:
        scale: factor on the mean, 1000 by default.
        reduction: see `keras_shr.losses.reduce_keypoints`.
        name: the loss's name.
    """

    def __init__(self, scale=1000.0, reduction="mean", name="heatmap_mse"):
        super().__init__(name=name, reduction=reduction)
        self.scale = scale

    def call(self, y_true, y_pred) -> tuple[Tensor, Tensor]:
        return heatmap_mse(y_true, y_pred, self.scale), has_target(y_true)

    def get_config(self) -> dict:
        return super().get_config() | {"scale": self.scale}
