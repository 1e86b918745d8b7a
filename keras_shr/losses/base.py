"""What the losses on heatmaps share: one value per keypoint, and a mean over supervised ones."""

import keras
from keras import ops

from keras_shr._replicas import sum_over_replicas
from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError

REDUCTIONS = ("mean", "sum_over_batch_size", "sum", "mean_with_sample_weight", "none", None)


def reduce_keypoints(values, supervised, sample_weight=None, reduction="mean") -> Tensor:
    """Reduces a loss per keypoint to a scalar.

    Args:
        values: `(batch, keypoints)`.
        supervised: bool `(batch, keypoints)`; the rest contributes nothing, whatever its value.
        sample_weight: optional number, `(batch,)` or `(batch, keypoints)`. A weight of 0 or NaN
            makes the keypoint unsupervised.
        reduction: `"mean"` (or Keras's `"sum_over_batch_size"`) divides the weighted sum by the
            number of supervised keypoints, `"mean_with_sample_weight"` by the sum of weights,
            `"sum"` does not divide, `"none"` returns `(batch, keypoints)`.

    Returns:
        A scalar, 0 where nothing is supervised, or `(batch, keypoints)`. In a replica of
        tf.distribute the divisors are those of the global batch, so the scalar is this replica's
        share of the loss.

    Raises:
        KerasShrError: `sample_weight` has another shape.
    """
    weight = ops.ones_like(values)
    if sample_weight is not None:
        sample_weight = ops.cast(ops.convert_to_tensor(sample_weight), values.dtype)
        check_weight_shape(sample_weight, values)
        if len(sample_weight.shape) == 1:
            sample_weight = sample_weight[:, None]
        weight = weight * sample_weight
    supervised = supervised & (weight > 0)
    # Zero the value as well as the weight: 0 * NaN is NaN.
    weighted = ops.where(supervised, values, 0.0) * ops.where(supervised, weight, 0.0)
    if reduction in ("none", None):
        return weighted
    total = ops.sum(weighted)
    if reduction == "sum":
        return total
    by_weight = reduction == "mean_with_sample_weight"
    divisor = (
        ops.where(supervised, weight, 0.0) if by_weight else ops.cast(supervised, values.dtype)
    )
    # The replicas' losses add up to that of one device with the whole batch.
    return ops.divide_no_nan(total, sum_over_replicas(ops.sum(divisor)))


def check_weight_shape(sample_weight, values):
    """Refuses weights that are none for the `(batch, keypoints)` of `values`."""
    shape, (batch, keypoints) = tuple(sample_weight.shape), values.shape
    fitting = zip(shape, ((batch, 1), (keypoints, 1)), strict=False)
    if len(shape) > 2 or not all(
        None in (size, sizes[0]) or size in sizes for size, sizes in fitting
    ):
        raise KerasShrError(
            f"sample_weight has shape {shape}; expected (batch,) or (batch, keypoints), here "
            f"{(batch, keypoints)}"
        )


class KeypointLoss(keras.losses.Loss):
    """Base of the losses on heatmaps `(batch, height, width, keypoints)`.

    A subclass's `call` returns the loss of each keypoint and which keypoints are supervised, both
    `(batch, keypoints)`. Computation is in float32 under every dtype policy.
    """

    def __init__(self, name=None, reduction="mean"):
        if reduction not in REDUCTIONS:
            raise KerasShrError(f"reduction must be one of {REDUCTIONS}, got {reduction!r}")
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_true = ops.cast(ops.convert_to_tensor(y_true), "float32")
        y_pred = ops.cast(ops.convert_to_tensor(y_pred), "float32")
        shapes = tuple(y_true.shape), tuple(y_pred.shape)
        known = zip(*(shape[1:] for shape in shapes), strict=False)
        if len(shapes[0]) != len(shapes[1]) or any(None not in p and p[0] != p[1] for p in known):
            raise KerasShrError(
                f"{self.name}: y_true has shape {shapes[0]} and y_pred {shapes[1]}; expected both "
                "to be (batch, height, width, keypoints)"
            )
        values, supervised = self.call(y_true, y_pred)
        return reduce_keypoints(values, supervised, sample_weight, self.reduction)


def has_target(target):
    """Which keypoints of a target `(batch, height, width, keypoints)` are finite and not zero."""
    highest = ops.max(target, axis=(1, 2))
    lowest = ops.min(target, axis=(1, 2))
    return (highest > 0) & ops.isfinite(highest) & ops.isfinite(lowest)
