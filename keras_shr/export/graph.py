"""What an exported file computes, as one TensorFlow function without Keras's classes."""

import keras
import numpy as np
from keras import ops

from keras_shr.errors import KerasShrError
from keras_shr.export.answer import answer_maps
from keras_shr.heatmaps import decode, heatmap_to_image
from keras_shr.models import PairedHeatmapModel

OUTPUTS = ("heatmaps", "keypoints")
INPUT_DTYPES = {"heatmaps": "float32", "keypoints": "uint8"}
INPUT_NAME = "images"
ANSWER_SCOPE = "answer"
"""TensorFlow's name scope of everything after the logits; int8 leaves it in float32."""


def require_tensorflow():
    """Refuse to export under another backend.

    Raises:
        KerasShrError: Keras runs on JAX or PyTorch.
    """
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise KerasShrError(
            f"export needs TensorFlow and Keras runs on {backend} here: install tensorflow, set "
            "KERAS_BACKEND=tensorflow and load the .keras file again"
        )


def check_model(model):
    """Refuse what is not one of the package's models."""
    if not isinstance(model, PairedHeatmapModel):
        raise KerasShrError(
            f"model is a {type(model).__name__}; export takes a PairedHeatmapModel or "
            "StableHeatmapRegressor (wrap a network of your own: PairedHeatmapModel(network))"
        )


def float32_network(model):
    """The model's network, or a copy in float32 where it computes in half precision.

    A converter takes no mixed precision; the variables are float32 under every mixed policy.
    """
    network = model.network
    dtypes = {getattr(layer, "compute_dtype", None) for layer in network._flatten_layers()}
    if not dtypes & {"float16", "bfloat16"}:
        return network
    config = _in_float32(keras.saving.serialize_keras_object(network))
    copy = keras.saving.deserialize_keras_object(config)
    copy.set_weights(network.get_weights())
    return copy


def _in_float32(config):
    """A serialised object with each dtype policy replaced."""
    if isinstance(config, list | tuple):
        return [_in_float32(value) for value in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        return config | {"config": {"name": "float32"}}
    return {
        # A Cast layer in the graph names its dtype in plain words.
        key: "float32"
        if key == "dtype" and value in ("float16", "bfloat16")
        else _in_float32(value)
        for key, value in config.items()
    }


class Graph:
    """A model's inference as a TensorFlow function `images -> {outputs: array}`.

    Args:
        model: `PairedHeatmapModel`.
        outputs: `"heatmaps"` or `"keypoints"`.
        decoding: how keypoints are decoded, see `keras_shr.heatmaps.decode`.
        batch: images a call, or None for any number.
        half: keep the weights as float16 and cast them at run time.

    Attributes:
        function: the `tf.function`, with one signature.
        variables: what it reads.
        logits_name: name of the operation that computes the logits, once traced.
    """

    def __init__(self, model, outputs, decoding="argmax", batch=None, half=False):
        import tensorflow as tf

        self.model, self.outputs, self.decoding = model, outputs, decoding
        self.network = float32_network(model)
        self.logits_name = None
        self.half = half
        self._groups = [self.network.trainable_variables, self.network.non_trainable_variables]
        if half:
            self._stored = [[_half_variable(v) for v in group] for group in self._groups]
        else:
            self._stored = [[v.value for v in group] for group in self._groups]
        self.variables = [variable for group in self._stored for variable in group]
        shape = (batch, *model.image_size, 3)
        self.spec = tf.TensorSpec(shape, INPUT_DTYPES[outputs], name=INPUT_NAME)
        self.function = tf.function(self._answer, input_signature=[self.spec], autograph=False)

    def _logits(self, images):
        if not self.half:
            return self.network(images, training=False)
        values = [
            [ops.cast(value, variable.dtype) for variable, value in zip(group, stored, strict=True)]
            for group, stored in zip(self._groups, self._stored, strict=True)
        ]
        return self.network.stateless_call(*values, images, training=False)[0]

    def _answer(self, images):
        import tensorflow as tf

        logits = keras.tree.flatten(self._logits(ops.cast(images, "float32")))[-1]
        self.logits_name = logits.op.name
        # A scope at the root, whatever the layers above are called.
        with tf.name_scope(f"{ANSWER_SCOPE}/"):
            maps = answer_maps(self.model, ops.cast(logits, "float32"))
            if self.outputs == "heatmaps":
                return {self.outputs: maps}
            found = decode(maps, self.decoding)
            found = heatmap_to_image(found, self.model.image_size, self.model.heatmap_size)
            return {self.outputs: found}

    def save(self, folder):
        """Writes a SavedModel whose `serving_default` is the function."""
        import tensorflow as tf

        module = tf.Module()
        module.kept = self.variables
        module.answer = self.function
        tf.saved_model.save(module, str(folder), signatures=self.function)


def _half_variable(variable):
    import tensorflow as tf

    value = ops.convert_to_numpy(variable.value)
    if value.dtype == np.float32:
        limit = np.finfo(np.float16).max
        value = np.clip(value, -limit, limit).astype(np.float16)
    return tf.Variable(value, trainable=False)
