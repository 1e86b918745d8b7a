"""Lens and sensor faults: for evaluation alone."""

import numpy as np
import pytest
from perturbation_oracles import picture

from keras_shr.errors import KerasShrError
from keras_shr.evaluation.perturber import Perturber
from keras_shr.perturbations import SENSOR_PERTURBATIONS, check_perturbations, sensor


@pytest.mark.parametrize("kind", SENSOR_PERTURBATIONS)
def test_deterministic_stronger_with_severity_and_different_by_seed(kind):
    image = picture(64, 48)
    same = [sensor.perturb(image, kind, 3, seed=1) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    assert same[0].dtype == np.uint8
    assert same[0].shape == image.shape
    change = [
        np.mean([np.abs(sensor.perturb(image, kind, s, seed) - 1.0 * image) for seed in range(8)])
        for s in (1, 3, 5)
    ]
    assert 0 < change[0] < change[1] < change[2]
    assert any((sensor.perturb(image, kind, 3, seed) != same[0]).any() for seed in range(2, 6))


def test_what_each_does():
    grey = np.full((64, 64, 3), 100, np.uint8)
    # A flat picture has no edges to colour.
    np.testing.assert_array_equal(sensor.perturb(grey, "chromatic_aberration", 5, 0), grey)
    dark = sensor.perturb(grey, "vignetting", 5, 0)
    assert dark[28:36, 28:36].mean() > 2 * dark[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
    assert (sensor.perturb(grey, "lens_flare", 3, 0) >= grey).all()
    banded = sensor.perturb(grey, "row_banding", 3, 0)
    assert (banded == banded[:, :1]).all()
    assert banded[:, 0, 0].std() > 5
    hot = sensor.perturb(np.full((400, 400, 3), 100, np.uint8), "hot_pixels", 3, 0)
    stuck = hot != 100
    assert stuck.mean() == pytest.approx(0.01, rel=0.1)
    assert set(np.unique(hot[stuck])) == {0, 255}


def test_the_green_channel_and_the_centre_stay_under_chromatic_aberration():
    image = picture(65, 65)
    result = sensor.perturb(image, "chromatic_aberration", 5, 3)
    np.testing.assert_array_equal(result[..., 1], image[..., 1])
    np.testing.assert_array_equal(result[32, 32], image[32, 32])


def test_training_on_them_is_refused_even_when_forced():
    with pytest.raises(KerasShrError, match="'lens_flare' is for evaluation alone"):
        check_perturbations(["contrast", "lens_flare"], force=True)


def test_errors():
    with pytest.raises(KerasShrError, match="unknown perturbation 'snow'; the kinds are chrom"):
        sensor.perturb(picture(32, 32), "snow", 1, 0)
    with pytest.raises(KerasShrError, match="float64 of shape"):
        sensor.perturb(np.zeros((32, 32, 3)), "vignetting", 1, 0)


@pytest.mark.parametrize("workers", [0, 1])
def test_evaluation_runs_them_beside_the_reference(workers):
    image = picture(32, 32)
    with Perturber(workers) as perturber:
        (found,) = perturber.perturb("vignetting", 2, image[None], [7])
    np.testing.assert_array_equal(found, sensor.perturb(image, "vignetting", 2, 7))
