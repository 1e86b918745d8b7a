"""One picture, one perturbation, several models: how far each model's keypoints moved."""

import threading
from dataclasses import dataclass

import numpy as np

from keras_shr.data.images import SquareBox, crop
from keras_shr.errors import KerasShrError
from keras_shr.evaluation.perturber import Perturber
from keras_shr.evaluation.protocol import Protocol
from keras_shr.metrics import displacements
from keras_shr.perturbations import ALL_PERTURBATIONS, SENSOR_PERTURBATIONS
from keras_shr.prediction import Predictor, search
from keras_shr.prediction.searching import MARGIN
from keras_shr.skeletons import Skeleton

KINDS = ALL_PERTURBATIONS + SENSOR_PERTURBATIONS
"""Every perturbation the page offers."""


@dataclass(frozen=True)
class Answer:
    """What one model found in the clean and in the perturbed crop.

    Attributes:
        name: what the model is called.
        before, after: float32 `(keypoints, 3)`: x, y in pixels of the crop and a score in [0, 1],
            clean and perturbed.
        moved: float32 `(keypoints,)`: how far each went, in px of a 256-px crop.
        maps_before, maps_after: float32 `(h, w, keypoints)`, the heatmaps.
    """

    name: str
    before: np.ndarray
    after: np.ndarray
    moved: np.ndarray
    maps_before: np.ndarray
    maps_after: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """The models' answers to one perturbed picture.

    Attributes:
        clean, perturbed: uint8 `(size, size, 3)`, what the models looked at.
        skeleton: `Skeleton` of all of them.
        answers: an `Answer` for each model.
    """

    clean: np.ndarray
    perturbed: np.ndarray
    skeleton: Skeleton
    answers: tuple[Answer, ...]

    @property
    def furthest(self) -> int:
        """The keypoint that moved furthest with any of the models."""
        return int(np.max([answer.moved for answer in self.answers], axis=0).argmax())


def field_of_view(picture, centre=None, zoom=1.0) -> SquareBox:
    """The square of a picture that the models look at.

    Args:
        picture: `(height, width, 3)`.
        centre: x, y of its middle in pixels; None is the picture's middle.
        zoom: 1 shows as much as the smallest square around the whole picture, 2 half of its side.
    """
    height, width = picture.shape[:2]
    if centre is None:
        centre = ((width - 1) / 2, (height - 1) / 2)
    if not zoom > 0:
        raise KerasShrError(f"zoom is {zoom!r}; expected a number above 0")
    return SquareBox.around(centre, SquareBox.of_image(height, width).side / zoom)


def centre_and_zoom(picture, square, closest):
    """What `field_of_view` makes `square` of, with no more zoom than `closest`; the whole picture
    where `square` is larger."""
    zoom = SquareBox.of_image(*picture.shape[:2]).side / square.side
    return (square.centre, float(min(zoom, closest))) if zoom > 1 else (None, 1)


class Comparer:
    """Compares models on perturbed pictures, the way `keras-shr evaluate` does: the crop is
    perturbed in the models' own resolution, and no labels are needed. Threads may share one.

    Args:
        models: name → model, or what else `Predictor` takes. Models of different sizes get the
            crop of the largest, resized.
        margin: what the search looks at, see `Predictor`.

    Raises:
        KerasShrError: a model cannot be loaded, or two of them find different keypoints.
    """

    def __init__(self, models, margin=MARGIN):
        # Two pictures pass at a time. Of the decoders between a heatmap's pixels the centroid is
        # the one for every kind of map.
        self.predictors = {
            name: Predictor(model, batch_size=2, method="centroid", margin=margin)
            for name, model in models.items()
        }
        first, *others = self.predictors
        self.skeleton = self.predictors[first].skeleton
        for name in others:
            other = self.predictors[name].skeleton
            if other.keypoints != self.skeleton.keypoints:
                raise KerasShrError(
                    f"model {name!r} finds {len(other)} keypoints ({other.name}), model {first!r} "
                    f"{len(self.skeleton)} ({self.skeleton.name}); they must be the same ones"
                )
        self.size = max(p.size for p in self.predictors.values())
        self.protocol = Protocol((self.size, self.size), KINDS)
        self._perturber = Perturber(workers=0)
        self._one_at_a_time = threading.Lock()

    def __call__(self, picture, kind, severity, seed=0, square=None) -> Comparison:
        """Perturbs a picture and asks every model.

        Args:
            picture: uint8 `(height, width, 3)`.
            kind: a name of `KINDS`.
            severity: 0 (leave it as it is) to 5.
            seed: int; the same seed gives the same perturbed picture.
            square: the `SquareBox` to look at; None is the whole picture.
        """
        clean = crop(picture, square or field_of_view(picture), self.size)
        # The reference library draws from NumPy's global generator.
        with self._one_at_a_time:
            perturbed = self._perturb(clean, kind, severity, seed)
            answers = tuple(self._ask(name, clean, perturbed) for name in self.predictors)
        return Comparison(clean, perturbed, self.skeleton, answers)

    def find(self, picture) -> SquareBox:
        """Where in a picture, uint8 `(height, width, 3)`, one of the models is surest."""
        with self._one_at_a_time:
            found = [search(predictor, picture) for predictor in self.predictors.values()]
        best = max(found, key=lambda one: one.scores[0])
        return best.squares[0]

    def _perturb(self, clean, kind, severity, seed):
        if kind not in KINDS:
            raise KerasShrError(f"unknown perturbation {kind!r}; the kinds are " + ", ".join(KINDS))
        if severity == 0:
            return clean
        return self._perturber.perturb(kind, severity, clean[None], [seed])[0]

    def _ask(self, name, clean, perturbed):
        before, after = self.predictors[name].predict([clean, perturbed], heatmaps=True, whole=True)
        moved = displacements(before.keypoints, after.keypoints, scale=self.protocol.scale)
        return Answer(
            name,
            before.keypoints[0],
            after.keypoints[0],
            np.asarray(moved, "float32")[0],
            np.asarray(before.heatmaps)[0],
            np.asarray(after.heatmaps)[0],
        )
