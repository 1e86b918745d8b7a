"""Training methods, one file each, behind one interface.

>>> model = keras_shr.methods.build_method("st_a", my_heatmap_network, augmentation={})
>>> model.compile()
>>> model.fit(images, keypoints)
"""

from keras_shr.errors import KerasShrError
from keras_shr.methods.adversarial import AT, AdversarialTraining
from keras_shr.methods.augmix import AUGMIX, AUGMIX_NO_JSD, AugMix
from keras_shr.methods.base import Method
from keras_shr.methods.lipschitz import LIP, LipschitzTraining
from keras_shr.methods.patch_gaussian import PG, PatchGaussian
from keras_shr.methods.variants import VARIANTS
from keras_shr.models import PairedHeatmapModel

METHODS = {method.name: method for method in (*VARIANTS, AT, AUGMIX, AUGMIX_NO_JSD, LIP, PG)}
"""Name → `Method`: this package's, the paper's, its parts, those it is compared with."""

__all__ = [
    "METHODS",
    "AdversarialTraining",
    "AugMix",
    "LipschitzTraining",
    "Method",
    "PatchGaussian",
    "build_method",
]


def build_method(name, network, /, **common) -> PairedHeatmapModel:
    """The model, not yet compiled, that trains `network` by the method called `name`.

    Args:
        name: a key of `METHODS`.
        network, common: see `Method.build`.
    """
    if name not in METHODS:
        raise KerasShrError(f"there is no method {name!r}; there are {', '.join(METHODS)}")
    return METHODS[name].build(network, **common)
