"""Image perturbations: all fifteen kinds batched on the device, and by the reference library."""

from keras_shr.perturbations import reference, sensor
from keras_shr.perturbations._mixture import perturb, perturb_kind, perturb_with_labels
from keras_shr.perturbations._registry import NATIVE
from keras_shr.perturbations.names import (
    ALL_PERTURBATIONS,
    EVALUATION_PERTURBATIONS,
    SENSOR_PERTURBATIONS,
    SEVERITIES,
    TRAINING_PERTURBATIONS,
    check_perturbations,
    check_severities,
)

__all__ = [
    "ALL_PERTURBATIONS",
    "EVALUATION_PERTURBATIONS",
    "NATIVE",
    "SENSOR_PERTURBATIONS",
    "SEVERITIES",
    "TRAINING_PERTURBATIONS",
    "check_perturbations",
    "check_severities",
    "perturb",
    "perturb_kind",
    "perturb_with_labels",
    "reference",
    "sensor",
]
