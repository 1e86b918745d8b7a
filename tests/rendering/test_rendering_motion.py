"""Consecutive frames."""

import numpy as np

from keras_shr.rendering import render_motion
from keras_shr.rendering.motion import COUNTING, performance, pose_sequence, wander
from keras_shr.rendering.raster import project


def test_movement_is_smooth_and_stays_in_the_picture():
    for seed in range(6):
        show = performance(seed, 90, 256)
        points = np.stack([project(hand.keypoints(), show.camera) for hand in show.hands])
        assert ((points > 0) & (points < 255)).all()
        step = np.linalg.norm(np.diff(points, axis=0), axis=2)
        change = np.linalg.norm(np.diff(points, n=2, axis=0), axis=2)
        assert step.max() < 40, seed  # pixels of 256 in a thirtieth of a second
        assert change.max() < 10, seed
        assert 0.3 < step.mean() < 8
        assert step.reshape(-1, 21).max(axis=1).min() > 0  # it never freezes


def test_more_frames_only_add_to_the_end():
    short, long = (pose_sequence(np.random.default_rng(1), n, COUNTING) for n in (20, 70))
    np.testing.assert_allclose(short, long[:20], atol=1e-12)
    short, long = (wander(np.random.default_rng(2), n, 3, 5.0) for n in (20, 70))
    np.testing.assert_allclose(short, long[:20])


def test_render_motion_labels_one_group():
    data = render_motion(3, size=48, seed=4)
    assert data.images.shape == (3, 48, 48, 3)
    assert set(data.groups) == {"motion-4"}
    assert data.name == "rendered-motion"
    assert (data.keypoints[..., 2] > 0).all()
    still = np.abs(data.images[0].astype(int) - data.images[1]) == 0
    assert 0.2 < still.mean() < 1  # the background does not move, the hand does
