"""AugMix, with and without its consistency loss."""

import keras
from keras import ops

from keras_shr import _random
from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError
from keras_shr.losses import reduce_keypoints
from keras_shr.methods import _photometric as photometric
from keras_shr.methods.base import Method
from keras_shr.methods.own_views import OwnViewsModel

_SMALLEST = 1e-24


def augmix(images, seed, mixes=1, width=3, depth=3, level=3.0):
    """Mixtures of an image with `width` chains of photometric operations.

    A mixture is `(1 - m) * image + m * sum of w_i * chain_i(image)` with w from a flat Dirichlet
    and m from a flat Beta distribution (both the paper's alpha = 1). Each chain has 1..`depth`
    operations, each drawn from `_photometric.OPERATIONS` with a strength in 0.1..`level` of 10.

    Args:
        images: float32 `(batch, height, width, 3)` in 0..255; for the chains rounded to grey
            levels.
        seed: see `keras_shr._random`.
        mixes: mixtures of each image.
        width, depth, level: see above.

    Returns:
        A list of `mixes` float image batches.
    """
    count, (height, wide, channels) = ops.shape(images)[0], images.shape[1:]
    pixels = ops.reshape(ops.transpose(images, (0, 3, 1, 2)), (-1, height * wide))
    levels = photometric.grey_levels(pixels)
    chain_seed, share_seed, amount_seed = _random.split(seed, 3)
    counts = photometric.histograms(levels)
    tables = _chains(counts, channels, mixes * width, depth, level, chain_seed)
    tables = ops.cast(ops.reshape(tables, (mixes, width, -1, photometric.LEVELS)), "float32")
    # A flat Dirichlet distribution: exponential numbers divided by their sum.
    share = -ops.log(1.0 - _batch_last(_random.uniform, count, (mixes, width), share_seed))
    share = share / ops.maximum(ops.sum(share, axis=1, keepdims=True), _SMALLEST)
    amount = _batch_last(_random.uniform, count, (mixes,), amount_seed)
    share, amount = (ops.repeat(x, channels, axis=-1)[..., None] for x in (share, amount))
    results = []
    for mix in range(mixes):
        table = ops.sum(share[mix] * tables[mix], axis=0)
        changed = photometric.look_up(table, levels)
        mixed = (1.0 - amount[mix]) * pixels + amount[mix] * changed
        mixed = ops.reshape(mixed, (-1, channels, height, wide))
        results.append(ops.transpose(mixed, (0, 2, 3, 1)))
    return results


def _chains(counts, channels, chains, depth, level, seed):
    """Tables `(chains * batch * channels, 256)`; an image's channels share their operations."""
    count = ops.shape(counts)[0] // channels
    length_seed, kind_seed, level_seed = _random.split(seed, 3)

    def for_rows(draws):
        return ops.reshape(ops.repeat(draws, channels, axis=-1), (draws.shape[0], -1, 1))

    shape, kinds = (depth, chains), len(photometric.OPERATIONS)
    length = _batch_last(_random.integers, count, (1, chains), length_seed, 1, depth + 1)
    length = for_rows(length)[0]
    kind = for_rows(_batch_last(_random.integers, count, shape, kind_seed, 0, kinds))
    level = for_rows(_batch_last(_random.uniform, count, shape, level_seed, 0.1, level))
    counts = ops.tile(counts, (chains, 1))
    table = ops.zeros_like(counts) + ops.arange(photometric.LEVELS, dtype="int32")
    for i in range(depth):
        after = photometric.operate(table, counts, kind[i], level[i])
        table = ops.where(i < length, after, table)
    return table


def _batch_last(draw, count, shape, seed, *limits):
    """`draw` of the shape `(*shape, count)`; drawn with the batch first, as `_random` wants it."""
    return ops.moveaxis(draw((count, *shape), seed, *limits), 0, -1)


def spatial_distributions(maps, temperature=None):
    """Each map `(batch, h, w, keypoints)` as a distribution over its pixels.

    Args:
        maps: non-negative maps, divided by their sum; or, with a `temperature`, any maps, of which
            it is the softmax of maps / temperature.
        temperature: see above.
    """
    if temperature is not None:
        highest = ops.max(maps, axis=(1, 2), keepdims=True)
        maps = ops.exp((maps - ops.stop_gradient(highest)) / temperature)
    total = ops.sum(maps, axis=(1, 2), keepdims=True)
    return maps / ops.where(total > 0, total, 1.0)


def jensen_shannon(distributions):
    """Jensen-Shannon divergence `(batch, keypoints)` of a list of `(batch, h, w, keypoints)`.

    The mean over the distributions p of KL(p, M), M being their mean: 0 where all are the same, at
    most the logarithm of their number.
    """
    mean = sum(distributions) / len(distributions)

    def divergence(p):
        ratio = ops.log(ops.maximum(p, _SMALLEST)) - ops.log(ops.maximum(mean, _SMALLEST))
        return ops.sum(p * ratio, axis=(1, 2))

    return sum(divergence(p) for p in distributions) / len(distributions)


@keras.saving.register_keras_serializable(package="keras_shr")
class AugMix(OwnViewsModel):
    """Trains on clean images and asks two mixtures of augmentations for the same answer.

    Source: Hendrycks, Mu, Cubuk, Zoph, Gilmer, Lakshminarayanan, AugMix: A Simple Data Processing
    Method to Improve Robustness and Uncertainty, ICLR 2020, algorithm 1 and section 3: the loss of
    the clean image plus 12 (`stability_weight`) times the Jensen-Shannon divergence of the answers
    to the clean image and two mixtures; width 3, depth 1 to 3, alpha 1, strength 3.

    Of the paper's operations only the photometric ones are used (`_photometric`), since geometry
    would move the keypoints. The paper itself leaves out colour, contrast, brightness and
    sharpness, which resemble corruptions; colour would be our unseen `saturate`.

    Our reading of "answer": each heatmap as a distribution over its pixels, its mean divergence
    over supervised keypoints. Maps that are non-negative are divided by their sum, as in the
    cross-entropy. Maps of the plain Gaussian baseline are regressed values in 0..1, of which the
    softmax is almost uniform (e^1 against thousands of pixels), so their softmax takes the
    `temperature`: at 0.1 a perfect 64x64 map holds nine tenths of its mass round its peak, and the
    divergence of a trained baseline is 0.02 instead of 0.00006.

    With `consistency=False` it trains on one mixture alone, as the paper's ablation does.

    Args:
        network, kwargs: see `PairedHeatmapModel`.
        width: chains in a mixture.
        depth: longest chain.
        level: largest strength of an operation, of 10.
        temperature: see above; for a Gaussian target without row-column correlation.
        consistency: see above.
        stability_weight: the divergence's factor.
    """

    def __init__(
        self,
        network,
        width=3,
        depth=3,
        level=3.0,
        temperature=0.1,
        consistency=True,
        stability_weight=12.0,
        **kwargs,
    ):
        super().__init__(network, stability_weight=stability_weight, **kwargs)
        if width < 1 or depth < 1 or not 0.1 <= level <= 10 or temperature <= 0:
            raise KerasShrError(
                f"width, depth, level and temperature are {width}, {depth}, {level} and "
                f"{temperature}; they start at 1, 1, 0.1 (up to 10) and above 0"
            )
        self.width, self.depth, self.level = width, depth, level
        self.temperature, self.consistency = temperature, consistency

    @property
    def views(self) -> int:
        return 3 if self.consistency else 1

    def make_views(self, images, keypoints, sample_weight, seed) -> list[Tensor]:
        options = {"width": self.width, "depth": self.depth, "level": self.level}
        if not self.consistency:
            return augmix(images, seed, **options)
        return [images, *augmix(images, seed, mixes=2, **options)]

    def view_losses(self, target, maps, images, sample_weight) -> tuple[Tensor, Tensor | None]:
        supervision, stability = super().view_losses(target, maps, images, sample_weight)
        if self.consistency:
            raw = self.target == "gaussian" and self.correlation is None
            temperature = self.temperature if raw else None
            values = jensen_shannon([spatial_distributions(each, temperature) for each in maps])
            weights = self.keypoint_weights(target, sample_weight)
            stability = reduce_keypoints(values, ops.ones_like(values, dtype="bool"), weights)
        return supervision, stability

    def training_config(self) -> dict:
        return super().training_config() | {
            "width": self.width,
            "depth": self.depth,
            "level": self.level,
            "temperature": self.temperature,
            "consistency": self.consistency,
        }


_SOURCE = (
    "Hendrycks, Mu, Cubuk, Zoph, Gilmer, Lakshminarayanan: AugMix: A Simple Data Processing Method "
    "to Improve Robustness and Uncertainty, ICLR 2020"
)
AUGMIX = Method("augmix", "AugMix", f"{_SOURCE}, algorithm 1", 3, model=AugMix)
AUGMIX_NO_JSD = Method(
    "augmix_no_jsd",
    "AugMix, no consistency",
    f"{_SOURCE}, section 4.3 (ablation)",
    options={"consistency": False},
    model=AugMix,
)
