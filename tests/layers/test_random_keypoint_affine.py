"""Where images and keypoints go under RandomKeypointAffine."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_shr.errors import KerasShrError
from keras_shr.layers import (
    RandomKeypointAffine,
    affine_matrices,
    transform_keypoints,
    warp_images,
)

SIZE = (96, 80)  # height, width: not square, so that a swap of the two shows
STILL = {"rotation": 0.0, "scale": (1.0, 1.0), "shift": 0.0, "flip": 0.0}


def seed_of(number):
    return np.array([number, 99], "uint32")


def oracle(angle, scale, shift, flip, size=SIZE):
    """3x3 matrix: to the centre, mirror, scale, rotate clockwise on screen, back, shift."""

    def translation(x, y):
        return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])

    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    there, back = translation(*-centre), translation(*(centre + shift))
    return back @ turn @ np.diag([scale, scale, 1]) @ np.diag([-1 if flip else 1, 1, 1]) @ there


def matrices(angle, scale, shift, flip, size=SIZE):
    result = affine_matrices(
        ops.convert_to_tensor([angle], "float32"),
        ops.convert_to_tensor([scale], "float32"),
        ops.convert_to_tensor([shift], "float32"),
        ops.convert_to_tensor([flip]),
        size,
    )
    return ops.convert_to_numpy(result)


def moved(keypoints, matrix, flip, order):
    keypoints = np.asarray(keypoints, "float32")[None]
    result = transform_keypoints(keypoints, matrix, np.array([flip]), order)
    return ops.convert_to_numpy(result)[0]


angles = st.floats(-3.1, 3.1)
scales = st.floats(0.5, 2.0)
shifts = st.tuples(st.floats(-20, 20), st.floats(-20, 20))


@given(angles, scales, shifts, st.booleans())
def test_matrices_and_keypoints_match_the_oracle(angle, scale, shift, flip):
    matrix = matrices(angle, scale, shift, flip)
    expected = oracle(angle, scale, np.array(shift), flip)
    np.testing.assert_allclose(matrix[0], expected[:2], rtol=1e-4, atol=2e-4)
    points = np.array([[0, 0, 2], [79, 0, 1], [30.5, 70.25, 2], [-4, 12, 0]], "float32")
    order = (1, 0, 2, 3)
    result = moved(points, matrix, flip, order)
    source = points[list(order)] if flip else points
    homogeneous = np.concatenate([source[:, :2], np.ones((4, 1))], 1)
    np.testing.assert_allclose(result[:, :2], (homogeneous @ expected.T)[:, :2], atol=1e-2)
    np.testing.assert_array_equal(result[:, 2], source[:, 2])


def test_by_hand():
    """A quarter turn clockwise about (2, 2) takes the right-hand neighbour to below."""
    quarter = matrices(np.pi / 2, 1, (0, 0), False, (5, 5))
    np.testing.assert_allclose(moved([[3, 2, 2]], quarter, False, [0]), [[2, 3, 2]], atol=1e-5)
    doubled = matrices(0, 2, (1, -1), False, (5, 5))
    np.testing.assert_allclose(moved([[3, 2, 1]], doubled, False, [0]), [[5, 1, 1]], atol=1e-5)
    mirrored = matrices(0, 1, (0, 0), True, (5, 5))
    np.testing.assert_allclose(moved([[0, 1, 2]], mirrored, True, [0]), [[4, 1, 2]], atol=1e-5)


@given(angles, scales, shifts, st.booleans(), st.integers(0, 10**6))
def test_the_inverse_brings_the_points_back(angle, scale, shift, flip, seed):
    points = np.random.default_rng(seed).uniform(0, 80, (6, 3)).astype("float32")
    matrix = matrices(angle, scale, shift, flip)
    result = moved(points, matrix, flip, range(6))
    square = np.concatenate([matrix[0].astype("float64"), [[0, 0, 1]]])
    back = np.linalg.inv(square)
    homogeneous = np.concatenate([result[:, :2], np.ones((6, 1))], 1)
    np.testing.assert_allclose((homogeneous @ back.T)[:, :2], points[:, :2], atol=2e-3)


def dots(places, size=SIZE):
    """One image whose channels hold one soft dot each."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.stack(
        [255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 4.5) for x, y in places], -1
    ).astype("float32")


def centroids(image):
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    weights = image / image.sum(axis=(0, 1))
    sums = [(weights * axis[..., None]).sum(axis=(0, 1)) for axis in (columns, rows)]
    return np.stack(sums, -1)


PLACES = np.array([[30, 40], [52, 44], [38.5, 61.25]])
MOTIONS = {
    "rotation": {"rotation": 60.0},
    "scale": {"scale": (0.6, 1.5)},
    "shift": {"shift": 0.15},
    "flip": {"flip": 1.0},
    "all": {"rotation": 45.0, "scale": (0.7, 1.3), "shift": 0.08, "flip": 0.5},
}


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_dot_lands_where_its_keypoint_lands(motion):
    count, order = 12, (1, 0, 2)
    layer = RandomKeypointAffine(**STILL | MOTIONS[motion], flip_order=order)
    images = np.stack([dots(PLACES)] * count)
    keypoints = np.concatenate([PLACES, [[2], [1], [2]]], -1)[None].repeat(count, 0)
    warped, result = (
        ops.convert_to_numpy(t) for t in layer(images, keypoints, seed=seed_of(len(motion)))
    )
    flips = ops.convert_to_numpy(layer.draw(seed_of(len(motion)), count, SIZE)[1])
    assert {"flip": flips.all(), "all": 0 < flips.sum() < count}.get(motion, not flips.any())
    for image, points, flip in zip(warped, result, flips, strict=True):
        # Mirroring makes the left eye's dot the right eye's keypoint.
        found = centroids(image)[list(order)] if flip else centroids(image)
        assert np.hypot(*(found - points[:, :2]).T).max() <= 0.6
        visibility = [1, 2, 2] if flip else [2, 1, 2]
        np.testing.assert_array_equal(points[:, 2], visibility)
    # The ranges are used, and differ from image to image.
    if motion != "flip":
        assert np.hypot(*(result[:, 2, :2] - PLACES[2]).T).max() > 2
        assert len(np.unique(result[:, 2, 0].round(3))) == count


def test_nothing_moves_without_ranges():
    images = np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3), dtype=np.uint8)
    keypoints = np.random.default_rng(1).uniform(0, 80, (3, 4, 3)).astype("float32")
    warped, result = RandomKeypointAffine(**STILL)(images, keypoints)
    np.testing.assert_allclose(ops.convert_to_numpy(warped), images, atol=1e-2)
    np.testing.assert_allclose(ops.convert_to_numpy(result), keypoints, atol=1e-4)


def test_a_flip_reverses_the_columns_exactly():
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)
    keypoints = np.array([[[0, 5, 2], [79, 9, 1]]] * 2, "float32")
    layer = RandomKeypointAffine(**STILL | {"flip": 1.0}, flip_order=(1, 0))
    warped, result = layer(images, keypoints)
    np.testing.assert_allclose(ops.convert_to_numpy(warped), images[:, :, ::-1], atol=1e-2)
    np.testing.assert_allclose(ops.convert_to_numpy(result)[0], [[0, 9, 1], [79, 5, 2]], atol=1e-4)


def test_same_seed_same_draw():
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    keypoints = np.full((4, 2, 3), 10, "float32")
    layers = RandomKeypointAffine(seed=1), RandomKeypointAffine(seed=2)
    same = [layer(images, keypoints, seed=seed_of(5)) for layer in layers]
    for a, b in zip(*same, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))
    other = layers[0](images, keypoints, seed=seed_of(6))
    assert not np.allclose(ops.convert_to_numpy(other[1]), ops.convert_to_numpy(same[0][1]))


def test_draws_stay_in_their_ranges_and_fill_them():
    layer = RandomKeypointAffine(rotation=20.0, scale=(0.5, 2.0), shift=0.1, flip=0.25)
    matrix, flip = (ops.convert_to_numpy(t) for t in layer.draw(seed_of(0), 4000, SIZE))
    mirror = np.where(flip, -1, 1)
    scale = np.hypot(matrix[:, 0, 0], matrix[:, 1, 0])
    angle = np.degrees(np.arctan2(matrix[:, 1, 0] * mirror, matrix[:, 0, 0] * mirror))
    centre = np.array([39.5, 47.5, 1])
    shift = matrix @ centre - centre[:2]
    assert 0.22 < flip.mean() < 0.28
    assert 19 < abs(angle).max() <= 20.01
    assert 0.5 <= scale.min() + 1e-4 < 0.55
    assert 1.9 < scale.max() <= 2.001
    assert abs(np.log(scale).mean()) < 0.05  # as much smaller as larger
    assert (abs(shift).max(axis=0) <= [8.01, 9.61]).all()  # a tenth of the width, the height
    assert (abs(shift).max(axis=0) > [7.5, 9.0]).all()


def test_an_unlabelled_nan_spoils_no_neighbour():
    keypoints = np.array([[[np.nan, 3, 0], [10, 12, 2]]], "float32")
    _, result = RandomKeypointAffine(**STILL)(np.zeros((1, 32, 32, 3), "float32"), keypoints)
    result = ops.convert_to_numpy(result)[0]
    np.testing.assert_allclose(result[1], [10, 12, 2], atol=1e-4)
    np.testing.assert_array_equal(result[:, 2], [0, 2])


def test_outside_the_source_the_border_is_repeated():
    image = np.zeros((1, 8, 8, 1), "float32")
    image[:, :, 0] = 9
    shifted = warp_images(image, matrices(0, 1, (3, 0), False, (8, 8)))
    expected = np.array([9, 9, 9, 9, 0, 0, 0, 0], "float32")
    np.testing.assert_allclose(ops.convert_to_numpy(shifted)[0, 2, :, 0], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": (1.2, 0.8)}, "scale must"),
        ({"flip": 1.5}, "flip is"),
        ({"flip": True}, "flip is True; expected a probability, 0 to 1"),
        ({"flip": "yes"}, "flip is 'yes'"),
    ],
)
def test_wrong_ranges_are_refused(options, message):
    with pytest.raises(KerasShrError, match=message):
        RandomKeypointAffine(**options)


def test_sizes_have_to_be_known():
    images, keypoints = keras.KerasTensor((None, None, None, 3)), keras.KerasTensor((None, 4, 3))
    layer = RandomKeypointAffine()
    with pytest.raises(KerasShrError, match=r"only the batch may be unknown: resize or set_shape"):
        layer._check_shapes(images.shape, keypoints.shape)
    with pytest.raises(KerasShrError, match=r"only the batch may be unknown"):
        layer._check_shapes((None, 32, 32, 3), (None, None, 3))


def test_one_picture_as_in_a_map_without_batches():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (1, *SIZE, 3)).astype("float32")
    keypoints = rng.uniform(5, 70, (1, 4, 3)).astype("float32")
    layer = RandomKeypointAffine()
    both = layer(images, keypoints, seed=seed_of(3))
    one = layer(images[0], keypoints[0], seed=seed_of(3))
    for whole, part in zip(both, one, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(whole)[0], ops.convert_to_numpy(part))


def test_nothing_moves_in_a_model_that_predicts():
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)).astype("float32")
    keypoints = np.full((2, 4, 3), 20.0, "float32")
    inputs = keras.Input((*SIZE, 3)), keras.Input((4, 3))
    model = keras.Model(inputs, RandomKeypointAffine(seed=1)(*inputs))
    still, points = model([images, keypoints], training=False)
    np.testing.assert_array_equal(ops.convert_to_numpy(still), images)
    np.testing.assert_array_equal(ops.convert_to_numpy(points), keypoints)
    moved, _ = model([images, keypoints], training=True)
    assert (ops.convert_to_numpy(moved) != images).any()


WRONG = {
    "rotation": ({"rotation": (-30, 30)}, r"rotation is \(-30, 30\); expected one number"),
    "shift": ({"shift": -0.1}, "shift is -0.1; expected one number of at least 0"),
    "twice": ({"flip_order": [0, 0, 1]}, r"flip_order is \(0, 0, 1\); expected the index"),
    "outside": ({"flip_order": [0, 5, 1]}, r"flip_order is \(0, 5, 1\)"),
    "a ring": ({"flip_order": [1, 2, 0]}, r"flip_order is \(1, 2, 0\)"),
}


@pytest.mark.parametrize("what", WRONG)
def test_settings_that_move_nothing_sensibly(what):
    options, message = WRONG[what]
    with pytest.raises(KerasShrError, match=message):
        RandomKeypointAffine(**options)


def test_keypoints_that_do_not_fit():
    images, layer = np.zeros((2, *SIZE, 3), "float32"), RandomKeypointAffine(flip_order=[1, 0])
    for shape in ((2, 3, 3), (2, 2, 2), (2, 1, 3)):
        with pytest.raises(KerasShrError, match=r"expected \(batch, height, .*\(batch, 2, 3\)"):
            layer(images, np.zeros(shape, "float32"))
    with pytest.raises(KerasShrError, match="2 images and keypoints of 1"):
        layer(images, np.zeros((1, 2, 3), "float32"))
