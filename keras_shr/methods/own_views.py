"""Base of the methods that make their own views of an image."""

import keras

from keras_shr.errors import KerasShrError
from keras_shr.models import PairedHeatmapModel


class OwnViewsModel(PairedHeatmapModel):
    """A `PairedHeatmapModel` whose views and losses a subclass decides.

    It starts from the baseline (Gaussian target, mean squared error); another `target` or `rcc` may
    be chosen. `perturbations` and `severities` are not used. A subclass overrides `views`,
    `make_views`, `view_losses` and, for its own arguments, `training_config`.
    """

    @property
    def views(self) -> int:
        return 1

    def __init__(self, network, **kwargs):
        given = kwargs
        kwargs = {"target": "gaussian", "rcc": None, "stability": None} | kwargs
        kwargs.setdefault("supervise_perturbed", False)
        super().__init__(network, **kwargs)
        for key in ("stability", "supervise_perturbed"):
            if given.get(key):
                raise KerasShrError(
                    f"{type(self).__name__} makes its own views and losses; leave {key} out"
                )

    def make_views(self, images, keypoints, sample_weight, seed):
        raise NotImplementedError

    def inference_maps(self, images):
        """The output maps of each stack, by a network that neither changes nor depends on the
        statistics of the batch: what a method that searches for its views looks at."""
        stacks = keras.tree.flatten(self.network(images, training=False))
        return [self.output_maps(logits, training=True) for logits in stacks]

    def view_losses(self, target, maps, images, sample_weight):
        """Supervision of the first view."""
        return self.supervision_loss(target, maps[0], sample_weight), None
