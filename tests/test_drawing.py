"""Pictures of keypoints and heatmaps."""

import numpy as np
import pytest

from keras_shr import drawing
from keras_shr.data.images import SquareBox
from keras_shr.skeletons import HAND_21, Skeleton

GREY = np.full((64, 64, 3), 100, np.uint8)


def test_each_finger_has_a_colour():
    colors = drawing.limb_colors(HAND_21)
    assert len(colors) == 20
    assert [len(set(colors[4 * f : 4 * f + 4])) for f in range(5)] == [1] * 5
    assert len(set(colors)) == 5
    assert drawing.limb_colors(Skeleton.generic(3)) == []


def test_a_dot_lies_on_its_pixel():
    keypoints = np.array([[48.0, 16.0, 2.0], [np.nan, 3.0, 2.0], [5.0, 50.0, 0.0]])
    picture = drawing.draw_skeleton(GREY, keypoints, Skeleton.generic(3), drawing.ORANGE, width=256)
    assert picture.shape == (256, 256, 3)
    changed = np.argwhere((picture != 100).any(-1))
    # (48 + .5) * 4 - .5 = 193.5 and (16 + .5) * 4 - .5 = 65.5; nothing else is drawn.
    np.testing.assert_allclose(changed.mean(0), (65.5, 193.5), atol=0.6)
    assert np.ptp(changed, axis=0).max() < 20


def test_bones_join_keypoints_and_skip_missing_ones():
    skeleton = Skeleton("line", ("a", "b", "c"), ((0, 1), (1, 2)))
    keypoints = np.array([[10.0, 32.0, 2], [30.0, 32.0, 2], [55.0, 32.0, 0]])
    picture = drawing.draw_skeleton(GREY, keypoints, skeleton, width=128)
    row = (picture[65] != 100).any(-1)
    assert row[22:60].all()
    assert not row[70:].any()


def test_heatmap_overlay_is_brightest_at_the_peak():
    heatmap = np.zeros((16, 16))
    heatmap[4, 12] = 3.0
    heatmap[0, 0] = np.nan
    picture = drawing.heatmap_overlay(GREY, heatmap, width=160).astype(int)
    assert picture.shape == (160, 160, 3)
    y, x = np.unravel_index(picture.sum(-1).argmax(), (160, 160))
    assert abs(x - 124.5) <= 5
    assert abs(y - 44.5) <= 5
    assert np.ptp(drawing.heatmap_overlay(GREY, np.zeros((16, 16)))) <= 1


def test_a_picture_that_is_not_square_keeps_its_shape():
    picture = drawing.draw_skeleton(GREY[:32], np.zeros((1, 2)), Skeleton.generic(1), width=200)
    assert picture.shape == (100, 200, 3)


@pytest.mark.parametrize("title", ["", "a title"])
def test_strip_holds_all_pictures(title):
    sheet = drawing.strip([GREY, GREY], ["one", "two\nlines"], title)
    assert sheet.shape[1] == 64 + 8 + 64
    assert (sheet[30:60, 20] == 100).all()


def test_a_square_has_its_edges_where_it_is():
    canvas = drawing.Canvas(GREY, 640)
    canvas.square(SquareBox(16, 8, 32), drawing.WHITE)
    rows, columns = np.nonzero((canvas.image() > 200).all(-1))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (80, 399, 160, 479)
    assert not (canvas.image()[90:390, 170:470] != 100).any()


@pytest.mark.parametrize("side", [1, 400])
def test_a_square_of_any_size_can_be_drawn(side):
    canvas = drawing.Canvas(np.full((300, 4000, 3), 100, np.uint8), 1280)
    canvas.square(SquareBox(-50, -50, side), drawing.WHITE)
    assert ((canvas.image() > 150).any()) == (side == 400)


@pytest.mark.parametrize("point", [(-500, -500), (5, 7), (63, 63), (900, 900)])
def test_a_label_lies_in_the_picture(point):
    canvas = drawing.Canvas(GREY, 256)
    canvas.label(point, "0.83")
    changed = np.argwhere((canvas.image() != 100).any(-1))
    assert np.ptp(changed, axis=0).min() > 8  # all of it
    wanted = np.clip((np.array(point[::-1]) + 0.5) * 4, 0, 256 - 1 - np.ptp(changed, axis=0))
    np.testing.assert_allclose(changed.min(0), wanted, atol=2)
    drawing.Canvas(GREY[:2, :2], 4).label(point, "0.83")  # none that is too small for it
