"""HRNet, the high-resolution network."""

import keras
from keras import initializers, layers

from keras_shr.errors import KerasShrError
from keras_shr.models.backbones._common import images_input, load_own_weights, standardised
from keras_shr.models.backbones._torch_like import batch_norm, conv, nearest_upsampling, relu

HRNET_WIDTHS = (18, 32, 48)
"""Channels of the finest branch; each coarser branch has twice as many."""

_MODULES = {"stage2": 1, "stage3": 4, "stage4": 3}
_BLOCKS = 4


def hrnet(width, image_size, weights=None):
    """timm's hrnet_w18, hrnet_w32 or hrnet_w48 up to stage 4, layer for layer and by its names.

    Source: Sun et al., Deep High-Resolution Representation Learning for Human Pose Estimation,
    CVPR 2019.

    Args:
        width: one of `HRNET_WIDTHS`.
        image_size: `(height, width)`, each a multiple of 32 or up to 3 pixels less: only then do
            the upsampled coarse branches fit the fine ones.
        weights: `None` or the path of a weights file; PyTorch's by
            `keras_shr.models.weights.from_torch`.

    Returns:
        A model from images in 0..255 to the four branches of stage 4, the finest first (stride 4,
        8, 16, 32; `width` channels and 2, 4, 8 times as many).

    Raises:
        KerasShrError: a width or an image size that HRNet does not have.
    """
    model = keras.Model(*_branches(width, image_size), name=f"hrnet_w{width}")
    load_own_weights(model, weights, f'timm.create_model("{model.name}", pretrained=True)')
    return model


def hrnet_finest(image_size, weights=None, width=32):
    """`hrnet` with the finest branch (stride 4) alone, which is all that the paper's head takes.

    The last module's fusions into the other branches are left out: their weights would never be
    trained.
    """
    images, branches = _branches(width, image_size)
    model = keras.Model(images, branches[:1], name=f"hrnet_w{width}")
    load_own_weights(model, weights, f'timm.create_model("{model.name}", pretrained=True)')
    return model


def _branches(width, image_size):
    if width not in HRNET_WIDTHS:
        raise KerasShrError(f"HRNet has no width {width!r}; give one of {HRNET_WIDTHS}")
    if any(-(-side // 4) % 8 for side in image_size):
        raise KerasShrError(
            f"HRNet takes no images of {image_size[0]} x {image_size[1]}: height and width must "
            "be multiples of 32, or up to 3 pixels less"
        )
    images = images_input(image_size)
    x = standardised(images)
    x = _conv_norm_relu(x, 64, "conv1", "bn1", "act1", strides=2)
    x = _conv_norm_relu(x, 64, "conv2", "bn2", "act2", strides=2)
    for block in range(_BLOCKS):
        x = _residual_block(x, ((64, 1), (64, 3), (256, 1)), f"layer1.{block}")
    branches = [_conv_norm_relu(x, width, *_numbered("transition1.0"))]
    coarsest = x
    for number, (stage, modules) in enumerate(_MODULES.items(), start=1):
        # Each stage begins with one more branch, of half the resolution of the coarsest before.
        names = _numbered(f"transition{number}.{number}.0")
        branches.append(_conv_norm_relu(coarsest, width << number, *names, strides=2))
        for module in range(modules):
            branches = _module(branches, f"{stage}.{module}")
        coarsest = branches[-1]
    return images, branches


def _module(branches, name):
    """Residual blocks in each branch, then each branch becomes a sum over all of them."""
    branches = list(branches)
    for i, x in enumerate(branches):
        channels = x.shape[-1]
        for block in range(_BLOCKS):
            x = _residual_block(x, ((channels, 3), (channels, 3)), f"{name}.branches.{i}.{block}")
        branches[i] = x
    fused = []
    for i, target in enumerate(branches):
        terms = [
            _resampled(x, j, i, target.shape[-1], f"{name}.fuse_layers.{i}.{j}")
            for j, x in enumerate(branches)
        ]
        total = layers.Add(name=f"{name}.fuse_layers.{i}.add")(terms)
        fused.append(relu(total, f"{name}.fuse_act.{i}"))
    return fused


def _resampled(x, source, target, channels, name):
    """Branch `source` at the resolution and with the channels of branch `target`."""
    if source > target:
        x = _conv_norm(x, channels, 1, f"{name}.0", f"{name}.1")
        return nearest_upsampling(x, 2 ** (source - target), f"{name}.2")
    for step in range(target - source - 1):
        x = _conv_norm_relu(x, x.shape[-1], *_numbered(f"{name}.{step}"), strides=2)
    if source < target:  # no ReLU in the last step, since a sum follows
        convolution, norm, _ = _numbered(f"{name}.{target - source - 1}")
        x = _conv_norm(x, channels, 3, convolution, norm, strides=2)
    return x


def _residual_block(x, convolutions, name):
    """Convolutions `(filters, kernel size)` and what they add to: ResNet's two kinds of block."""
    channels, last = convolutions[-1][0], len(convolutions)
    shortcut = x
    if x.shape[-1] != channels:
        shortcut = _conv_norm(x, channels, 1, f"{name}.downsample.0", f"{name}.downsample.1")
    for n, (filters, kernel_size) in enumerate(convolutions, start=1):
        x = _conv_norm(x, filters, kernel_size, f"{name}.conv{n}", f"{name}.bn{n}")
        if n == last:
            x = layers.Add(name=f"{name}.add")([x, shortcut])
        x = relu(x, f"{name}.act{n}")
    return x


def _numbered(name) -> tuple[str, str, str]:
    return f"{name}.0", f"{name}.1", f"{name}.2"


def _conv_norm_relu(x, filters, convolution, norm, activation, strides=1):
    return relu(_conv_norm(x, filters, 3, convolution, norm, strides), activation)


def _conv_norm(x, filters, kernel_size, convolution, norm, strides=1):
    # The authors' start. Kernels that keep the size of what passes, as elsewhere, let the many sums
    # reach 3e7 (timm's start) before the normalisations have seen a batch: too far for float16.
    # A new initializer each time, as one gives the same numbers again.
    small = initializers.RandomNormal(stddev=0.001)
    x = conv(x, filters, kernel_size, convolution, strides=strides, kernel_initializer=small)
    return batch_norm(x, norm)
