"""Feature extractors by name: images in, feature maps of falling resolution out."""

import warnings

import keras

from keras_shr.errors import KerasShrError

MOBILENET_V2_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
"""The widths for which ImageNet weights exist; any positive alpha builds without weights."""


def mobilenet_v2(image_size, alpha=1.0, weights=None):
    """MobileNetV2 of keras.applications, without the layer that only classification needs.

    Args:
        image_size: `(height, width)`.
        alpha: width multiplier.
        weights: `None`, `"imagenet"` or the path of a weights file.

    Returns:
        A model from images scaled to [-1, 1] to five feature maps of stride 2, 4, 8, 16 and 32.
    """
    try:
        with warnings.catch_warnings():
            # Without the classifier ImageNet's weights fit any size, not only those Keras lists.
            warnings.filterwarnings("ignore", "`input_shape` is undefined", UserWarning)
            full = keras.applications.MobileNetV2(
                input_shape=(*image_size, 3), alpha=alpha, include_top=False, weights=weights
            )
    except Exception as error:
        if weights is None:
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise KerasShrError(
            f"weights={weights!r} of mobilenet_v2 (alpha {alpha}) could not be loaded: "
            f"{reason}. Give weights=None, or the path of a weights file that "
            "keras.applications.MobileNetV2(include_top=False) reads."
        ) from error
    taps = (
        "block_1_expand_relu",
        "block_3_expand_relu",
        "block_6_expand_relu",
        "block_13_expand_relu",
        "block_16_project_BN",
    )
    outputs = [full.get_layer(name).output for name in taps]
    return keras.Model(full.input, outputs, name="mobilenet_v2")


BACKBONES = {"mobilenet_v2": mobilenet_v2}


def build_backbone(backbone, image_size, weights=None, **options):
    """The backbone called `backbone`, or the given `keras.Model` as it is.

    Args:
        backbone: a name in `BACKBONES`, or a `keras.Model` whose outputs are feature maps
            `(batch, height, width, channels)`.
        image_size: `(height, width)`.
        weights: see the backbone's function.
        options: passed on to the backbone's function.

    Returns:
        A model with a list of feature maps, the finest first.
    """
    if isinstance(backbone, keras.Model):
        return _as_feature_list(backbone)
    if backbone not in BACKBONES:
        raise KerasShrError(
            f"backbone {backbone!r} is not known; give one of {', '.join(BACKBONES)} "
            "or a keras.Model"
        )
    return BACKBONES[backbone](image_size, weights=weights, **options)


def _as_feature_list(model):
    outputs = list(keras.tree.flatten(model.outputs))
    for output in outputs:
        if len(output.shape) != 4:
            raise KerasShrError(
                f"backbone {model.name!r} has an output of shape {output.shape}; a feature map is "
                "(batch, height, width, channels)"
            )
    outputs.sort(key=lambda output: -(output.shape[1] or 0))
    return keras.Model(model.inputs, outputs, name=model.name)


def set_batch_norm_momentum(model, momentum):
    """Sets the momentum of each BatchNormalization in `model`, nested models included.

    keras.applications' MobileNetV2 has 0.999: after a few thousand steps from scratch its running
    statistics still lag so far behind that inference gives garbage.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum
