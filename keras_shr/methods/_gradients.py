"""The gradient with respect to images, inside a training step."""

import keras

from keras_shr.errors import KerasShrError


def check_differentiable(network) -> None:
    """Refuses a network whose input is of whole numbers: nothing flows back through it.

    Raises:
        KerasShrError: naming the input's type.
    """
    for given in network.inputs:
        if "int" in keras.backend.standardize_dtype(given.dtype):
            raise KerasShrError(
                f"the network's input {given.name!r} is {given.dtype}, so that its answer has no "
                "gradient with respect to the images, which this method needs; make it a "
                "keras.Input of float32"
            )


def image_gradient(function, images):
    """The gradient of a scalar function of images, of their shape, as a constant.

    It may be taken inside a compiled training step, in a loop, and under a `StatelessScope`. What
    `function` does to variables is its own affair: it should do nothing.

    Args:
        function: from images to a scalar tensor.
        images: float32 tensor.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        images = tf.convert_to_tensor(images)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            value = function(images)
        return tf.stop_gradient(tape.gradient(value, images))
    if backend == "jax":
        import jax

        return jax.lax.stop_gradient(jax.grad(function)(images))
    if backend == "torch":
        import torch

        images = images.detach().requires_grad_()
        with torch.enable_grad():
            value = function(images)
        return torch.autograd.grad(value, images)[0]
    raise KerasShrError(f"this training method does not know the backend {backend}")
