"""Lipschitz-constrained training: slopes by hand and by SVD, and that training lowers them."""

import keras
import numpy as np
import pytest
from method_helpers import KEYPOINTS, SIZE, dots, numpy, small_network

from keras_shr._compile import compiled
from keras_shr.errors import KerasShrError
from keras_shr.methods import METHODS, LipschitzTraining
from tests.gradients import gradient


def test_slopes_by_hand():
    """Maps that move by 3 and 4 at two pixels, images by half a grey level at a hundred values."""
    model = LipschitzTraining(small_network())
    images = np.zeros((2, 2, SIZE, SIZE, 3), "float32")
    images[1].reshape(2, -1)[:, :100] = 0.5  # a distance of 5 grey levels
    maps = np.zeros((2, 2, 8, 8, KEYPOINTS), "float32")
    maps[1, 0, 1, 1, 0], maps[1, 0, 5, 6, 0] = 3, 4  # 5 in the first keypoint of the first image
    maps[1, 1, 0, 0, 1] = -2
    expected = [[255, 0], [0, 2 * 255 / 5]]
    np.testing.assert_allclose(numpy(model.slopes(maps, images)), expected, rtol=1e-5)


def test_the_penalty_by_hand():
    """The mean over supervised keypoints of the squared excess over the bound."""
    model = LipschitzTraining(small_network(), bound=2.0)
    keypoints = dots(2)[1]
    keypoints[0, 0, 2] = 0
    target = model.targets(keypoints)
    maps = [numpy(target), numpy(target)]
    images = [np.zeros((2, SIZE, SIZE, 3), "float32"), np.zeros((2, SIZE, SIZE, 3), "float32")]
    images[1][:, 0, 0, 0] = 51.0  # a fifth of the range
    maps[1] = maps[1].copy()
    maps[1][0, 0, 0, 0] += 9  # not supervised
    maps[1][0, 0, 0, 1] += 1  # a slope of 5: 9 above the bound, squared
    maps[1][1, 3, 3, 0] += 0.2  # a slope of 1 is free
    supervision, penalty = model.view_losses(target, maps, images, None)
    assert float(supervision) == 0
    assert float(penalty) == pytest.approx((5 - 2) ** 2 / 3, rel=1e-4)


def test_the_gradient_is_finite_where_nothing_moves():
    model = LipschitzTraining(small_network())
    target = model.targets(dots(2)[1])
    images = [np.zeros((2, SIZE, SIZE, 3), "float32"), np.ones((2, SIZE, SIZE, 3), "float32")]
    still = np.zeros(target.shape, "float32")
    found = gradient(lambda r: model.view_losses(target, [still, r], images, None)[1], still)
    np.testing.assert_array_equal(found, 0)


def linear_network():
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(4, 4, 4)(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(KEYPOINTS, 3, padding="same")(x))


def quotients(model, images, iterations):
    """|r(x') - r(x)| / |x' - x| over all keypoints together, for each image."""
    steps = compiled(lambda x: model.steepest(x, 4, iterations))(images)
    change = numpy(model(images + steps)) - numpy(model(images))
    norms = [
        np.sqrt((x.astype("float64") ** 2).sum(axis=(1, 2, 3))) for x in (change, numpy(steps))
    ]
    return norms[0] / norms[1]


def test_the_direction_is_the_leading_singular_vector():
    """The Jacobian of a linear network, column by column; its norm is the Lipschitz constant."""
    model = LipschitzTraining(linear_network(), radius=3.0)
    images = dots(2)[0].astype("float32")
    network = model.network
    basis = np.eye(SIZE * SIZE * 3, dtype="float32").reshape(-1, SIZE, SIZE, 3)
    jacobian = np.concatenate(
        [numpy(network(part)) - numpy(network(0 * part[:1])) for part in np.split(basis, 8)]
    ).reshape(len(basis), -1)
    constant = np.sqrt(np.linalg.eigvalsh(jacobian.T.astype("float64") @ jacobian)[-1])
    random, one, many = (quotients(model, images, n) for n in (0, 1, 40))
    assert (random < one).all()
    assert (one < many).all()
    assert (many <= constant * (1 + 1e-3)).all()
    assert (many > 0.95 * constant).all()
    step = numpy(model.steepest(images, 4, 1))
    np.testing.assert_allclose(np.sqrt((step**2).mean(axis=(1, 2, 3))), 3.0, rtol=1e-4)


def test_training_lowers_the_lipschitz_constant():
    """Against the baseline from the same start, while the supervision still falls.

    On 8x8 maps the supervision is 64 times what it is on 64x64 ones, hence the large weight.
    """
    images, keypoints = dots(32)
    estimates, errors = {}, {}
    for name, options in {"baseline": {}, "lip": {"stability_weight": 50.0}}.items():
        keras.utils.set_random_seed(1)
        model = METHODS[name].build(small_network(filters=12), **options)
        model.compile(keras.optimizers.Adam(1e-2), metrics=[])
        history = model.fit(images, keypoints, batch_size=32, epochs=50, verbose=0).history
        errors[name] = history["supervision"][-1] / history["supervision"][0]
        measure = LipschitzTraining(model.network)
        estimates[name] = quotients(measure, images[:8].astype("float32"), 15).max()
    assert estimates["lip"] < 0.7 * estimates["baseline"]
    assert errors["lip"] < 0.5


def test_wrong_settings():
    with pytest.raises(KerasShrError, match="radius, iterations and bound are 0, 1 and 0"):
        LipschitzTraining(small_network(), radius=0)
