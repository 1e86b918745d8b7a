"""Brightness and contrast."""

from keras import ops

from keras_shr.perturbations._common import Perturbation, at_severity, clip, draw_nothing

_BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)  # added to the value of HSV, in units of 255
_CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)  # what is left of the distance to the mean


def _brightness(images, severity, parameters):
    # Hue and saturation stay, so RGB is proportional to the value max(R, G, B); black is grey.
    value = ops.max(images, axis=-1, keepdims=True)
    raised = ops.minimum(value + 255.0 * at_severity(_BRIGHTNESS, severity, 3), 255.0)
    black = value <= 0.0
    return clip(ops.where(black, raised, images * (raised / ops.where(black, 1.0, value))))


def _contrast(images, severity, parameters):
    mean = ops.mean(images, axis=(1, 2), keepdims=True)
    return clip(mean + (images - mean) * at_severity(_CONTRAST, severity, 3))


BRIGHTNESS = Perturbation("brightness", draw_nothing, _brightness)
CONTRAST = Perturbation("contrast", draw_nothing, _contrast)
