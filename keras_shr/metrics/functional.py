"""The keypoint metrics as pure functions of whole arrays.

They take NumPy arrays or tensors, run on either backend and return tensors: `float(...)` or
`np.asarray(...)` makes plain numbers of them. The Keras metrics of the same names give the same
values batch by batch. Everything is NaN ("no value") where no keypoint was counted.

A NaN or Inf prediction is never within a threshold, and is `worst` px away (the diagonal of the
256-px crop unless told otherwise) where distances are averaged.
"""

from keras import ops

from keras_shr._typing import Tensor
from keras_shr.metrics._arrays import (
    as_float,
    check_keypoints,
    ratio,
    spread_weights,
    weighted_mean,
)
from keras_shr.metrics._curves import STABILITY_THRESHOLDS, area, convention, weight_within
from keras_shr.metrics._keypoints import (
    WORST_DISTANCE,
    errors_and_weights,
    point_distances,
    resolve_normalize,
)

_INF = float("inf")


def pck(
    y_true, y_pred, threshold, *, normalize=None, scale=1.0, visibility="all", sample_weight=None
) -> Tensor:
    """Share of keypoints at most `threshold` from their label.

    Args:
        y_true: `(batch, keypoints, 2..4)`: x, y in image px, visibility (0 no label, 1 hidden, 2
            seen) and possibly the side of the sample's box.
        y_pred: `(batch, keypoints, 2 or 3)`: x, y in image px and possibly a score.
        threshold: largest distance, in px or in lengths of `normalize`.
        normalize: None for px, else a length to divide by, see `normalizer`.
        scale: factor from image px to reported px: 256 / image size for the 256-px protocol.
        visibility: `"all"` labelled keypoints, or those that are `"seen"`.
        sample_weight: None, `(batch,)` or `(batch, keypoints)`.
    """
    return pck_curve(
        y_true,
        y_pred,
        (threshold,),
        normalize=normalize,
        scale=scale,
        visibility=visibility,
        sample_weight=sample_weight,
    )[0]


def pck_curve(
    y_true, y_pred, thresholds, *, normalize=None, scale=1.0, visibility="all", sample_weight=None
) -> Tensor:
    """`pck` at each of `thresholds`: `(len(thresholds),)`.

    Args:
        y_true: `(batch, keypoints, 2..4)`: x, y in image px, visibility (0 no label, 1 hidden, 2
            seen) and possibly the side of the sample's box.
        y_pred: `(batch, keypoints, 2 or 3)`: x, y in image px and possibly a score.
        thresholds: largest distances, in px or in lengths of `normalize`.
        normalize: None for px, else a length to divide by, see `normalizer`.
        scale: factor from image px to reported px: 256 / image size for the 256-px protocol.
        visibility: `"all"` labelled keypoints, or those that are `"seen"`.
        sample_weight: None, `(batch,)` or `(batch, keypoints)`.
    """
    normalize = resolve_normalize(normalize)
    errors, weights = errors_and_weights(
        y_true, y_pred, scale, normalize, visibility, sample_weight, worst=_INF
    )
    return _share(*weight_within(errors, weights, thresholds))


def keypoint_auc(
    y_true, y_pred, convention_name="ours", *, scale=1.0, visibility="all", sample_weight=None
) -> Tensor:
    """Area under the PCK curve over 0 to 30 px, under a named convention.

    Args:
        y_true: `(batch, keypoints, 2..4)`: x, y in image px, visibility (0 no label, 1 hidden, 2
            seen) and possibly the side of the sample's box.
        y_pred: `(batch, keypoints, 2 or 3)`: x, y in image px and possibly a score.
        convention_name: `"ours"`, `"hand3d"` or `"mmpose"`, see `CONVENTIONS`.
        scale: factor from image px to reported px: 256 / image size for the 256-px protocol.
        visibility: `"all"` labelled keypoints, or those that are `"seen"`.
        sample_weight: None, `(batch,)` or `(batch, keypoints)`.
    """
    rule = convention(convention_name)
    errors, weights = errors_and_weights(
        y_true, y_pred, scale, None, visibility, sample_weight, worst=_INF
    )
    within, total = weight_within(
        errors, weights, rule.thresholds, rule.inclusive, rule.per_keypoint
    )
    return area(within, total, rule.weights)


def end_point_error(
    y_true, y_pred, *, scale=1.0, visibility="all", sample_weight=None, worst=WORST_DISTANCE
) -> Tensor:
    """Mean distance between prediction and label in px.

    Args:
        y_true: `(batch, keypoints, 2..4)`: x, y in image px, visibility (0 no label, 1 hidden, 2
            seen) and possibly the side of the sample's box.
        y_pred: `(batch, keypoints, 2 or 3)`: x, y in image px and possibly a score.
        scale: factor from image px to reported px: 256 / image size for the 256-px protocol.
        visibility: `"all"` labelled keypoints, or those that are `"seen"`.
        sample_weight: None, `(batch,)` or `(batch, keypoints)`.
        worst: px that a NaN or Inf prediction counts as.
    """
    return weighted_mean(
        *errors_and_weights(y_true, y_pred, scale, None, visibility, sample_weight, worst)
    )


def nme(
    y_true,
    y_pred,
    normalize="box",
    *,
    scale=1.0,
    visibility="all",
    sample_weight=None,
    worst=WORST_DISTANCE,
) -> Tensor:
    """Mean distance between prediction and label, in lengths of `normalize`.

    Args:
        y_true: `(batch, keypoints, 2..4)`: x, y in image px, visibility (0 no label, 1 hidden, 2
            seen) and possibly the side of the sample's box.
        y_pred: `(batch, keypoints, 2 or 3)`: x, y in image px and possibly a score.
        normalize: the length to divide by, see `normalizer`.
        scale: factor from image px to reported px: 256 / image size for the 256-px protocol.
        visibility: `"all"` labelled keypoints, or those that are `"seen"`.
        sample_weight: None, `(batch,)` or `(batch, keypoints)`.
        worst: px that a NaN or Inf prediction counts as.
    """
    normalize = resolve_normalize(normalize)
    return weighted_mean(
        *errors_and_weights(y_true, y_pred, scale, normalize, visibility, sample_weight, worst)
    )


def displacements(clean, perturbed, *, scale=1.0, worst=WORST_DISTANCE) -> Tensor:
    """How far each predicted keypoint moved between an image and its perturbed copy.

    Args:
        clean: `(batch, keypoints, 2 or 3)`, the prediction for the clean image. A third column is
            a score and is not looked at: no labels are needed.
        perturbed: the same for the perturbed image.
        scale: factor from image px to reported px.
        worst: px that count where either prediction is NaN or Inf.

    Returns:
        px, `(batch, keypoints)`.
    """
    clean, perturbed = as_float(clean), as_float(perturbed)
    check_keypoints("the clean prediction", clean, (2, 3))
    check_keypoints("the perturbed prediction", perturbed, (2, 3))
    return point_distances(clean, perturbed, scale, worst)


def mean_squared_displacement(
    clean, perturbed, *, scale=1.0, sample_weight=None, worst=WORST_DISTANCE
) -> Tensor:
    """The paper's R (eq. 10, as a mean): squared displacement in px², over all keypoints.

    Args:
        clean: `(batch, keypoints, 2 or 3)`, the prediction for the clean images, in image px.
        perturbed: the same for the perturbed images.
        scale: factor from image px to reported px: 256 / image size for the 256-px protocol.
        sample_weight: None, `(batch,)` or `(batch, keypoints)`.
        worst: px that a NaN or Inf prediction counts as.
    """
    moved = displacements(clean, perturbed, scale=scale, worst=worst)
    return weighted_mean(moved * moved, spread_weights(sample_weight, moved))


def stability_curve(
    clean, perturbed, thresholds=STABILITY_THRESHOLDS, *, scale=1.0, sample_weight=None
) -> Tensor:
    """Share of keypoints that moved at most P px, for each P of `thresholds`.

    Args:
        clean: `(batch, keypoints, 2 or 3)`, the prediction for the clean images, in image px.
        perturbed: the same for the perturbed images.
        thresholds: the P, in px.
        scale: factor from image px to reported px: 256 / image size for the 256-px protocol.
        sample_weight: None, `(batch,)` or `(batch, keypoints)`.
    """
    moved = displacements(clean, perturbed, scale=scale, worst=_INF)
    return _share(*weight_within(moved, spread_weights(sample_weight, moved), thresholds))


def stable_at(clean, perturbed, p, *, scale=1.0, sample_weight=None) -> Tensor:
    """Share of keypoints that moved at most `p` px.

    Args:
        clean: `(batch, keypoints, 2 or 3)`, the prediction for the clean images, in image px.
        perturbed: the same for the perturbed images.
        p: largest displacement in px.
        scale: factor from image px to reported px: 256 / image size for the 256-px protocol.
        sample_weight: None, `(batch,)` or `(batch, keypoints)`.
    """
    return stability_curve(clean, perturbed, (p,), scale=scale, sample_weight=sample_weight)[0]


def ruc(clean, perturbed, *, scale=1.0, sample_weight=None) -> Tensor:
    """Robustness under the curve: the mean of `stable_at` over P = 0, 1, ... 30 px.

    Args:
        clean: `(batch, keypoints, 2 or 3)`, the prediction for the clean images, in image px.
        perturbed: the same for the perturbed images.
        scale: factor from image px to reported px: 256 / image size for the 256-px protocol.
        sample_weight: None, `(batch,)` or `(batch, keypoints)`.
    """
    return ops.mean(stability_curve(clean, perturbed, scale=scale, sample_weight=sample_weight))


def _share(within, total):
    return ratio(within, total * ops.ones_like(within))
