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

    kind = None

    def __init__(self, severities=SEVERITIES, force=False, seed=None, **kwargs):
        super().__init__((self.kind,), severities, force, seed, **kwargs)

    def get_config(self):
        config = super().get_config()
        del config["perturbations"]
        return config


@keras.saving.register_keras_serializable(package="keras_shr")
class BrightnessPerturbation(KindPerturbation):
    """Adds to the value of HSV. See `KindPerturbation`."""

    kind = "brightness"


@keras.saving.register_keras_serializable(package="keras_shr")
class DefocusBlurPerturbation(KindPerturbation):
    """Blurs by a disk, like a lens out of focus. See `KindPerturbation`."""

    kind = "defocus_blur"


@keras.saving.register_keras_serializable(package="keras_shr")
class ZoomBlurPerturbation(KindPerturbation):
    """Averages the image over several zooms into it. See `KindPerturbation`."""

    kind = "zoom_blur"


@keras.saving.register_keras_serializable(package="keras_shr")
class FrostPerturbation(KindPerturbation):
    """Lays a photograph of a frosted pane over the image. See `KindPerturbation`."""

    kind = "frost"


@keras.saving.register_keras_serializable(package="keras_shr")
class ContrastPerturbation(KindPerturbation):
    """Shrinks the distance to the mean grey level. See `KindPerturbation`."""

    kind = "contrast"


@keras.saving.register_keras_serializable(package="keras_shr")
class GaussianNoisePerturbation(KindPerturbation):
    """Adds normal noise. See `KindPerturbation`."""

    kind = "gaussian_noise"


@keras.saving.register_keras_serializable(package="keras_shr")
class GlassBlurPerturbation(KindPerturbation):
    """Shuffles neighbouring pixels, like a pane of frosted glass. See `KindPerturbation`."""

    kind = "glass_blur"


@keras.saving.register_keras_serializable(package="keras_shr")
class MotionBlurPerturbation(KindPerturbation):
    """Smears the image along a random direction. See `KindPerturbation`."""

    kind = "motion_blur"


@keras.saving.register_keras_serializable(package="keras_shr")
class ShotNoisePerturbation(KindPerturbation):
    """Draws each pixel's photons from a Poisson law. See `KindPerturbation`."""

    kind = "shot_noise"


@keras.saving.register_keras_serializable(package="keras_shr")
class SnowPerturbation(KindPerturbation):
    """Adds streaks of falling snow and pales the picture. See `KindPerturbation`."""

    kind = "snow"


@keras.saving.register_keras_serializable(package="keras_shr")
class GaussianBlurPerturbation(KindPerturbation):
    """Blurs by a Gaussian. Kept for evaluation. See `KindPerturbation`."""

    kind = "gaussian_blur"


@keras.saving.register_keras_serializable(package="keras_shr")
class JPEGCompressionPerturbation(KindPerturbation):
    """Compresses as JPEG and decodes again. Kept for evaluation. See `KindPerturbation`."""

    kind = "jpeg_compression"


@keras.saving.register_keras_serializable(package="keras_shr")
class SaturatePerturbation(KindPerturbation):
    """Changes the saturation of HSV. Kept for evaluation. See `KindPerturbation`."""

    kind = "saturate"


@keras.saving.register_keras_serializable(package="keras_shr")
class SpatterPerturbation(KindPerturbation):
    """Splashes water or mud on the lens. Kept for evaluation. See `KindPerturbation`."""

    kind = "spatter"


@keras.saving.register_keras_serializable(package="keras_shr")
class SpeckleNoisePerturbation(KindPerturbation):
    """Adds normal noise, more to brighter pixels. Kept for evaluation. See `KindPerturbation`."""

    kind = "speckle_noise"
