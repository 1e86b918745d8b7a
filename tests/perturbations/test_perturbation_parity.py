"""Each native kind gives the reference's picture when it is given the reference's draw."""

import keras
import numpy as np
import pytest
from perturbation_oracles import (
    beside_reference,
    compiled,
    photographs,
    picture,
    reference_draw,
    stack_draws,
)
from scipy.ndimage import gaussian_filter

from keras_shr.perturbations import ALL_PERTURBATIONS, NATIVE, _common, _gaussian

SLOW_SIZES = [
    (32, 32),
    (64, 64),
    (65, 47),
    (128, 128),
    (240, 320),
    (256, 256),
    (700, 500),  # larger than some of frost's pictures
]
PHOTOGRAPH_SIZES = [
    (64, 64),
    *(pytest.param(size, marks=pytest.mark.slow) for size in [(128, 128), (240, 320), (256, 256)]),
]
SIZES = [(40, 56), *(pytest.param(size, marks=pytest.mark.slow) for size in SLOW_SIZES)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", ALL_PERTURBATIONS)
def test_parity_with_injected_draw(kind, size):
    if kind == "glass_blur" and max(size) > 512:
        pytest.skip("the coordinates of the shuffled test picture end at 511")
    images = np.stack([picture(*size, seed=3)] * 5)
    check_growth(kind, np.abs(check_parity(kind, images) - images).mean(axis=(1, 2, 3)))


@pytest.mark.parametrize("size", PHOTOGRAPH_SIZES, ids=str)
@pytest.mark.parametrize("kind", ALL_PERTURBATIONS)
def test_parity_on_photographs(kind, size):
    """One photograph for each severity."""
    check_parity(kind, photographs(*size))


def test_parity_of_saturate_on_pale_pictures():
    """Colours that severities 4 and 5 do not push to the limit, and grey, which turns red."""
    pale = 90 + 0.3 * picture(40, 56, seed=3)
    pale[:20, :20] = pale[:20, :20, :1]
    check_parity("saturate", np.stack([pale.astype("uint8")] * 5))


def test_smoothing_ends_where_that_of_the_reference_does():
    """Closer than grey levels tell: the last taps are a ten thousandth of the first."""
    planes = np.random.default_rng(0).random((5, 2, 150, 40)).astype("float32")
    run = compiled(lambda x, s: _gaussian.smooth(x, s, _gaussian._BLUR))
    for plane, smoothed, sigma in zip(
        planes, run(planes, np.arange(1, 6)), (1, 2, 3, 4, 6), strict=True
    ):
        expected = gaussian_filter(plane, (0, sigma, sigma), mode="nearest", truncate=4.0)
        np.testing.assert_allclose(smoothed, expected, atol=2e-6)


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["spatter", "zoom_blur"])
def test_the_ways_for_a_cpu_and_for_an_accelerator(monkeypatch, kind, jit_compile):
    if jit_compile and keras.backend.backend() == "jax":
        pytest.skip("JAX compiles in either case")
    images = np.stack([picture(33, 40, seed=i) for i in range(5)]).astype("float32")
    severity = np.arange(1, 6, dtype="int32")
    draws = [reference_draw(kind, x, s, 3) for x, s in zip(images, severity, strict=True)]
    results = []
    for accelerated in (False, True):
        monkeypatch.setattr(_common, "accelerated", lambda value=accelerated: value)
        run = compiled(lambda i, s, p: NATIVE[kind].apply(i, s, p), jit_compile)
        results.append(run(images, severity, stack_draws(draws)))
    assert np.abs(results[0] - results[1]).max() < 1e-3


def check_parity(kind, images):
    """Five images, severities 1 to 5: compares with the reference, gives what we make of them."""
    actual, expected = beside_reference(kind, images)
    actual = actual.astype(float)
    difference = np.abs(actual - expected).mean(axis=(1, 2, 3))
    print(kind, images.shape[1:3], np.round(difference, 4))
    # The issue asks for 1 grey level. What is left is the truncation of values that lie on a whole
    # number and come out a hair apart (in saturate's severity 3 all do), and for frost the fixed
    # point arithmetic of OpenCV.
    limits = [0.1, 0.1, 0.3 if kind == "saturate" else 0.1, 0.1, 0.1]
    assert (difference < limits).all(), difference
    return actual


def check_growth(kind, distance):
    """The distance from the clean image rises with the severity, the draws being the same."""
    assert 0 < distance[0] < distance.max()
    # As in the reference, these trade one constant for another: image for frost, reach for passes,
    # threshold for zoom, water for mud; and saturate first fades colours, then strengthens them.
    if kind not in ("frost", "glass_blur", "saturate", "snow", "spatter"):
        # Fine texture is gone after the first steps of a blur: the distance may stay as it is.
        assert (np.diff(distance) > -0.03 * distance.max()).all(), distance
