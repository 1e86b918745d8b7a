"""MobileNetV2."""

import keras

from keras_shr.models.backbones._common import applications_model, images_input, scaled_to_one

MOBILENET_V2_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
"""The widths for which ImageNet weights exist; any positive alpha builds without weights."""

_TAPS = (
    "block_1_expand_relu",
    "block_3_expand_relu",
    "block_6_expand_relu",
    "block_13_expand_relu",
    "block_16_project_BN",
)


def mobilenet_v2(image_size, weights=None, alpha=1.0):
    """MobileNetV2 of keras.applications, without the layer that only classification needs.

    Source: Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018.

    Args:
        image_size: `(height, width)`.
        weights: `None`, `"imagenet"` or the path of a weights file.
        alpha: width multiplier.

    Returns:
        A model from images in 0..255 to five feature maps of stride 2, 4, 8, 16 and 32.
    """
    images = images_input(image_size)
    return applications_model(
        keras.applications.MobileNetV2,
        scaled_to_one(images),
        weights,
        "mobilenet_v2",
        _TAPS,
        alpha=alpha,
    )
