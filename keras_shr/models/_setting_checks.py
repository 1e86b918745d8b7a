"""What a model can be made of and compiled with, and one line about everything else."""

import inspect
import math

import keras
import numpy as np
from keras import layers

from keras_shr import metrics
from keras_shr.errors import KerasShrError, shown
from keras_shr.layers import RandomKeypointAffine, RowColumnCorrelation
from keras_shr.perturbations.names import SMALLEST
from keras_shr.skeletons import sided_keypoints

_CHANNELS = (1, 3)  # what perturbations take
_ENDINGS = {"Softmax", "Sigmoid", "ReLU", "Relu", "Relu6", "Softplus", "Tanh", "HardSigmoid"}
"""Layers and operations of Keras after which there are no logits."""
_OF_PAIRS = (metrics.R, metrics.RUC, metrics.StableAtP)
_OF_MAPS = (metrics.PeakGap, metrics.PeakSpread, metrics.Theorem3Share, metrics.UnmovedShare)
_OWN = "of keypoints, such as keras_shr.metrics.PCK(5.0)"


def check_network(network) -> None:
    """Refuses a network that is none from images to heatmaps, or of which that is not known.

    Raises:
        KerasShrError: what its shapes are and what they should be.
    """
    if not getattr(network, "outputs", None):
        raise KerasShrError(
            f"network is {network!r:.80}, whose shapes are not known; give a Functional model, "
            "or a Sequential one that begins with keras.Input"
        )
    if len(network.inputs) != 1:
        raise KerasShrError(
            f"network {network.name!r} has {len(network.inputs)} inputs; expected one, the images"
        )
    outputs = network.compute_output_shape(network.input_shape)
    if isinstance(outputs, dict):
        raise KerasShrError(
            f"network {network.name!r} has its outputs by name ({', '.join(outputs)}); give a "
            "list of them: the last one answers"
        )
    shapes = {tuple(output.shape) for output in network.outputs}
    if len(shapes) > 1 or len(network.outputs[0].shape) != 4:
        raise KerasShrError(
            f"network {network.name!r} has outputs of the shapes {sorted(shapes, key=str)}; "
            "all must be logits (batch, height, width, keypoints) of one shape"
        )
    if None in (*network.input_shape[1:3], *network.outputs[0].shape[1:3]):
        raise KerasShrError(
            f"network {network.name!r} maps {network.input_shape} to {network.output_shape}; "
            "height and width must be known"
        )


def check_model(model) -> None:
    """Refuses settings of a `PairedHeatmapModel` that would do harm only in the first step.

    Raises:
        KerasShrError: naming the argument, its value and what would be right.
    """
    if isinstance(model.seed, bool) or not isinstance(model.seed, int | np.integer):
        raise KerasShrError(f"seed is {model.seed!r}; expected a whole number")
    if model.min_visibility not in (1, 2):
        raise KerasShrError(
            f"min_visibility is {model.min_visibility!r}; expected 1 (all labelled keypoints) or "
            "2 (those that are seen)"
        )
    weight = model.stability_weight
    if not callable(weight) and not (
        isinstance(weight, int | float | np.number) and 0 <= weight < math.inf
    ):
        raise KerasShrError(
            f"stability_weight is {weight!r}; expected a number of at least 0 or a schedule"
        )
    channels = model.network.input_shape[3]
    if model.perturbations is not None and channels not in _CHANNELS:
        raise KerasShrError(
            f"network {model.network.name!r} takes images of {channels} channels; perturbations "
            "take 3, or 1 for grey: give perturbations=None"
        )
    if model.target != "gaussian" or model.rcc is not None:
        _check_logits(model.network, f"target={model.target!r} with rcc={model.rcc!r}")


def check_size(model) -> None:
    """Refuses to train on images that are too small to be perturbed.

    Here rather than in the first step: one that fails there costs a model on JAX its weights.
    """
    sides = model.network.input_shape[1:3]
    small = any(side is not None and side < SMALLEST for side in sides)
    if model.perturbations is not None and small:
        raise KerasShrError(
            f"network {model.network.name!r} takes images of {shown(tuple(sides))} px; "
            f"perturbations need {SMALLEST} or more a side: give perturbations=None"
        )


def _check_logits(network, settings):
    for output in network.outputs:
        ending = _ending(output)
        if ending is not None:
            raise KerasShrError(
                f"network {network.name!r} ends in {ending}; {settings} takes logits: leave the "
                "last activation out (only target='gaussian' with rcc=None takes any map)"
            )


def _ending(output):
    """The name of what comes after the logits of a symbolic output, or None."""
    layer, _, index = output._keras_history
    if isinstance(layer, keras.Model) and getattr(layer, "outputs", None):
        return _ending(layer.outputs[index])
    if isinstance(layer, RowColumnCorrelation) or type(layer).__name__ in _ENDINGS:
        return type(layer).__name__
    activation = getattr(layer, "activation", None)
    linear = activation is None or activation is keras.activations.linear
    if linear and isinstance(layer, layers.Activation | layers.Identity):
        return _ending(layer.input)  # casts only
    return None if linear else getattr(activation, "__name__", type(activation).__name__)


def _check_own_augmentation(augmentation):
    """As in `check_size`, before the first step."""
    call = augmentation.call if isinstance(augmentation, keras.Layer) else augmentation
    try:
        inspect.signature(call).bind(None, None, seed=None)
    except TypeError:
        raise KerasShrError(
            f"augmentation {shown(augmentation)} cannot be called as augmentation(images, "
            "keypoints, seed=...)"
        ) from None
    if keras.config.backend() != "jax" or not isinstance(augmentation, keras.Layer):
        return
    if any(layer._seed_generators for layer in augmentation._flatten_layers()):
        raise KerasShrError(
            f"augmentation {augmentation.name!r} has a random generator of its own, which stands "
            "still in a step of JAX; draw from the seed that it is called with"
        )


def check_augmentation(augmentation, skeleton, num_keypoints) -> None:
    """Refuses an augmentation that would mirror pictures and leave left and right where they are.

    Args:
        augmentation: what the model is to call with images and keypoints, or `None`.
        skeleton: `Skeleton` or `None`.
        num_keypoints: of the model.

    Raises:
        KerasShrError: it is none, or its `flip_order` does not fit.
    """
    if augmentation is not None and not callable(augmentation):
        raise KerasShrError(
            f"augmentation is {shown(augmentation)}; expected a RandomKeypointAffine, its keyword "
            "arguments, or None"
        )
    if augmentation is None:
        return
    if not isinstance(augmentation, RandomKeypointAffine):
        _check_own_augmentation(augmentation)
        return
    unmoved = tuple(range(num_keypoints))
    order = unmoved if augmentation.flip_order is None else augmentation.flip_order
    if len(order) != num_keypoints:
        raise KerasShrError(
            f"the augmentation's flip_order has {len(order)} keypoints and the network's output "
            f"{num_keypoints}"
        )
    if not augmentation.flip or skeleton is None:
        return
    if not skeleton.flip_pairs:
        if order == unmoved and (sided := sided_keypoints(skeleton)):
            raise KerasShrError(
                f"the augmentation mirrors pictures and skeleton {skeleton.name!r} does not say "
                f"what becomes of {skeleton.keypoints[min(sided)]!r}; give it flip_pairs, or the "
                "augmentation flip=0"
            )
        return
    if order != skeleton.flip_order:
        raise KerasShrError(
            f"the augmentation mirrors pictures with flip_order={augmentation.flip_order}, but "
            f"skeleton {skeleton.name!r} has other flip_pairs; give it "
            "flip_order=skeleton.flip_order, or give the augmentation's keyword arguments alone, "
            "as augmentation={}"
        )


def check_metrics(chosen) -> None:
    """Refuses metrics for `compile` that would not measure what their name says.

    They are given labels `(batch, keypoints, 3)` and predictions `(batch, keypoints, 3)`, whose
    third columns are a visibility and a score.

    Raises:
        KerasShrError: naming the metric and what to use.
    """
    for metric in keras.tree.flatten(chosen):
        if isinstance(metric, _OF_PAIRS):
            raise KerasShrError(
                f"metric {metric.name!r} compares predictions for clean and perturbed pictures, "
                "not with labels; keras_shr.callbacks.RobustnessCallback measures it"
            )
        if isinstance(metric, _OF_MAPS):
            raise KerasShrError(f"metric {metric.name!r} is one of heatmaps; expected one {_OWN}")
        made_of = metric if inspect.isfunction(metric) else type(metric)
        if isinstance(metric, str) or _is_keras_own(made_of):
            name = metric if isinstance(metric, str) else made_of.__name__
            raise KerasShrError(
                f"metric {name!r} would take visibility for a coordinate and count keypoints "
                f"without a label; expected one {_OWN}"
            )


def _is_keras_own(made_of):
    name = made_of.__name__
    general = {"Mean", "Sum", "MeanMetricWrapper"}  # of a function of one's own
    return name not in general and getattr(keras.metrics, name, None) is made_of
