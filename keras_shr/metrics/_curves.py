"""Share of distances within a growing limit (PCK and stability curves) and the area under it."""

from dataclasses import dataclass

import numpy as np
from keras import ops

from keras_shr.errors import KerasShrError
from keras_shr.metrics._arrays import ratio


@dataclass(frozen=True)
class Convention:
    """How one code base turns PCK into an AUC over 0 to 30 px.

    Attributes:
        thresholds: the limits in px.
        inclusive: whether an error equal to the limit counts as within it.
        weights: relative weight of each threshold in the area.
        per_keypoint: average each keypoint's own AUC (wrist, thumb, ...) rather than all labelled
            points at once; a keypoint that is never labelled is left out.
    """

    thresholds: tuple[float, ...]
    inclusive: bool
    weights: tuple[float, ...]
    per_keypoint: bool


CONVENTIONS = {
    "hand3d": Convention(
        tuple(float(t) for t in np.linspace(0, 30, 20)),
        inclusive=True,
        weights=(0.5, *(1.0,) * 18, 0.5),  # the trapezoid rule
        per_keypoint=True,
    ),
    "mmpose": Convention(tuple(1.5 * i for i in range(20)), False, (1.0,) * 20, per_keypoint=True),
    "ours": Convention(tuple(float(i) for i in range(31)), True, (1.0,) * 31, per_keypoint=False),
}
"""The three AUC conventions by name; a constant error of 3 px is worth .921, .85 and .903."""

STABILITY_THRESHOLDS = tuple(float(p) for p in range(31))
"""P = 0, 1, ... 30 px, the limits of the paper's RUC."""


def convention(name) -> Convention:
    """The convention called `name`."""
    if name not in CONVENTIONS:
        raise KerasShrError(
            f"convention is {name!r}, expected one of {', '.join(map(repr, CONVENTIONS))}"
        )
    return CONVENTIONS[name]


def weight_within(errors, weights, thresholds, inclusive=True, per_keypoint=False):
    """Summed weight of the errors within each threshold, and summed weight of all.

    Args:
        errors: tensor `(batch, keypoints)`; Inf is within no threshold.
        weights: tensor of the same shape.
        thresholds: T numbers.
        inclusive: `<=` or `<`.
        per_keypoint: keep the keypoints apart.

    Takes T times the memory of `errors`: hand a large test set over in parts.

    Returns:
        `(T,)` and `()`, or with `per_keypoint` `(T, keypoints)` and `(keypoints,)`.
    """
    limits = ops.convert_to_tensor(np.asarray(thresholds), dtype=errors.dtype)[:, None, None]
    hit = errors <= limits if inclusive else errors < limits
    within = ops.where(hit, weights, ops.zeros_like(weights))  # (T, batch, keypoints)
    if per_keypoint:
        return ops.sum(within, axis=1), ops.sum(weights, axis=0)
    return ops.sum(within, axis=(1, 2)), ops.sum(weights)


def area(within, total, threshold_weights):
    """Area under the curve `within / total`, averaged over keypoints where they were kept apart.

    Args:
        within: `(T,)` or `(T, keypoints)`.
        total: `()` or `(keypoints,)`; where 0 there is no value, and NaN if there is none at all.
    """
    weights = ops.reshape(
        ops.convert_to_tensor(np.asarray(threshold_weights), dtype=within.dtype),
        (-1,) + (1,) * (len(within.shape) - 1),
    )
    # Whole and half weights, divided once at the end, so that a perfect score is exactly 1.
    score = ops.sum(within * weights, axis=0)
    total = total * sum(threshold_weights)
    if len(score.shape) == 0:
        return ratio(score, total)
    counted = ops.cast(total > 0, score.dtype)
    own = ops.where(total > 0, ratio(score, total), ops.zeros_like(score))
    return ratio(ops.sum(own), ops.sum(counted))
