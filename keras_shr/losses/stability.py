"""Losses that ask the heatmap of a perturbed image to stay like that of the clean one."""

import keras
from keras import ops

from keras_shr._typing import Tensor
from keras_shr.heatmaps import peak_index, values_at
from keras_shr.losses.base import KeypointLoss


def maximum_stability(clean, perturbed) -> Tensor:
    """`sum(d^2) / (H * W) + d_peak^2` per keypoint, eq. 9 of Zhang et al. 2022.

    d = perturbed - clean and d_peak is its value at the clean map's highest pixel. The second term
    is what Theorem 3 asks for: only the peak has to keep its lead, not every pixel its value.

    Args:
        clean: `(batch, height, width, keypoints)`, max-normalised maps of the clean images.
        perturbed: same shape, of the perturbed images.

    Returns:
        `(batch, keypoints)`.
    """
    d = perturbed - clean
    height, width, keypoints = clean.shape[1:]
    index = peak_index(ops.reshape(clean, (-1, height * width, keypoints)))
    flat = ops.reshape(d, (-1, height * width, keypoints))
    at_peak = values_at(flat, index[:, None, :], axis=1)[:, 0]
    return ops.mean(ops.square(d), axis=(1, 2)) + ops.square(at_peak)


def stability(clean, perturbed) -> Tensor:
    """`||perturbed - clean||_2` per keypoint: ordinary stability training on maps.

    Source: Zheng et al., Improving the Robustness of Deep Neural Networks via Stability Training,
    CVPR 2016. The norm is not squared; its gradient at 0 is taken as 0.

    Args:
        clean: `(batch, height, width, keypoints)`.
        perturbed: same shape.

    Returns:
        `(batch, keypoints)`.
    """
    squared = ops.sum(ops.square(perturbed - clean), axis=(1, 2))
    positive = squared > 0
    return ops.where(positive, ops.sqrt(ops.where(positive, squared, 1.0)), 0.0)


@keras.saving.register_keras_serializable(package="keras_shr")
class MaximumStabilityLoss(KeypointLoss):
    """Loss around `maximum_stability`: its mean over supervised keypoints.

    `y_true` is the **clean** map, whose peak counts, and `y_pred` the perturbed one, both
    `(batch, height, width, keypoints)` and max-normalised. It needs no labels; pass
    `sample_weight` `(batch, keypoints)` to leave unlabelled keypoints out.

    Args:
        stop_gradient: treat the clean map as a constant, so that only the perturbed side learns.
        reduction: see `keras_shr.losses.reduce_keypoints`.
        name: the loss's name.
    """

    def __init__(self, stop_gradient=False, reduction="mean", name="maximum_stability"):
        super().__init__(name=name, reduction=reduction)
        self.stop_gradient = stop_gradient

    _values = staticmethod(maximum_stability)

    def call(self, y_true, y_pred) -> tuple[Tensor, Tensor]:
        if self.stop_gradient:
            y_true = ops.stop_gradient(y_true)
        values = self._values(y_true, y_pred)
        return values, ops.ones_like(values, dtype="bool")

    def get_config(self) -> dict:
        return super().get_config() | {"stop_gradient": self.stop_gradient}


@keras.saving.register_keras_serializable(package="keras_shr")
class StabilityLoss(MaximumStabilityLoss):
    """Loss around `stability` (Zheng et al. 2016), called like `MaximumStabilityLoss`.

    Args:
        stop_gradient, reduction: see `MaximumStabilityLoss`.
        name: the loss's name.
    """

    def __init__(self, stop_gradient=False, reduction="mean", name="stability"):
        super().__init__(stop_gradient=stop_gradient, reduction=reduction, name=name)

    _values = staticmethod(stability)
