"""What a training method is to those who compare several."""

from dataclasses import dataclass, field

from keras_shr.errors import KerasShrError
from keras_shr.models import PairedHeatmapModel

# These make a method what it is. Weights and sizes may be changed by whoever builds it.
_DEFINING = (
    "target",
    "rcc",
    "stability",
    "stop_gradient",
    "supervise_perturbed",
    "perturbations",
)


@dataclass(frozen=True)
class Method:
    """A way to train any heatmap network.

    Attributes:
        name: its key in `METHODS`.
        title: its name in tables and figures.
        source: where it is defined.
        views: versions of each labelled image that a training step runs through the network. For
            an equal number of images in a step, divide the batch by it.
        options: what it sets in the constructor of `model`.
        model: `PairedHeatmapModel` or a subclass of it.
    """

    name: str
    title: str
    source: str
    views: int = 1
    options: dict = field(default_factory=dict)
    model: type = PairedHeatmapModel

    @property
    def paired(self) -> bool:
        """Whether a step runs further versions of an image beside the first."""
        return self.views > 1

    def build(self, network, /, **common) -> PairedHeatmapModel:
        """A model, not yet compiled.

        Args:
            network: images to logits, see `PairedHeatmapModel`.
            common: what the compared methods share (skeleton, augmentation, severities, seed...),
                and changes of this method's numbers, such as `stability_weight`.

        Raises:
            KerasShrError: `common` changes what makes the method what it is.
        """
        changed = [key for key in common if key in _DEFINING and key in self.options]
        if changed:
            key = changed[0]
            raise KerasShrError(
                f"method {self.name} is defined by {key}={self.options[key]!r}; leave {key} out, "
                f"or build a {self.model.__name__} of your own"
            )
        return self.model(network, **self.options | common)
