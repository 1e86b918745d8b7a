"""How sharp and how certain heatmaps are, as pure functions; Theorem 3's test.

All take `(batch, height, width, keypoints)` (NumPy or tensor, either backend), compute in float32
and return tensors of shape `(batch, keypoints)`.
"""

import math

import keras
from keras import ops

from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError
from keras_shr.heatmaps import values_at
from keras_shr.metrics._arrays import as_float, check_heatmaps

FORMS = ("printed", "corrected")


def _flat(name, heatmaps):
    """Pixels last: `(batch, keypoints, height * width)`, the size, and which maps are finite.

    A map that holds a NaN or Inf is replaced by zeros; callers give it their worst value.
    """
    heatmaps = as_float(heatmaps)
    check_heatmaps(name, heatmaps)
    height, width = ops.shape(heatmaps)[1:3]
    pixels = ops.transpose(heatmaps, (0, 3, 1, 2))
    pixels = ops.reshape(pixels, (ops.shape(pixels)[0], ops.shape(pixels)[1], height * width))
    finite = ops.all(ops.isfinite(pixels), axis=-1)
    pixels = ops.where(ops.expand_dims(finite, -1), pixels, ops.zeros_like(pixels))
    return pixels, height, width, finite


def _two_highest(pixels):
    """Highest and second highest value of the last axis, and the first one's index, kept.

    Two passes of `max` are many times faster than `top_k` on a CPU.
    """
    if pixels.shape[0] == 0:  # TensorFlow has no maximum of nothing
        nothing = ops.zeros(pixels.shape[:-1])
        return nothing, nothing, ops.zeros((*pixels.shape[:-1], 1), "int32")
    index = ops.expand_dims(ops.cast(ops.argmax(pixels, axis=-1), "int32"), -1)
    first = ops.max(pixels, axis=-1)
    place = ops.arange(pixels.shape[-1], dtype="int32")
    rest = ops.where(ops.equal(place, index), -math.inf, pixels)
    return first, ops.max(rest, axis=-1), index


def _highest(pixels, n):
    """int32 `(..., n)`: where the n highest of the last axis are, equal ones in reading order."""
    if keras.config.backend() == "torch":  # whose top_k takes equal ones in any order
        return ops.cast(ops.argsort(-pixels, axis=-1)[..., :n], "int32")
    return ops.cast(ops.top_k(pixels, n)[1], "int32")


def normalize_maps(heatmaps, by) -> Tensor:
    """Each map divided by its maximum or its sum.

    A map without a positive maximum or sum becomes all zero.

    Args:
        heatmaps: `(batch, height, width, keypoints)`.
        by: `"max"`, `"sum"`, or None to return them unchanged.
    """
    heatmaps = as_float(heatmaps)
    check_heatmaps("heatmaps", heatmaps)
    if by is None:
        return heatmaps
    if by not in ("max", "sum"):
        raise KerasShrError(f"normalize is {by!r}, expected 'max', 'sum' or None")
    if by == "max":
        divisor = ops.max(heatmaps, axis=(1, 2), keepdims=True, initial=0)
    else:
        divisor = ops.sum(heatmaps, axis=(1, 2), keepdims=True)
    positive = divisor > 0
    divisor = ops.where(positive, divisor, ops.ones_like(divisor))
    return ops.where(positive, heatmaps / divisor, ops.zeros_like(heatmaps))


def peak_spread(heatmaps, n=64) -> Tensor:
    """The paper's D_n (eq. 11): squared distances of the 2nd..n-th highest pixel to the highest.

    `D_n = Σ_{k=2..n} (x_k − x_1)² + (y_k − y_1)²` in squared heatmap pixels. Small means one tight
    peak; the 64 pixels nearest to the middle of a large map give 652, the least there is for
    n = 64 away from the border. Equal values rank in reading order (row by row), so a map with
    fewer than n pixels above 0 is measured by where its zeros come first. A map with a NaN or Inf
    counts as n − 1 times the map's squared diagonal.

    Args:
        heatmaps: `(batch, height, width, keypoints)`.
        n: how many of the highest pixels count.

    Returns:
        float32 `(batch, keypoints)`.
    """
    pixels, height, width, finite = _flat("heatmaps", heatmaps)
    size = pixels.shape[-1]
    if n < 2 or (size is not None and n > size):
        raise KerasShrError(f"n is {n}, expected 2 to the number of pixels of a map ({size})")
    index = _highest(pixels, n)
    row, column = index // width, index % width
    away = ops.square(row - row[..., :1]) + ops.square(column - column[..., :1])
    spread = ops.cast(ops.sum(away, axis=-1), pixels.dtype)
    worst = (n - 1) * ((height - 1) * (height - 1) + (width - 1) * (width - 1))
    return ops.where(finite, spread, ops.cast(worst, pixels.dtype) * ops.ones_like(spread))


def peak_gap(heatmaps) -> Tensor:
    """The paper's D_(1)(2) (eq. 12): highest minus second highest value, 0 to 1.

    Taken on the map divided by its maximum (our reading of the paper), so a map and twice that map
    give the same. 0 for a map with two equal peaks, without a positive value, or with a NaN or Inf.

    Args:
        heatmaps: `(batch, height, width, keypoints)`.

    Returns:
        float32 `(batch, keypoints)`.
    """
    pixels, _, _, finite = _flat("heatmaps", heatmaps)
    first, second, _ = _two_highest(pixels)
    second = ops.maximum(second, 0)
    usable = ops.logical_and(finite, first > 0)
    gap = (first - second) / ops.where(usable, first, ops.ones_like(first))
    return ops.where(usable, gap, ops.zeros_like(gap))


def theorem3_holds(clean_maps, perturbed_maps, form="printed") -> Tensor:
    """Whether Theorem 3 certifies that this perturbation leaves the argmax where it is.

    With Δr = perturbed − clean, r⁽¹⁾ and r⁽²⁾ the clean map's highest and second highest values and
    Δr⁽¹⁾ the change at the clean peak:

        printed:    r⁽¹⁾ − r⁽²⁾ > sqrt(Σ Δr² + H·W·(Δr⁽¹⁾)²)
        corrected:  the right side times sqrt(1 + 1/(1 + H·W))

    The printed form is sound for two maps of equal sum and for two maps whose maximum is 1; on
    free maps (raw outputs) only the corrected one is. Maps are compared as given: divide them with
    `normalize_maps` first. It speaks about this pair, not about perturbations that were not tried.

    Args:
        clean_maps: `(batch, height, width, keypoints)`.
        perturbed_maps: same shape.
        form: `"printed"` or `"corrected"`.

    Returns:
        bool `(batch, keypoints)`; False where either map holds a NaN or Inf.
    """
    if form not in FORMS:
        raise KerasShrError(f"form is {form!r}, expected 'printed' or 'corrected'")
    clean, height, width, clean_finite = _flat("clean_maps", clean_maps)
    perturbed, _, _, perturbed_finite = _flat("perturbed_maps", perturbed_maps)
    first, second, index = _two_highest(clean)
    change = perturbed - clean
    at_peak = values_at(change, index, axis=-1)[..., 0]
    area = ops.cast(height * width, clean.dtype)
    bound = ops.sqrt(ops.sum(ops.square(change), axis=-1) + area * ops.square(at_peak))
    if form == "corrected":
        bound = bound * ops.sqrt(1 + 1 / (1 + area))
    holds = first - second > bound
    return ops.logical_and(holds, ops.logical_and(clean_finite, perturbed_finite))


def argmax_unmoved(clean_maps, perturbed_maps) -> Tensor:
    """Whether the highest pixel is the same in both maps: what Theorem 3 promises.

    Equal values rank in reading order. False where either map holds a NaN or Inf.

    Args:
        clean_maps: `(batch, height, width, keypoints)`.
        perturbed_maps: same shape.

    Returns:
        bool `(batch, keypoints)`.
    """
    clean, _, _, clean_finite = _flat("clean_maps", clean_maps)
    perturbed, _, _, perturbed_finite = _flat("perturbed_maps", perturbed_maps)
    same = ops.equal(ops.argmax(clean, axis=-1), ops.argmax(perturbed, axis=-1))
    return ops.logical_and(same, ops.logical_and(clean_finite, perturbed_finite))


def least_peak_spread(n=64) -> int:
    """The smallest `peak_spread` away from the border: the n nearest pixels (652 for 64)."""
    reach = math.isqrt(n) + 1
    square = sorted(
        x * x + y * y for x in range(-reach, reach + 1) for y in range(-reach, reach + 1)
    )
    return sum(square[:n])
