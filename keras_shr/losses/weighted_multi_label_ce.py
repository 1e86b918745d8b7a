"""Weighted multi-label cross-entropy on spatial distributions (eq. 8)."""

import keras
from keras import ops

from keras_shr._typing import Tensor
from keras_shr.losses.base import KeypointLoss, has_target

# Bounds the gradient 1/p. A pixel below it is still raised by the normaliser's gradient.
_SMALLEST_PROBABILITY = 1e-24


def weighted_multi_label_ce(target, heatmaps, from_logits=False, normalize_weights=True) -> Tensor:
    """`-sum(w * y * log r)` per keypoint, eq. 8 of Zhang et al. 2022.

    w is the highly differentiated heatmap, y the multi-label map (1 where w > 0) and r the
    predicted map as a distribution over pixels: a non-negative map divided by its **sum**, or the
    spatial softmax of logits. Divided by its maximum instead, a constant map would reach loss 0.

    Args:
        target: `(batch, height, width, keypoints)`, the highly differentiated heatmap.
        heatmaps: same shape: non-negative maps, or logits.
        from_logits: whether `heatmaps` are logits. Without it the loss of a map with negative
            values is NaN: it is no distribution, and would teach nothing without a word.
        normalize_weights: divide by the sum of w (51.03 for alpha 0.7 and threshold 8), so that the
            loss does not grow with the target's area. `False` is eq. 8 to the letter.

    Returns:
        `(batch, keypoints)`; 0 where the target is all zero.
    """
    target = ops.where(has_target(target)[:, None, None, :], target, 0.0)
    if from_logits:
        highest = ops.stop_gradient(ops.max(heatmaps, axis=(1, 2), keepdims=True))
        shifted = heatmaps - highest
        log_r = shifted - ops.log(ops.sum(ops.exp(shifted), axis=(1, 2), keepdims=True))
    else:
        total = ops.sum(heatmaps, axis=(1, 2), keepdims=True)
        r = heatmaps / ops.where(total > 0, total, 1.0)
        log_r = ops.log(ops.maximum(r, _SMALLEST_PROBABILITY))
    loss = -ops.sum(ops.where(target > 0, target * log_r, 0.0), axis=(1, 2))
    if normalize_weights:
        loss = ops.divide_no_nan(loss, ops.sum(target, axis=(1, 2)))
    if from_logits:
        return loss
    lowest = ops.stop_gradient(ops.min(heatmaps, axis=(1, 2)))
    return ops.where(lowest < 0, float("nan"), loss)


@keras.saving.register_keras_serializable(package="keras_shr")
class WeightedMultiLabelCE(KeypointLoss):
    """Loss around `weighted_multi_label_ce`: its mean over supervised keypoints.

    `y_true` is the highly differentiated heatmap and `y_pred` the non-negative output map (or
    logits), both `(batch, height, width, keypoints)`. A keypoint whose target is all zero
    (unlabelled, out of frame, NaN) contributes nothing. `sample_weight` is `(batch,)` or
    `(batch, keypoints)`.

    Args:
        from_logits: whether `y_pred` are logits; the loss of negative maps is NaN without it.
        normalize_weights: see `weighted_multi_label_ce`.
        reduction: see `keras_shr.losses.reduce_keypoints`.
        name: the loss's name.
    """

    def __init__(
        self,
        from_logits=False,
        normalize_weights=True,
        reduction="mean",
        name="weighted_multi_label_ce",
    ):
        super().__init__(name=name, reduction=reduction)
        self.from_logits = from_logits
        self.normalize_weights = normalize_weights

    def call(self, y_true, y_pred) -> tuple[Tensor, Tensor]:
        values = weighted_multi_label_ce(y_true, y_pred, self.from_logits, self.normalize_weights)
        return values, has_target(y_true)

    def get_config(self) -> dict:
        return super().get_config() | {
            "from_logits": self.from_logits,
            "normalize_weights": self.normalize_weights,
        }
