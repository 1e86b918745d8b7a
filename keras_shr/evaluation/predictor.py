"""A network's keypoints from uint8 crops, as one compiled function of fixed shape."""

import keras
import numpy as np
from keras import ops

from keras_shr.data.images import resize_images
from keras_shr.errors import KerasShrError, shown
from keras_shr.evaluation.protocol import check_aspect, model_size
from keras_shr.evaluation.store import CHUNK
from keras_shr.heatmaps import decode, heatmap_to_image
from keras_shr.metrics import normalize_maps, peak_gap, peak_spread, theorem3_holds
from keras_shr.models import load_trained


def load_models(models) -> dict:
    """`{name: model, path of a .keras file or name of a trained model}` with all loaded."""
    if not models:
        raise KerasShrError("no model to evaluate: give {name: model or path of a .keras file}")
    if not isinstance(models, dict):
        raise KerasShrError(
            f"models is {shown(models)}; expected names and models, such as {{'mine': model}}"
        )
    return {name: _load(name, model) for name, model in models.items()}


def _load(name, model):
    if isinstance(model, keras.Model):
        return model
    try:
        return load_trained(model)
    except KerasShrError as error:
        raise KerasShrError(f"model {name!r}: {error}") from error


class CleanAnswers(keras.Model):
    """Images → both decodings, D_n, D_(1)(2) and the maps themselves."""

    def __init__(self, network, protocol):
        super().__init__(dtype="float32")  # under mixed precision maps must not be rounded
        self.network, self.protocol = network, protocol

    def call(self, images):
        maps = _maps(self.network, images)
        return _decoded(maps, self.protocol) | {
            "peak_spread": peak_spread(maps, self.protocol.neighbours),
            "peak_gap": peak_gap(maps),
            "maps": maps,
        }


class PerturbedAnswers(keras.Model):
    """Perturbed images and the clean maps → both decodings and Theorem 3's condition."""

    def __init__(self, network, protocol):
        super().__init__(dtype="float32")  # under mixed precision maps must not be rounded
        self.network, self.protocol = network, protocol

    def call(self, inputs):
        images, clean = inputs
        maps = _maps(self.network, images)
        # Networks without row-column correlation give raw maps, for which the printed condition
        # is not sound; with both maxima 1 it is, and all networks are compared alike.
        holds = theorem3_holds(normalize_maps(clean, "max"), normalize_maps(maps, "max"))
        return _decoded(maps, self.protocol) | {"theorem3": holds}


def _maps(network, images):
    return ops.cast(network(images, training=False), "float32")


def _decoded(maps, protocol):
    frame = (protocol.size, tuple(maps.shape[1:3]))
    best, finer = (
        heatmap_to_image(decode(maps, method), *frame) for method in ("argmax", protocol.subpixel)
    )
    return {"argmax": best[..., :2], "subpixel": finer[..., :2], "score": best[..., 2]}


class Predictor:
    """Predicts with one network; keypoints come in pixels of the protocol's crop.

    Every call runs the same compiled function on `batch_size` images: a short batch is padded.

    Args:
        name: what errors call the network.
        network: Keras model, uint8 `(batch, height, width, 3)` → `(batch, h, w, keypoints)`.
        protocol: `Protocol`.
        batch_size: images at a time, at most 32.
    """

    def __init__(self, name, network, protocol, batch_size):
        if batch_size < 1:
            raise KerasShrError(f"batch_size is {batch_size}; it must be at least 1")
        # A chunk is all there ever is at a time.
        self.size, self.batch_size = model_size(name, network), min(batch_size, CHUNK)
        check_aspect(f"model {name!r} takes", self.size, protocol.size)
        self.network = network
        self._clean = CleanAnswers(network, protocol)
        self._perturbed = PerturbedAnswers(network, protocol)
        # A user's network may preprocess with an operation that XLA does not have under
        # TensorFlow; JAX on the other hand is hopeless without it.
        jit = keras.backend.backend() == "jax"
        for model in (self._clean, self._perturbed):
            model.compile(jit_compile=jit)

    def clean(self, images) -> dict:
        """Arrays `argmax`, `subpixel` `(count, keypoints, 2)`, `score`, `peak_spread`,
        `peak_gap` `(count, keypoints)` and `maps` `(count, h, w, keypoints)`."""
        return self._run(self._clean, images)

    def perturbed(self, images, clean_maps) -> dict:
        """Arrays `argmax`, `subpixel`, `score` as `clean`, and bool `theorem3`."""
        return self._run(self._perturbed, images, clean_maps)

    def _run(self, function, images, maps=None):
        inputs = [resize_images(images, self.size)] + ([] if maps is None else [maps])
        pieces = []
        for start in range(0, len(images), self.batch_size):
            batch = [array[start : start + self.batch_size] for array in inputs]
            count = len(batch[0])
            padding = np.minimum(np.arange(self.batch_size), count - 1)
            batch = tuple(array if count == self.batch_size else array[padding] for array in batch)
            output = function.predict_on_batch(batch[0] if maps is None else batch)
            pieces.append({key: np.asarray(value)[:count] for key, value in output.items()})
        return {key: np.concatenate([piece[key] for piece in pieces]) for key in pieces[0]}
