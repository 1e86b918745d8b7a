"""One layer for each kind of perturbation."""

import keras

from keras_shr.layers.random_perturbation import RandomPerturbation
from keras_shr.perturbations import SEVERITIES


class KindPerturbation(RandomPerturbation):
    """Perturb each image with one kind at a random severity, in training only.

    Args:
        severities: severities to draw from, out of 1 to 5.
        force: accept a kind that is kept for evaluation; without it those five raise
            `KerasShrError`, so that they do not slip into training.
        seed: integer; two layers with the same seed perturb alike. None picks one.
        kwargs: of `keras.layers.Layer`.

    Call arguments, images and result are those of `RandomPerturbation`.
    """

    kind = ""

    def __init__(self, severities=SEVERITIES, force=False, seed=None, **kwargs):
        super().__init__((self.kind,), severities, force, seed, **kwargs)

    def get_config(self):
        config = super().get_config()
        del config["perturbations"]
        return config


@keras.saving.register_keras_serializable(package="keras_shr")
class BrightnessPerturbation(KindPerturbation):
    """Adds to the value of HSV.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "brightness"


@keras.saving.register_keras_serializable(package="keras_shr")
class DefocusBlurPerturbation(KindPerturbation):
    """Blurs by a disk, like a lens out of focus.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "defocus_blur"


@keras.saving.register_keras_serializable(package="keras_shr")
class ZoomBlurPerturbation(KindPerturbation):
    """Averages the image over several zooms into it.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "zoom_blur"


@keras.saving.register_keras_serializable(package="keras_shr")
class FrostPerturbation(KindPerturbation):
    """Lays a photograph of a frosted pane over the image.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "frost"


@keras.saving.register_keras_serializable(package="keras_shr")
class ContrastPerturbation(KindPerturbation):
    """Shrinks the distance to the mean grey level.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "contrast"


@keras.saving.register_keras_serializable(package="keras_shr")
class GaussianNoisePerturbation(KindPerturbation):
    """Adds normal noise.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "gaussian_noise"


@keras.saving.register_keras_serializable(package="keras_shr")
class GlassBlurPerturbation(KindPerturbation):
    """Shuffles neighbouring pixels, like a pane of frosted glass.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "glass_blur"


@keras.saving.register_keras_serializable(package="keras_shr")
class MotionBlurPerturbation(KindPerturbation):
    """Smears the image along a random direction.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "motion_blur"


@keras.saving.register_keras_serializable(package="keras_shr")
class ShotNoisePerturbation(KindPerturbation):
    """Draws each pixel's photons from a Poisson law.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "shot_noise"


@keras.saving.register_keras_serializable(package="keras_shr")
class SnowPerturbation(KindPerturbation):
    """Adds streaks of falling snow and pales the picture.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "snow"


@keras.saving.register_keras_serializable(package="keras_shr")
class GaussianBlurPerturbation(KindPerturbation):
    """Blurs by a Gaussian. Kept for evaluation.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "gaussian_blur"


@keras.saving.register_keras_serializable(package="keras_shr")
class JPEGCompressionPerturbation(KindPerturbation):
    """Compresses as JPEG and decodes again. Kept for evaluation.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "jpeg_compression"


@keras.saving.register_keras_serializable(package="keras_shr")
class SaturatePerturbation(KindPerturbation):
    """Changes the saturation of HSV. Kept for evaluation.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "saturate"


@keras.saving.register_keras_serializable(package="keras_shr")
class SpatterPerturbation(KindPerturbation):
    """Splashes water or mud on the lens. Kept for evaluation.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "spatter"


@keras.saving.register_keras_serializable(package="keras_shr")
class SpeckleNoisePerturbation(KindPerturbation):
    """Adds normal noise, more to brighter pixels. Kept for evaluation.

    Args:
        severities, force, seed, kwargs: see `RandomPerturbation`, which it is with this one kind.
    """

    kind = "speckle_noise"
