"""How far predictions move when the image is perturbed: R, stable-at-P and RUC.

All are updated with the keypoints predicted for clean images (as `y_true`) and for their perturbed
copies (as `y_pred`), each `(batch, keypoints, 2 or 3)`; a third column is a score and is not looked
at. No labels are needed; `sample_weight` `(batch,)` or `(batch, keypoints)` masks. A network that
always answers the same point has R = 0 and RUC = 1: never show them without an AUC.
"""

import keras
from keras import ops

from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError
from keras_shr.metrics._accumulate import AccumulatedMean
from keras_shr.metrics._arrays import ratio, spread_weights, weighted_sum
from keras_shr.metrics._curves import STABILITY_THRESHOLDS, weight_within
from keras_shr.metrics._keypoints import WORST_DISTANCE, check_scale
from keras_shr.metrics.functional import displacements

_INF = float("inf")


class _Stability(AccumulatedMean):
    def __init__(self, scale, worst, name, dtype, thresholds=None):
        super().__init__(name, dtype, shape=None)
        self.scale = check_scale(scale)
        self.worst = float(worst)
        self._make_state(() if thresholds is None else (len(thresholds),), count_shape=())

    def _moved(self, clean, perturbed, sample_weight):
        moved = displacements(clean, perturbed, scale=self.scale, worst=self.worst)
        return moved, spread_weights(sample_weight, moved)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="keras_shr")
class R(_Stability):
    """The paper's R (eq. 10, taken as a mean): squared displacement of the prediction, in px².

    `R = Σ w·‖ŷ(x') − ŷ(x)‖² / Σ w` over images, keypoints, kinds and severities.

    Args:
        scale: factor from image px to reported px, such as 256 / image size (R grows with its
            square).
        worst: px that a pair with a NaN or Inf prediction counts as having moved.
        name: defaults to `"R"`.
        dtype: has no effect: sums are float32 pairs (float64 under floatx float64).

    Example:

    >>> metric = R(scale=256 / 128)
    >>> metric.update_state([[[10, 10], [20, 20]]], [[[13, 14], [20, 20]]])
    >>> float(metric.result())  # (2 * 5 px)² and 0
    50.0
    """

    def __init__(self, scale=1.0, worst=WORST_DISTANCE, name="R", dtype=None):
        super().__init__(scale, worst, name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        moved, weights = self._moved(y_true, y_pred, sample_weight)
        self._add(weighted_sum(moved * moved, weights), ops.sum(weights))

    def get_config(self) -> dict:
        return {**super().get_config(), "worst": self.worst}


@keras.saving.register_keras_serializable(package="keras_shr")
class StableAtP(_Stability):
    """Share of keypoints that move at most `p` px, 0 to 1.

    Args:
        p: px.
        scale: factor from image px to reported px, such as 256 / image size.
        name: defaults to `"stable_at_5"` for p = 5.
        dtype: has no effect: sums are float32 pairs (float64 under floatx float64).

    A pair with a NaN or Inf prediction is never stable.
    """

    def __init__(self, p, scale=1.0, name=None, dtype=None):
        if not p >= 0:
            raise KerasShrError(f"p is {p!r}, expected a number of px >= 0")
        super().__init__(scale, _INF, name or f"stable_at_{p:g}", dtype)
        self.p = float(p)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        moved, weights = self._moved(y_true, y_pred, sample_weight)
        within, total = weight_within(moved, weights, (self.p,))
        self._add(within[0], total)

    def get_config(self) -> dict:
        return {**super().get_config(), "p": self.p}


@keras.saving.register_keras_serializable(package="keras_shr")
class RUC(_Stability):
    """Robustness under the curve: mean of stable-at-P over P = 0, 1, ... 30 px, 0 to 1.

    Args:
        scale: factor from image px to reported px, such as 256 / image size.
        name: defaults to `"RUC"`.
        dtype: has no effect: sums are float32 pairs (float64 under floatx float64).

    `curve()` returns stable-at-P for each of `RUC.thresholds`. A pair with a NaN or Inf prediction
    is never stable.
    """

    thresholds = STABILITY_THRESHOLDS

    def __init__(self, scale=1.0, name="RUC", dtype=None):
        super().__init__(scale, _INF, name, dtype, self.thresholds)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        moved, weights = self._moved(y_true, y_pred, sample_weight)
        self._add(*weight_within(moved, weights, self.thresholds))

    def curve(self) -> Tensor:
        """Stable-at-P for each P of `thresholds`: `(31,)`."""
        within, total = self._sums()
        return ratio(within, total * ops.ones_like(within))

    def result(self) -> Tensor:
        return ops.mean(self.curve())
