"""Gradients of several batches in one update: the same as one large batch, and resumable."""

import keras
import numpy as np
import pytest
from model_helpers import TENSORFLOW, numpy, tiny_model, tiny_network

from keras_shr.callbacks import BackupAndResume, RobustnessProbe
from keras_shr.errors import KerasShrError
from keras_shr.models import default_optimizer
from tests.dots import pictures

RATE = 1e-2


def model_with(accumulate=1, rate=RATE, **options):
    """A compiled model without batch normalisation, augmentation and perturbation, which look at
    the batch or draw for it; `rate` is constant unless None."""
    keras.utils.set_random_seed(0)
    still = {"perturbations": None, "stability": None, "augmentation": None, "rcc": None}
    model = tiny_model(tiny_network(filters=4), **still)
    optimizer = default_optimizer(accumulate=accumulate)
    if rate is not None:
        optimizer._learning_rate = rate
    model.compile(optimizer, **{"run_eagerly": TENSORFLOW, "metrics": []} | options)
    return model


def weights(model):
    return [numpy(v) for v in model.trainable_variables]


def test_three_batches_of_two_are_one_of_six():
    images, keypoints = pictures(6)
    whole, parts = model_with(), model_with(accumulate=3)
    start = weights(whole)
    whole.fit(images, keypoints, batch_size=6, epochs=2, shuffle=False, verbose=0)
    parts.fit(images, keypoints, batch_size=2, epochs=2, shuffle=False, verbose=0)
    moved = [abs(one - before).max() for before, one in zip(start, weights(whole), strict=True)]
    assert max(moved) > RATE  # two updates of about the rate each
    for one, three in zip(weights(whole), weights(parts), strict=True):
        np.testing.assert_allclose(three, one, atol=RATE / 100)
    assert int(numpy(parts.optimizer.iterations)) == 2
    assert int(numpy(parts.optimizer._iterations)) == 6


@pytest.mark.slow
def test_the_compiled_step_accumulates_too():
    images, keypoints = pictures(8)
    whole, parts = model_with(run_eagerly=False), model_with(accumulate=4, run_eagerly=False)
    whole.fit(images, keypoints, batch_size=8, epochs=2, shuffle=False, verbose=0)
    parts.fit(images, keypoints, batch_size=2, epochs=2, shuffle=False, verbose=0)
    for one, four in zip(weights(whole), weights(parts), strict=True):
        np.testing.assert_allclose(four, one, atol=RATE / 100)


def test_nothing_moves_before_the_last_batch_of_an_update():
    images, keypoints = pictures(4)
    model = model_with(accumulate=3)
    start = weights(model)
    model.fit(images, keypoints, batch_size=2, shuffle=False, verbose=0)
    for before, after in zip(start, weights(model), strict=True):
        np.testing.assert_array_equal(after, before)
    model.fit(images[:2], keypoints[:2], batch_size=2, shuffle=False, verbose=0)
    assert any((a != b).any() for a, b in zip(start, weights(model), strict=True))


def test_the_schedule_ends_with_the_run():
    """It counts batches, as the optimizer asks it to, whatever makes an update."""
    images, keypoints = pictures(8)
    model = model_with(accumulate=4, rate=None)
    model.fit(images, keypoints, batch_size=2, epochs=2, verbose=0)
    schedule = model.optimizer._learning_rate
    assert schedule.total_steps == 8
    rate = float(numpy(model.optimizer.learning_rate))
    assert rate == pytest.approx(schedule.final * schedule.peak, rel=1e-3)


def test_a_run_cut_between_two_updates_goes_on_as_if_it_had_not_been(tmp_path):
    """Three batches an epoch, so the backup has to hold what was accumulated."""
    images, keypoints = pictures(6)

    def run(folder, epochs):
        model = model_with(accumulate=4)
        callback = BackupAndResume(tmp_path / folder)
        arguments = {"batch_size": 2, "shuffle": False, "verbose": 0, "callbacks": [callback]}
        model.fit(images, keypoints, epochs=epochs, **arguments)
        return weights(model)

    start = weights(model_with())
    whole = run("whole", 2)
    run("cut", 1)
    again = run("cut", 2)
    for before, one, other in zip(start, whole, again, strict=True):
        assert (one != before).any()
        np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-7)


def test_the_probe_measures_again_after_each_batch():
    """Batch normalisation moves without an update."""
    images, keypoints = pictures(4)
    model = model_with(accumulate=4)
    probe = RobustnessProbe(images, keypoints, perturbations=("contrast",))
    probe.measure(model)
    model.fit(images, keypoints, batch_size=4, verbose=0)
    calls = []
    probe._measure = lambda model: calls.append(model) or dict.fromkeys(probe.KEYS, 0.0)
    probe.measure(model)
    probe.measure(model)
    assert len(calls) == 1


@pytest.mark.parametrize("accumulate", [0, -2, 1.5, "4", True])
def test_what_is_no_number_of_batches_is_refused(accumulate):
    with pytest.raises(KerasShrError, match=r"accumulate is .*; expected a whole number"):
        default_optimizer(accumulate=accumulate)


@pytest.mark.slow
def test_float16_accumulates_unscaled_gradients():
    """Loss scaling and accumulation together: the same update as one batch without either."""
    images, keypoints = pictures(8)
    whole, parts = model_with(), model_with(accumulate=4)
    scaled = keras.optimizers.LossScaleOptimizer(parts.optimizer, initial_scale=2.0**10)
    parts.compile(scaled, run_eagerly=TENSORFLOW)
    whole.fit(images, keypoints, batch_size=8, shuffle=False, verbose=0)
    parts.fit(images, keypoints, batch_size=2, shuffle=False, verbose=0)
    for one, four in zip(weights(whole), weights(parts), strict=True):
        np.testing.assert_allclose(four, one, atol=RATE / 100)
