"""The state that every metric here keeps: a weighted sum and a weight, each in two floats."""

import keras
from keras import ops

from keras_shr.metrics._arrays import compute_dtype, ratio


def add_exactly(pair, value):
    """Add `value` to a number held as (high, low): Knuth's two-sum.

    `pair` has shape `(2, ...)`. High and low together carry about 48 bits in float32, so counts
    stay exact far beyond float32's 16,777,216 and long sums lose nothing that matters. JAX has no
    float64 by default and a metric on an accelerator should not need one.
    """
    high, low = pair[0], pair[1]
    total = high + value
    rest = total - high
    error = (high - (total - rest)) + (value - rest)
    return ops.stack([total, low + error])


class AccumulatedMean(keras.Metric):
    """sum(weight · value) / sum(weight) over all batches, never a mean of means.

    Subclasses call `_add(total, weight)` with the sums of one batch. The result is NaN before
    anything has been counted. `dtype` is accepted for Keras' sake; sums are float32 pairs (float64
    if that is Keras' default) under any policy, because float16 stops counting at 2048.
    """

    def __init__(self, name, dtype=None, shape=()):
        super().__init__(name=name, dtype=dtype)
        if shape is not None:
            self._make_state(shape)

    def _make_state(self, shape, count_shape=None):
        def pair(name, shape):
            return self.add_variable((2, *shape), "zeros", dtype=compute_dtype(), name=name)

        self.total = pair("total", shape)
        self.count = pair("count", shape if count_shape is None else count_shape)

    def _add(self, total, weight):
        self.total.assign(add_exactly(ops.convert_to_tensor(self.total), total))
        self.count.assign(add_exactly(ops.convert_to_tensor(self.count), weight))

    def _sums(self):
        """(total, count) as plain tensors of the state's shape."""
        total, count = ops.convert_to_tensor(self.total), ops.convert_to_tensor(self.count)
        return total[0] + total[1], count[0] + count[1]

    def result(self):
        return ratio(*self._sums())
