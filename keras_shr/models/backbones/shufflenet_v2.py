"""ShuffleNetV2."""

import keras
from keras import layers, ops

from keras_shr.models.backbones._common import images_input, load_own_weights, standardised
from keras_shr.models.backbones._torch_like import batch_norm, conv, depthwise_conv, max_pool, relu

SHUFFLENET_V2_CHANNELS = {
    "x0_5": (24, 48, 96, 192, 1024),
    "x1_0": (24, 116, 232, 464, 1024),
    "x1_5": (24, 176, 352, 704, 1024),
    "x2_0": (24, 244, 488, 976, 2048),
}
"""Channels of conv1, stages 2 to 4 and conv5 for each width."""

_REPEATS = {"stage2": 4, "stage3": 8, "stage4": 4}


def shufflenet_v2(image_size, weights=None, width="x1_0"):
    """torchvision's ShuffleNetV2 up to conv5, layer for layer and by the same names.

    Source: Ma et al., ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design,
    ECCV 2018.

    Args:
        image_size: `(height, width)`.
        weights: `None` or the path of a weights file; PyTorch's by
            `keras_shr.models.weights.from_torch`.
        width: a key of `SHUFFLENET_V2_CHANNELS`.

    Returns:
        A model from images in 0..255 to five feature maps: after conv1, its pooling, stage 2,
        stage 3 and conv5 (stride 2, 4, 8, 16, 32).
    """
    first, *stages, last = SHUFFLENET_V2_CHANNELS[width]
    images = images_input(image_size)
    x = standardised(images)
    x = _conv_norm_relu(x, first, 3, "conv1", 0, strides=2)
    outputs = [x]
    x = max_pool(x, 3, 2, "maxpool", padding=1)
    for (stage, repeats), channels in zip(_REPEATS.items(), stages, strict=True):
        outputs.append(x)
        x = _downsampling_unit(x, channels, f"{stage}.0")
        for unit in range(1, repeats):
            x = _unit(x, channels, f"{stage}.{unit}")
    outputs.append(_conv_norm_relu(x, last, 1, "conv5", 0))
    model = keras.Model(images, outputs, name=f"shufflenet_v2_{width}")
    load_own_weights(model, weights, f'torchvision.models.{model.name}(weights="DEFAULT")')
    return model


def _unit(x, channels, name):
    """Half of the channels pass, the other half is convolved, and the halves interleave."""
    kept, changed = ops.split(x, 2, axis=-1)
    return _shuffled(kept, _second_branch(changed, channels // 2, f"{name}.branch2", 1), name)


def _downsampling_unit(x, channels, name):
    """Both branches see all channels and halve the resolution."""
    first = depthwise_conv(x, 3, f"{name}.branch1.0", strides=2)
    first = batch_norm(first, f"{name}.branch1.1")
    first = _conv_norm_relu(first, channels // 2, 1, f"{name}.branch1", 2)
    return _shuffled(first, _second_branch(x, channels // 2, f"{name}.branch2", 2), name)


def _second_branch(x, channels, name, strides):
    x = _conv_norm_relu(x, channels, 1, name, 0)
    x = depthwise_conv(x, 3, f"{name}.3", strides=strides)
    x = batch_norm(x, f"{name}.4")
    return _conv_norm_relu(x, channels, 1, name, 5)


def _conv_norm_relu(x, channels, kernel_size, name, number, strides=1):
    x = conv(x, channels, kernel_size, f"{name}.{number}", strides=strides)
    x = batch_norm(x, f"{name}.{number + 1}")
    return relu(x, f"{name}.{number + 2}")


def _shuffled(first, second, name):
    """Both joined and shuffled in two groups, which is to take a channel of each in turn."""
    height, width, channels = first.shape[1:]
    pairs = ops.stack([first, second], axis=-1)
    return layers.Reshape((height, width, 2 * channels), name=name)(pairs)
