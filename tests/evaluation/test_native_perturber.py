"""The native perturbations in the evaluation."""

import evaluation_fakes as fakes
import numpy as np
import pytest

from keras_shr.errors import KerasShrError
from keras_shr.evaluation import evaluate
from keras_shr.evaluation.native_perturber import NativePerturber
from keras_shr.evaluation.protocol import Protocol
from keras_shr.perturbations import reference


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)


def test_a_picture_depends_on_its_seed_alone(images):
    with NativePerturber() as perturber:
        both = perturber.perturb("gaussian_noise", 3, images, [5, 6, 7])
        alone = perturber.perturb("gaussian_noise", 3, images[1:2], [6])
        other = perturber.perturb("gaussian_noise", 3, images[1:2], [8])
    assert both.dtype == np.uint8
    np.testing.assert_array_equal(both[1], alone[0])
    assert (alone != other).any()


def test_tasks_come_back_in_order(images):
    tasks = [("contrast", 2, images[:2], [0, 1]), ("saturate", 5, images, [0, 1, 2])]
    found = list(NativePerturber().stream(tasks))
    for (kind, severity, block, seeds), pictures in zip(tasks, found, strict=True):
        for image, picture, seed in zip(block, pictures, seeds, strict=True):
            expected = reference.perturb(image, kind, severity, seed).astype(int)
            assert abs(picture - expected).mean() < 0.5


def test_an_unknown_implementation_is_refused():
    with pytest.raises(KerasShrError, match=r"implementation is 'fast'.*reference, native"):
        Protocol((64, 64), implementation="fast")


def test_the_page_says_which_implementation(tmp_path):
    def run(**options):
        kinds, severities = ("contrast", "speckle_noise"), (1,)
        models, data = {"honest": fakes.honest_network()}, fakes.make_data(3)
        return evaluate(
            models, data, tmp_path, kinds, severities, progress=False, draws=5, **options
        )

    text = run(implementation="native", examples=1).page.read_text()
    assert "keras_shr&#x27;s own implementation" in text or "keras_shr's own implementation" in text
    assert "(imagecorruptions)" not in text
    with pytest.raises(KerasShrError, match=r"settings|implementation"):
        run()
