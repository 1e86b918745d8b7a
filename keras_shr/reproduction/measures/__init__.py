"""What is measured on a trained cell; each measure leaves files of its own in the cell's folder.

A measure that is added later is made up for by the next call, without training again.
"""

from keras_shr.reproduction.measures.motion import TEMPORAL, VIDEO
from keras_shr.reproduction.measures.peaks import PEAKS
from keras_shr.reproduction.measures.perturbed import EXTRA_KINDS, SCORES, perturbed_pictures
from keras_shr.reproduction.measures.surface import SURFACE

MEASURES = (SCORES, EXTRA_KINDS, TEMPORAL, VIDEO, SURFACE, PEAKS)

__all__ = [
    "EXTRA_KINDS",
    "MEASURES",
    "PEAKS",
    "SCORES",
    "SURFACE",
    "TEMPORAL",
    "VIDEO",
    "perturbed_pictures",
]
