"""Distances, masks and normalisers of keypoint metrics, as functions on arrays.

All take NumPy arrays or tensors of either backend and return tensors (`np.asarray(...)` makes an
array). They compute in float32.
"""

import math

import numpy as np
from keras import ops

from keras_shr._typing import Tensor
from keras_shr.data.records import PROTOCOL_PIXELS
from keras_shr.errors import KerasShrError
from keras_shr.metrics._arrays import as_float, check_keypoints, spread_weights

WORST_DISTANCE = PROTOCOL_PIXELS * math.sqrt(2)
"""The diagonal of the 256-px protocol crop: what a NaN or Inf prediction counts as, in px."""

_FAR = 1e9
VISIBILITIES = ("all", "seen")


def point_distances(first, second, scale=1.0, worst=WORST_DISTANCE):
    """Euclidean distance between two sets of points, `(batch, keypoints)`.

    Args:
        first: `(batch, keypoints, 2 or more)`; columns after x, y are not looked at.
        second: the same.
        scale: factor from the points' pixels to the reported ones, such as 256 / image size.
        worst: what a pair with a NaN or Inf coordinate counts as, after scaling.
    """
    first, second = as_float(first), as_float(second)
    check_same_points(first, second)
    difference = (first[..., :2] - second[..., :2]) * check_scale(scale)
    square = ops.sum(difference * difference, axis=-1)
    finite = ops.isfinite(square)
    root = ops.sqrt(ops.where(finite, square, ops.zeros_like(square)))
    return ops.where(finite, root, ops.full_like(root, worst))


def check_same_points(first, second):
    """Refuses points of other numbers of images or keypoints, which would be broadcast."""
    shapes = tuple(first.shape), tuple(second.shape)
    pairs = zip(shapes[0][:-1], shapes[1][:-1], strict=False)
    if any(None not in pair and pair[0] != pair[1] for pair in pairs):
        raise KerasShrError(
            f"keypoints of the shapes {shapes[0]} and {shapes[1]} are compared; expected equally "
            "many images and keypoints"
        )


def check_scale(scale):
    """`scale` as a float above 0."""
    if isinstance(scale, bool) or not isinstance(scale, int | float | np.number) or not scale > 0:
        raise KerasShrError(f"scale is {scale!r}, expected a number > 0, such as 256 / image size")
    return float(scale)


def check_visibility(visibility):
    if visibility not in VISIBILITIES:
        raise KerasShrError(f"visibility is {visibility!r}, expected 'all' or 'seen'")
    return visibility


def keypoint_weights(y_true, visibility="all", sample_weight=None) -> Tensor:
    """Weight of each keypoint in a metric, `(batch, keypoints)`.

    Args:
        y_true: `(batch, keypoints, 2..4)`: x, y, visibility (0 no label, 1 hidden, 2 seen). Without
            a third column every keypoint counts as labelled.
        visibility: "all" takes the labelled keypoints (> 0), "seen" those that can be seen (2).
        sample_weight: None, `(batch,)` or `(batch, keypoints)`.

    A label with a NaN or Inf coordinate weighs nothing.
    """
    check_visibility(visibility)
    y_true = as_float(y_true)
    check_keypoints("y_true", y_true, (2, 3, 4))
    used = ops.all(ops.isfinite(y_true[..., :2]), axis=-1)
    if y_true.shape[-1] > 2:
        used = ops.logical_and(used, y_true[..., 2] > (0 if visibility == "all" else 1.5))
    elif visibility == "seen":
        raise KerasShrError("visibility='seen' needs a third column in y_true (0, 1 or 2)")
    used = ops.cast(used, y_true.dtype)
    return used * spread_weights(sample_weight, used)


def resolve_normalize(normalize, skeleton=None):
    """`normalize` as None, "box", a positive number or a pair of indices.

    Args:
        normalize: as for `normalizer`; a pair may name keypoints of `skeleton`.
        skeleton: a `keras_shr.skeletons.Skeleton`, needed for names.
    """
    if normalize is None or normalize == "box":
        return normalize
    number = isinstance(normalize, int | float | np.number) and not isinstance(normalize, bool)
    if number and normalize > 0:
        return float(normalize)
    if isinstance(normalize, tuple | list) and len(normalize) == 2:
        pair = []
        for joint in normalize:
            if isinstance(joint, str):
                if skeleton is None:
                    raise KerasShrError(f"normalize names {joint!r}: give skeleton= to look it up")
                joint = skeleton.index(joint)
            pair.append(int(joint))
        if pair[0] != pair[1] and min(pair) >= 0:
            return tuple(pair)
    raise KerasShrError(
        f"normalize is {normalize!r}, expected None, 'box', a number of pixels > 0 "
        "or a pair of two different keypoints"
    )


def normalizer(y_true, normalize, scale=1.0) -> Tensor:
    """The length that a sample's errors are divided by, `(batch, 1)`, in px after `scale`.

    Args:
        y_true: `(batch, keypoints, 3 or 4)`.
        normalize: None (1 px), a number of (scaled) px, a pair `(i, j)` of keypoints whose distance
            is the length, or "box": the longer side of the sample's box. The box is taken from
            the fourth column of `y_true` where there is one (the side in image px, repeated for
            each keypoint), else it is the bounding box of the labelled keypoints.
        scale: factor from image px to reported px.

    A sample without a length (a joint of the pair has no label, all keypoints in one point) gets
    NaN: it cannot be measured and metrics leave it out.
    """
    y_true = as_float(y_true)
    one = ops.ones_like(y_true[:, :1, 0])
    if normalize is None or isinstance(normalize, int | float):
        return one * (1.0 if normalize is None else normalize)
    points, labelled = y_true[..., :2], keypoint_weights(y_true) > 0
    if normalize == "box" and y_true.shape[-1] == 4:
        length = ops.max(y_true[..., 3], axis=1, keepdims=True, initial=0)
    elif normalize == "box":
        mask, far = ops.expand_dims(labelled, -1), ops.full_like(points, _FAR)
        # `initial` lets TensorFlow take the maximum of an empty batch.
        high = ops.max(ops.where(mask, points, -far), axis=1, initial=-_FAR)
        low = ops.min(ops.where(mask, points, far), axis=1, initial=_FAR)
        length = ops.max(high - low, axis=-1, keepdims=True, initial=0)
    else:
        count = y_true.shape[1]
        if count is not None and max(normalize) >= count:
            raise KerasShrError(f"normalize is {normalize} but there are {count} keypoints")
        first, second = normalize
        length = point_distances(points[:, first], points[:, second], worst=float("nan"))
        both = ops.logical_and(labelled[:, first], labelled[:, second])
        length = ops.where(both, length, ops.full_like(length, float("nan")))[:, None]
    usable = ops.logical_and(ops.isfinite(length), length > 0)
    return ops.where(usable, length * scale, ops.full_like(length, float("nan")))


def keypoint_errors(y_true, y_pred, scale=1.0, normalize=None, worst=WORST_DISTANCE) -> Tensor:
    """Distance of each prediction from its label, `(batch, keypoints)`.

    In px after `scale`, or divided by `normalizer` where one is asked for.

    Args:
        y_true: `(batch, keypoints, 2..4)`: x, y in image px first.
        y_pred: `(batch, keypoints, 2 or 3)`: x, y and possibly a score.
        scale: factor from image px to reported px.
        normalize: see `normalizer`; the error of a sample without a normaliser is NaN.
        worst: px that a NaN or Inf prediction counts as.
    """
    y_true, y_pred = as_float(y_true), as_float(y_pred)
    check_keypoints("y_true", y_true, (2, 3, 4))
    check_keypoints("y_pred", y_pred, (2, 3))
    errors = point_distances(y_true, y_pred, scale, worst)
    return errors if normalize is None else errors / normalizer(y_true, normalize, scale)


def errors_and_weights(
    y_true,
    y_pred,
    scale=1.0,
    normalize=None,
    visibility="all",
    sample_weight=None,
    worst=WORST_DISTANCE,
):
    """`keypoint_errors` and the weight of each; what cannot be measured weighs 0."""
    errors = keypoint_errors(y_true, y_pred, scale, normalize, worst)
    weights = keypoint_weights(y_true, visibility, sample_weight)
    return errors, ops.where(ops.isnan(errors), ops.zeros_like(weights), weights)
