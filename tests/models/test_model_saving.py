"""A saved model is the same model, in what it answers and in how it goes on."""

import keras
import numpy as np
import pytest
from model_helpers import PAPER, SKELETON, STILL, numpy, tiny_model, tiny_network

from tests.dots import pictures


def test_xla_that_was_asked_for_is_loaded_where_it_works(monkeypatch):
    model = tiny_model(tiny_network(filters=2))
    model.compile("sgd", jit_compile=True)
    config, seen = model.get_compile_config(), []
    monkeypatch.setattr(type(model), "compile", lambda _, **given: seen.append(given))
    for strategy in (None, "two devices"):
        monkeypatch.setattr(model, "_distribute_strategy", strategy, raising=False)
        model.compile_from_config(config)
    monkeypatch.setattr(model, "_distribute_strategy", None, raising=False)
    assert [given["jit_compile"] for given in seen] == [True, "auto"]


def state_of(model):
    return [numpy(v) for v in (*model.variables, *model.optimizer.variables)]


def assert_same_state(model, other, rtol=0.0):
    for a, b in zip(state_of(model), state_of(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def settings(model):
    """The constructor's arguments; of the augmentation without the shape it was built for."""
    layer = model.augmentation
    return model.training_config() | {"augmentation": layer and layer.get_config()}


def test_saved_as_keras_file(make, tmp_path):
    images, keypoints = pictures(4)
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 10, 2.0)
    model = make(stability_weight=schedule, severities=(2, 3), seed=9)
    model.compile(run_eagerly=True)
    model.train_on_batch(images, keypoints)
    expected = model.predict(images, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    # What suits this machine need not suit the next.
    assert model.get_compile_config()["jit_compile"] == "auto"
    assert settings(again) == settings(model)
    np.testing.assert_array_equal(again.predict(images, verbose=0), expected)
    # The compiled state: optimizer, its schedule, its slots and its step.
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert [m.name for m in again.metrics] == [m.name for m in model.metrics]
    assert_same_state(again, model)
    assert int(again.optimizer.iterations) == 1
    # So the next step, its draws included, is the one that the first model takes.
    again.run_eagerly = True
    model.reset_metrics()  # before Keras 3.11 they go on over calls of train_on_batch
    logs = [m.train_on_batch(images, keypoints, return_dict=True) for m in (model, again)]
    assert logs[0]["loss"] == pytest.approx(logs[1]["loss"], rel=1e-5)
    assert_same_state(again, model, rtol=1e-4)


def test_weights_round_trip(tmp_path):
    def make():
        return tiny_model(tiny_network(norm=True))

    images, _ = pictures(3)
    model = make()
    model.save_weights(tmp_path / "model.weights.h5")
    keras.utils.set_random_seed(1)
    again = make()
    expected = numpy(model(images))
    assert not np.allclose(numpy(again(images)), expected)
    again.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(numpy(again(images)), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"target": "gaussian", "rcc": None, "stability": None, "perturbations": None},
        {"rcc_in_inference": False, "stability": "st"},
        PAPER,
        {"target_options": {"metric": "euclidean"}, "min_visibility": 2, "augmentation": STILL},
        {"skeleton": None, "supervise_perturbed": False, "stability_weight": 0.1},
        {"augmentation": None, "skeleton": SKELETON.to_dict()},
    ],
)
def test_every_switch_is_saved(options, tmp_path):
    images, _ = pictures(2)
    model = tiny_model(**options)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert settings(again) == settings(model)
    np.testing.assert_array_equal(numpy(again(images)), numpy(model(images)))
