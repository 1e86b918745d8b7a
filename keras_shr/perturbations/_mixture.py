"""A random kind and severity for each image of a batch."""

import keras
import numpy as np
from keras import ops

from keras_shr import _random
from keras_shr.errors import KerasShrError
from keras_shr.perturbations import _common as common
from keras_shr.perturbations._blur import DEFOCUS_BLUR, MOTION_BLUR
from keras_shr.perturbations._colour import BRIGHTNESS, CONTRAST
from keras_shr.perturbations._glass import GLASS_BLUR
from keras_shr.perturbations._noise import GAUSSIAN_NOISE, SHOT_NOISE
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
    )
}
TRAINING_PERTURBATIONS = tuple(NATIVE)
EVALUATION_PERTURBATIONS = (
    "gaussian_blur",
    "jpeg_compression",
    "saturate",
    "spatter",
    "speckle_noise",
)
ALL_PERTURBATIONS = TRAINING_PERTURBATIONS + EVALUATION_PERTURBATIONS


def perturb(
    images,
    seed,
    perturbations=TRAINING_PERTURBATIONS,
    severities=common.SEVERITIES,
    force=False,
):
    """Perturb each image with a random kind at a random severity.

    Args:
        images: `(batch, height, width, channels)` in [0, 255], uint8 or float; height and width
            32 or more and known when traced, channels 3 or 1.
        seed: int, `(2,)` integer tensor or `keras.random.SeedGenerator`; the same seed gives the
            same result however the function is compiled.
        perturbations: names to draw from, by default the ten that may be seen in training.
        severities: severities to draw from, out of 1 to 5.
        force: accept the names of `EVALUATION_PERTURBATIONS`, which a training run must not see.

    Returns:
        Images of the same shape and type. uint8 is truncated, as in the reference library; float
        images are clipped to [0, 255] and not rounded.

    Raises:
        KerasShrError: for an unknown or unseen kind, a severity out of range, a wrong shape.
    """
    return perturb_with_labels(images, seed, perturbations, severities, force)[0]


def perturb_with_labels(
    images,
    seed,
    perturbations=TRAINING_PERTURBATIONS,
    severities=common.SEVERITIES,
    force=False,
):
    """`perturb`, and what was drawn.

    Returns:
        `(images, kinds, severities)`: kinds are int32 `(batch,)` indices into `perturbations`,
        severities int32 `(batch,)`.

    Each image's kind is uniform over the kinds, but the draws of a batch are stratified: of K
    kinds, each gets a fixed share of ceil(batch / K) places, and a random permutation sends the
    images to the places. So all shapes are static, which XLA needs, and the batch costs as much as
    at most batch + K - 1 single images, not K times the batch.
    """
    chosen = check_perturbations(perturbations, force)
    severities = check_severities(severities)
    count = ops.shape(images)[0]
    kinds = len(chosen)
    order_seed, severity_seed, *kind_seeds = _random.split(seed, 2 + kinds)
    levels = ops.convert_to_tensor(np.array(severities, "int32"))
    severity = ops.take(levels, _random.integers((count,), severity_seed, 0, len(severities)))
    share = (count + kinds - 1) // kinds
    place = _random.permutation(kinds * share, order_seed)
    # Places beyond the batch are filled with further copies; nobody reads them.
    image_at = ops.argsort(place) % count
    place = place[:count]
    pixels = ops.take(_to_float(images), image_at, axis=0)
    severity_at = ops.take(severity, image_at, axis=0)
    parts = []
    for i, (name, kind_seed) in enumerate(zip(chosen, kind_seeds, strict=True)):
        part = slice(i * share, (i + 1) * share)
        parts.append(_run(NATIVE[name], pixels[part], severity_at[part], kind_seed))
    perturbed = ops.take(ops.concatenate(parts, axis=0), place, axis=0)
    perturbed = ops.reshape(perturbed, (-1, *pixels.shape[1:]))
    return _from_float(perturbed, images), place // share, severity


def perturb_kind(images, kind, severity, seed, force=False):
    """Perturb all images with one kind; `severity` is an int or an int tensor `(batch,)`."""
    (kind,) = check_perturbations((kind,), force)
    if isinstance(severity, int | np.integer):
        (severity,) = check_severities((severity,))
    severity = ops.cast(ops.convert_to_tensor(severity), "int32")
    severity = ops.broadcast_to(severity, (ops.shape(images)[0],))
    perturbed = _run(NATIVE[kind], _to_float(images), severity, seed)
    return _from_float(perturbed, images)


def _run(perturbation, images, severity, seed):
    return perturbation.apply(images, severity, perturbation.draw(images, severity, seed))


def _to_float(images):
    """float32 RGB; a grey image as three equal channels, as the reference does."""
    height, width = common.static_size(images)
    if len(images.shape) != 4 or images.shape[-1] not in (1, 3) or min(height, width) < 32:
        raise KerasShrError(
            f"images have shape {tuple(images.shape)}; perturbations take (batch, height, width, "
            "channels) with height and width of 32 or more and 3 channels, or 1 for grey"
        )
    images = ops.cast(images, "float32")
    return ops.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images


def _from_float(perturbed, images):
    """The shape and type of `images`; of the three channels a grey image keeps the green one."""
    if images.shape[-1] == 1:
        perturbed = perturbed[..., 1:2]
    dtype = keras.backend.standardize_dtype(images.dtype)
    if "int" in dtype:
        # By way of int32, since XLA has no direct path from float to uint8 on every device.
        perturbed = ops.cast(ops.floor(perturbed + common.TRUNCATION_SLACK), "int32")
    return ops.cast(perturbed, dtype)


def check_perturbations(perturbations, force=False):
    """The names as a tuple, if each can be used in training; else `KerasShrError`."""
    if isinstance(perturbations, str):
        perturbations = (perturbations,)
    names = tuple(perturbations)
    if not names:
        raise KerasShrError("perturbations is empty; name at least one kind")
    for name in names:
        if name not in ALL_PERTURBATIONS:
            raise KerasShrError(
                f"unknown perturbation {name!r}; the kinds are " + ", ".join(ALL_PERTURBATIONS)
            )
        if name in EVALUATION_PERTURBATIONS and not force:
            raise KerasShrError(
                f"perturbation {name!r} is kept for evaluation and must stay unseen in training; "
                "leave it out, or pass force=True"
            )
        if name not in NATIVE:
            raise KerasShrError(
                f"perturbation {name!r} has no native implementation yet; use "
                "keras_shr.perturbations.reference.perturb for it"
            )
    if len(set(names)) != len(names):
        raise KerasShrError(f"perturbations names a kind twice: {', '.join(names)}")
    return names


def check_severities(severities):
    """The severities as a tuple of ints from 1 to 5; else `KerasShrError`."""
    if isinstance(severities, int | np.integer):
        severities = (severities,)
    severities = tuple(severities)
    if not severities or any(s not in common.SEVERITIES for s in severities):
        raise KerasShrError(f"severities is {severities}; they must be integers from 1 to 5")
    return tuple(int(s) for s in severities)
