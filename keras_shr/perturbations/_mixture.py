"""A random kind and severity for each image of a batch."""

from functools import partial

import keras
import numpy as np
from keras import ops

from keras_shr import _random
from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError
from keras_shr.perturbations import _common as common
from keras_shr.perturbations._registry import NATIVE
from keras_shr.perturbations.names import (
    SEVERITIES,
    SMALLEST,
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
) -> Tensor:
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
        KerasShrError: for an unknown or unseen kind, a severity out of range, a wrong shape, and
            for images in [0, 1] where their values are known (not in a compiled function).
    """
    return perturb_with_labels(images, seed, perturbations, severities, force)[0]


def perturb_with_labels(
    images,
    seed,
    perturbations=TRAINING_PERTURBATIONS,
    severities=SEVERITIES,
    force=False,
) -> tuple[Tensor, Tensor, Tensor]:
    """`perturb`, and what was drawn.

    Args:
        images, seed, perturbations, severities, force: see `perturb`.

    Returns:
        `(images, kinds, severities)`: kinds are int32 `(batch,)` indices into `perturbations`,
        severities int32 `(batch,)`.

    Each image's kind is uniform over the K kinds, but the draws are stratified: of images 0..K-1
    each gets another kind, in random order, and so on in blocks of K. So every shape is static,
    which XLA needs, and the batch costs as much as at most batch + K - 1 images of one kind, not K
    times the batch. What happens to an image depends on the seed and its row in the batch alone,
    so a device with a part of the batch makes the same pictures (`_random.at_row`); its cost is
    that of batch + 2 K - 2 images at most. A batch that is known to be smaller than K goes image
    by image, each through a switch that runs the one branch it needs; where the batch size is
    unknown until run time, a batch smaller than K costs as much as one of K.
    """
    chosen = check_perturbations(perturbations, force)
    levels = np.array(check_severities(severities), "int32")
    pixels = _to_float(images)
    if images.shape[0] == 0:
        nothing = ops.zeros((0,), "int32")
        return images, nothing, nothing
    order_seed, severity_seed, kind_seed = _random.split(seed, 3)
    count = ops.shape(images)[0]
    severity = _random.integers((count,), severity_seed, 0, len(levels))
    severity = ops.take(ops.convert_to_tensor(levels), severity)
    mix = _one_by_one if images.shape[0] in range(1, len(chosen)) else _stratified
    perturbed, kinds = mix(pixels, severity, chosen, order_seed, kind_seed)
    return _from_float(perturbed, images), kinds, severity


def _stratified(pixels, severity, chosen, order_seed, kind_seed):
    count, kinds = ops.shape(pixels)[0], len(chosen)
    block, skipped, blocks = _blocks(_random.first_row(order_seed), count, kinds)
    orders = _random.orders(blocks, kinds, _at(order_seed, block))
    # Image j of block g is of kind orders[g, j] and is the g-th image of that kind.
    place = ops.reshape(orders * blocks + ops.arange(blocks)[:, None], (-1,))
    place = ops.slice(place, (skipped,), (count,))
    image_at = ops.argsort(orders, axis=-1) + ops.arange(blocks)[:, None] * kinds - skipped
    last = count - 1
    if not isinstance(block, int):
        # A replica may have no image left of a last batch, and perturbs a black one instead.
        pixels = ops.concatenate([pixels, ops.zeros((1, *pixels.shape[1:]))])
        severity = ops.concatenate([severity, ops.ones((1,), "int32")])
        last = ops.maximum(last, 0)
    # Places beyond the batch are filled with further copies; nobody reads them.
    image_at = ops.reshape(ops.transpose(ops.clip(image_at, 0, last)), (-1,))
    pixels_at = ops.take(pixels, image_at, axis=0)
    severity_at = ops.take(severity, image_at, axis=0)
    parts = []
    for i, (name, seed) in enumerate(zip(chosen, _random.split(kind_seed, kinds), strict=True)):
        part = slice(i * blocks, (i + 1) * blocks)
        parts.append(_run(NATIVE[name], pixels_at[part], severity_at[part], _at(seed, block)))
    perturbed = ops.take(ops.concatenate(parts, axis=0), place, axis=0)
    return ops.reshape(perturbed, (-1, *pixels.shape[1:])), place // blocks


def _one_by_one(pixels, severity, chosen, order_seed, kind_seed):
    count = pixels.shape[0]
    # The draws of `_stratified`: both give the same pictures.
    block, skipped, blocks = _blocks(_random.first_row(order_seed), count, len(chosen))
    orders = _random.orders(blocks, len(chosen), _at(order_seed, block))
    kinds = ops.slice(ops.reshape(orders, (-1,)), (skipped,), (count,))
    seeds = ops.take(ops.stack(_random.split(kind_seed, len(chosen))), kinds, axis=0)
    blocks_of = block + (skipped + ops.arange(count, dtype="int32")) // len(chosen)
    branches = [partial(_run, NATIVE[name]) for name in chosen]

    def one(arguments):
        image, level, kind, seed, row = arguments
        seed = _random.at_row(seed, row)
        return ops.switch(kind, branches, image[None], level[None], seed)[0]

    each = (pixels, severity, kinds, seeds, blocks_of)
    if count == 1:
        return one([part[0] for part in each])[None], kinds
    return ops.map(one, each), kinds


def _blocks(first, count, kinds):
    """The block of the first image, its place in it, and how many blocks the images may touch."""
    if isinstance(first, int):  # the whole batch is here: it begins with a block
        return 0, 0, (count + kinds - 1) // kinds
    return first // kinds, first % kinds, (count + 2 * kinds - 2) // kinds


def _at(seed, block):
    """A seed whose rows are blocks."""
    return seed if isinstance(block, int) else _random.at_row(seed, block)


def perturb_kind(images, kind, severity, seed, force=False) -> Tensor:
    """Perturb all images with one kind.

    Args:
        images, seed, force: see `perturb`.
        kind: a name in `ALL_PERTURBATIONS`.
        severity: 1 to 5, an int, or integers `(batch,)`. Those of a tensor are not looked at.

    Returns:
        Images of the same shape and type.

    Raises:
        KerasShrError: as `perturb`.
    """
    (kind,) = check_perturbations((kind,), force)
    if not ops.is_tensor(severity):
        check_severities(severity if np.ndim(severity) else (severity,))
    severity = ops.cast(ops.convert_to_tensor(severity), "int32")
    severity = ops.broadcast_to(severity, (ops.shape(images)[0],))
    pixels = _to_float(images)
    if images.shape[0] == 0:  # not every operation of a backend takes no images
        return _from_float(pixels, images)
    return _from_float(_run(NATIVE[kind], pixels, severity, seed), images)


def _run(perturbation, images, severity, seed):
    return perturbation.apply(images, severity, perturbation.draw(images, severity, seed))


def _to_float(images):
    """float32 RGB; a grey image as three equal channels, as the reference does."""
    valid = len(images.shape) == 4 and images.shape[-1] in (1, 3)
    if not valid or min(common.static_size(images)) < SMALLEST:
        raise KerasShrError(
            f"images have shape {tuple(images.shape)}; perturbations take (batch, height, width, "
            "channels) with height and width of 32 or more and 3 channels, or 1 for grey"
        )
    common.check_range(images)
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
