"""Which perturbations there are, and which of them a training run may use."""

import numpy as np

from keras_shr.errors import KerasShrError
from keras_shr.perturbations._blur import DEFOCUS_BLUR, MOTION_BLUR
from keras_shr.perturbations._colour import BRIGHTNESS, CONTRAST
from keras_shr.perturbations._common import SEVERITIES
from keras_shr.perturbations._glass import GLASS_BLUR
from keras_shr.perturbations._noise import GAUSSIAN_NOISE, SHOT_NOISE
from keras_shr.perturbations._weather import FROST, SNOW
from keras_shr.perturbations._zoom import ZOOM_BLUR

NATIVE = {
    perturbation.name: perturbation
    for perturbation in (
        BRIGHTNESS,
        DEFOCUS_BLUR,
        ZOOM_BLUR,
        FROST,
        CONTRAST,
        GAUSSIAN_NOISE,
        GLASS_BLUR,
        MOTION_BLUR,
        SHOT_NOISE,
        SNOW,
    )
}
TRAINING_PERTURBATIONS = tuple(NATIVE)
EVALUATION_PERTURBATIONS = (
    "gaussian_blur",
    "jpeg_compression",
    "saturate",
    "spatter",
    "speckle_noise",
)
ALL_PERTURBATIONS = TRAINING_PERTURBATIONS + EVALUATION_PERTURBATIONS


def check_perturbations(perturbations, force=False):
    """The names as a tuple, if each can be used in training; else `KerasShrError`."""
    if isinstance(perturbations, str):
        perturbations = (perturbations,)
    names = tuple(perturbations)
    if not names:
        raise KerasShrError("perturbations is empty; name at least one kind")
    for name in names:
        if name not in ALL_PERTURBATIONS:
            raise KerasShrError(
                f"unknown perturbation {name!r}; the kinds are " + ", ".join(ALL_PERTURBATIONS)
            )
        if name in EVALUATION_PERTURBATIONS and not force:
            raise KerasShrError(
                f"perturbation {name!r} is kept for evaluation and must stay unseen in training; "
                "leave it out, or pass force=True"
            )
        if name not in NATIVE:
            raise KerasShrError(
                f"perturbation {name!r} has no native implementation yet; use "
                "keras_shr.perturbations.reference.perturb for it"
            )
    if len(set(names)) != len(names):
        raise KerasShrError(f"perturbations names a kind twice: {', '.join(names)}")
    return names


def check_severities(severities):
    """The severities as a tuple of ints from 1 to 5; else `KerasShrError`."""
    if isinstance(severities, int | np.integer):
        severities = (severities,)
    severities = tuple(severities)
    if not severities or any(s not in SEVERITIES for s in severities):
        raise KerasShrError(f"severities is {severities}; they must be integers from 1 to 5")
    return tuple(int(s) for s in severities)
