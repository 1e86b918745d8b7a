"""Paired training of any heatmap network: clean and perturbed images side by side."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shr import _random, _replicas, losses
from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError
from keras_shr.heatmaps import (
    gaussian_heatmap,
    highly_differentiated_heatmap,
    image_to_heatmap,
    only_in_frame,
)
from keras_shr.layers import RandomKeypointAffine, RowColumnCorrelation
from keras_shr.models._checks import check_batch
from keras_shr.models._prediction import KeypointPrediction
from keras_shr.models._setting_checks import check_augmentation, check_model, check_network
from keras_shr.models._trainer import LossMean, PairTrainer
from keras_shr.perturbations import (
    TRAINING_PERTURBATIONS,
    check_perturbations,
    check_severities,
    perturb,
)
from keras_shr.skeletons import as_skeleton, knows_sides

TARGETS: dict[str, Callable] = {
    "highly_differentiated": highly_differentiated_heatmap,
    "gaussian": gaussian_heatmap,
}
STABILITY_LOSSES = {"mst": losses.MaximumStabilityLoss, "st": losses.StabilityLoss}


@keras.saving.register_keras_serializable(package="keras_shr")
class PairedHeatmapModel(PairTrainer, KeypointPrediction, keras.Model):
    """Trains a heatmap network so that its keypoints stay put under perturbation.

    The defaults are the recipe that did best on validation images (README). The paper's method is
    `rcc="row_column"`, `stop_gradient=False`, `supervise_perturbed=False` and its target options.

    `fit(images, keypoints)` draws one geometric augmentation for each image and its keypoints,
    perturbs a copy of the result, runs both as one batch and adds the losses. Labels are
    keypoints `(batch, keypoints, 3)` in image pixels; targets are made on device.

    What the output map r is, from the network's logits z (docs/method.md):

    | target | rcc | r | supervision | stability compares |
    |---|---|---|---|---|
    | gaussian | None | z | MSE | z |
    | gaussian | yes | RCC(exp(z - max z)) / max | MSE | r |
    | highly_differentiated | None | exp(z - max z) | cross-entropy of r / sum | r |
    | highly_differentiated | yes | RCC(exp(z - max z)) / max | cross-entropy of r / sum | r |

    Args:
        network: a `keras.Model` from images `(batch, height, width, 3)` in 0..255 (its own
            preprocessing inside) to logits `(batch, h, w, keypoints)`, without final activation;
            or to a list of such logits, one for each stack, of which each takes the losses and
            the last one is the answer (intermediate supervision).
        skeleton: a `Skeleton`, its dictionary, or `None`; its flip pairs mirror the keypoints.
        target: `"highly_differentiated"` or `"gaussian"`.
        target_options: keyword arguments of the target function (`alpha`, `threshold`, `metric`
            or `sigma`). By default a highly differentiated target is city-block with alpha 0.5,
            which symmetric correlation keeps; the paper's is
            `{"alpha": 0.7, "threshold": 8, "metric": "chessboard"}`.
        rcc: `"symmetric"`, `"row_column"` (the paper) or `None`.
        rcc_in_inference: `False` correlates in training only.
        stability: `"mst"` (maximum stability), `"st"` (ordinary stability training) or `None`.
        stability_weight: the factor lambda, a number or a schedule of `keras.optimizers.schedules`
            over training steps.
        stop_gradient: treat the clean map as a constant in the stability loss (the paper does not).
        supervise_perturbed: whether the perturbed image is supervised too; the supervision is then
            the mean of both.
        perturbations: names of the kinds to draw from, or `None` for no perturbed copy (then
            neither stability nor `supervise_perturbed` has anything to act on).
        severities: which of 1..5 to draw from.
        force_perturbations: allow kinds that are kept for evaluation.
        augmentation: a `RandomKeypointAffine`, its keyword arguments, or `None`. Without a skeleton
            pictures are not mirrored by default: which keypoints are left and right is not known.
        min_visibility: 1 supervises all labelled keypoints, 2 those that are seen.
        seed: seed of augmentation and perturbation; the draw depends on it, the step and the place
            in the global batch alone, so a resumed run draws what the interrupted one would have,
            and several devices what one would have.

    Example:

    >>> model = keras_shr.models.PairedHeatmapModel(my_heatmap_network)
    >>> model.compile()
    >>> model.fit(images, keypoints, batch_size=32, epochs=20)
    >>> model.predict_keypoints(images)  # (count, keypoints, 3): x, y, score
    """

    def __init__(
        self,
        network,
        skeleton=None,
        target="highly_differentiated",
        target_options=None,
        rcc="symmetric",
        rcc_in_inference=True,
        stability="mst",
        stability_weight=1.0,
        stop_gradient=True,
        supervise_perturbed=True,
        perturbations=TRAINING_PERTURBATIONS,
        severities=(1, 2, 3, 4, 5),
        force_perturbations=False,
        augmentation=None,
        min_visibility=1,
        seed=0,
        **kwargs,
    ):
        # The layers inside choose their own precision; images and maps pass unchanged.
        if keras.dtype_policies.get(kwargs.pop("dtype", None) or "float32").name != "float32":
            raise KerasShrError(
                "dtype has no effect here: the network's layers have theirs; build them under "
                "keras.config.set_dtype_policy"
            )
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if target not in TARGETS:
            raise KerasShrError(f"target must be one of {', '.join(TARGETS)}, got {target!r}")
        if stability is not None and stability not in STABILITY_LOSSES:
            raise KerasShrError(f"stability must be mst, st or None, got {stability!r}")
        if perturbations is not None:
            perturbations = check_perturbations(perturbations, force_perturbations)
        self.network = network
        self.skeleton = as_skeleton(skeleton)
        self.target, self.target_options = target, _target_options(target, target_options)
        self.rcc, self.rcc_in_inference = rcc, rcc_in_inference
        self.stability, self.stop_gradient = stability, stop_gradient
        self.stability_weight = _revive(stability_weight)
        self.supervise_perturbed = supervise_perturbed
        self.perturbations, self.severities = perturbations, check_severities(severities)
        self.force_perturbations = force_perturbations
        self.min_visibility, self.seed = min_visibility, seed
        check_network(network)
        self.image_size = tuple(network.input_shape[1:3])
        self.heatmap_size = tuple(network.outputs[0].shape[1:3])
        self.num_keypoints = network.outputs[0].shape[3]
        if self.skeleton is not None and len(self.skeleton) != self.num_keypoints:
            raise KerasShrError(
                f"skeleton {self.skeleton.name!r} has {len(self.skeleton)} keypoints and the "
                f"network's output {self.num_keypoints}"
            )
        check_model(self)
        self._check_target_options()
        self.augmentation = self._make_augmentation(augmentation)
        self.correlation = None if rcc is None else RowColumnCorrelation(rcc)
        self.supervision_loss = (
            losses.HeatmapMSE() if target == "gaussian" else losses.WeightedMultiLabelCE()
        )
        self.stability_loss = stability and STABILITY_LOSSES[stability](stop_gradient=stop_gradient)
        self._supervision_tracker = LossMean(name="supervision")
        self._stability_tracker = LossMean(name="stability")
        self.build((None, *network.input_shape[1:]))

    def _check_target_options(self):
        """Makes one target, so that a wrong option is refused here and not in the first step."""
        try:
            self.targets(np.zeros((1, self.num_keypoints, 3), "float32"))
        except TypeError as error:
            raise KerasShrError(f"target_options {self.target_options}: {error}") from error

    def _make_augmentation(self, augmentation):
        augmentation = _revive(augmentation)
        if isinstance(augmentation, dict):
            order = self.skeleton.flip_order if self.skeleton else None
            default: dict[str, Any] = {"flip_order": order}
            if not knows_sides(self.skeleton):
                default["flip"] = 0.0
            augmentation = RandomKeypointAffine(**default | augmentation)
        check_augmentation(augmentation, self.skeleton, self.num_keypoints)
        return augmentation

    def build(self, input_shape) -> None:
        self.built = True

    # Forward

    def call(self, images, training=False) -> Tensor | list[Tensor]:
        """Heatmaps r `(batch, h, w, keypoints)`, float32, of images in 0..255.

        In training a list of them where the network has several outputs.
        """
        logits = keras.tree.flatten(self.network(images, training=training))
        if not training or len(logits) == 1:
            return self.output_maps(logits[-1], training)
        return [self.output_maps(stack, training) for stack in logits]

    def output_maps(self, logits, training=False) -> Tensor:
        """r from the network's logits z, as in the table of the class.

        Args:
            logits: `(batch, h, w, keypoints)`.
            training: with `rcc_in_inference=False`, correlation needs True.
        """
        logits = ops.cast(logits, "float32")
        if self.target == "gaussian" and self.correlation is None:
            return logits
        # Subtracting the maximum keeps exp in range and leaves its gradient as it is after the
        # normalisation that follows.
        maps = ops.exp(logits - ops.max(logits, axis=(1, 2), keepdims=True))
        if self.correlation is not None and (training or self.rcc_in_inference):
            maps = self.correlation(maps)
        return maps

    def compute_output_shape(self, input_shape) -> tuple:
        return (input_shape[0], *self.heatmap_size, self.num_keypoints)

    # Training

    # Another training method is a subclass that overrides `views`, `make_views` and `view_losses`
    # (keras_shr.methods).

    @property
    def views(self) -> int:
        """How many versions of each image a training step runs."""
        wanted = self.supervise_perturbed or self.stability_loss is not None
        return 2 if wanted and self.perturbations is not None else 1

    @property
    def paired(self) -> bool:
        """Whether a training step runs further versions beside the clean images."""
        return self.views > 1

    def make_views(self, images, keypoints, sample_weight, seed) -> list[Tensor]:
        """The versions of a batch that a training step runs: here clean, then perturbed.

        Args:
            images: float32 `(batch, height, width, 3)` in 0..255, augmented.
            keypoints: `(batch, keypoints, 3)` of these images.
            sample_weight: as given to `fit`, or `None`.
            seed: `(2,)` uint32 tensor, another one in each step.

        Returns:
            A list of `views` image batches.
        """
        if not self.paired:
            return [images]
        arguments = self.perturbations, self.severities, self.force_perturbations
        return [images, perturb(images, seed, *arguments)]

    def view_losses(self, target, maps, images, sample_weight) -> tuple[Tensor, Tensor | None]:
        """The losses of one stack of a network in a training step.

        Args:
            target: `(batch, h, w, keypoints)`.
            maps: a list of `views` output maps of that shape.
            images: the list that `make_views` gave, or `None` where maps came from elsewhere.
            sample_weight: as given to `fit`, or `None`.

        Returns:
            Supervision and stability, scalars; stability is `None` where there is no such loss.
        """
        supervised = maps if self.supervise_perturbed else maps[:1]
        # The views have the same labels, so the mean over both is the mean of the two.
        supervision = sum(self.supervision_loss(target, each, sample_weight) for each in supervised)
        stability = None
        if self.paired and self.stability_loss is not None:
            weights = self.keypoint_weights(target, sample_weight)
            stability = self.stability_loss(maps[0], maps[1], weights)
        return supervision / len(supervised), stability

    def make_pairs(self, data, step) -> tuple[Tensor, dict, Tensor | None]:
        """The batch that a training step sees.

        Args:
            data: `(images, keypoints)` or `(images, keypoints, sample_weight)`.
            step: integer scalar tensor, the number of the step.

        Returns:
            Images (one view after the other: clean, then perturbed), a dictionary of keypoints and
            the weight lambda, and the sample weights.
        """
        images, keypoints, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if keypoints is None:
            raise KerasShrError(f"no keypoints (batch, {self.num_keypoints}, 3) beside the images")
        check_batch(images, keypoints, sample_weight, self)
        seed = _random.fold_in(self.seed, step)
        before = _replicas.rows_before(ops.shape(images)[0])
        if not isinstance(before, int):  # a replica has a part of the batch
            seed = _random.at_row(seed, before)
        geometry, photometry = _random.split(seed, 2)
        images = ops.cast(images, "float32")
        keypoints = ops.cast(keypoints, "float32")
        if self.augmentation is not None:
            images, keypoints = self.augmentation(images, keypoints, seed=geometry)
        views = self.make_views(images, keypoints, sample_weight, photometry)
        images = views[0] if len(views) == 1 else ops.concatenate(views, axis=0)
        weight = self.stability_weight
        weight = weight(step) if callable(weight) else ops.convert_to_tensor(weight, "float32")
        return images, {"keypoints": keypoints, "stability_weight": weight}, sample_weight

    def targets(self, keypoints) -> Tensor:
        """Target maps `(batch, h, w, keypoints)` for keypoints in image pixels."""
        keypoints = ops.cast(keypoints, "float32")
        visible = keypoints[..., 2:] >= self.min_visibility
        keypoints = ops.where(visible, keypoints, 0.0)
        keypoints = image_to_heatmap(keypoints, self.image_size, self.heatmap_size)
        return TARGETS[self.target](keypoints, self.heatmap_size, **self.target_options)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ) -> Tensor:
        """Supervision plus lambda times stability; supervision of clean images in evaluation.

        Of a network with several outputs each takes both losses, and their mean counts.
        """
        training = isinstance(y, dict)  # only `make_pairs` makes a dictionary of the labels
        if not training:
            check_batch(None, y, sample_weight, self)
        target = self.targets(y["keypoints"] if training else y)
        count = ops.shape(target)[0]

        def views_of(batch):
            # The gradient of a split is one concatenation; that of slices pads each.
            return ops.split(batch, self.views) if self.views > 1 else [batch[:count]]

        def losses_of(maps):
            if not training:
                return self.supervision_loss(target, maps[:count], sample_weight), None
            images = None if x is None else views_of(x)
            return self.view_losses(target, views_of(maps), images, sample_weight)

        stacks = [losses_of(maps) for maps in keras.tree.flatten(y_pred)]
        loss = supervision = sum(each for each, _ in stacks) / len(stacks)
        scale = _replicas.replica_count()
        self._supervision_tracker.update_state(supervision * scale, sample_weight=count)
        if stacks[0][1] is not None:
            stability = sum(each for _, each in stacks) / len(stacks)
            self._stability_tracker.update_state(stability * scale, sample_weight=count)
            loss = loss + y["stability_weight"] * stability
        if self.losses:
            here = ops.cast(count, "float32")
            share = here / ops.maximum(_replicas.sum_over_replicas(here), 1.0)
        for extra_loss in self.losses:
            # Each replica has the whole of it, and their losses are summed.
            loss = loss + ops.sum(ops.cast(extra_loss, "float32")) * share
        return loss

    def keypoint_weights(self, target, sample_weight=None) -> Tensor:
        """float32 `(batch, keypoints)`: 0 where there is no target, else the sample's weight.

        Args:
            target: `(batch, h, w, keypoints)`.
            sample_weight: None, `(batch,)` or `(batch, keypoints)`.
        """
        weights = ops.cast(ops.max(target, axis=(1, 2)) > 0, "float32")
        if sample_weight is not None:
            extra = ops.cast(sample_weight, "float32")
            weights = weights * (extra[:, None] if len(extra.shape) == 1 else extra)
        return weights

    def compute_metrics(self, x, y, y_pred, sample_weight=None) -> dict:
        """Keypoint metrics of the clean images, in image pixels."""
        keypoints = y["keypoints"] if isinstance(y, dict) else y
        labelled = only_in_frame(keypoints, self.image_size)
        count = ops.shape(labelled)[0]
        predicted = self.decode(keras.tree.flatten(y_pred)[-1][:count])
        return super().compute_metrics(x, labelled, predicted, sample_weight)

    # Saving

    def training_config(self) -> dict:
        """The constructor's arguments other than the network."""
        return {
            "skeleton": self.skeleton and self.skeleton.to_dict(),
            "target": self.target,
            "target_options": self.target_options,
            "rcc": self.rcc,
            "rcc_in_inference": self.rcc_in_inference,
            "stability": self.stability,
            "stability_weight": _freeze(self.stability_weight),
            "stop_gradient": self.stop_gradient,
            "supervise_perturbed": self.supervise_perturbed,
            "perturbations": self.perturbations,
            "severities": self.severities,
            "force_perturbations": self.force_perturbations,
            "augmentation": _freeze(self.augmentation),
            "min_visibility": self.min_visibility,
            "seed": self.seed,
            "name": self.name,
            "trainable": self.trainable,
        }

    def get_config(self) -> dict:
        return {"network": keras.saving.serialize_keras_object(self.network)} | (
            self.training_config()
        )

    @classmethod
    def from_config(cls, config, custom_objects=None) -> "PairedHeatmapModel":
        config = dict(config)
        if isinstance(config.get("network"), dict):
            config["network"] = keras.saving.deserialize_keras_object(
                config["network"], custom_objects=custom_objects
            )
        return cls(**config)


def _target_options(target, options):
    if options is None and target == "highly_differentiated":
        return {"alpha": 0.5, "metric": "cityblock"}
    return dict(options or {})


def _freeze(value):
    simple = value is None or isinstance(value, int | float | dict)
    return value if simple else keras.saving.serialize_keras_object(value)


def _revive(value):
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value)
    return value
