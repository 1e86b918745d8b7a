"""ResNet50."""

import keras
from keras import layers, ops

from keras_shr.models.backbones._common import applications_model, images_input

_TAPS = (
    "conv1_relu",
    "conv2_block3_out",
    "conv3_block4_out",
    "conv4_block6_out",
    "conv5_block3_out",
)


def resnet50(image_size, weights=None):
    """ResNet50 of keras.applications, without its classifier.

    Source: He et al., Deep Residual Learning for Image Recognition, CVPR 2016.

    Args:
        image_size: `(height, width)`.
        weights: `None`, `"imagenet"` or the path of a weights file.

    Returns:
        A model from images in 0..255 to five feature maps of stride 2, 4, 8, 16 and 32.
    """
    images = images_input(image_size)
    return applications_model(
        keras.applications.ResNet50, _centred_bgr(images), weights, "resnet50", _TAPS
    )


def _centred_bgr(images):
    """Blue, green, red less ImageNet's mean: how Caffe's weights, which Keras has, were trained."""
    centred = layers.Rescaling(1.0, offset=(-123.68, -116.779, -103.939), name="preprocessing")
    return ops.flip(centred(images), axis=-1)
