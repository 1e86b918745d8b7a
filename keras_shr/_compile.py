"""One way to compile a function of tensors, whatever the backend."""

import contextlib
import logging
import os

import keras


def compiled(function, **options):
    """`function` as a graph of TensorFlow or under JAX's jit; as it is on another backend.

    Args:
        function: takes and gives tensors.
        options: of `tf.function`, such as `jit_compile`; without effect on other backends.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False, **options)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function


def keep_compiled(folder):
    """Lets JAX keep what took it a second or more to compile in `folder`, and look there first.

    The variable `JAX_COMPILATION_CACHE_DIR` goes before `folder`. JAX reads it when it is imported,
    which it is with Keras: setting it here would be too late.
    """
    if keras.backend.backend() != "jax":
        return
    import jax

    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", os.path.abspath(folder))


@contextlib.contextmanager
def without_retracing_warnings():
    """TensorFlow takes the functions of several models for one that is traced again and again."""
    logger = logging.getLogger("tensorflow")

    def keep(record):
        return "triggered tf.function retracing" not in record.getMessage()

    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
