"""Single pictures: reproducible, exactly labelled, truthfully hidden."""

from dataclasses import replace

import numpy as np
import pytest

from keras_shr.data.records import KeypointData
from keras_shr.errors import KerasShrError
from keras_shr.rendering import render_hands, render_sample
from keras_shr.rendering.background import room
from keras_shr.rendering.camera import UPRIGHT, mirrored, turn, visibility
from keras_shr.rendering.geometry import Hand
from keras_shr.rendering.people import random_person
from keras_shr.rendering.poses import gesture
from keras_shr.rendering.scene import random_scene, render_hand
from keras_shr.rendering.skeleton import COUNT
from keras_shr.skeletons import HAND_21

SIZE = 64


@pytest.fixture(scope="module")
def samples():
    return [render_sample(5, index, SIZE) for index in range(24)]


def test_a_picture_depends_on_its_seed_and_index_only(samples):
    again = render_sample(5, 3, SIZE)
    for name in ("image", "keypoints", "xyz", "camera", "mask", "depth"):
        np.testing.assert_array_equal(getattr(again, name), getattr(samples[3], name))
    assert not np.array_equal(render_sample(6, 3, SIZE).image, samples[3].image)
    assert len({sample.image.tobytes() for sample in samples}) == len(samples)
    assert {sample.side for sample in samples} == {"left", "right"}


def test_easier_hands_hide_less():
    """Front views of open hands show nearly every joint; any hand hides a third of them."""
    hidden = {}
    for views, poses in (("all", "all"), ("front", "open")):
        found = [render_sample(5, i, SIZE, views=views, poses=poses) for i in range(40)]
        hidden[poses] = np.mean([sample.keypoints[:, 2] == 1 for sample in found])
    assert hidden["open"] < 0.15 < 0.25 < hidden["all"]
    np.testing.assert_array_equal(
        render_hands(2, SIZE, 5, views="front", poses="open").images,
        [render_sample(5, i, SIZE, views="front", poses="open").image for i in range(2)],
    )
    for options in ({"views": "side"}, {"poses": "fist"}):
        with pytest.raises(KerasShrError, match=rf"{next(iter(options))} is .*; it must be one of"):
            render_sample(5, 0, SIZE, **options)


def test_types_and_shapes(samples):
    for s in samples:
        assert s.image.shape == (SIZE, SIZE, 3)
        assert s.image.dtype == np.uint8
        assert s.keypoints.shape == (21, 3)
        assert s.keypoints.dtype == np.float32
        assert s.xyz.shape == (21, 3)
        assert s.mask.shape == s.depth.shape == (SIZE, SIZE)
        assert set(np.unique(s.keypoints[:, 2])) <= {0, 1, 2}
        assert s.mask.min() >= -1
        assert s.mask.max() <= 20
        assert ((s.depth > 0) == (s.mask >= 0)).all()


def test_xyz_through_the_camera_gives_the_keypoints(samples):
    for s in samples:
        image = s.xyz @ s.camera.T
        np.testing.assert_allclose(image[:, :2] / image[:, 2:], s.keypoints[:, :2], atol=0.01)


def test_hands_have_the_size_of_hands(samples):
    for s in samples:
        palm = np.linalg.norm(s.xyz[9] - s.xyz[0])
        assert 0.065 < palm < 0.13
        assert (s.xyz[:, 2] > 0.1).all()


def test_seen_joints_lie_on_the_hand_and_outside_ones_are_marked(samples):
    on_hand = total = 0
    for s in samples:
        x, y, visible = s.keypoints.T
        inside = (x > -0.5) & (y > -0.5) & (x < SIZE - 0.5) & (y < SIZE - 0.5)
        np.testing.assert_array_equal(visible > 0, inside)
        seen = visible == 2
        column, row = np.rint(x[seen]).astype(int), np.rint(y[seen]).astype(int)
        on_hand += (s.mask[row, column] >= 0).sum()
        total += seen.sum()
    assert on_hand > 0.985 * total
    assert total > 0.5 * 21 * len(samples)


def test_another_size_shows_the_same_scene(samples):
    large = render_sample(5, 3, 2 * SIZE)
    np.testing.assert_allclose(
        (large.keypoints[:, :2] + 0.5) / 2, samples[3].keypoints[:, :2] + 0.5, atol=1e-3
    )
    small = large.image.reshape(SIZE, 2, SIZE, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - samples[3].image).mean() < 12


def test_left_and_right_are_mirror_images():
    for index in range(4):
        left, right = (render_sample(8, index, SIZE, side=side) for side in ("left", "right"))
        assert (left.side, right.side) == ("left", "right")
        np.testing.assert_allclose(right.xyz, left.xyz * (-1, 1, 1), atol=1e-12)
        np.testing.assert_allclose(
            right.keypoints[:, 0], SIZE - 1 - left.keypoints[:, 0], atol=1e-3
        )
        np.testing.assert_allclose(right.keypoints[:, 1], left.keypoints[:, 1], atol=1e-3)
        assert (right.mask[:, ::-1] == left.mask).mean() > 0.97


def _flat_hand(side="left", facing=np.pi, **changes):
    """A flat bare hand, palm to the camera unless told otherwise, in the middle of the picture."""
    rng = np.random.default_rng(0)
    person = replace(
        random_person(rng, side),
        size=1.0,
        sleeve=None,
        band=None,
        lengths=np.ones(COUNT),
        widths=np.ones(COUNT),
    )
    scene = random_scene(rng, 128, 128)
    view = turn(1, facing) @ UPRIGHT
    hand = Hand(person, changes.pop("pose", gesture("open")), view, np.array([0, 80.0, 500]))
    camera = np.array([[280.0, 0, 63.5], [0, 280, 63.5], [0, 0, 1]])
    if side == "right":
        camera = mirrored(camera, 128)
    return render_hand(replace(scene, **changes), hand, camera)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("facing", [0, np.pi])
def test_all_joints_of_an_open_hand_are_seen_from_both_sides(side, facing):
    sample = _flat_hand(side, facing)
    assert (sample.keypoints[:, 2] == 2).all()
    # chirality: a left hand's palm, fingers up, has its thumb on the viewer's left
    thumb_is_left = sample.keypoints[4, 0] < sample.keypoints[20, 0]
    assert thumb_is_left == ((side == "left") == (facing == np.pi))


def test_a_thing_in_front_hides_exactly_what_it_covers():
    bare = _flat_hand()
    tip = bare.xyz[8] * 1000
    ball = lambda place: ((place, np.eye(3), np.full(3, 14.0), (1.0, 1.0)),)  # noqa: E731
    colours = (np.array([0.1, 0.3, 0.8]),)
    before = _flat_hand(things=ball(tip * (1 - 60 / tip[2])), thing_colours=colours)
    assert before.keypoints[8, 2] == 1
    covered = before.mask == 20
    for k in range(21):
        x, y = np.rint(before.keypoints[k, :2]).astype(int)
        assert before.keypoints[k, 2] == (1 if covered[y, x] else 2), HAND_21.keypoints[k]
    behind = _flat_hand(things=ball(tip * (1 + 60 / tip[2])), thing_colours=colours)
    assert (behind.keypoints[:, 2] == 2).all()
    np.testing.assert_array_equal(before.keypoints[:, :2], bare.keypoints[:, :2])


def test_the_hand_hides_parts_of_itself():
    tips = [8, 12, 16, 20]
    fist = gesture("fist")
    assert (_flat_hand(facing=0, pose=fist).keypoints[tips, 2] == 1).all()  # from the back
    ends = [7, 8, 11, 12, 15, 16, 19, 20]
    from_palm, from_back = (_flat_hand(facing=f, pose=fist).keypoints[ends, 2] for f in (np.pi, 0))
    assert (from_palm == 2).sum() >= (from_back == 2).sum() + 3
    edge = _flat_hand(facing=-np.pi / 2, pose=gesture("flat")).keypoints[:, 2]
    assert (edge[17], edge[5]) == (2, 1)  # from the edge the little finger's knuckle is in front


def test_visibility_follows_the_depth_map():
    camera = np.array([[100.0, 0, 4], [0, 100, 4], [0, 0, 1]])
    points = np.tile([0.0, 0, 500], (21, 1))
    points[1] = 1000, 0, 500  # outside
    depth = np.full((9, 9), 495.0)
    expected = np.full(21, 2)
    expected[1] = 0
    np.testing.assert_array_equal(visibility(points, camera, depth), expected)
    depth[4, 4] = 400  # 10 cm before the joints
    np.testing.assert_array_equal(visibility(points, camera, depth), np.minimum(expected, 1))


def test_render_hands_is_the_same_with_any_number_of_workers(samples):
    calls = []
    one = render_hands(3, SIZE, seed=5, start=2)
    two = render_hands(3, SIZE, seed=5, start=2, workers=2, progress=lambda *n: calls.append(n))
    assert isinstance(one, KeypointData)
    assert one.name == "rendered"
    assert one.skeleton is HAND_21
    assert one.ids == ["rendered-5-000002", "rendered-5-000003", "rendered-5-000004"]
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.keypoints, two.keypoints)
    np.testing.assert_array_equal(one.images[1], samples[3].image)
    assert calls == [(1, 3), (2, 3), (3, 3)]
    hidden = one.keypoints[..., 2] == 0
    assert (one.keypoints[hidden] == 0).all()


def test_wrong_arguments_are_named():
    with pytest.raises(KerasShrError, match="count is 0"):
        render_hands(0)
    with pytest.raises(KerasShrError, match="size is 8"):
        render_hands(1, size=8)


def test_small_pictures_have_every_background():
    """Windows of a room can be narrower than their frame at 32 px."""
    for seed in range(60):
        picture = room(np.random.default_rng(seed), 32, 32)
        assert picture.shape == (32, 32, 3)
