"""Mean distances between predictions and labels: end-point error and NME."""

import keras
from keras import ops

from keras_shr.metrics._accumulate import AccumulatedMean
from keras_shr.metrics._arrays import weighted_sum
from keras_shr.metrics._keypoints import (
    WORST_DISTANCE,
    check_scale,
    check_visibility,
    errors_and_weights,
    resolve_normalize,
)


class _MeanError(AccumulatedMean):
    def __init__(self, normalize, scale, visibility, worst, name, dtype):
        super().__init__(name, dtype)
        self.normalize = normalize
        self.scale = check_scale(scale)
        self.visibility = check_visibility(visibility)
        self.worst = float(worst)

    def update_state(self, y_true, y_pred, sample_weight=None):
        errors, weights = errors_and_weights(
            y_true,
            y_pred,
            self.scale,
            self.normalize,
            self.visibility,
            sample_weight,
            self.worst,
        )
        self._add(weighted_sum(errors, weights), ops.sum(weights))

    def get_config(self):
        return {
            **super().get_config(),
            "scale": self.scale,
            "visibility": self.visibility,
            "worst": self.worst,
        }


@keras.saving.register_keras_serializable(package="keras_shr")
class EndPointError(_MeanError):
    """Mean distance of the predicted keypoints from their labels, in px.

    Args:
        scale: factor from image px to reported px, such as 256 / image size.
        visibility: `"all"` counts labelled keypoints, `"seen"` those with visibility 2.
        worst: px that a NaN or Inf prediction counts as; the diagonal of the 256-px crop (362).
        name: defaults to `"epe"`, or `"epe_seen"`.
        dtype: has no effect: sums are float32 pairs (float64 under floatx float64).

    Inputs as for `PCK`. NaN where nothing was counted.

    Example:

    >>> metric = EndPointError(scale=256 / 64)
    >>> metric.update_state([[[0, 0, 2], [5, 5, 0]]], [[[3, 4], [60, 60]]])
    >>> float(metric.result())  # the second keypoint has no label
    20.0
    """

    def __init__(self, scale=1.0, visibility="all", worst=WORST_DISTANCE, name=None, dtype=None):
        name = name or ("epe" if visibility == "all" else f"epe_{visibility}")
        super().__init__(None, scale, visibility, worst, name, dtype)


@keras.saving.register_keras_serializable(package="keras_shr")
class NME(_MeanError):
    """Normalised mean error: mean distance from the label in lengths of `normalize`.

    Args:
        normalize: `"box"` (longer side of the labelled keypoints' bounding box, or of the fourth
            column of `y_true`), a pair of keypoints (indices, or names with `skeleton`; the
            outer eye corners for faces) or a number of px. Samples without that length are left
            out.
        scale: factor from image px to reported px; matters only with a number of px and `worst`.
        visibility: `"all"` counts labelled keypoints, `"seen"` those with visibility 2.
        worst: px that a NaN or Inf prediction counts as, before the division.
        skeleton: `keras_shr.skeletons.Skeleton` in which to look up names; not stored.
        name: defaults to `"nme"`, or `"nme_seen"`.
        dtype: has no effect: sums are float32 pairs (float64 under floatx float64).

    Inputs as for `PCK`. NaN where nothing was counted.

    Example:

    >>> metric = NME("box")
    >>> metric.update_state([[[0, 0, 2], [50, 20, 1]]], [[[3, 4], [50, 20]]])
    >>> float(metric.result())  # 5 px and 0 px, in lengths of 50 px
    0.05
    """

    def __init__(
        self,
        normalize="box",
        scale=1.0,
        visibility="all",
        worst=WORST_DISTANCE,
        skeleton=None,
        name=None,
        dtype=None,
    ):
        name = name or ("nme" if visibility == "all" else f"nme_{visibility}")
        normalize = resolve_normalize(normalize, skeleton)
        super().__init__(normalize, scale, visibility, worst, name, dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), "normalize": self.normalize}
