"""Random image perturbations as a Keras layer."""

import keras
from keras import ops

from keras_shr._typing import Tensor
from keras_shr.perturbations import (
    TRAINING_PERTURBATIONS,
    check_perturbations,
    check_severities,
    perturb,
)


@keras.saving.register_keras_serializable(package="keras_shr")
class RandomPerturbation(keras.layers.Layer):
    """Perturb each image with a random kind at a random severity, in training only.

    With `training=False`, the default of a call outside `fit`, images pass unchanged. In `tf.data`
    (TensorFlow backend) write `dataset.map(lambda x: layer(x, training=True))`; a single image
    `(height, width, channels)` is taken as well as a batch. With `num_parallel_calls` the elements
    take the layer's seeds in no fixed order, and two may take the same: give each its own,
    `dataset.enumerate().map(lambda i, x: layer(x, training=True, seed=tf.stack([7, i])), ...)`.

    Args:
        perturbations: names to draw from; see `keras_shr.perturbations.perturb`.
        severities: severities to draw from, out of 1 to 5.
        force: accept kinds that are kept for evaluation.
        seed: integer; two layers with the same seed perturb alike. None picks one.
        kwargs: of `keras.layers.Layer`.

    Call arguments:
        images: `(batch, height, width, channels)` in [0, 255], uint8 or float, not rescaled.
        training: whether to perturb.
        seed: optional `(2,)` integer tensor that decides this call, instead of the layer's own
            sequence of seeds.

    Returns:
        Images of the same shape and type.

    Raises:
        KerasShrError: images in [0, 1], where the layer sees their values (not in a compiled
            function such as those of `fit` and `tf.data`).
    """

    def __init__(
        self,
        perturbations=TRAINING_PERTURBATIONS,
        severities=(1, 2, 3, 4, 5),
        force=False,
        seed=None,
        **kwargs,
    ):
        # Half precision would round the grey levels.
        super().__init__(autocast=False, **kwargs)
        self.perturbations = check_perturbations(perturbations, force)
        self.severities = check_severities(severities)
        self.force = bool(force)
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, images, training=False, seed=None) -> Tensor:
        if not training:
            return images
        if seed is None:
            seed = self.generator.next()
        batched = images if len(images.shape) == 4 else ops.expand_dims(images, 0)
        perturbed = perturb(batched, seed, self.perturbations, self.severities, self.force)
        return perturbed if len(images.shape) == 4 else perturbed[0]

    def compute_output_spec(self, images, training=False, seed=None) -> keras.KerasTensor:
        return keras.KerasTensor(images.shape, images.dtype)

    def compute_output_shape(self, input_shape) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return super().get_config() | {
            "perturbations": list(self.perturbations),
            "severities": list(self.severities),
            "force": self.force,
            "seed": self.seed,
        }
