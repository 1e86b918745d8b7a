"""Patch Gaussian (PG)."""

import keras
from keras import ops

from keras_shr import _random
from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError
from keras_shr.methods.base import Method
from keras_shr.methods.own_views import OwnViewsModel


def patch_gaussian(images, seed, max_patch=1.0, max_sigma=1.0):
    """Adds Gaussian noise to one square patch of each image.

    The patch's side is uniform over 1..`max_patch` times the shorter side of the image, its centre
    uniform over the pixels (so part of it may lie outside), the noise's deviation uniform over
    0..`max_sigma`.

    Args:
        images: float32 `(batch, height, width, channels)` in 0..255.
        seed: see `keras_shr._random`.
        max_patch: largest side, as a share of the image's shorter side.
        max_sigma: largest deviation, in units of 255.

    Returns:
        Images of the same shape, clipped to 0..255 inside the patch and unchanged outside.
    """
    height, width = images.shape[1:3]
    count = ops.shape(images)[0]
    side_seed, row_seed, column_seed, sigma_seed, noise_seed = _random.split(seed, 5)
    largest = max(1, round(max_patch * min(height, width)))
    side = _random.integers((count, 1), side_seed, 1, largest + 1)
    rows = _inside(side, _random.integers((count, 1), row_seed, 0, height), height)
    columns = _inside(side, _random.integers((count, 1), column_seed, 0, width), width)
    patch = (rows[:, :, None] & columns[:, None, :])[..., None]
    sigma = _random.uniform((count, 1, 1, 1), sigma_seed, 0.0, 255.0 * max_sigma)
    noisy = images + sigma * _random.normal(ops.shape(images), noise_seed)
    return ops.where(patch, ops.clip(noisy, 0.0, 255.0), images)


def _inside(side, centre, length):
    """bool `(batch, length)`: which of `length` positions a patch covers."""
    offset = ops.arange(length, dtype="int32")[None] - (centre - side // 2)
    return (offset >= 0) & (offset < side)


@keras.saving.register_keras_serializable(package="keras_shr")
class PatchGaussian(OwnViewsModel):
    """Trains on images with a patch of Gaussian noise.

    Source: Lopes, Yin, Poole, Gilmer, Cubuk, Improving Robustness Without Sacrificing Accuracy with
    Patch Gaussian Augmentation, arXiv 1906.02611, 2019, section 3: noise of deviation sigma in a
    W x W patch at a random place, clipped. The paper chooses W and sigma for each data set. Our
    reading is its sampled form with the widest ranges: the side up to the whole image, sigma up to
    1 (of images in 0..1), both uniform, drawn anew for each image.

    Args:
        network, kwargs: see `PairedHeatmapModel`.
        max_patch, max_sigma: see `patch_gaussian`.
    """

    def __init__(self, network, max_patch=1.0, max_sigma=1.0, **kwargs):
        super().__init__(network, **kwargs)
        if max_patch <= 0 or max_sigma < 0:
            raise KerasShrError(
                f"max_patch is {max_patch} and max_sigma {max_sigma}; a patch has to be larger "
                "than 0 and a deviation at least 0"
            )
        self.max_patch, self.max_sigma = max_patch, max_sigma

    def make_views(self, images, keypoints, sample_weight, seed) -> list[Tensor]:
        return [patch_gaussian(images, seed, self.max_patch, self.max_sigma)]

    def training_config(self) -> dict:
        own = {"max_patch": self.max_patch, "max_sigma": self.max_sigma}
        return super().training_config() | own


PG = Method(
    "pg",
    "PG",
    "Lopes, Yin, Poole, Gilmer, Cubuk: Improving Robustness Without Sacrificing Accuracy with "
    "Patch Gaussian Augmentation, arXiv 1906.02611, 2019, section 3",
    model=PatchGaussian,
)
