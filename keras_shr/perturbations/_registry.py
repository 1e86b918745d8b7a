"""The native implementation of each kind."""

from keras_shr.perturbations._blur import DEFOCUS_BLUR, MOTION_BLUR
from keras_shr.perturbations._colour import BRIGHTNESS, CONTRAST, SATURATE
from keras_shr.perturbations._gaussian import GAUSSIAN_BLUR
from keras_shr.perturbations._glass import GLASS_BLUR
from keras_shr.perturbations._jpeg import JPEG_COMPRESSION
from keras_shr.perturbations._noise import GAUSSIAN_NOISE, SHOT_NOISE, SPECKLE_NOISE
from keras_shr.perturbations._spatter import SPATTER
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
        GAUSSIAN_BLUR,
        JPEG_COMPRESSION,
        SATURATE,
        SPATTER,
        SPECKLE_NOISE,
    )
}
"""Name → how this package draws and applies that kind on the device."""
