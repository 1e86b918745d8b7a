import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

from keras_shr import heatmaps
from keras_shr.errors import KerasShrError
from tests import oracles

SIZES = st.tuples(st.integers(10, 40), st.integers(10, 40))


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


@st.composite
def keypoint_in(draw, margin=0.0):
    size = draw(SIZES)
    x = draw(st.floats(-0.5 + margin, size[1] - 0.5 - margin))
    y = draw(st.floats(-0.5 + margin, size[0] - 0.5 - margin))
    return size, x, y


@given(keypoint_in(), st.sampled_from(heatmaps.DISTANCES), st.floats(0.3, 0.95), st.integers(1, 12))
def test_highly_differentiated_heatmap_matches_the_definition(case, metric, alpha, threshold):
    size, x, y = (case[0], *np.float32(case[1:]))
    got = numpy(
        heatmaps.highly_differentiated_heatmap([[[x, y, 2]]], size, alpha, threshold, metric)
    )
    want = oracles.highly_differentiated(size, x, y, alpha, threshold, metric)
    np.testing.assert_allclose(got[0, :, :, 0], want, atol=1e-5)
    label = numpy(heatmaps.multi_label_map([[[x, y, 2]]], size, alpha, threshold, metric))
    np.testing.assert_array_equal(label[0, :, :, 0], want > 0)


@given(keypoint_in(), st.floats(0.7, 4))
def test_gaussian_heatmap_matches_the_definition(case, sigma):
    size, x, y = case
    got = numpy(heatmaps.gaussian_heatmap([[[x, y, 1]]], size, sigma))[0, :, :, 0]
    np.testing.assert_allclose(got, oracles.gaussian(size, x, y, sigma), atol=1e-5)


def test_weights_of_the_default_target_sum_to_the_known_value():
    total = numpy(heatmaps.highly_differentiated_heatmap([[[32, 32, 2]]], (64, 64))).sum()
    assert total == pytest.approx(51.03, abs=0.01)


@pytest.mark.parametrize(
    "make", [heatmaps.gaussian_heatmap, heatmaps.highly_differentiated_heatmap]
)
@pytest.mark.parametrize(
    "keypoint",
    [
        [5, 5, 0],
        [-0.6, 5, 2],
        [5, 31.6, 2],
        [np.nan, 5, 2],
        [5, np.nan, 2],
        [np.inf, 5, 2],
        [5, 5, np.nan],
        [-1e30, 5, 1],
    ],
)
def test_keypoint_without_a_place_has_an_empty_target(make, keypoint):
    assert not numpy(make([[keypoint]], (32, 40))).any()


@given(
    st.lists(st.tuples(st.floats(-50, 300), st.floats(-50, 300)), min_size=1, max_size=5),
    SIZES,
    SIZES,
)
def test_image_and_heatmap_coordinates_are_inverse(points, image_size, heatmap_size):
    keypoints = np.array([[(x, y, 2.0) for x, y in points]], "float32")
    there = heatmaps.image_to_heatmap(keypoints, image_size, heatmap_size)
    back = numpy(heatmaps.heatmap_to_image(there, image_size, heatmap_size))
    np.testing.assert_allclose(back, keypoints, atol=1e-3)


@given(
    hnp.arrays("float32", (5, 2), elements=st.floats(-50, 90, width=32) | st.just(np.nan)),
    hnp.arrays("int64", 5, elements=st.integers(0, 2)),
    SIZES,
)
def test_only_keypoints_in_the_frame_count(points, visibility, size):
    keypoints = np.concatenate([points, visibility[:, None]], 1).astype("float32")
    found = numpy(heatmaps.only_in_frame(keypoints, size))
    np.testing.assert_array_equal(found[:, :2], points)
    for (x, y), before, after in zip(points, visibility, found[:, 2], strict=True):
        inside = oracles.in_frame(size, x, y)
        assert after == (before if inside else 0)


def test_image_to_heatmap_by_hand():
    # 256 -> 64: pixels 0..3 share heatmap pixel 0, whose centre is at image coordinate 1.5.
    got = numpy(heatmaps.image_to_heatmap([[[1.5, 253.5, 2.0]]], (256, 256), (64, 64)))
    np.testing.assert_allclose(got, [[[0.0, 63.0, 2.0]]], atol=1e-6)


@given(keypoint_in(), st.sampled_from(heatmaps.DISTANCES))
def test_argmax_finds_the_nearest_pixel(case, metric):
    size, x, y = (case[0], *np.float32(case[1:]))
    target = heatmaps.highly_differentiated_heatmap([[[x, y, 2]]], size, metric=metric)
    got = numpy(heatmaps.decode(target))[0, 0]
    np.testing.assert_array_equal(got[:2], oracles.nearest_pixel(size, x, y))


@pytest.mark.parametrize(
    "make", [heatmaps.gaussian_heatmap, heatmaps.highly_differentiated_heatmap]
)
@pytest.mark.parametrize("size", [(256, 256), (64, 48), (8, 8)])
def test_a_keypoint_on_an_edge_of_the_grid_counts_on_either_side(make, size):
    """As the crop's farthest keypoint is in RHD and STB, and in boxes that are tight round it."""
    last = np.array(size[::-1], "float32") - 1
    for rounding in (-9e-4, 0, 9e-4):
        near, far = -0.5 + rounding, last + 0.5 + rounding
        points = np.array([[near, near], [near, far[1]], [far[0], near], far], "float32")
        keypoints = np.concatenate([points, np.full((4, 1), 2, "float32")], 1)[None]
        np.testing.assert_array_equal(numpy(heatmaps.only_in_frame(keypoints, size)), keypoints)
        got = numpy(heatmaps.decode(make(keypoints, size)))[0]
        np.testing.assert_array_equal(got[:, :2], [[0, 0], [0, last[1]], [last[0], 0], last])
        assert (got[:, 2] > 0).all()
    outside = np.array([[[*(last + 0.502), 2], [-0.502, 1, 2], [1, last[1] + 0.502, 2]]], "float32")
    assert not numpy(heatmaps.in_frame(outside, size)).any()
    assert not numpy(make(outside, size)).any()


@given(keypoint_in(margin=4.0), st.floats(1.2, 2.5))
def test_dark_is_exact_on_a_gaussian(case, sigma):
    size, x, y = case
    target = heatmaps.gaussian_heatmap([[[x, y, 2]]], size, sigma)
    np.testing.assert_allclose(numpy(heatmaps.decode(target, "dark"))[0, 0, :2], (x, y), atol=0.02)


@given(keypoint_in(margin=4.0))
def test_centroid_is_closer_than_a_pixel(case):
    size, x, y = case
    target = heatmaps.gaussian_heatmap([[[x, y, 2]]], size, 1.0)
    got = numpy(heatmaps.decode(target, "centroid"))[0, 0, :2]
    np.testing.assert_allclose(got, (x, y), atol=0.15)


@given(hnp.arrays("float32", (1, 6, 7, 2), elements=st.floats(width=32)))
def test_any_numbers_decode_to_places_on_the_map(maps):
    for method in heatmaps.DECODERS:
        points = numpy(heatmaps.decode(maps, method))
        assert np.isfinite(points).all()
        assert (np.abs(points[..., :2] - [3, 2.5]) <= [4, 3.5]).all()
        assert ((points[..., 2] >= 0) & (points[..., 2] <= 1 + 1e-6)).all()


def test_score_of_maps_whose_sum_is_beyond_float32():
    maps = np.zeros((1, 32, 32, 1), "float32")
    maps[0, 3, 4], maps[0, 3, 30] = 3e38, 2e38
    assert numpy(heatmaps.decode(maps))[0, 0].tolist() == [4, 3, 0.5]


def test_score_falls_on_an_empty_picture():
    sure = heatmaps.highly_differentiated_heatmap([[[20, 30, 2]]], (64, 64))
    unsure = np.full((1, 64, 64, 1), 1.0, "float32") * 0.9 + 0.1 * numpy(sure)
    empty = np.full((1, 64, 64, 1), 1.0, "float32")
    scores = [float(numpy(heatmaps.decode(m))[0, 0, 2]) for m in (sure, unsure, empty)]
    assert scores[0] == pytest.approx(1.0, abs=1e-5)
    assert scores[0] > 5 * scores[1]
    assert scores[1] > scores[2]
    assert numpy(heatmaps.decode(np.zeros((1, 64, 64, 1)))).tolist() == [[[0, 0, 0]]]


@pytest.mark.parametrize("method", heatmaps.DECODERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_decode_survives_values_that_are_not_numbers(method, bad):
    maps = np.zeros((1, 16, 16, 1), "float32")
    maps[0, 3, 4, 0] = 1.0
    maps[0, 9, 9, 0] = bad
    got = numpy(heatmaps.decode(maps, method))[0, 0]
    np.testing.assert_allclose(got, [4, 3, 1], atol=1e-4)


@pytest.mark.parametrize("method", ["argmax", "dark", "centroid"])
def test_a_batch_without_maps(method):
    empty = np.zeros((0, 8, 6, 4), "float32")
    assert tuple(heatmaps.decode(empty, method).shape) == (0, 4, 3)


def test_wrong_names_are_refused():
    with pytest.raises(KerasShrError, match="chessboard"):
        heatmaps.highly_differentiated_heatmap([[[1, 1, 1]]], (8, 8), metric="taxi")
    with pytest.raises(KerasShrError, match="argmax"):
        heatmaps.decode(np.zeros((1, 8, 8, 1)), "mean")
    with pytest.raises(KerasShrError, match="alpha"):
        heatmaps.highly_differentiated_heatmap([[[1, 1, 1]]], (8, 8), alpha=1.5)


TARGETS = (heatmaps.gaussian_heatmap, heatmaps.highly_differentiated_heatmap)


@pytest.mark.parametrize("target", TARGETS)
def test_targets_refuse_what_is_none(target):
    points = np.full((2, 3, 3), 2.0, "float32")
    for wrong in (points[0], points[..., :2]):
        with pytest.raises(KerasShrError, match=r"expected \(batch, keypoints, 3\): x, y, visib"):
            target(wrong, (8, 8))
    for size in (8, (8, 8, 3), (0, 8)):
        with pytest.raises(KerasShrError, match=r"heatmap_size is .*; expected \(height, width\)"):
            target(points, size)


def test_numbers_that_make_no_target():
    points = np.full((1, 1, 3), 2.0, "float32")
    for sigma in (0, -1.0):
        with pytest.raises(KerasShrError, match=f"sigma is {sigma}"):
            heatmaps.gaussian_heatmap(points, (8, 8), sigma)
    with pytest.raises(KerasShrError, match="threshold is -1"):
        heatmaps.highly_differentiated_heatmap(points, (8, 8), threshold=-1)
    with pytest.raises(KerasShrError, match=r"a size is 8; expected \(height, width\)"):
        heatmaps.image_to_heatmap(points, 8, (4, 4))
    with pytest.raises(KerasShrError, match=r"heatmaps have shape \(8, 8, 3\); expected \(batch"):
        heatmaps.decode(np.ones((8, 8, 3)))
