"""How large a comparison is: what all its cells share, so that it is fair."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from keras_shr.errors import KerasShrError
from keras_shr.reproduction.suites import MAIN
from keras_shr.training import assigned


@dataclass(frozen=True)
class Size:
    """Settings of a run.

    Attributes:
        train_images, validation_images, test_images: how many hands are rendered, and the most
            that are taken of other data for validation and testing (None: all).
        views, poses: of the rendered hands, see `keras_shr.rendering.render_sample`.
        image_size: side in pixels.
        heatmap_stride: image pixels for each heatmap pixel; the hourglass has its own, 4.
        alpha: width of MobileNetV2.
        filters: widths of MobileNetV2's upsampling stages; the others take the last for all.
        images_per_step: images that pass through the network in a step, whatever the method: one
            that shows each labelled image n times takes an n-th of them; a multiple of 6.
        steps: of training; a multiple of `epochs`.
        epochs: in how many slices they are trained: a killed run loses one slice at most.
        learning_rate: highest of the schedule.
        rotation: of the augmentation, degrees.
        dtype: precision policy in training.
        severities: of the perturbations in the evaluation.
    """

    train_images: int
    validation_images: int | None
    test_images: int | None
    views: str
    poses: str
    image_size: int
    heatmap_stride: int
    alpha: float
    filters: tuple[int, ...]
    images_per_step: int
    steps: int
    epochs: int
    learning_rate: float = 2e-3
    rotation: float = 40.0
    dtype: str = "float32"
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)

    def __post_init__(self):
        if self.images_per_step % 6:
            raise KerasShrError(
                f"images_per_step={self.images_per_step}: it must be a multiple of 6, as a method "
                "shows each image 1, 2 or 3 times"
            )
        if self.steps % self.epochs:
            raise KerasShrError(
                f"steps={self.steps}: it must be a multiple of {self.epochs}, as the epochs are "
                "alike"
            )

    def network(self, architecture) -> dict:
        """Keyword arguments of `StableHeatmapRegressor` for an architecture."""
        options = {"backbone": architecture}
        if architecture != "stacked_hourglass":
            options["heatmap_stride"] = self.heatmap_stride
            options["filters"] = self.filters if architecture == MAIN else self.filters[-1]
        if architecture == MAIN:
            options["alpha"] = self.alpha
        return options

    def override(self, assignments) -> "Size":
        """A copy with `name=value` assignments applied.

        Raises:
            KerasShrError: a name that is no setting, or a value of another type.
        """
        fields = asdict(self)
        values: dict[str, Any] = {}
        for name, value in assigned(assignments):
            if name not in fields:
                raise KerasShrError(f"{name!r} is no setting; there are {', '.join(fields)}")
            value = tuple(value) if isinstance(value, list) else value
            optional = name in ("validation_images", "test_images")
            expected = (int, type(None)) if optional else type(fields[name])
            if not isinstance(value, expected):
                raise KerasShrError(f"{name}={value!r}: expected a value like {fields[name]!r}")
            if isinstance(value, int | float) and value <= 0 and name != "rotation":
                raise KerasShrError(f"{name}={value!r}: it must be above 0")
            values[name] = value
        return replace(self, **values)

    def to_dict(self) -> dict:
        """The settings, JSON-ready."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


SIZES = {
    # Two cores, minutes a cell of a small network, on hands easy enough for it to get accurate.
    "cpu": Size(
        train_images=8000,
        validation_images=256,
        test_images=128,
        views="front",
        poses="open",
        image_size=64,
        heatmap_stride=2,
        alpha=0.5,
        filters=(128, 64, 64, 64),
        images_per_step=36,
        steps=3000,
        epochs=10,
        severities=(1, 3, 5),
    ),
    # One data-centre GPU, minutes a cell of a small network that has it to itself. Not bfloat16:
    # depthwise convolutions were many times slower in it (JAX 0.11, H100).
    "gpu": Size(
        train_images=20000,
        validation_images=256,
        test_images=256,
        views="front",
        poses="all",
        image_size=128,
        heatmap_stride=2,
        alpha=0.5,
        filters=(128, 64, 64, 64),
        images_per_step=126,
        steps=6000,
        epochs=10,
        severities=(1, 3, 5),
    ),
    # For whoever has RHD and STB. The paper gives the backbone, the perturbations and the official
    # splits; every other line is not in the paper and follows mmpose's recipe for RHD.
    "paper": Size(
        train_images=41258,
        validation_images=1000,
        test_images=None,
        views="all",
        poses="all",
        image_size=256,
        heatmap_stride=4,
        alpha=1.0,
        filters=(256, 256, 256),
        images_per_step=126,
        steps=69930,
        epochs=210,
        learning_rate=1e-3,
        rotation=180.0,
    ),
}
"""The values of `--size`."""


def find_size(name, assignments=()) -> Size:
    """A size by its name, with `name=value` assignments applied."""
    if name not in SIZES:
        raise KerasShrError(f"there is no size {name!r}; there are {', '.join(SIZES)}")
    return SIZES[name].override(assignments)
