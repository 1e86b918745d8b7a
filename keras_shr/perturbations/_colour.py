"""Brightness, contrast and saturation."""

from keras import ops

from keras_shr.perturbations._common import Perturbation, at_severity, clip, draw_nothing

_BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)  # added to the value of HSV, in units of 255
_CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)  # what is left of the distance to the mean
# The new saturation of HSV: a factor, and what is added.
_SATURATE = ((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2))


def _brightness(images, severity, parameters):
    # Hue and saturation stay, so RGB is proportional to the value max(R, G, B); black is grey.
    value = ops.max(images, axis=-1, keepdims=True)
    raised = ops.minimum(value + 255.0 * at_severity(_BRIGHTNESS, severity, 3), 255.0)
    black = value <= 0.0
    return clip(ops.where(black, raised, images * (raised / ops.where(black, 1.0, value))))


def _contrast(images, severity, parameters):
    mean = ops.mean(images, axis=(1, 2), keepdims=True)
    return clip(mean + (images - mean) * at_severity(_CONTRAST, severity, 3))


def _saturate(images, severity, parameters):
    """Hue and value stay: in value - channel, all channels keep their proportions.

    With the value V = max(R, G, B) and the range C = V - min(R, G, B), the saturation is C / V, and
    V - channel grows as the saturation does. Grey has no hue; red, the reference's choice for it,
    is seen where something is added to the saturation. At severity 3 the result is a whole
    number; the reference misses a fifth of these by a rounding error and truncates to one less.
    """
    factor, added = (at_severity([row[i] for row in _SATURATE], severity, 2) for i in range(2))
    red, green, blue = (images[..., i] for i in range(3))
    value = ops.maximum(ops.maximum(red, green), blue)
    chroma = value - ops.minimum(ops.minimum(red, green), blue)
    grey = chroma <= 0.0
    # The new range is the new saturation times the value.
    wanted = ops.minimum(chroma * factor + value * added, value)
    scale = wanted / ops.where(grey, 1.0, chroma)
    red = value - (value - red) * scale
    green, blue = (value - ops.where(grey, wanted, (value - x) * scale) for x in (green, blue))
    return clip(ops.stack([red, green, blue], axis=-1))


BRIGHTNESS = Perturbation("brightness", draw_nothing, _brightness)
CONTRAST = Perturbation("contrast", draw_nothing, _contrast)
SATURATE = Perturbation("saturate", draw_nothing, _saturate)
