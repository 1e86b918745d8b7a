"""What the validation images say about accuracy and stability, while a model trains."""

import hashlib
import weakref

import numpy as np
from keras import ops

from keras_shr import _random
from keras_shr._compile import compiled
from keras_shr.callbacks._averaging import averaged_weights
from keras_shr.data.images import resize_images
from keras_shr.data.records import PROTOCOL_PIXELS, KeypointData, refuse_shares, spread
from keras_shr.errors import KerasShrError
from keras_shr.heatmaps import image_to_heatmap, only_in_frame
from keras_shr.metrics import keypoint_auc, mean_squared_displacement, ruc
from keras_shr.models.optimization import batches_seen
from keras_shr.perturbations import TRAINING_PERTURBATIONS, check_perturbations, perturb

_NOTHING: tuple = (lambda: None, None, {})  # measured: of no model, in no state


def _state(model):
    """The weights, as a digest, and the batches seen, with which an optimizer's averages move."""
    digest = hashlib.blake2b(digest_size=16)
    for variable in model.weights:
        digest.update(np.ascontiguousarray(ops.convert_to_numpy(variable)).tobytes())
    return digest.digest(), int(batches_seen(model.optimizer).numpy())


def check_keypoint_model(model, keypoints=None, what="keypoints") -> None:
    """Refuses a model without decoding, such as a plain `keras.Model`, and labels `keypoints` of
    another number of keypoints, which the message calls `what`."""
    if not hasattr(model, "predict_keypoints"):
        raise KerasShrError(
            f"{model.name!r} is a {type(model).__name__}, which has no predict_keypoints; put your "
            "network into a keras_shr.models.PairedHeatmapModel to measure keypoints"
        )
    count = getattr(model, "num_keypoints", None)
    if keypoints is not None and count is not None and keypoints.shape[1] != count:
        raise KerasShrError(f"{what} have shape {keypoints.shape}; the model has {count} keypoints")


class RobustnessProbe:
    """Measures a model on validation images and on fixed perturbed copies of them.

    The copies are made once, with the kinds that training may see, from a seed: every epoch and
    every run is judged on the same pictures. The kinds that are kept for evaluation are refused,
    because checkpoints are chosen by these figures.

    Args:
        images: `KeypointData`, or uint8 `(count, height, width, 3)`. Images of another size than
            the model's are resized.
        keypoints: `(count, keypoints, 3)` in pixels of the images; not with `KeypointData`.
        perturbations: names of seen kinds.
        severities: severities to draw from.
        copies: perturbed copies of each image.
        limit: how many images are used, spread evenly over the set; None for all.
        seed: of the perturbations.
        batch_size: images a step.
    """

    KEYS = ("auc_clean", "auc_seen", "R", "RUC")

    def __init__(
        self,
        images,
        keypoints=None,
        perturbations=TRAINING_PERTURBATIONS,
        severities=(1, 2, 3, 4, 5),
        copies=1,
        limit=512,
        seed=0,
        batch_size=32,
    ):
        if isinstance(images, KeypointData):
            keypoints, images = images.keypoints, images.images
        images, keypoints = np.asarray(images), np.asarray(keypoints, "float32")
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
            raise KerasShrError(
                f"validation images are {images.dtype} {images.shape}, expected uint8 "
                "(count, height, width, 3)"
            )
        if keypoints.ndim != 3 or len(keypoints) != len(images) or keypoints.shape[-1] != 3:
            raise KerasShrError(
                f"validation keypoints have shape {keypoints.shape}, expected "
                f"({len(images)}, keypoints, 3)"
            )
        if not len(images):
            raise KerasShrError("there are no validation images")
        if not (keypoints[..., 2] > 0).any():
            raise KerasShrError("no validation keypoint is labelled: nothing could be measured")
        refuse_shares(keypoints, "all labelled validation keypoints")
        if copies < 1:
            raise KerasShrError(f"copies is {copies!r}, expected a number >= 1")
        if limit is not None and limit < len(images):
            chosen = spread(len(images), limit)
            images, keypoints = images[chosen], keypoints[chosen]
        self.images, self.keypoints = images, keypoints
        self.perturbations = check_perturbations(perturbations)
        self.severities = tuple(severities)
        self.copies, self.seed, self.batch_size = copies, seed, batch_size
        self._prepared_for = None
        self._last: tuple = _NOTHING

    @classmethod
    def of(cls, validation) -> "RobustnessProbe | None":
        """`validation` as a probe: one already, `KeypointData`, or `(images, keypoints)`."""
        if validation is None or isinstance(validation, cls):
            return validation
        if not isinstance(validation, tuple | list):
            return cls(validation)
        if len(validation) != 2:
            raise KerasShrError(
                f"validation has {len(validation)} parts; expected (images, keypoints)"
            )
        return cls(*validation)

    def prepare(self, model) -> None:
        """Bring the images to the model's size and perturb them, unless that is done."""
        check_keypoint_model(model, self.keypoints, "validation keypoints")
        size = tuple(model.image_size)
        if self._prepared_for == size:
            return
        self.clean = resize_images(self.images, size)
        own = self.images.shape[1:3]
        self.labels = np.asarray(image_to_heatmap(only_in_frame(self.keypoints, own), own, size))
        self.perturbed = self._perturb(self.clean)
        self._prepared_for, self._last = size, _NOTHING

    def measure(self, model) -> dict:
        """A dictionary of floats with `KEYS`.

        `auc_clean` and `auc_seen` are the AUC (convention "ours") of clean and perturbed images,
        `R` the mean squared displacement in px² of the 256-px crop, `RUC` the share of keypoints
        that stay, averaged over 0 to 30 px. Asked again of a model in the same state it answers
        from memory, so callbacks can share one probe. An optimizer's averaged weights are used
        where it keeps them.
        """
        self.prepare(model)
        of, then, measured = self._last
        state = None if getattr(model, "optimizer", None) is None else _state(model)
        if state is None or of() is not model or then != state:
            measured = self._measure(model)
            # Not its id: another model may lie where a deleted one was.
            self._last = (weakref.ref(model), state, measured)
        return dict(measured)

    def _measure(self, model):
        with averaged_weights(model):
            clean = model.predict_keypoints(self.clean, batch_size=self.batch_size)
            moved = model.predict_keypoints(self.perturbed, batch_size=self.batch_size)
        scale = {"scale": PROTOCOL_PIXELS / max(model.image_size)}
        labels, pairs = (
            np.tile(self.labels, (self.copies, 1, 1)),
            np.tile(clean, (self.copies, 1, 1)),
        )
        values = (
            keypoint_auc(self.labels, clean, **scale),
            keypoint_auc(labels, moved, **scale),
            mean_squared_displacement(pairs, moved, **scale),
            ruc(pairs, moved, **scale),
        )
        return {key: float(value) for key, value in zip(self.KEYS, values, strict=True)}

    def _perturb(self, images):
        def step(batch, seed):
            return perturb(batch, seed, self.perturbations, self.severities)

        step, pieces = compiled(step), []
        for copy in range(self.copies):
            copy_seed = _random.fold_in(self.seed, copy)
            for number, start in enumerate(range(0, len(images), self.batch_size)):
                batch = images[start : start + self.batch_size]
                # Filled up by repeating images, so that one shape is compiled.
                filled = batch[np.arange(self.batch_size) % len(batch)]
                result = step(filled, _random.fold_in(copy_seed, number))
                pieces.append(np.asarray(result)[: len(batch)])
        return np.concatenate(pieces)
