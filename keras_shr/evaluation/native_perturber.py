"""The native perturbations in the place of the reference's."""

import numpy as np

from keras_shr import _random
from keras_shr._compile import compiled
from keras_shr.errors import KerasShrError
from keras_shr.evaluation.perturber import failed
from keras_shr.perturbations import perturb_kind


class NativePerturber:
    """Perturbs blocks of images on the backend's device; stands in for `Perturber`.

    Images go one by one, each with its own seed, so that a picture does not depend on its
    neighbours.
    """

    def __init__(self):
        self._functions = {}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def perturb(self, kind, severity, images, seeds):
        """One block: uint8 `(count, height, width, 3)` in and out."""
        if kind not in self._functions:
            self._functions[kind] = compiled(
                lambda image, level, seed: perturb_kind(image, kind, level, seed, force=True)
            )
        run = self._functions[kind]
        level = np.array(severity, "int32")
        try:
            pictures = [
                run(image[None], level, np.asarray(_random.as_seed(seed)))
                for image, seed in zip(images, seeds, strict=True)
            ]
        except KerasShrError:
            raise
        except Exception as error:
            raise failed((kind, severity), f"{type(error).__name__}: {error}") from error
        return np.concatenate([np.asarray(picture) for picture in pictures])

    def stream(self, tasks):
        """Yield the perturbed block of each `(kind, severity, images, seeds)`, in order."""
        for task in tasks:
            yield self.perturb(*task)
