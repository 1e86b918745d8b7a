"""Adversarial training: the attack by hand, its bounds, and what the training step sees of it."""

import keras
import numpy as np
import pytest
from keras import ops
from method_helpers import KEYPOINTS, SIZE, TENSORFLOW, dots, numpy, small_network

from keras_shr import _random
from keras_shr._compile import compiled
from keras_shr.errors import KerasShrError
from keras_shr.methods import AdversarialTraining


def averaging_network(bias):
    """Logits that are the mean grey level of each 4x4 cell, in thousandths, plus `bias`."""
    inputs = keras.Input((SIZE, SIZE, 3))
    layer = keras.layers.Conv2D(
        KEYPOINTS,
        4,
        4,
        kernel_initializer=keras.initializers.Constant(0.001 / 48),
        bias_initializer=keras.initializers.Constant(bias),
    )
    return keras.Model(inputs, layer(inputs))


@pytest.mark.parametrize(("bias", "direction", "grey"), [(2.0, 1, 250.0), (-2.0, -1, 100.0)])
def test_by_hand(bias, direction, grey):
    """Maps above the target everywhere: brighter pixels are worse. Below it: darker ones."""
    model = AdversarialTraining(averaging_network(bias), steps=5, step_size=2.0, eps=8.0)
    images = np.full((2, SIZE, SIZE, 3), grey, "float32")
    keypoints = dots(2)[1]
    start = images + numpy(_random.uniform(images.shape, 7, -8.0, 8.0))
    expected = np.clip(start, grey - 8, min(grey + 8, 255))
    for _ in range(5):
        expected = np.clip(expected + 2 * direction, grey - 8, min(grey + 8, 255))
    found = numpy(model.attack(images, keypoints, seed=7))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # A start at the far end has come 10 of 16 levels, one in the middle has reached the border.
    assert abs(found - (grey - 8 if direction < 0 else min(grey + 8, 255))).min() < 1e-4
    assert abs(found - grey).max() <= 8 + 1e-4


def loss_of(model, images, keypoints):
    """The supervision of images, in inference mode."""
    maps = model.output_maps(model.network(images), training=True)
    return float(model.supervision_loss(model.targets(keypoints), maps))


@pytest.mark.parametrize(
    "target", ["gaussian", pytest.param("highly_differentiated", marks=pytest.mark.slow)]
)
def test_the_loss_rises_along_the_steps(target):
    images, keypoints = dots(4)
    network = small_network(norm=True)
    values = []
    images = images.astype("float32")
    for steps in (0, 2, 7):
        model = AdversarialTraining(network, steps=steps, target=target)
        attack = compiled(lambda x, model=model: model.attack(x, keypoints, seed=1))
        found = numpy(attack(images))
        assert abs(found - images).max() <= 8 + 1e-4
        assert found.min() >= 0
        assert found.max() <= 255
        values.append(loss_of(model, found, keypoints))
    assert (np.diff(values) > 0).all()
    clean = loss_of(model, images, keypoints)
    assert values[-1] - clean > 5 * abs(values[0] - clean)  # a random step hardly matters


def test_every_step_attacks_the_present_weights():
    """Compiled as eagerly: a step's loss is that of images attacked with the weights it has."""
    images, keypoints = dots(4)
    model = AdversarialTraining(small_network(), steps=3, seed=5)
    model.compile(keras.optimizers.SGD(1e-2), metrics=[])
    losses = []
    for step in range(3):
        with keras.StatelessScope():
            attacked, labels, _ = model.make_pairs((images, keypoints), ops.convert_to_tensor(step))
        assert attacked.shape == images.shape  # the adversarial images alone
        expected = loss_of(model, attacked, labels["keypoints"])
        model.reset_metrics()
        found = model.train_on_batch(images, keypoints, return_dict=True)["loss"]
        assert found == pytest.approx(expected, rel=2e-3)
        losses.append(expected)
    assert min(abs(np.diff(losses))) > 1e-2 * losses[0]  # so stale weights would show


def test_the_attack_leaves_the_statistics_alone():
    """After one step a running mean is that of the adversarial batch alone."""
    images, keypoints = dots(4)
    network = small_network(norm=True)
    model = AdversarialTraining(network, steps=2)
    model.compile(keras.optimizers.SGD(1e-3), metrics=[], run_eagerly=TENSORFLOW)
    norm = next(x for x in network.layers if isinstance(x, keras.layers.BatchNormalization))
    attacked = model.make_pairs((images, keypoints), ops.convert_to_tensor(0))[0]
    np.testing.assert_array_equal(numpy(norm.moving_mean), 0)
    before = keras.Model(network.inputs, norm.input)(attacked)
    expected = 0.5 * numpy(ops.mean(before, axis=(0, 1, 2)))  # momentum 0.5, from 0
    model.train_on_batch(images, keypoints)
    np.testing.assert_allclose(numpy(norm.moving_mean), expected, rtol=1e-3, atol=1e-5)


def test_unlabelled_images_keep_their_random_start():
    images, keypoints = dots(2)
    keypoints[0, :, 2] = 0
    model = AdversarialTraining(small_network(), steps=4)
    images = images.astype("float32")
    start = images + numpy(_random.uniform(images.shape, 3, -8.0, 8.0))
    moved = numpy(model.attack(images, keypoints, seed=3)) - np.clip(start, 0, 255)
    assert abs(moved[0]).max() < 1e-4
    assert abs(moved[1]).max() > 1


def test_no_radius_leaves_the_images():
    images, keypoints = dots(4)
    model = AdversarialTraining(small_network(), eps=0.0, steps=1)
    attacked = model.make_pairs((images, keypoints), ops.convert_to_tensor(0))[0]
    np.testing.assert_array_equal(numpy(attacked), images)


def test_wrong_settings():
    network = small_network()
    with pytest.raises(KerasShrError, match="eps, steps and step_size are -1, 7 and 2"):
        AdversarialTraining(network, eps=-1)
    with pytest.raises(KerasShrError, match="makes its own views and losses; leave stability out"):
        AdversarialTraining(network, stability="mst")
