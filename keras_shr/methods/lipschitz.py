"""Lipschitz-constrained training (Lip)."""

import keras
from keras import ops

from keras_shr import _random
from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError
from keras_shr.losses import reduce_keypoints
from keras_shr.methods._gradients import check_differentiable, image_gradient
from keras_shr.methods.base import Method
from keras_shr.methods.own_views import OwnViewsModel


def _norm(batch):
    """The Euclidean norm of each image, `(batch, 1, 1, 1)`."""
    return ops.sqrt(ops.sum(ops.square(batch), axis=(1, 2, 3), keepdims=True))


@keras.saving.register_keras_serializable(package="keras_shr")
class LipschitzTraining(OwnViewsModel):
    """Supervises clean images and keeps the slope of the heatmaps small.

    Source: Usama, Chang, Towards Robust Neural Networks with Lipschitz Continuity, arXiv
    1811.09008, 2018: a network is kept Lipschitz continuous in its input, `|f(x') - f(x)| <= K
    |x' - x|`, by its training alone, without augmented data and without other layers.

    Our reading (of the abstract and introduction; the stable-heatmap paper says nothing about how
    it was carried over to heatmaps): f is the map from images in 0..1 to output maps r, and

        loss = supervision(x) + weight * mean of max(0, |r(x') - r(x)| / |x' - x| - bound)^2

    over supervised keypoints, with Euclidean norms. x' lies at a small distance from x in the
    direction in which the maps move most, found by `iterations` of power iteration on the
    network's Jacobian (a step is the gradient of |r(x') - r(x)|^2). So the quotient is an estimate,
    from below, of the local Lipschitz constant; 0 iterations take a random direction. Labels play
    no part in the choice of x', and x' is not supervised.

    The search runs the network in inference mode, like the attack of `AdversarialTraining`. x' is
    not clipped to 0..255. On a trained network the penalty is the same to 1 % in half precision
    (in a random direction bfloat16's rounding doubles it).

    Args:
        network, kwargs: see `PairedHeatmapModel`.
        radius: distance of x' from x, root mean square over pixels and channels, in grey levels.
        iterations: of the power iteration.
        bound: K, a slope that costs nothing.
        stability_weight: the factor of the penalty. A trained baseline with 64x64 maps has a
            penalty of about 3, as much as its supervision is of maps that are zero everywhere: a
            factor of 1 would ask for these.
    """

    views = 2

    def __init__(
        self, network, radius=1.0, iterations=1, bound=0.0, stability_weight=0.1, **kwargs
    ):
        super().__init__(network, stability_weight=stability_weight, **kwargs)
        check_differentiable(network)
        if radius <= 0 or iterations < 0 or bound < 0:
            raise KerasShrError(
                f"radius, iterations and bound are {radius}, {iterations} and {bound}; they have "
                "to be above 0, at least 0 and at least 0"
            )
        self.radius, self.iterations, self.bound = radius, iterations, bound

    def make_views(self, images, keypoints, sample_weight, seed) -> list[Tensor]:
        return [images, images + self.steepest(images, seed)]

    def steepest(self, images, seed, iterations=None) -> Tensor:
        """The differences x' - x, of the images' shape: steps in which the maps move most.

        Args:
            images: `(batch, height, width, 3)` in 0..255.
            seed: `(2,)` integer tensor, of the first direction.
            iterations: of the power iteration; None takes the method's own.
        """
        length = self.radius * (images.shape[1] * images.shape[2] * images.shape[3]) ** 0.5
        before = self.inference_maps(images)

        def movement(x):
            return sum(
                ops.sum(ops.square(a - b))
                for a, b in zip(self.inference_maps(x), before, strict=True)
            )

        def stretch(step):
            norm = _norm(step)
            # Where nothing moves, the direction does not matter; none at all would divide by 0.
            return length * step / ops.where(norm > 0, norm, 1.0)

        def iterate(_, step):
            gradient = image_gradient(movement, images + step)
            return ops.where(_norm(gradient) > 0, stretch(gradient), step)

        start = stretch(_random.normal(ops.shape(images), seed))
        return ops.fori_loop(
            0, self.iterations if iterations is None else iterations, iterate, start
        )

    def slopes(self, maps, images) -> Tensor:
        """`|r(x') - r(x)| / |x' - x|`, `(batch, keypoints)`, images in units of 255.

        Args:
            maps: the output maps of x and of x'.
            images: x and x', each `(batch, height, width, 3)`.
        """
        squared = ops.sum(ops.square(maps[1] - maps[0]), axis=(1, 2))
        moved = squared > 0
        change = ops.where(moved, ops.sqrt(ops.where(moved, squared, 1.0)), 0.0)
        return change * 255.0 / ops.reshape(_norm(images[1] - images[0]), (-1, 1))

    def view_losses(self, target, maps, images, sample_weight) -> tuple[Tensor, Tensor | None]:
        supervision, _ = super().view_losses(target, maps, images, sample_weight)
        excess = ops.square(ops.maximum(self.slopes(maps, images) - self.bound, 0.0))
        weights = self.keypoint_weights(target, sample_weight)
        penalty = reduce_keypoints(excess, ops.ones_like(excess, dtype="bool"), weights)
        return supervision, penalty

    def training_config(self) -> dict:
        return super().training_config() | {
            "radius": self.radius,
            "iterations": self.iterations,
            "bound": self.bound,
        }


LIP = Method(
    "lip",
    "Lip",
    "Usama, Chang: Towards Robust Neural Networks with Lipschitz Continuity, arXiv 1811.09008, "
    "2018; our reading",
    2,
    model=LipschitzTraining,
)
