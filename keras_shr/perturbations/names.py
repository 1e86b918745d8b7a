"""Which perturbations there are, and which of them a training run may use.

Nothing here needs Keras: the processes that run the reference library load this module alone.
"""

import numpy as np

from keras_shr.errors import KerasShrError

SEVERITIES = (1, 2, 3, 4, 5)
"""From weak to strong."""
TRAINING_PERTURBATIONS = (
    "brightness",
    "defocus_blur",
    "zoom_blur",
    "frost",
    "contrast",
    "gaussian_noise",
    "glass_blur",
    "motion_blur",
    "shot_noise",
    "snow",
)
"""The ten kinds that training may see."""
EVALUATION_PERTURBATIONS = (
    "gaussian_blur",
    "jpeg_compression",
    "saturate",
    "spatter",
    "speckle_noise",
)
"""The five kinds that training must not see."""
SMALLEST = 32
"""Pixels that a side of a picture must have."""
ALL_PERTURBATIONS = TRAINING_PERTURBATIONS + EVALUATION_PERTURBATIONS
"""The paper's fifteen."""
SENSOR_PERTURBATIONS = (
    "chromatic_aberration",
    "vignetting",
    "lens_flare",
    "row_banding",
    "hot_pixels",
)
"""Lens and sensor faults, beyond the paper: for evaluation alone, see `sensor`."""


def check_perturbations(perturbations, force=False) -> tuple[str, ...]:
    """The names as a tuple, if each can be used in training; else `KerasShrError`.

    Args:
        perturbations: a name or several.
        force: accept the names of `EVALUATION_PERTURBATIONS` too.
    """
    if isinstance(perturbations, str):
        perturbations = (perturbations,)
    names = tuple(perturbations)
    if not names:
        raise KerasShrError("perturbations is empty; name at least one kind")
    for name in names:
        if name in SENSOR_PERTURBATIONS:
            raise KerasShrError(f"perturbation {name!r} is for evaluation alone")
        if name not in ALL_PERTURBATIONS:
            raise KerasShrError(
                f"unknown perturbation {name!r}; the kinds are " + ", ".join(ALL_PERTURBATIONS)
            )
        if name in EVALUATION_PERTURBATIONS and not force:
            raise KerasShrError(
                f"perturbation {name!r} is kept for evaluation and must stay unseen in training; "
                "leave it out, or pass force=True (force_perturbations=True to a model)"
            )
    if len(set(names)) != len(names):
        raise KerasShrError(f"perturbations names a kind twice: {', '.join(names)}")
    return names


def check_severities(severities) -> tuple[int, ...]:
    """The severities as a tuple of ints from 1 to 5; else `KerasShrError`."""
    if isinstance(severities, int | np.integer):
        severities = (severities,)
    severities = tuple(severities)
    if not severities or any(s not in SEVERITIES for s in severities):
        raise KerasShrError(f"severities is {severities}; they must be integers from 1 to 5")
    return tuple(int(s) for s in severities)
