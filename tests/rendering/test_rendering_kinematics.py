"""Bones, joints, limits and skin."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from keras_shr.rendering import kinematics, poses, skeleton
from keras_shr.rendering.mesh import hand_mesh


def test_rotations_are_abduction_after_flexion_after_twist():
    flexion, abduction, twist = 0.4, -0.3, 0.2
    expected = (
        Rotation.from_rotvec([0, 0, abduction])
        * Rotation.from_rotvec([-flexion, 0, 0])
        * Rotation.from_rotvec([0, twist, 0])
    ).as_matrix()
    found = kinematics.rotations(np.array([flexion, abduction, twist]))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_zero_pose_is_the_resting_hand():
    transforms = kinematics.segment_transforms(np.zeros((skeleton.COUNT, 3)))
    found = kinematics.keypoints(transforms)
    np.testing.assert_allclose(found, skeleton.KEYPOINTS_AT_REST, atol=1e-9)
    assert found[12, 1] == found[:, 1].max()  # the middle finger is the longest
    assert found[4, 0] == found[:, 0].max()  # a left hand's thumb is at +x


def test_bones_keep_their_length_in_every_pose_and_scale_as_told():
    parents = np.array([0 if k % 4 == 1 else k - 1 for k in range(1, 21)])
    fingers = np.array([k for k in range(1, 21) if k % 4 != 1])  # from the second joint on
    rest = skeleton.KEYPOINTS_AT_REST
    expected = np.linalg.norm(rest[fingers] - rest[parents[fingers - 1]], axis=1)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        pose = poses.random_pose(rng)
        factor = rng.uniform(0.8, 1.2)
        transforms = kinematics.segment_transforms(pose, np.full(skeleton.COUNT, factor))
        found = kinematics.keypoints(transforms)
        lengths = np.linalg.norm(found[fingers] - found[parents[fingers - 1]], axis=1)
        np.testing.assert_allclose(lengths, factor * expected, rtol=1e-9)


def test_flexion_moves_a_fingertip_towards_the_palm():
    pose = np.zeros((skeleton.COUNT, 3))
    pose[skeleton.INDEX["index_proximal"], 0] = np.pi / 2
    found = kinematics.keypoints(kinematics.segment_transforms(pose))
    base, tip = found[5], found[8]
    assert tip[2] < base[2] - 70  # the palm looks to -z
    assert abs(tip[1] - base[1]) < 5


def test_helpers_turn_half_as_far():
    bone = skeleton.INDEX["index_proximal"]
    pose = np.zeros((skeleton.COUNT, 3))
    pose[bone, 0] = 1.0
    transforms = kinematics.segment_transforms(pose)
    half = Rotation.from_matrix(transforms[skeleton.COUNT + bone, :, :3]).magnitude()
    whole = Rotation.from_matrix(transforms[bone, :, :3]).magnitude()
    assert (half, whole) == pytest.approx((0.5, 1.0))


def test_random_poses_stay_within_limits_and_do_not_run_through_themselves():
    drawn = [poses.random_pose(np.random.default_rng(seed)) for seed in range(60)]
    for pose in drawn:
        assert (pose >= poses.LIMITS[..., 0] - 1e-9).all()
        assert (pose <= poses.LIMITS[..., 1] + 1e-9).all()
    depths = [poses.overlap(pose) for pose in drawn]
    assert max(depths) < 6.5
    assert np.std([pose[skeleton.INDEX["index_middle"], 0] for pose in drawn]) > 0.3


@pytest.mark.parametrize("name", poses.GESTURES)
def test_gestures_are_possible(name):
    pose = poses.gesture(name)
    assert (pose >= poses.LIMITS[..., 0] - 1e-9).all()
    assert (pose <= poses.LIMITS[..., 1] + 1e-9).all()
    assert poses.overlap(pose) < 5.5


def test_gestures_mean_what_they_say():
    def reach(name):
        return np.linalg.norm(poses.pose_keypoints(poses.gesture(name))[8:21:4], axis=1)

    assert (reach("fist") < 95).all()
    assert (reach("open") > 130).all()
    index, *others = reach("point")
    assert index > 150
    assert max(others) < 95
    pinch = poses.pose_keypoints(poses.gesture("pinch"))
    assert np.linalg.norm(pinch[4] - pinch[8]) < 18  # the pads of two tips touch


def test_weights_share_out_every_vertex_and_leave_the_resting_hand_alone():
    mesh = hand_mesh()
    np.testing.assert_allclose(np.asarray(mesh.weights.sum(axis=1)).ravel(), 1, atol=1e-5)
    assert mesh.weights.min() >= 0
    rest = kinematics.segment_transforms(np.zeros((skeleton.COUNT, 3)))
    found = kinematics.skin(mesh.vertices, mesh.weights, rest)
    np.testing.assert_allclose(found, mesh.vertices, atol=1e-3)


def test_fingers_do_not_drag_their_neighbours_along():
    mesh = hand_mesh()
    pose = np.zeros((skeleton.COUNT, 3))
    pose[skeleton.INDEX["index_proximal"], 0] = 1.2
    transforms = kinematics.segment_transforms(pose)
    moved = kinematics.skin(mesh.vertices, mesh.weights, transforms) - mesh.vertices
    part = np.zeros(len(mesh.vertices), int)
    part[mesh.triangles.ravel()] = np.repeat(mesh.parts, 3)
    for bone in skeleton.FINGER_BONES["ring"][1:] + skeleton.FINGER_BONES["thumb"][1:]:
        assert np.abs(moved[part == bone]).max() < 1.0
    assert np.abs(moved[part == skeleton.FINGER_BONES["index"][2]]).max() > 50
