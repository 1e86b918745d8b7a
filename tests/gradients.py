"""The gradient of a scalar function of one array, on whichever backend runs the tests."""

import keras
import numpy as np


def gradient(function, value):
    value = np.asarray(value, "float32")
    if keras.config.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(value))
    import tensorflow as tf

    variable = tf.Variable(value)
    with tf.GradientTape() as tape:
        result = function(variable)
    return tape.gradient(result, variable).numpy()
