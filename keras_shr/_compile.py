"""One way to compile a function of tensors, whatever the backend."""

import keras


def compiled(function):
    """`function` as a graph of TensorFlow or under JAX's jit; as it is on another backend."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function
