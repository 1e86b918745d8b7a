"""The wrapper of the reference library: all fifteen, deterministic, quiet, without side effects."""

import sys

import numpy as np
import pytest
from perturbation_oracles import picture

from keras_shr.errors import KerasShrError
from keras_shr.perturbations import ALL_PERTURBATIONS, reference


@pytest.mark.parametrize("kind", ALL_PERTURBATIONS)
def test_deterministic_and_leaves_the_global_generator_alone(kind, capsys):
    image = picture(32, 40)
    np.random.seed(5)  # noqa: NPY002
    first = reference.perturb(image, kind, 3, seed=1)
    drawn = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    assert np.random.random() == drawn  # noqa: NPY002
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    assert (first != image).any()
    np.testing.assert_array_equal(first, reference.perturb(image, kind, 3, seed=1))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", ["frost", "glass_blur", "snow", "spatter", "speckle_noise"])
def test_seeds_differ(kind):
    image = picture(40, 32)
    results = [reference.perturb(image, kind, 2, seed) for seed in (1, 2)]
    assert (results[0] != results[1]).any()


def test_grey_image():
    image = picture(32, 32)[..., :1]
    assert reference.perturb(image, "defocus_blur", 5, 0).shape == image.shape


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "fog"}, "unknown perturbation 'fog'"),
        ({"severity": 6}, "from 1 to 5"),
        ({"image": np.zeros((31, 32, 3), "uint8")}, "32 or more"),
        ({"image": np.zeros((32, 32), "uint8")}, "takes uint8"),
        ({"image": np.zeros((32, 32, 3), "float32")}, "float32"),
    ],
)
def test_mistakes_are_named(arguments, message):
    usual = {"image": picture(32, 32), "kind": "contrast", "severity": 1, "seed": 0}
    with pytest.raises(KerasShrError, match=message):
        reference.perturb(**(usual | arguments))


def test_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecorruptions", None)
    with pytest.raises(KerasShrError, match="imagecorruptions-imaug"):
        reference.perturb(picture(32, 32), "snow", 1, 0)
