"""compile() and its defaults: the schedule of the learning rate above all."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from model_helpers import TENSORFLOW, compiled, dataset, numpy, tiny_model, tiny_network

from keras_shr.errors import KerasShrError
from keras_shr.models import WarmupCosine
from keras_shr.models.optimization import (
    batches_seen,
    count_steps,
    default_optimizer,
    fit_schedule,
)
from keras_shr.training.batches import Batches
from tests.dots import pictures


def test_fit_before_compile_says_so():
    with pytest.raises(ValueError, match=r"compile\(\)"):
        tiny_model().fit(*pictures(2), verbose=0)


def test_the_default_schedule_stretches_over_fit():
    data = dataset(10)
    model = tiny_model(tiny_network(filters=2), perturbations=None, stability=None)
    model.compile(run_eagerly=True)
    model.fit(Batches(data, 5), epochs=2, verbose=0)
    schedule = model.optimizer._learning_rate
    assert isinstance(schedule, WarmupCosine)
    assert schedule.total_steps == 4
    rates = [float(schedule(step)) for step in range(5)]
    assert rates[0] == pytest.approx(2e-3)
    assert rates[3] < 0.5 * rates[0]
    assert rates[4] == pytest.approx(2e-5, rel=1e-3)


def test_a_split_that_keras_does_not_make_shortens_no_schedule():
    """With validation_data it ignores validation_split."""
    data = dataset(10)
    model = tiny_model(tiny_network(filters=2), perturbations=None, stability=None)
    model.compile(run_eagerly=True)
    held_out = data.images[:2], data.keypoints[:2]
    arrays = data.images, data.keypoints
    model.fit(*arrays, 5, validation_split=0.5, validation_data=held_out, verbose=0)
    assert model.optimizer._learning_rate.total_steps == 2


def test_steps_of_an_epoch():
    data = dataset(10)
    assert count_steps(data.images, 4, None) == 3
    assert count_steps(data.images, None, None) == 1  # Keras's 32
    assert count_steps(data.images, 4, 7) == 7
    assert count_steps(data.images, 4, None, validation_split=0.5) == 2
    assert count_steps(Batches(data, 4, steps=5), None, None) == 5
    assert count_steps(iter([]), None, None) is None
    assert count_steps(SimpleNamespace(cardinality=7), None, None) == 7  # a distributed data set
    if TENSORFLOW:
        import tensorflow as tf

        stream = tf.data.Dataset.range(10)
        assert count_steps(stream.batch(4), None, None) == 3
        assert count_steps(stream.repeat(), None, None) is None


def test_warmup_rises_then_falls():
    schedule = WarmupCosine(1.0, total_steps=100, warmup=0.1, final=0.1)
    rates = np.array([float(schedule(step)) for step in range(0, 101)])
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10, rtol=1e-5)
    assert (np.diff(rates[10:]) < 0).all()
    assert rates[-1] == pytest.approx(0.1, rel=1e-4)
    assert rates[55] == pytest.approx(0.55, rel=1e-4)
    unknown = WarmupCosine(1.0)
    assert float(unknown(10**6)) == 1.0
    assert WarmupCosine(**schedule.get_config()).get_config() == schedule.get_config()


def test_a_length_that_was_given_stays():
    """For data whose length nobody knows, and for many short calls of `fit`."""
    optimizer = keras.optimizers.Adam(WarmupCosine(1e-3, total_steps=6))
    optimizer.build([])
    schedule = optimizer._learning_rate
    for steps in (None, 100):
        assert not fit_schedule(optimizer, steps, 3, 0, [])
        assert (schedule.total_steps, schedule.first_step) == (6, 0)
    again = WarmupCosine.from_config(schedule.get_config())
    assert again.fixed
    stretched = keras.optimizers.Adam(WarmupCosine(1e-3))
    stretched.build([])
    assert fit_schedule(stretched, 10, 2, 0, [])
    for config in (stretched._learning_rate.get_config(), {"total_steps": 20}):
        copy = keras.optimizers.Adam(WarmupCosine.from_config(config))
        copy.build([])
        assert fit_schedule(copy, 10, 5, 0, [])
        assert copy._learning_rate.total_steps == 50


def test_a_run_of_unknown_length_does_not_inherit_the_end_of_another():
    optimizer = default_optimizer()
    optimizer.build([])
    schedule = optimizer._learning_rate
    assert fit_schedule(optimizer, 10, 5, 0, [])
    batches_seen(optimizer).assign(50)
    assert float(schedule(50)) == pytest.approx(2e-5, rel=1e-3)
    with pytest.warns(UserWarning, match="the learning rate stays at its peak"):
        assert fit_schedule(optimizer, None, 3, 0, [])  # a generator
    assert (schedule.total_steps, schedule.first_step) == (None, 50)
    assert float(schedule(50 + 600)) == pytest.approx(2e-3)
    with pytest.warns(UserWarning, match="give fit steps_per_epoch, or compile"):
        assert not fit_schedule(optimizer, None, 3, 0, [])
    # One that goes on in its folder began where its backup says.
    with pytest.warns(UserWarning, match="stays at its peak"):
        assert fit_schedule(optimizer, None, 3, 1, [SimpleNamespace(run_began_at=40)])
    assert schedule.first_step == 40


@pytest.mark.slow
def test_a_longer_fit_takes_a_longer_schedule():
    """A traced step holds the schedule's numbers, so a change has to trace it again."""
    images, keypoints = pictures(4)
    model = tiny_model(perturbations=None, stability=None)
    model.compile()
    model.fit(images, keypoints, epochs=1, verbose=0)  # ends at a hundredth of the rate
    before = [numpy(v) for v in model.trainable_variables]
    model.fit(images, keypoints, epochs=40, initial_epoch=39, verbose=0)
    assert model.optimizer._learning_rate.total_steps == 40
    moved = [
        abs(numpy(v) - b).max() for v, b in zip(model.trainable_variables, before, strict=True)
    ]
    assert max(moved) > 2e-4  # a step of Adam is about the rate: 2e-3 here, 2e-5 if held


def test_a_loss_in_compile_is_refused():
    with pytest.raises(KerasShrError, match=r"compile\(loss=...\)"):
        tiny_model().compile("adam", loss="mse")


def test_a_learning_rate_of_one_s_own_is_left_alone():
    images, keypoints = pictures(2)
    model = compiled(tiny_model(perturbations=None), optimizer=keras.optimizers.SGD(0.5))
    model.fit(images, keypoints, verbose=0)
    assert float(model.optimizer.learning_rate) == 0.5
