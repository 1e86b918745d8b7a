"""Training and prediction on PyTorch; the mathematics there is in the other tests.

KERAS_BACKEND=torch python -m pytest tests/models/test_torch_backend.py
"""

import sys

import keras
import numpy as np
import pytest
from keras import ops
from model_helpers import PAPER, compiled, numpy, tiny_model, tiny_network

from keras_shr import Predictor
from keras_shr.perturbations import ALL_PERTURBATIONS, TRAINING_PERTURBATIONS, perturb_kind
from tests.dots import KEYPOINTS, SIZE, pictures

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="Keras does not run on PyTorch here"
)


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """A tensor refuses to turn into an array by itself, which CUDA's do and the CPU's do not."""
    import torch

    convert = torch.Tensor.__array__

    def refuse(self, *arguments, **options):
        # Keras's own conversions fetch the tensor from the device first.
        if sys._getframe(1).f_globals["__name__"] == "keras.src.backend.torch.core":
            return convert(self, *arguments, **options)
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    monkeypatch.setattr(torch.Tensor, "__array__", refuse)


@pytest.mark.parametrize("kind", ALL_PERTURBATIONS)
def test_no_perturbation_mixes_tensors_and_arrays(as_on_a_gpu, kind):
    images = ops.convert_to_tensor(pictures(2)[0])
    perturbed = perturb_kind(images, kind, 3, seed=1, force=True)
    assert perturbed.shape == images.shape
    assert (numpy(perturbed) != numpy(images)).any()


# Best possible losses far below that of a flat map.
PEAKED = {"target_options": {"alpha": 0.5, "threshold": 2}}


@pytest.mark.parametrize("options", [PEAKED, PAPER | PEAKED], ids=["default", "paper"])
def test_fit_evaluate_predict_save(as_on_a_gpu, options, tmp_path):
    images, keypoints = pictures(8)
    model = tiny_model(tiny_network(norm=True), augmentation={}, **options)
    model.compile(keras.optimizers.Adam(1e-2))
    before = model.evaluate(images, keypoints, verbose=0, return_dict=True)
    history = model.fit(images, keypoints, batch_size=4, epochs=10, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert int(numpy(model.optimizer.iterations)) == 20
    after = model.evaluate(images, keypoints, verbose=0, return_dict=True)
    assert after["loss"] < 0.95 * before["loss"]
    expected = model.predict_keypoints(images)
    assert expected.shape == (8, KEYPOINTS, 3)
    assert ((expected[..., :2] >= 0) & (expected[..., :2] < SIZE)).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict_keypoints(images), expected)
    np.testing.assert_array_equal(again.predict_keypoints(ops.convert_to_tensor(images)), expected)
    found = Predictor(again, method="argmax").predict(list(images), whole=True)
    np.testing.assert_allclose([each.keypoints[0] for each in found], expected, atol=1e-4)


def test_the_default_recipe_takes_a_step():
    model = tiny_model(perturbations=TRAINING_PERTURBATIONS, augmentation={})
    model.compile()
    logs = model.fit(*pictures(4), verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    assert set(logs) == {"loss", "supervision", "stability", "auc"}


def test_a_step_draws_what_another_backend_draws():
    """Numbers of TensorFlow and JAX, which agree; kept here because only one backend runs."""
    model = compiled(tiny_model(augmentation={}))
    images, y, _ = model.make_pairs(pictures(2), ops.convert_to_tensor(3))
    shown = [float(np.mean(numpy(half))) for half in np.split(numpy(images), 2)]
    assert shown == pytest.approx(MEANS, abs=1e-3)
    np.testing.assert_allclose(numpy(y["keypoints"])[0, 0, :2], FIRST, atol=1e-3)


MEANS = (49.4259, 49.9338)
FIRST = (33.3769, 18.1786)
