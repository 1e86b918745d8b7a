"""Casting, shape checks and weighted means that all metrics share."""

import keras
import numpy as np
from keras import ops

from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError


def compute_dtype() -> str:
    """float32, or float64 when Keras' default is: half precision cannot hold a pixel sum."""
    return "float64" if keras.config.floatx() == "float64" else "float32"


def as_float(values):
    """`values` (NumPy array, list or tensor, any dtype) as a tensor of `compute_dtype`."""
    if isinstance(values, np.ndarray | list | tuple | float | int):
        # Cast on the NumPy side: JAX without x64 would warn about float64 input.
        return ops.convert_to_tensor(np.asarray(values, compute_dtype()))
    return ops.cast(values, compute_dtype())


def check_keypoints(name, values, columns):
    """Raise unless `values` is `(batch, keypoints, c)` with c in `columns`."""
    shape = tuple(values.shape)
    if len(shape) != 3 or (shape[-1] is not None and shape[-1] not in columns):
        last = " or ".join(map(str, columns))
        raise KerasShrError(f"{name} has shape {shape}, expected (batch, keypoints, {last})")


def check_heatmaps(name, values):
    """Raise unless `values` is `(batch, height, width, keypoints)`."""
    if len(values.shape) != 4:
        raise KerasShrError(
            f"{name} has shape {tuple(values.shape)}, expected (batch, height, width, keypoints)"
        )


def spread_weights(sample_weight, values):
    """`sample_weight` None, `(batch,)` or `(batch, keypoints)` as the shape of `values`.

    Args:
        values: tensor `(batch, keypoints)`.
    """
    if sample_weight is None:
        return ops.ones_like(values)
    weights = as_float(sample_weight)
    if len(weights.shape) == 1:
        weights = ops.expand_dims(weights, -1)
    if len(weights.shape) != 2:
        raise KerasShrError(
            f"sample_weight has shape {tuple(weights.shape)}, "
            "expected (batch,) or (batch, keypoints)"
        )
    return weights * ops.ones_like(values)


def weighted_sum(values, weights, axis=None):
    """Sum of values times weights; a value of weight 0 adds 0 even when it is NaN or Inf."""
    # Both branches are finite where they are used: inf * 0 would be NaN.
    used = ops.where(ops.equal(weights, 0), ops.zeros_like(values), values)
    return ops.sum(used * weights, axis=axis)


def ratio(total, count):
    """total / count, and NaN (no value, rather than a perfect 0) where nothing was counted."""
    empty = ops.equal(count, 0)
    result = total / ops.where(empty, ops.ones_like(count), count)
    return ops.where(empty, ops.full_like(result, float("nan")), result)


def weighted_mean(values, weights=None) -> Tensor:
    """Mean of `values` `(batch, keypoints)` under `weights` of the same shape, a scalar.

    NaN where the weights sum to 0, which is to be read as "no value".
    """
    values = as_float(values)
    weights = ops.ones_like(values) if weights is None else as_float(weights)
    return ratio(weighted_sum(values, weights), ops.sum(weights))
