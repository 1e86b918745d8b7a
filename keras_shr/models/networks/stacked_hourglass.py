"""The stacked hourglass, with intermediate supervision."""

import keras
from keras import initializers, layers

from keras_shr.errors import KerasShrError
from keras_shr.models.backbones._common import images_input, load_own_weights
from keras_shr.models.backbones._torch_like import (
    batch_norm,
    conv,
    max_pool,
    nearest_upsampling,
    relu,
)

_DEPTH = 4
"""Halvings inside an hourglass: from 64 pixels down to 4 in the paper."""

_STRIDE = 4
_MULTIPLE = _STRIDE << _DEPTH


def stacked_hourglass(num_keypoints, image_size, weights=None, stacks=2, features=256):
    """The authors' network: layer for layer, and by the names of their PyTorch modules.

    A stem takes the image to a quarter of its size; each hourglass halves the features four times,
    with a residual to the side at each size, and doubles them back by repetition, adding what
    went aside. A residual and a 1x1 convolution follow, then the heatmaps, which, like the
    features they came from, are added to what the next hourglass sees.

    With 16 joints, 2 stacks and 256 features it has 6,570,400 trainable parameters, like the public
    bearpaw/pytorch-pose. The authors' PyTorch port registers 8,429,088: besides these a skip
    convolution in every residual, most of which nothing passes through.

    Source: Newell, Yang and Deng, Stacked Hourglass Networks for Human Pose Estimation, ECCV 2016;
    order of the layers as in the authors' princeton-vl/pose-hg-train (hg.lua). Images are fed as
    0..1 there, and so here.

    Args:
        num_keypoints: channels of the heatmaps.
        image_size: `(height, width)`, each a multiple of 64, as the heatmaps (stride 4) are halved
            four times.
        weights: `None` or the path of a weights file for as many keypoints; the authors' PyTorch
            weights by `keras_shr.models.weights.from_torch`.
        stacks: hourglasses in a row.
        features: width of the hourglasses, a multiple of 4; the stem begins with a quarter of it.

    Returns:
        A model from images in 0..255 to a list of float32 logits `(batch, height / 4, width / 4,
        num_keypoints)`, one for each stack; the last is the answer.

    Raises:
        KerasShrError: an image size, number of stacks or width that it cannot have.
    """
    _check(image_size, weights, stacks, features)
    images = images_input(image_size)
    x = layers.Rescaling(1 / 255, name="preprocessing")(images)
    x = _conv(x, features // 4, 7, "pre.0.conv", strides=2)
    x = relu(batch_norm(x, "pre.0.bn"), "pre.0.relu")
    x = _residual(x, features // 2, "pre.1")
    x = max_pool(x, 2, 2, "pre.2")
    x = _residual(x, features // 2, "pre.3")
    x = _residual(x, features, "pre.4")
    outputs = []
    for stack in range(stacks):
        y = _hourglass(x, _DEPTH, f"hgs.{stack}.0")
        y = _residual(y, features, f"features.{stack}.0")
        y = _conv(y, features, 1, f"features.{stack}.1.conv")
        y = relu(batch_norm(y, f"features.{stack}.1.bn"), f"features.{stack}.1.relu")
        # Heatmaps leave half precision here: the losses compare small differences of large maps.
        logits = _conv(y, num_keypoints, 1, f"outs.{stack}.conv", dtype="float32")
        outputs.append(logits)
        if stack + 1 < stacks:
            y = _conv(y, features, 1, f"merge_features.{stack}.conv.conv")
            maps = _conv(logits, features, 1, f"merge_preds.{stack}.conv.conv")
            x = layers.Add(name=f"merge.{stack}")([x, y, maps])
    model = keras.Model(images, outputs, name="stacked_hourglass")
    load_own_weights(model, weights)
    return model


def _check(image_size, weights, stacks, features):
    if weights == "imagenet":
        raise KerasShrError(
            "weights='imagenet': there are no ImageNet weights of stacked_hourglass, which is "
            "trained from scratch. Give weights=None, or the path of a file that "
            "get_backbone().save_weights wrote"
        )
    if any(side <= 0 or side % _MULTIPLE for side in image_size):
        raise KerasShrError(
            f"the stacked hourglass takes no images of {image_size[0]} x {image_size[1]}: height "
            f"and width must be multiples of {_MULTIPLE}"
        )
    if stacks < 1:
        raise KerasShrError(f"stacks={stacks}: give at least one")
    if features < 4 or features % 4:
        raise KerasShrError(f"features={features}: give a multiple of 4")


def _hourglass(x, depth, name):
    aside = _residual(x, x.shape[-1], f"{name}.up1")
    x = max_pool(x, 2, 2, f"{name}.pool1")
    x = _residual(x, x.shape[-1], f"{name}.low1")
    if depth > 1:
        x = _hourglass(x, depth - 1, f"{name}.low2")
    else:
        x = _residual(x, x.shape[-1], f"{name}.low2")
    x = _residual(x, x.shape[-1], f"{name}.low3")
    x = nearest_upsampling(x, 2, f"{name}.up2")
    return layers.Add(name=f"{name}.add")([aside, x])


def _residual(x, filters, name):
    """A bottleneck with normalisation and ReLU before each convolution (He et al., 2016)."""
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = _conv(x, filters, 1, f"{name}.skip_layer.conv")
    widths = ((filters // 2, 1), (filters // 2, 3), (filters, 1))
    for n, (width, kernel_size) in enumerate(widths, start=1):
        x = relu(batch_norm(x, f"{name}.bn{n}"), f"{name}.relu{n}")
        x = _conv(x, width, kernel_size, f"{name}.conv{n}.conv")
    return layers.Add(name=f"{name}.add")([shortcut, x])


def _conv(x, filters, kernel_size, name, **options):
    # Torch's start, uniform within 1 / sqrt(inputs). With kernels that keep the size of what passes
    # each residual would double the variance for as long as the normalisations have seen no batch:
    # too far for float16 after two hourglasses.
    small = initializers.VarianceScaling(1 / 3, mode="fan_in", distribution="uniform")
    return conv(x, filters, kernel_size, name, use_bias=True, kernel_initializer=small, **options)
