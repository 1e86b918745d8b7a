"""Parameters and multiply-adds of a Keras network, read off its graph on any backend.

Counted are the multiply-adds of convolutions, dense layers and row-column correlation, which is
what torchvision and papers on architectures count; a FLOP count is twice that. Biases, batch
normalisation (part of the convolution once a model is converted), activations, sums, pooling and
resizing are left out: they are below 2 % of any architecture here.
"""

import math

import keras

from keras_shr.errors import KerasShrError

UNCOUNTED = (keras.layers.BatchNormalization, keras.layers.LayerNormalization, keras.layers.PReLU)
"""Layers with weights that do one or two operations for each value."""

PRODUCTS = {"Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv", "Matmul", "Dot", "Einsum"}
"""Operations of `keras.ops` in a graph that would have to be counted, and are not."""


def parameters(model):
    """Numbers that training changes; as PyTorch counts them, without the statistics of batch
    normalisation."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def multiply_adds(model):
    """Multiply-adds for one image.

    Args:
        model: a functional `keras.Model` with known image size, or a
            `keras_shr.models.PairedHeatmapModel`, whose row-column correlation is then included.

    Raises:
        KerasShrError: the graph has an operation that cannot be counted; says which.
    """
    network = getattr(model, "network", None)
    if network is not None:
        return multiply_adds(network) + _correlation(model)
    return sum(
        _of_call(node.operation, node.input_tensors, node.output_tensors)
        for nodes in model._nodes_by_depth.values()
        for node in nodes
        if not node.is_input
    )


def _correlation(model):
    """Of H H for each keypoint, or H H^T H; H is (height, width)."""
    if model.correlation is None:
        return 0
    height, width = model.heatmap_size
    if model.correlation.variant == "symmetric":
        return model.num_keypoints * 2 * height * height * width
    return model.num_keypoints * height * min(height, width) * width


def _of_call(operation, inputs, outputs):
    layers = keras.layers
    if isinstance(operation, layers.Conv2D | layers.DepthwiseConv2D | layers.SeparableConv2D):
        return _pixels(operation, outputs[0]) * _kernel_size(operation)
    if isinstance(operation, layers.Conv2DTranspose):  # the kernel meets each pixel that comes in
        return _pixels(operation, inputs[0]) * _kernel_size(operation)
    if isinstance(operation, layers.Dense):
        return math.prod(outputs[0].shape[1:-1]) * _kernel_size(operation)
    if isinstance(operation, keras.Model):
        for tensor, inner in zip(inputs, operation.inputs, strict=True):
            if tuple(tensor.shape[1:]) != tuple(inner.shape[1:]):
                raise KerasShrError(
                    f"model {operation.name!r} was built for {tuple(inner.shape)} and is called "
                    f"with {tuple(tensor.shape)}: its multiply-adds cannot be counted"
                )
        return multiply_adds(operation)
    heavy = type(operation).__name__ in PRODUCTS
    if heavy or (getattr(operation, "weights", None) and not isinstance(operation, UNCOUNTED)):
        raise KerasShrError(
            f"{type(operation).__name__} {operation.name!r}: no rule for its multiply-adds in "
            "benchmarks/model_counts.py"
        )
    return 0


def _kernel_size(layer):
    """Multiply-adds for one pixel; a kernel holds channels / groups for each filter already."""
    separable = isinstance(layer, keras.layers.SeparableConv2D)
    names = ("depthwise_kernel", "pointwise_kernel") if separable else ("kernel",)
    return sum(math.prod(getattr(layer, name).shape) for name in names)


def _pixels(layer, image):
    pixels = image.shape[2:] if layer.data_format == "channels_first" else image.shape[1:-1]
    if None in pixels:
        raise KerasShrError(f"layer {layer.name!r} works on {image.shape}: give the image size")
    return math.prod(pixels)
