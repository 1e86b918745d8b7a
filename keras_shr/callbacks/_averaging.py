"""The averaged weights of an optimizer with `use_ema`, put into the model for a while."""

import contextlib
from typing import Any

import numpy as np

from keras_shr._replicas import process_count
from keras_shr.errors import KerasShrError


@contextlib.contextmanager
def averaged_weights(model):
    """Within the block the model has its optimizer's moving averages, where that keeps any.

    They are what `fit` leaves in the model at its end, so they are what validation should judge
    and a checkpoint should hold. `keras.callbacks.SwapEMAWeights` would leave them swapped while
    `BackupAndResume` writes.
    """
    optimizer: Any = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # under loss scaling
    averages = getattr(optimizer, "_model_variables_moving_average", None)
    if not averages or not optimizer.use_ema or not int(np.asarray(optimizer.iterations.value)):
        yield  # before the first step the averages are zeros
        return
    if process_count() > 1:
        raise KerasShrError(
            "use_ema with several processes of JAX: these callbacks cannot put the averages into "
            "the model of one process alone; leave use_ema out"
        )
    variables = optimizer._trainable_variables
    before = [np.array(np.asarray(v.value)) for v in variables]
    for variable, average in zip(variables, averages, strict=True):
        variable.assign(average)
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
