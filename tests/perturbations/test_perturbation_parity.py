"""Each native kind gives the reference's picture when it is given the reference's draw."""

import numpy as np
import pytest
from perturbation_oracles import apply_with, compiled, picture, reference_draw, stack_draws
from PIL import Image
from scipy.ndimage import gaussian_filter

from keras_shr.perturbations import ALL_PERTURBATIONS, _gaussian, reference

SLOW_SIZES = [
    (32, 32),
    (64, 64),
    (65, 47),
    (128, 128),
    (240, 320),
    (256, 256),
    (700, 500),  # larger than some of frost's pictures
]
SIZES = [(40, 56), *(pytest.param(size, marks=pytest.mark.slow) for size in SLOW_SIZES)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", ALL_PERTURBATIONS)
def test_parity_with_injected_draw(kind, size):
    if kind == "glass_blur" and max(size) > 512:
        pytest.skip("the coordinates of the shuffled test picture end at 511")
    images = np.stack([picture(*size, seed=3)] * 5)
    check_growth(kind, np.abs(check_parity(kind, images) - images).mean(axis=(1, 2, 3)))


@pytest.mark.slow
@pytest.mark.real_hands
@pytest.mark.parametrize("size", [(64, 64), (128, 128), (256, 256), (240, 320)], ids=str)
@pytest.mark.parametrize("kind", ALL_PERTURBATIONS)
def test_parity_on_photographs(kind, size, real_hands):
    """One photograph for each severity."""
    files = sorted(real_hands.glob("*/*.jpg"))
    files = files[:: len(files) // 5][:5]
    photographs = [Image.open(file).convert("RGB").resize(size[::-1]) for file in files]
    check_parity(kind, np.stack([np.asarray(image) for image in photographs]))


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


def check_parity(kind, images):
    """Five images, severities 1 to 5: compares with the reference, gives what we make of them."""
    pairs = list(enumerate(images, start=1))
    expected = [reference.perturb(image, kind, s, seed=10) for s, image in pairs]
    draws = stack_draws([reference_draw(kind, image, s, 10) for s, image in pairs])
    actual = apply_with(kind, images, [s for s, _ in pairs], draws).astype(float)
    difference = np.abs(actual - np.stack(expected)).mean(axis=(1, 2, 3))
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
