"""From logits to the answer of an exported file, for devices that compute as phones do.

`PairedHeatmapModel.output_maps` gives the same maps. Two things are different here:

- A phone's GPU computes in float16. The layer scales factors as small as 1e-10 up before the
  product; float16 ends at 6e-8 and would lose every keypoint far from the diagonal. Here the scales
  are found and applied to logarithms, which the logits are, so no number leaves float16's range.
- TensorFlow Lite's GPU delegate knows neither comparisons nor integers in all its releases, and it
  multiplies without the transposition that a BATCH_MATMUL may ask for (tensorflow/lite/delegates/
  gpu/common/model_builder.cc, BatchedMatMulOperationParser). So nothing of either is used.
"""

import math

from keras import ops

from keras_shr.models import PairedHeatmapModel

# The layer drops factors up to 1e-10 (keras_shr/layers/row_column_correlation.py).
_SMALLEST_LOG = math.log(1e-10)
_NEVER = 1e4  # less this, an exponential is 0; float16 holds it


def answer_maps(model, logits):
    """The maps r `(batch, h, w, keypoints)` that `model` answers in inference.

    Args:
        model: `PairedHeatmapModel`.
        logits: `(batch, h, w, keypoints)`, float32, or float16 to see what a GPU would make of it.

    Returns:
        Same shape and dtype.
    """
    if type(model).output_maps is not PairedHeatmapModel.output_maps:
        return model.output_maps(logits)  # a class of the user's own
    if model.correlation is None and model.target == "gaussian":
        return logits
    logs = logits - ops.max(logits, axis=(1, 2), keepdims=True)
    if model.correlation is None or not model.rcc_in_inference:
        return ops.exp(logs)
    correlate = symmetric if model.rcc == "symmetric" else row_column
    maps = ops.transpose(correlate(logs), (0, 2, 3, 1))
    return maps / ops.max(maps, axis=(1, 2), keepdims=True)


def symmetric(logs):
    """`H H^T H` of `H = exp(logs)`, up to a factor, as `(batch, keypoints, height, width)`.

    Args:
        logs: `(batch, height, width, keypoints)`; the maximum of each map is 0.
    """
    maps = ops.exp(logs)
    height, width = maps.shape[1:3]
    upright = ops.transpose(maps, (0, 3, 1, 2))
    # Both from the same tensor: a transposition of `upright` would become a flag of the product.
    squares = ops.matmul(upright, ops.transpose(maps, (0, 3, 2, 1)))
    if height * width > 2**15:  # all entries 1 give height * width; float16 ends at 65504
        squares = squares * (2.0**15 / (height * width))
    return ops.matmul(squares, upright)


def row_column(logs):
    """`sum_i H(l, i) H(i, m)` of `H = exp(logs)`, up to a factor, keypoints before height.

    Factor i on the left is at most the maximum of column i, on the right that of row i. Half of
    what the product of both maxima lacks to the largest such product goes to either side, so each
    factor is at most 1 and the largest term is 1.

    Args:
        logs: `(batch, height, width, keypoints)`; the maximum of each map is 0.
    """
    logs = ops.transpose(logs, (0, 3, 1, 2))
    keypoints, inner = logs.shape[1], min(logs.shape[2:])
    left = right = logs
    if logs.shape[2] != logs.shape[3]:  # zero padding to a square adds nothing
        left, right = logs[:, :, :, :inner], logs[:, :, :inner, :]
    column = ops.max(left, axis=2, keepdims=True)  # (batch, keypoints, 1, inner)
    row = ops.reshape(ops.max(right, axis=3, keepdims=True), (-1, keypoints, 1, inner))
    unusable = _step(_SMALLEST_LOG - ops.minimum(column, row)) * _NEVER
    largest = ops.max(column + row - unusable, axis=3, keepdims=True)
    meaningful = _step(largest + _NEVER / 2)
    largest = largest * meaningful
    left = left + ((row - column - largest) * 0.5 - unusable)
    balance = (column - row - largest) * 0.5 - unusable
    right = right + ops.reshape(balance, (-1, keypoints, inner, 1))
    product = ops.matmul(ops.exp(left), ops.exp(right))
    # Where no factor is usable the product is 0 and the map itself passes, as in the layer.
    return product + ops.exp(logs) * (1 - meaningful)


def _step(x):
    """1 where x >= 1/128, 0 where x <= 0, for any x that float16 holds."""
    return ops.minimum(ops.maximum(x, 0.0), 1 / 128) * 128
