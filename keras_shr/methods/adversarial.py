"""Adversarial training (AT)."""

import keras
from keras import ops

from keras_shr import _random
from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError
from keras_shr.losses.base import reduce_keypoints
from keras_shr.methods._gradients import check_differentiable, image_gradient
from keras_shr.methods.base import Method
from keras_shr.methods.own_views import OwnViewsModel


@keras.saving.register_keras_serializable(package="keras_shr")
class AdversarialTraining(OwnViewsModel):
    """Trains on the worst images near the given ones, found by projected gradient ascent.

    Source: Madry, Makelov, Schmidt, Tsipras, Vladu, Towards Deep Learning Models Resistant to
    Adversarial Attacks, ICLR 2018, eq. 2.1 (min over weights of the max over perturbations) and
    section 2.1: `x <- clip(x + step_size * sign(gradient of the loss at x))`, the projection onto
    the ball of radius eps in the maximum norm round the image, from a random point in it. The
    values are those of its CIFAR-10 experiment. As there, only the adversarial images are trained
    on, and images stay in 0..255.

    The attacked loss is the supervision. The attack runs the network in inference mode: it looks
    for the worst image of the function that will be used, neither changes nor depends on the
    statistics of the batch, and draws no dropout.

    Args:
        network, kwargs: see `PairedHeatmapModel`.
        eps: radius in grey levels.
        steps: ascent steps. A training step costs about `steps + 1` plain ones.
        step_size: in grey levels.
    """

    def __init__(self, network, eps=8.0, steps=7, step_size=2.0, **kwargs):
        super().__init__(network, **kwargs)
        check_differentiable(network)
        if eps < 0 or step_size < 0 or steps < 0:
            raise KerasShrError(
                f"eps, steps and step_size are {eps}, {steps} and {step_size}; none may be negative"
            )
        self.eps, self.steps, self.step_size = eps, steps, step_size

    def make_views(self, images, keypoints, sample_weight, seed) -> list[Tensor]:
        return [self.attack(images, keypoints, sample_weight, seed)]

    def attack(self, images, keypoints, sample_weight=None, seed=0) -> Tensor:
        """Adversarial images.

        Args:
            images: float32 `(batch, height, width, 3)` in 0..255.
            keypoints: `(batch, keypoints, 3)` in image pixels.
            sample_weight: as in `fit`.
            seed: of the random start, see `keras_shr._random`.

        Returns:
            Images of the same shape, each pixel at most `eps` from the given one.
        """
        target = self.targets(keypoints)
        low, high = (ops.clip(images + side, 0.0, 255.0) for side in (-self.eps, self.eps))

        def loss(x):
            return self._attacked_loss(x, target, sample_weight)

        def ascend(_, x):
            x = x + self.step_size * ops.sign(image_gradient(loss, x))
            return ops.clip(x, low, high)

        start = images + _random.uniform(ops.shape(images), seed, -self.eps, self.eps)
        return ops.fori_loop(0, self.steps, ascend, ops.clip(start, low, high))

    def _attacked_loss(self, images, target, sample_weight):
        maps = self.inference_maps(images)
        # The sum over images instead of the mean: only the sign counts, and half precision would
        # lose the small gradients of a large batch. Nor may replicas speak to each other in a loop.
        losses = (self.supervision_loss.call(target, ops.cast(each, "float32")) for each in maps)
        total = sum(reduce_keypoints(*each, sample_weight, "sum") for each in losses)
        return total / target.shape[-1]

    def training_config(self) -> dict:
        return super().training_config() | {
            "eps": self.eps,
            "steps": self.steps,
            "step_size": self.step_size,
        }


AT = Method(
    "at",
    "AT",
    "Madry, Makelov, Schmidt, Tsipras, Vladu: Towards Deep Learning Models Resistant to "
    "Adversarial Attacks, ICLR 2018, eq. 2.1",
    model=AdversarialTraining,
)
