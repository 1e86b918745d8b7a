"""PCK and the area under its curve."""

import keras

from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError
from keras_shr.metrics._accumulate import AccumulatedMean
from keras_shr.metrics._arrays import ratio
from keras_shr.metrics._curves import area, convention, weight_within
from keras_shr.metrics._keypoints import (
    check_scale,
    check_visibility,
    errors_and_weights,
    resolve_normalize,
)

_INF = float("inf")


@keras.saving.register_keras_serializable(package="keras_shr")
class PCK(AccumulatedMean):
    """Percentage of correct keypoints: the share whose error is at most `threshold`.

    `PCK = Σ w·[‖ŷ − y‖ ≤ threshold·length] / Σ w` over all keypoints counted, 0 to 1.

    Args:
        threshold: in lengths of `normalize`; px where that is None.
        normalize: None (pixels), `"box"` (longer side of the labelled keypoints' bounding box, or
            of the fourth column of `y_true`), a pair of keypoints (indices, or names with
            `skeleton`) whose distance is the length, or a number of px. Samples without that
            length (a joint of the pair unlabelled) are left out.
        scale: factor from image px to reported px, such as 256 / image size.
        visibility: `"all"` counts labelled keypoints, `"seen"` those with visibility 2.
        skeleton: `keras_shr.skeletons.Skeleton` in which to look up names; not stored.
        name: defaults to `"pck"`, or `"pck_seen"`.
        dtype: has no effect: sums are float32 pairs (float64 under floatx float64).

    Inputs: `y_true` `(batch, keypoints, 3 or 4)`, `y_pred` `(batch, keypoints, 2 or 3)`,
    `sample_weight` `(batch,)` or `(batch, keypoints)`. NaN and Inf predictions count as wrong.
    The result is NaN where nothing was counted.

    Example:

    >>> metric = PCK(0.2, normalize=(0, 9))
    >>> metric.update_state([[[0, 0, 2]] * 9 + [[10, 0, 2]]], [[[1.5, 0]] * 9 + [[10, 3]]])
    >>> float(metric.result())  # 1.5 px is within 0.2 * 10 px, 3 px is not
    0.9

    With `compile`: `model.compile(metrics=[PCK(5.0, scale=256 / 128)])`.
    """

    def __init__(
        self,
        threshold,
        normalize=None,
        scale=1.0,
        visibility="all",
        skeleton=None,
        name=None,
        dtype=None,
    ):
        super().__init__(name or _name("pck", visibility), dtype)
        if not threshold >= 0:
            raise KerasShrError(f"threshold is {threshold!r}, expected a number >= 0")
        self.threshold = float(threshold)
        self.normalize = resolve_normalize(normalize, skeleton)
        self.scale = check_scale(scale)
        self.visibility = check_visibility(visibility)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        errors, weights = errors_and_weights(
            y_true, y_pred, self.scale, self.normalize, self.visibility, sample_weight, worst=_INF
        )
        within, total = weight_within(errors, weights, (self.threshold,))
        self._add(within[0], total)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "threshold": self.threshold,
            "normalize": self.normalize,
            "scale": self.scale,
            "visibility": self.visibility,
        }


@keras.saving.register_keras_serializable(package="keras_shr")
class KeypointAUC(AccumulatedMean):
    """Area under the PCK curve over 0 to 30 px, 0 to 1.

    Three conventions are in use and differ by points, so a figure is worth nothing without its
    name (in brackets: the value where every error is 3 px):

    - `"ours"` (.903): mean of PCK(≤ t) over t = 0, 1, ... 30, all labelled points alike.
    - `"hand3d"` (.921): trapezoid over `linspace(0, 30, 20)`, ≤, mean over keypoints.
    - `"mmpose"` (.85): mean over t = 0, 1.5, ... 28.5, <, mean over keypoints.

    Args:
        convention: one of the three.
        num_keypoints: how many there are; only the last two need it, and only where the first
            update runs inside a `jax.jit` of your own (elsewhere it is read from the first batch).
        scale: factor from image px to reported px, such as 256 / image size.
        visibility: `"all"` counts labelled keypoints, `"seen"` those with visibility 2.
        name: defaults to `"auc"`, or `"auc_seen"`.
        dtype: has no effect: sums are float32 pairs (float64 under floatx float64).

    Inputs as for `PCK`. `curve()` returns PCK at each of `thresholds`.

    Example:

    >>> metric = KeypointAUC("ours")
    >>> metric.update_state([[[10, 10, 2]]], [[[13, 10]]])
    >>> float(metric.result())
    0.9032258
    """

    def __init__(
        self,
        convention="ours",
        num_keypoints=None,
        scale=1.0,
        visibility="all",
        name=None,
        dtype=None,
    ):
        super().__init__(name or _name("auc", visibility), dtype, shape=None)
        self.convention = convention
        self.num_keypoints = num_keypoints
        self.scale = check_scale(scale)
        self.visibility = check_visibility(visibility)
        self._rule = _convention(convention)
        self.thresholds = self._rule.thresholds
        if num_keypoints or not self._rule.per_keypoint:
            self._build(num_keypoints)

    def _build(self, num_keypoints):
        count = (num_keypoints,) if self._rule.per_keypoint else ()
        self._make_state((len(self.thresholds), *count), count_shape=count)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        errors, weights = errors_and_weights(
            y_true, y_pred, self.scale, None, self.visibility, sample_weight, worst=_INF
        )
        if not self._variables:
            self._build(weights.shape[1])
        rule = self._rule
        self._add(
            *weight_within(errors, weights, rule.thresholds, rule.inclusive, rule.per_keypoint)
        )

    def result(self) -> Tensor:
        if not self._variables:
            return float("nan")
        within, total = self._sums()
        return area(within, total, self._rule.weights)

    def curve(self) -> Tensor:
        """PCK at each threshold, `(thresholds,)`, over all keypoints counted alike."""
        if not self._variables:
            return keras.ops.full((len(self.thresholds),), float("nan"))
        within, total = self._sums()
        if self._rule.per_keypoint:
            within, total = keras.ops.sum(within, axis=-1), keras.ops.sum(total)
        return ratio(within, total * keras.ops.ones_like(within))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "convention": self.convention,
            "num_keypoints": self.num_keypoints,
            "scale": self.scale,
            "visibility": self.visibility,
        }


_convention = convention  # `convention` is also an argument's name


def _name(stem, visibility):
    return stem if visibility == "all" else f"{stem}_{visibility}"
