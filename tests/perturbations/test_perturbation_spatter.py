"""Spatter's steps against OpenCV itself."""

import numpy as np
import pytest
from perturbation_oracles import apply_with, compiled, picture
from scipy.ndimage import gaussian_filter

from keras_shr.perturbations import _opencv, _spatter, reference

cv2 = pytest.importorskip("cv2", reason="OpenCV comes with the reference package")
SIZES = [(32, 32), (33, 70), (96, 64)]


def drops(size, sigma=2, seed=0):
    """Grey levels as spatter has them, for four pictures: 0, or 173 and more."""
    noise = np.random.default_rng(seed).normal(0.65, 0.3, (4, *size))
    field = gaussian_filter(noise, (0, sigma, sigma), mode="nearest")
    return np.where(field < 0.68, 0, field * 255).astype("uint8")


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_canny(size):
    rough = np.stack([picture(*size, seed=i)[..., 1] for i in range(4)])
    levels = np.concatenate([drops(size), rough])
    actual = compiled(lambda x: _opencv.canny(x, *_spatter._CANNY))(levels.astype("float32"))
    expected = np.stack([cv2.Canny(x, 50, 150) for x in levels])
    np.testing.assert_array_equal(actual * 255, expected)


def test_canny_follows_a_long_chain_of_weak_edges():
    """A ramp whose step fades along it: weak from the middle on, an edge to its end."""
    levels = np.zeros((1, 40, 90), "uint8")
    levels[0, 20:] = np.linspace(60, 15, 90).astype("uint8")
    actual = compiled(lambda x: _opencv.canny(x, 50.0, 150.0))(levels.astype("float32"))
    expected = cv2.Canny(levels[0], 50, 150)
    assert expected[:, 60:].any()
    np.testing.assert_array_equal(actual[0] * 255, expected)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_distance(size):
    edges = np.random.default_rng(1).random((4, *size)) < [[[0.002]], [[0.01]], [[0.1]], [[0.0]]]
    actual = compiled(lambda x: _opencv.chamfer_distance(x, _spatter._FAR))(edges.astype("float32"))
    for mine, edge in zip(actual, edges, strict=True):
        exact = cv2.distanceTransform(255 - 255 * edge.astype("uint8"), cv2.DIST_L2, 5)
        np.testing.assert_allclose(mine, np.minimum(exact, 20), atol=1e-5)


def test_equalisation():
    levels = np.random.default_rng(2).binomial(20, 0.7, (5, 33, 40)).astype("uint8")
    levels[1] = np.minimum(levels[1], 14)
    levels[2] = 9  # a single level stays
    levels[3] = 20
    levels[4, 0, 0] = 0
    actual = compiled(lambda x: _opencv.equalise(x, 21))(levels.astype("float32"))
    np.testing.assert_array_equal(actual, np.stack([cv2.equalizeHist(x) for x in levels]))


def test_a_picture_without_a_drop_is_black():
    """As in the reference, where 0/0 is stored as an 8-bit number."""
    image = picture(32, 32)
    parameters = {"noise": np.full((1, 32, 32), 0.6, "float32")}
    assert not apply_with("spatter", image[None], [1], parameters).any()
    # Rare in small pictures, practically never in larger ones.
    dry = [not reference.perturb(image, "spatter", 1, seed).any() for seed in range(400)]
    assert 0 < np.mean(dry) < 0.05
