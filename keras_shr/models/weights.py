"""PyTorch's weights for Keras models: by name, every number accounted for."""

from fnmatch import fnmatchcase

import keras
import numpy as np
from keras import layers

from keras_shr.errors import KerasShrError

CLASSIFIER_HEADS = (
    "classifier.*",
    "fc.*",
    "head.*",
    "incre_modules.*",
    "downsamp_modules.*",
    "final_layer.*",
)
"""Keys, as patterns, of what follows the features in networks of torchvision and timm."""

COARSE_BRANCHES = ("stage4.2.fuse_layers.[123].*",)
"""Keys of HRNet that the finest branch does without: the last fusions into the other three."""

IDLE_SKIPS = ("*.skip_layer.conv.*",)
"""Keys of the hourglass authors' port that no image passes through: residuals of equal width."""


def from_torch(
    model, state_dict, ignore=CLASSIFIER_HEADS + COARSE_BRANCHES + IDLE_SKIPS
) -> keras.Model:
    """Loads a PyTorch state dict into a Keras model whose layers are named after torch's modules.

    `vgg19_bn` and the `shufflenet_v2` family have torchvision's names, the `hrnet` family timm's,
    `stacked_hourglass` those of its authors' princeton-vl/pytorch_stacked_hourglass; any model of
    one's own may be named so: a layer `"features.0"` takes `features.0.weight` and
    `features.0.bias`. Nothing is loaded unless everything fits.

    Args:
        model: a `keras.Model`, such as `StableHeatmapRegressor(...).get_backbone()`.
        state_dict: names to arrays or tensors, as `state_dict()` of a torch module gives them.
            PyTorch is not needed if they are arrays.
        ignore: patterns (`*` stands for anything) of keys that no layer has to use; by default
            classifier heads, HRNet's last fusions into its coarse branches and the hourglass's
            idle skips. `num_batches_tracked`, which Keras does not have, always is ignored.

    Returns:
        `model`.

    Raises:
        KerasShrError: a key is missing, unused or of another shape; says which.

    Example:

    >>> network = torchvision.models.vgg19_bn(weights="DEFAULT")
    >>> model = keras_shr.models.StableHeatmapRegressor(21, backbone="vgg19_bn")
    >>> keras_shr.models.weights.from_torch(model.get_backbone(), network.state_dict())
    """
    slots = _slots(model)
    _check_keys(model, slots, state_dict, (*ignore, "*num_batches_tracked"))
    values = {key: _array(key, state_dict[key]) for key in slots}
    for key, (layer, _, shape, _) in slots.items():
        if values[key].shape != shape:
            raise KerasShrError(
                f"{key!r} of the state dict has shape {values[key].shape}; layer {layer.name!r} "
                f"of model {model.name!r} takes {shape}"
            )
    for key, (_, variable, _, to_keras) in slots.items():
        variable.assign(to_keras(values[key]))
    return model


def state_dict_shapes(model) -> dict[str, tuple[int, ...]]:
    """What `from_torch` wants for `model`: each key with its shape in PyTorch's order of axes."""
    return {key: shape for key, (_, _, shape, _) in _slots(model).items()}


def _check_keys(model, slots, state_dict, ignore):
    unused = [
        key
        for key in state_dict
        if key not in slots and not any(fnmatchcase(key, pattern) for pattern in ignore)
    ]
    missing = [key for key in slots if key not in state_dict]
    if missing:
        layer, _, shape, _ = slots[missing[0]]
        others = f" (nor {len(missing) - 1} others)" if len(missing) > 1 else ""
        hint = f"; it has a key {unused[0]!r} that no layer takes" if unused else ""
        raise KerasShrError(
            f"the state dict has no {missing[0]!r}{others}, of shape {shape}, for layer "
            f"{layer.name!r} of model {model.name!r}{hint}"
        )
    if unused:
        others = f" (and {len(unused) - 1} others)" if len(unused) > 1 else ""
        shape = _array(unused[0], state_dict[unused[0]]).shape
        raise KerasShrError(
            f"{unused[0]!r}{others} of the state dict, of shape {shape}, belongs to no layer of "
            f"model {model.name!r}; a pattern in ignore leaves it out"
        )


def _array(key, value):
    if hasattr(value, "detach"):  # a tensor of PyTorch; NumPy does not know its bfloat16
        value = value.detach().cpu().float().numpy()
    array = np.asarray(value)
    if array.dtype == object:
        raise KerasShrError(
            f"{key!r} of the state dict is a {type(value).__name__}, not an array; if this is a "
            "checkpoint, give the mapping of names to weights inside it"
        )
    return array


def _same(value):
    return value


def _kernel(value):
    """Output, input, height, width → height, width, input, output; within groups alike."""
    return np.transpose(value, (2, 3, 1, 0))


def _depthwise_kernel(value, channels):
    """Torch's outputs are all multiples of the first channel, then of the next, as Keras's are."""
    return np.transpose(value.reshape(channels, -1, *value.shape[2:]), (2, 3, 0, 1))


def _conv_slots(layer):
    height, width, inputs, outputs = layer.kernel.shape
    yield "weight", layer.kernel, (outputs, inputs, height, width), _kernel
    if layer.use_bias:
        yield "bias", layer.bias, (outputs,), _same


def _depthwise_slots(layer):
    height, width, channels, multiplier = layer.kernel.shape
    outputs = channels * multiplier
    shape = (outputs, 1, height, width)
    yield "weight", layer.kernel, shape, lambda value: _depthwise_kernel(value, channels)
    if layer.use_bias:
        yield "bias", layer.bias, (outputs,), _same


def _batch_norm_slots(layer):
    named = {
        "weight": layer.gamma,
        "bias": layer.beta,
        "running_mean": layer.moving_mean,
        "running_var": layer.moving_variance,
    }
    for name, variable in named.items():
        if variable is not None:
            yield name, variable, tuple(variable.shape), _same


# A kind of layer with weights: a line here, and what its weights are called in torch above.
_KINDS = {
    layers.DepthwiseConv2D: _depthwise_slots,
    layers.Conv2D: _conv_slots,
    layers.BatchNormalization: _batch_norm_slots,
}


def _slots(model):
    """Key of the state dict → (layer, variable, shape in torch, how to get from there to Keras)."""
    slots = {}
    for layer in model._flatten_layers():
        own = layer._trainable_variables + layer._non_trainable_variables
        if not own:
            continue  # without weights, or a container of other layers
        kind = next(
            (slots_of for base, slots_of in _KINDS.items() if isinstance(layer, base)), None
        )
        if kind is None:
            raise KerasShrError(
                f"layer {layer.name!r} of model {model.name!r} is a {type(layer).__name__}; "
                f"from_torch knows {', '.join(base.__name__ for base in _KINDS)}"
            )
        for name, *slot in kind(layer):
            slots[f"{layer.name}.{name}"] = (layer, *slot)
    return slots
