"""Each native kind gives the reference's picture when it is given the reference's draw."""

import numpy as np
import pytest
from perturbation_oracles import apply_with, picture, reference_draw, stack_draws

from keras_shr.perturbations import ALL_PERTURBATIONS, reference

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
    image = picture(*size, seed=3)
    severities = range(1, 6)
    expected = [reference.perturb(image, kind, s, seed=10) for s in severities]
    draws = stack_draws([reference_draw(kind, image, s, 10) for s in severities])
    actual = apply_with(kind, np.stack([image] * 5), list(severities), draws)
    difference = np.abs(actual.astype(float) - np.stack(expected)).mean(axis=(1, 2, 3))
    print(kind, size, np.round(difference, 4))
    # The issue asks for 1 grey level. What is left is the truncation of values that lie on a whole
    # number and come out a hair apart (in saturate's severity 3 all do), and for frost the fixed
    # point arithmetic of OpenCV.
    assert difference.max() < (0.3 if kind == "saturate" else 0.1)
    check_growth(kind, np.abs(actual.astype(float) - image).mean(axis=(1, 2, 3)))


def check_growth(kind, distance):
    """The distance from the clean image rises with the severity, the draws being the same."""
    assert 0 < distance[0] < distance.max()
    # As in the reference, these trade one constant for another: image for frost, reach for passes,
    # threshold for zoom, water for mud; and saturate first fades colours, then strengthens them.
    if kind not in ("frost", "glass_blur", "saturate", "snow", "spatter"):
        # Fine texture is gone after the first steps of a blur: the distance may stay as it is.
        assert (np.diff(distance) > -0.03 * distance.max()).all(), distance
