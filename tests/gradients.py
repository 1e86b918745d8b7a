"""The gradient of a scalar function of one array, on whichever backend runs the tests."""

import keras
import numpy as np


def gradient(function, value):
    value = np.asarray(value, "float32")
    if keras.config.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(value))
    if keras.config.backend() == "torch":
        import torch

        variable = torch.tensor(value, requires_grad=True)
        return torch.autograd.grad(function(variable), variable)[0].numpy()
    import tensorflow as tf

    variable = tf.Variable(value)
    with tf.GradientTape() as tape:
        result = function(variable)
    return tape.gradient(result, variable).numpy()
