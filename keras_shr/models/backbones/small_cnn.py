"""A small network that learns in minutes on a CPU."""

import keras
from keras import layers

from keras_shr.models.backbones._common import images_input, load_own_weights, scaled_to_one

_WIDTHS = (24, 48, 64, 96)


def small_cnn(image_size, weights=None):
    """Four 3x3 convolutions of stride 2, each with batch normalisation and ReLU.

    Ours, for first tries on a CPU: in the demo's setting, from random weights, it was as accurate
    after 600 steps as MobileNetV2 (alpha 0.35) in 0.6 of the CPU time (docs/experiments.md).

    Args:
        image_size: `(height, width)`.
        weights: `None` or the path of a weights file.

    Returns:
        A model from images in 0..255 to four feature maps of stride 2, 4, 8 and 16.
    """
    images = images_input(image_size)
    x, features = scaled_to_one(images), []
    for number, width in enumerate(_WIDTHS, 1):
        name = f"stage_{number}"
        x = layers.Conv2D(width, 3, 2, padding="same", use_bias=False, name=f"{name}_conv")(x)
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
        x = layers.ReLU(name=name)(x)
        features.append(x)
    model = keras.Model(images, features, name="small_cnn")
    load_own_weights(model, weights)
    return model
