"""Keras metrics of heatmaps: D_n, D_(1)(2), Theorem 3's share and the share truly unmoved."""

import keras
from keras import ops

from keras_shr.errors import KerasShrError
from keras_shr.metrics._accumulate import AccumulatedMean
from keras_shr.metrics._arrays import as_float, spread_weights, weighted_sum
from keras_shr.metrics.heatmaps import (
    FORMS,
    argmax_unmoved,
    normalize_maps,
    peak_gap,
    peak_spread,
    theorem3_holds,
)


class _HeatmapMean(AccumulatedMean):
    def _update(self, values, sample_weight):
        values = as_float(values)
        weights = spread_weights(sample_weight, values)
        self._add(weighted_sum(values, weights), ops.sum(weights))


@keras.saving.register_keras_serializable(package="keras_shr")
class PeakSpread(_HeatmapMean):
    """The paper's D_n: how far the n highest pixels lie from the highest, in heatmap px².

    Mean over maps of `keras_shr.metrics.peak_spread`; smaller is a tighter single peak.

    Args:
        n: how many pixels; the paper has 64.
        name: defaults to `"D_64"` for n = 64.
        dtype: has no effect: sums are float32 pairs (float64 under floatx float64).

    Inputs: `y_true` is not looked at (None will do), `y_pred` heatmaps `(batch, height, width,
    keypoints)`, `sample_weight` `(batch,)` or `(batch, keypoints)`.
    """

    def __init__(self, n=64, name=None, dtype=None):
        if n < 2:
            raise KerasShrError(f"n is {n!r}, expected a number of pixels >= 2")
        super().__init__(name or f"D_{n}", dtype)
        self.n = int(n)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        self._update(peak_spread(y_pred, self.n), sample_weight)

    def get_config(self) -> dict:
        return {**super().get_config(), "n": self.n}


@keras.saving.register_keras_serializable(package="keras_shr")
class PeakGap(_HeatmapMean):
    """The paper's D_(1)(2): highest minus second highest value of the max-normalised map, 0 to 1.

    Mean over maps of `keras_shr.metrics.peak_gap`. The targets themselves reach .30 (highly
    differentiated, α = .7) and .118 (Gaussian, σ = 2).

    Args:
        name: defaults to `"D_1_2"`.
        dtype: has no effect: sums are float32 pairs (float64 under floatx float64).

    Inputs as for `PeakSpread`.
    """

    def __init__(self, name="D_1_2", dtype=None):
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        self._update(peak_gap(y_pred), sample_weight)


@keras.saving.register_keras_serializable(package="keras_shr")
class Theorem3Share(_HeatmapMean):
    """Share of (clean, perturbed) pairs of heatmaps that Theorem 3 certifies as unmoved.

    It certifies the given pair, not unseen perturbations: report it beside `UnmovedShare`, which
    can only be larger.

    Args:
        form: `"printed"` (sound for max- or sum-normalised maps) or `"corrected"` (for any).
        normalize: `"max"`, `"sum"` or None: what both maps are divided by first.
        name: defaults to `"theorem3"`.
        dtype: has no effect: sums are float32 pairs (float64 under floatx float64).

    Inputs: `y_true` the clean heatmaps, `y_pred` the perturbed ones, both `(batch, height, width,
    keypoints)`; `sample_weight` `(batch,)` or `(batch, keypoints)`.
    """

    def __init__(self, form="printed", normalize="max", name="theorem3", dtype=None):
        super().__init__(name, dtype)
        if form not in FORMS:
            raise KerasShrError(f"form is {form!r}, expected 'printed' or 'corrected'")
        if normalize not in ("max", "sum", None):
            raise KerasShrError(f"normalize is {normalize!r}, expected 'max', 'sum' or None")
        self.form = form
        self.normalize = normalize

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        clean = normalize_maps(y_true, self.normalize)
        perturbed = normalize_maps(y_pred, self.normalize)
        self._update(theorem3_holds(clean, perturbed, self.form), sample_weight)

    def get_config(self) -> dict:
        return {**super().get_config(), "form": self.form, "normalize": self.normalize}


@keras.saving.register_keras_serializable(package="keras_shr")
class UnmovedShare(_HeatmapMean):
    """Share of (clean, perturbed) pairs of heatmaps whose highest pixel is the same.

    Args:
        name: defaults to `"unmoved"`.
        dtype: has no effect: sums are float32 pairs (float64 under floatx float64).

    Inputs as for `Theorem3Share`.
    """

    def __init__(self, name="unmoved", dtype=None):
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        self._update(argmax_unmoved(y_true, y_pred), sample_weight)
