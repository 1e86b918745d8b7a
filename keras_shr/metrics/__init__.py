"""Metrics of accuracy, stability and heatmap shape.

Each is a pure function on arrays (lower case) and a Keras metric (capitals) that gives the same
value however the data are cut into batches.

| in the paper | here |
|---|---|
| AUC of PCK | `keypoint_auc`, `KeypointAUC` (three conventions) |
| R (eq. 10) | `mean_squared_displacement`, `R` |
| stable at P, RUC | `stable_at`, `stability_curve`, `ruc`; `StableAtP`, `RUC` |
| D_n (eq. 11) | `peak_spread`, `PeakSpread` |
| D_(1)(2) (eq. 12) | `peak_gap`, `PeakGap` |
| (jitter of a video, beyond the paper) | `acceleration`, `jitter`, `path_deviation` |
| Theorem 3 | `theorem3_holds`, `Theorem3Share`; `argmax_unmoved`, `UnmovedShare` |

Sums are carried in two float32 numbers each (about 48 bits), so counts stay exact and long means
keep float32's full precision on JAX and on accelerators too.
"""

from keras_shr.metrics._arrays import weighted_mean
from keras_shr.metrics._curves import CONVENTIONS, STABILITY_THRESHOLDS
from keras_shr.metrics._keypoints import (
    WORST_DISTANCE,
    keypoint_errors,
    keypoint_weights,
    normalizer,
)
from keras_shr.metrics.accuracy import PCK, KeypointAUC
from keras_shr.metrics.distance import NME, EndPointError
from keras_shr.metrics.functional import (
    displacements,
    end_point_error,
    keypoint_auc,
    mean_squared_displacement,
    nme,
    pck,
    pck_curve,
    ruc,
    stability_curve,
    stable_at,
)
from keras_shr.metrics.heatmaps import (
    argmax_unmoved,
    least_peak_spread,
    normalize_maps,
    peak_gap,
    peak_spread,
    theorem3_holds,
)
from keras_shr.metrics.peaks import PeakGap, PeakSpread, Theorem3Share, UnmovedShare
from keras_shr.metrics.stability import RUC, R, StableAtP
from keras_shr.metrics.temporal import acceleration, jitter, path_deviation

__all__ = [
    "CONVENTIONS",
    "NME",
    "PCK",
    "RUC",
    "STABILITY_THRESHOLDS",
    "WORST_DISTANCE",
    "EndPointError",
    "KeypointAUC",
    "PeakGap",
    "PeakSpread",
    "R",
    "StableAtP",
    "Theorem3Share",
    "UnmovedShare",
    "acceleration",
    "argmax_unmoved",
    "displacements",
    "end_point_error",
    "jitter",
    "keypoint_auc",
    "keypoint_errors",
    "keypoint_weights",
    "least_peak_spread",
    "mean_squared_displacement",
    "nme",
    "normalize_maps",
    "normalizer",
    "path_deviation",
    "pck",
    "pck_curve",
    "peak_gap",
    "peak_spread",
    "ruc",
    "stability_curve",
    "stable_at",
    "theorem3_holds",
    "weighted_mean",
]
