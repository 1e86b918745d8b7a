"""Feature extractors: images in 0..255 in, feature maps of falling resolution out.

Each module holds one architecture as a function `(image_size, weights=None, **options)` that gives
a functional Keras model with its own preprocessing inside. `BACKBONES` says which names there are.
"""

from collections.abc import Callable
from functools import partial

import keras

from keras_shr.errors import KerasShrError
from keras_shr.models.backbones.efficientnet_lite0 import efficientnet_lite0
from keras_shr.models.backbones.hrnet import HRNET_WIDTHS, hrnet, hrnet_finest
from keras_shr.models.backbones.mobilenet_v2 import MOBILENET_V2_ALPHAS, mobilenet_v2
from keras_shr.models.backbones.resnet50 import resnet50
from keras_shr.models.backbones.shufflenet_v2 import SHUFFLENET_V2_CHANNELS, shufflenet_v2
from keras_shr.models.backbones.small_cnn import small_cnn
from keras_shr.models.backbones.vgg19_bn import vgg19_bn

__all__ = [
    "BACKBONES",
    "HRNET_WIDTHS",
    "MOBILENET_V2_ALPHAS",
    "SHUFFLENET_V2_CHANNELS",
    "build_backbone",
    "efficientnet_lite0",
    "freeze_batch_norm",
    "hrnet",
    "hrnet_finest",
    "mobilenet_v2",
    "resnet50",
    "set_batch_norm_momentum",
    "shufflenet_v2",
    "small_cnn",
    "vgg19_bn",
]

BACKBONES: dict[str, Callable] = {
    "efficientnet_lite0": efficientnet_lite0,
    **{f"hrnet_w{width}": partial(hrnet_finest, width=width) for width in HRNET_WIDTHS},
    "mobilenet_v2": mobilenet_v2,
    "resnet50": resnet50,
    **{
        f"shufflenet_v2_{width}": partial(shufflenet_v2, width=width)
        for width in SHUFFLENET_V2_CHANNELS
    },
    "small_cnn": small_cnn,
    "vgg19_bn": vgg19_bn,
}


def build_backbone(backbone, image_size, weights=None, **options):
    """The backbone called `backbone`, or a given model with its feature maps as outputs.

    Args:
        backbone: a name in `BACKBONES`, or a `keras.Model` that does its own preprocessing: a
            backbone of keras-cv or keras-hub, whose pyramid levels are taken, or any model whose
            outputs are feature maps `(batch, height, width, channels)`.
        image_size: `(height, width)`.
        weights: see the backbone's function; for a name only.
        options: passed on to the backbone's function.

    Returns:
        A model from images in 0..255 to a list of feature maps.

    Raises:
        KerasShrError: a model that is none from images of that size to feature maps.
    """
    if isinstance(backbone, keras.Model):
        return _as_feature_list(backbone, image_size)
    return BACKBONES[backbone](image_size, weights=weights, **options)


def _as_feature_list(model, image_size):
    """A given model with its feature maps as outputs."""
    if not getattr(model, "outputs", None):
        raise KerasShrError(
            f"backbone {model!r:.80} has no known outputs; give a Functional model whose outputs "
            "are feature maps"
        )
    _check_input(model, image_size)
    outputs = _pyramid(model) or list(keras.tree.flatten(model.outputs))
    for output in outputs:
        if len(output.shape) != 4 or output is model.inputs[0]:
            raise KerasShrError(
                f"backbone {model.name!r} has an output of shape {output.shape}; a feature map is "
                "(batch, height, width, channels), computed from the images"
            )
    # A name that no layer around it has: "images", "logits" or "up_1_conv" would be there twice.
    return keras.Model(model.inputs, outputs, name=f"{model.name}_features")


def _check_input(model, image_size):
    height, width = image_size
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    fits = len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][3] in (3, None)
    if not fits or any(
        ours not in (side, None) for ours, side in zip(shapes[0][1:3], image_size, strict=True)
    ):
        raise KerasShrError(
            f"backbone {model.name!r} has inputs of shape {', '.join(map(str, shapes))}; with "
            f"image_size {height} x {width} it must take one, (batch, {height}, {width}, 3)"
        )


def _pyramid(model):
    """The levels that backbones of keras-hub (tensors) and keras-cv (layer names) offer."""
    levels = getattr(model, "pyramid_outputs", None)
    if levels:
        return list(levels.values())
    try:
        levels = getattr(model, "pyramid_level_inputs", None)
    except NotImplementedError:  # keras-cv's ViTDet, which has one map
        return None
    if levels:
        return [model.get_layer(name).output for name in levels.values()]
    return None


def set_batch_norm_momentum(model, momentum):
    """Sets the momentum of each BatchNormalization in `model`, nested models included.

    keras.applications' MobileNetV2 has 0.999: after a few thousand steps from scratch its running
    statistics still lag so far behind that inference gives garbage.
    """
    for layer in _batch_norms(model):
        layer.momentum = momentum


def freeze_batch_norm(model):
    """Keeps scale, offset and statistics of each BatchNormalization in `model` as they are."""
    for layer in _batch_norms(model):
        layer.trainable = False


def _batch_norms(model):
    layers = model._flatten_layers()
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
