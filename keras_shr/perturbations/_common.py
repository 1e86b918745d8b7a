"""What the perturbations share: sizes, severity tables, FFT filtering and resampling matrices."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_shr.errors import KerasShrError


@dataclass(frozen=True)
class Perturbation:
    """One native perturbation in its two steps.

    Attributes:
        name: the reference library's name for it.
        draw: `draw(images, severity, seed)` -> dict of tensors, one row for each image; of the
            images only the shape is used.
        apply: `apply(images, severity, parameters)` -> images, without any randomness.

    Images are float32 `(batch, height, width, 3)` in [0, 255], height and width known when a
    function is traced; severity is int32 `(batch,)`, 1 to 5. `apply` clips to [0, 255] and does
    not round: the reference's last step, truncation to uint8, is left to the caller.
    """

    name: str
    draw: Callable
    apply: Callable


def draw_nothing(images, severity, seed):
    """The `draw` of a perturbation without randomness."""
    return {}


def check_range(images):
    """Refuses images in [0, 1], where their values are known: not in a compiled function."""
    if "float" not in keras.backend.standardize_dtype(images.dtype) or images.shape[0] == 0:
        return
    try:
        highest, fractions = float(ops.max(images)), bool(ops.any(images % 1 > 0))
    except (TypeError, RuntimeError):  # as backends say of a function that is being compiled
        return
    if 0 < highest <= 1.5 and fractions:
        raise KerasShrError(
            f"images have values up to {highest:.4g}; expected 0..255: perturb before rescaling"
        )


def static_size(images):
    """(height, width) of a batch of images as ints."""
    height, width = images.shape[1:3]
    if height is None or width is None:
        raise KerasShrError(
            f"images have shape {tuple(images.shape)}; perturbations need a known height and width "
            "(only the batch may be unknown): resize or set_shape first"
        )
    return int(height), int(width)


def clip(images):
    return ops.clip(images, 0.0, 255.0)


def at_severity(table, severity, trailing=0):
    """Row `severity - 1` of a table of five, for each image, with `trailing` axes of 1 added."""
    table = np.asarray(table)
    if table.dtype == "float64":
        table = table.astype("float32")
    rows = ops.take(ops.convert_to_tensor(table), severity - 1, axis=0)
    return ops.reshape(rows, (-1, *table.shape[1:], *(1,) * trailing))


def fast_length(length):
    """The next length whose only prime factors are 2, 3 and 5, for which FFTs are quick."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


def zero_pad(planes, height, width):
    """Zeros at the bottom and right of `(batch, planes, h, w)` up to the given size."""
    h, w = planes.shape[2:]
    return ops.pad(planes, ((0, 0), (0, 0), (0, height - h), (0, width - w)))


def fft_filter(planes, spectrum_re, spectrum_im=None):
    """Circular convolution of planes `(batch, planes, h, w)` with one kernel for each image.

    The kernel is real and given by its spectrum `(batch, 1, h, w)`; `spectrum_im` is None for a
    kernel that is symmetric about the origin. Since the kernel is real, two planes share one
    complex transform, the second one as the imaginary part.
    """
    count = planes.shape[1]
    half = (count + 1) // 2
    real, imaginary = planes[:, :half], planes[:, half:]
    if count % 2:
        imaginary = ops.concatenate([imaginary, ops.zeros_like(planes[:, :1])], axis=1)
    real, imaginary = ops.fft2((real, imaginary))
    if spectrum_im is None:
        real, imaginary = real * spectrum_re, imaginary * spectrum_re
    else:
        real, imaginary = (
            real * spectrum_re - imaginary * spectrum_im,
            real * spectrum_im + imaginary * spectrum_re,
        )
    real, imaginary = ops.ifft2((real, imaginary))
    return ops.concatenate([real, imaginary], axis=1)[:, :count]


def channels_first(images):
    return ops.transpose(images, (0, 3, 1, 2))


def channels_last(planes):
    return ops.transpose(planes, (0, 2, 3, 1))


TRUNCATION_SLACK = 2.0**-10
"""Added before truncation, so that 7 computed as 6.99999 in float32 stays 7."""


def by_image(apply, images, severity, parameters):
    """`apply(images, severity, parameters)`, on a CPU one image after the other.

    A chain of many operations is then several times as fast as on the whole batch, since one
    image stays in the cache, and a branch that only some severities take is run for those alone.
    """
    if images.shape[0] == 1 or accelerated():
        return apply(images, severity, parameters)

    def one(arguments):
        batch = keras.tree.map_structure(lambda x: ops.expand_dims(x, 0), arguments)
        return apply(*batch)[0]

    return ops.map(one, (images, severity, parameters))


def accelerated():
    """Whether the backend computes elsewhere than on a CPU."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.default_backend() != "cpu"
    if keras.backend.backend() == "torch":
        return ops.zeros(()).device.type != "cpu"
    import tensorflow as tf

    return bool(tf.config.list_logical_devices("GPU") + tf.config.list_logical_devices("TPU"))
