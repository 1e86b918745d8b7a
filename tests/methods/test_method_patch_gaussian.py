"""Patch Gaussian: which pixels change, by how much, and how the draws are distributed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from method_helpers import SIZE, dots, numpy, small_network

from keras_shr import _random
from keras_shr._compile import compiled
from keras_shr.errors import KerasShrError
from keras_shr.methods import PatchGaussian
from keras_shr.methods.patch_gaussian import patch_gaussian


def oracle(images, seed, max_patch, max_sigma):
    """The definition with loops over the images, on the same draws."""
    count, height, width, _ = images.shape
    seeds = _random.split(seed, 5)
    largest = max(1, round(max_patch * min(height, width)))
    sides, rows, columns = (
        numpy(_random.integers((count, 1), s, low, high))[:, 0]
        for s, low, high in zip(seeds[:3], (1, 0, 0), (largest + 1, height, width), strict=True)
    )
    sigmas = numpy(_random.uniform((count, 1, 1, 1), seeds[3], 0.0, 255 * max_sigma)).ravel()
    noise = numpy(_random.normal(images.shape, seeds[4]))
    result = images.copy()
    for i, (side, row, column, sigma) in enumerate(zip(sides, rows, columns, sigmas, strict=True)):
        top, left = row - side // 2, column - side // 2
        patch = (
            i,
            slice(max(top, 0), max(top + side, 0)),
            slice(max(left, 0), max(left + side, 0)),
        )
        result[patch] = np.clip(images[patch] + sigma * noise[patch], 0, 255)
    return result


@settings(max_examples=6)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.05, 0.5, 1.0, 1.2]),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from([(SIZE, SIZE), (6, 11)]),
)
def test_matches_the_oracle(seed, max_patch, max_sigma, size):
    images = np.random.default_rng(seed).uniform(0, 255, (3, *size, 3)).astype("float32")
    found = numpy(compiled(lambda x: patch_gaussian(x, seed, max_patch, max_sigma))(images))
    np.testing.assert_allclose(found, oracle(images, seed, max_patch, max_sigma), atol=1e-3)
    assert found.min() >= 0
    assert found.max() <= 255


def test_the_draws_cover_their_ranges():
    """Mid-grey images: a patch is a rectangle, and its spread says which sigma was drawn."""
    images = np.full((400, SIZE, SIZE, 3), 127.5, "float32")
    changed = numpy(patch_gaussian(images, 11, 1.0, 0.2)) - images
    sides, spreads = [], []
    for difference in changed:
        rows, columns = (np.flatnonzero((difference != 0).any(axis=a)) for a in ((1, 2), (0, 2)))
        assert (difference[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] != 0).all()
        sides.append(max(len(rows), len(columns)))
        if min(len(rows), len(columns)) > 5:
            inside = difference[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            spreads.append(inside.std() / 255)
    # Patches over the border show a part of their side only.
    assert min(sides) < 4
    assert max(sides) == SIZE
    assert 9 < np.mean(sides) < 16.5
    assert 0.08 < np.mean(spreads) < 0.12
    assert 0.19 < max(spreads) < 0.22


def test_the_patched_image_is_trained_on_alone():
    images, keypoints = dots(4)
    model = PatchGaussian(small_network(), max_patch=0.5, max_sigma=0.3)
    found, labels, _ = model.make_pairs((images, keypoints), ops.convert_to_tensor(0))
    assert found.shape == images.shape
    share = (abs(numpy(found) - images).max(axis=-1) > 0).mean()
    assert 0 < share <= 0.25
    np.testing.assert_array_equal(numpy(labels["keypoints"]), keypoints)
    with pytest.raises(KerasShrError, match="max_patch is 0 and max_sigma 1"):
        PatchGaussian(small_network(), max_patch=0)
