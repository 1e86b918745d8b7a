"""Layers that compute what PyTorch's do, under the names of PyTorch's modules.

Keras's `"same"` pads strided layers by one row and column more at the end where the size is even;
PyTorch pads alike on both sides. So padding is a layer of its own wherever the stride is not 1.
"""

import keras
from keras import layers, ops


def conv(
    x,
    filters,
    kernel_size,
    name,
    strides=1,
    use_bias=False,
    kernel_initializer="he_normal",
    dtype=None,
):
    """`torch.nn.Conv2d` with padding `kernel_size // 2`."""
    x, padding = _padded(x, kernel_size, strides, name)
    return layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding=padding,
        use_bias=use_bias,
        kernel_initializer=kernel_initializer,
        dtype=dtype,
        name=name,
    )(x)


def depthwise_conv(x, kernel_size, name, strides=1):
    """`torch.nn.Conv2d` with as many groups as channels, padding `kernel_size // 2`, no bias."""
    x, padding = _padded(x, kernel_size, strides, name)
    return layers.DepthwiseConv2D(kernel_size, strides, padding=padding, use_bias=False, name=name)(
        x
    )


def batch_norm(x, name):
    """`torch.nn.BatchNorm2d`."""
    return layers.BatchNormalization(epsilon=1e-5, name=name)(x)


def relu(x, name):
    """`torch.nn.ReLU`."""
    return layers.ReLU(name=name)(x)


def max_pool(x, pool_size, strides, name, padding=0):
    """`torch.nn.MaxPool2d`; if padded, after a ReLU: the zeros of the padding then never win."""
    if padding:
        x = layers.ZeroPadding2D(padding, name=f"{name}.padding")(x)
    return layers.MaxPooling2D(pool_size, strides, name=name)(x)


def nearest_upsampling(x, factor, name):
    """`torch.nn.Upsample(scale_factor=factor, mode="nearest")`."""
    return NearestUpSampling2D(factor, name=name)(x)


@keras.saving.register_keras_serializable(package="keras_shr")
class NearestUpSampling2D(layers.Layer):
    """Repeats each pixel of maps of known size, with what TensorFlow Lite can convert.

    `keras.layers.UpSampling2D` repeats by way of shapes that are computed while running: the
    converter loses the size of the maps on the way, and refuses three in a row.

    Args:
        factor: repetitions in each direction.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        _, height, width, channels = x.shape
        # In memory a row is pixel after pixel, and a pixel channel after channel: what is joined at
        # the end of the channels follows its pixel, what is joined at the end of a row that row.
        rows = ops.concatenate([x] * self.factor, axis=-1)
        rows = ops.reshape(rows, (-1, height, width * self.factor * channels))
        both = ops.concatenate([rows] * self.factor, axis=-1)
        return ops.reshape(both, (-1, height * self.factor, width * self.factor, channels))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, height * self.factor, width * self.factor, channels)

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


def _padded(x, kernel_size, strides, name):
    if strides == 1 or kernel_size == 1:
        return x, "same"  # alike on both sides for odd kernels
    return layers.ZeroPadding2D(kernel_size // 2, name=f"{name}.padding")(x), "valid"
