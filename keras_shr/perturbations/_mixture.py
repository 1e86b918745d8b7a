"""A random kind and severity for each image of a batch."""

from functools import partial

import keras
import numpy as np
from keras import ops

from keras_shr import _random
from keras_shr.errors import KerasShrError
from keras_shr.perturbations import _common as common
from keras_shr.perturbations._registry import NATIVE
from keras_shr.perturbations.names import (
    SEVERITIES,
    TRAINING_PERTURBATIONS,
    check_perturbations,
    check_severities,
)


def perturb(
    images,
    seed,
    perturbations=TRAINING_PERTURBATIONS,
    severities=SEVERITIES,
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
    severities=SEVERITIES,
    force=False,
):
    """`perturb`, and what was drawn.

    Args:
        images, seed, perturbations, severities, force: see `perturb`.

    Returns:
        `(images, kinds, severities)`: kinds are int32 `(batch,)` indices into `perturbations`,
        severities int32 `(batch,)`.

    Each image's kind is uniform over the K kinds, but the draws of a batch are stratified: each
    kind gets ceil(batch / K) places, and a random permutation sends the images to the places. So
    every shape is static, which XLA needs, and the batch costs as much as at most batch + K - 1
    images of one kind, not K times the batch. A batch that is known to be smaller than K gets
    different kinds, image by image, each through a switch that runs the one branch it needs; where
    the batch size is unknown until run time, a batch smaller than K costs as much as one of K.
    """
    chosen = check_perturbations(perturbations, force)
    levels = np.array(check_severities(severities), "int32")
    pixels = _to_float(images)
    order_seed, severity_seed, kind_seed = _random.split(seed, 3)
    count = ops.shape(images)[0]
    severity = _random.integers((count,), severity_seed, 0, len(levels))
    severity = ops.take(ops.convert_to_tensor(levels), severity)
    mix = _one_by_one if images.shape[0] in range(1, len(chosen)) else _stratified
    perturbed, kinds = mix(pixels, severity, chosen, order_seed, kind_seed)
    return _from_float(perturbed, images), kinds, severity


def _stratified(pixels, severity, chosen, order_seed, kind_seed):
    count, kinds = ops.shape(pixels)[0], len(chosen)
    share = (count + kinds - 1) // kinds
    place = _random.permutation(kinds * share, order_seed)
    # Places beyond the batch are filled with further copies; nobody reads them.
    image_at = ops.argsort(place) % count
    place = place[:count]
    pixels_at = ops.take(pixels, image_at, axis=0)
    severity_at = ops.take(severity, image_at, axis=0)
    parts = []
    for i, (name, seed) in enumerate(zip(chosen, _random.split(kind_seed, kinds), strict=True)):
        part = slice(i * share, (i + 1) * share)
        parts.append(_run(NATIVE[name], pixels_at[part], severity_at[part], seed))
    perturbed = ops.take(ops.concatenate(parts, axis=0), place, axis=0)
    return ops.reshape(perturbed, (-1, *pixels.shape[1:])), place // share


def _one_by_one(pixels, severity, chosen, order_seed, kind_seed):
    count = pixels.shape[0]
    # The draws of `_stratified` with one place for each kind: both give the same pictures.
    kinds = _random.permutation(len(chosen), order_seed)[:count]
    seeds = ops.take(ops.stack(_random.split(kind_seed, len(chosen))), kinds, axis=0)
    branches = [partial(_run, NATIVE[name]) for name in chosen]

    def one(arguments):
        image, level, kind, seed = arguments
        return ops.switch(kind, branches, image[None], level[None], seed)[0]

    if count == 1:
        return one((pixels[0], severity[0], kinds[0], seeds[0]))[None], kinds
    return ops.map(one, (pixels, severity, kinds, seeds)), kinds


def perturb_kind(images, kind, severity, seed, force=False):
    """Perturb all images with one kind.

    Args:
        images, seed, force: see `perturb`.
        kind: a name in `ALL_PERTURBATIONS` or `SENSOR_PERTURBATIONS`.
        severity: 1 to 5, an int or an int tensor `(batch,)`.

    Returns:
        Images of the same shape and type.
    """
    (kind,) = check_perturbations((kind,), force)
    if isinstance(severity, int | np.integer):
        (severity,) = check_severities((severity,))
    severity = ops.cast(ops.convert_to_tensor(severity), "int32")
    severity = ops.broadcast_to(severity, (ops.shape(images)[0],))
    return _from_float(_run(NATIVE[kind], _to_float(images), severity, seed), images)


def _run(perturbation, images, severity, seed):
    return perturbation.apply(images, severity, perturbation.draw(images, severity, seed))


def _to_float(images):
    """float32 RGB; a grey image as three equal channels, as the reference does."""
    valid = len(images.shape) == 4 and images.shape[-1] in (1, 3)
    if not valid or min(common.static_size(images)) < 32:
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
        perturbed = perturbed + common.TRUNCATION_SLACK  # and the cast cuts off the fraction
    return ops.cast(perturbed, dtype)
