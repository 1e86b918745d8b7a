"""Layers that compute what PyTorch's do, under the names of PyTorch's modules.

Keras's `"same"` pads strided layers by one row and column more at the end where the size is even;
PyTorch pads alike on both sides. So padding is a layer of its own wherever the stride is not 1.
"""

from keras import layers


def conv(x, filters, kernel_size, name, strides=1, use_bias=False, kernel_initializer="he_normal"):
    """`torch.nn.Conv2d` with padding `kernel_size // 2`."""
    x, padding = _padded(x, kernel_size, strides, name)
    return layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding=padding,
        use_bias=use_bias,
        kernel_initializer=kernel_initializer,
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
    """`torch.nn.MaxPool2d`, after a ReLU: the zeros of the padding then never win."""
    if padding:
        x = layers.ZeroPadding2D(padding, name=f"{name}.padding")(x)
    return layers.MaxPooling2D(pool_size, strides, name=name)(x)


def _padded(x, kernel_size, strides, name):
    if strides == 1 or kernel_size == 1:
        return x, "same"  # alike on both sides for odd kernels
    return layers.ZeroPadding2D(kernel_size // 2, name=f"{name}.padding")(x), "valid"
