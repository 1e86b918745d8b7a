"""Where hand and camera stand: views, crops, and which joints the camera can see."""

import numpy as np
from scipy.spatial.transform import Rotation

from keras_shr.rendering.raster import project
from keras_shr.rendering.skeleton import KEYPOINT_RADII

UPRIGHT = np.diag([1.0, -1.0, -1.0])
"""Turns the hand's frame to the camera's: fingers up, back of the hand to the viewer."""


def turn(axis, angle):
    """Rotation matrix about the camera axis 0 (x), 1 (y) or 2 (z)."""
    c, s = np.cos(angle), np.sin(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


VIEWS = ("all", "front")


def random_view(rng, arm=(0.0, -1.0, 0.0), views="all"):
    """Rotation hand → camera.

    Args:
        rng: NumPy generator.
        arm: direction of the forearm in the hand's frame; views along it, in which it would hide
            the hand, are drawn again.
        views: `"all"`, palm, back and edge views, mostly upright, sometimes anything; `"front"`,
            palm or back to the camera and fingers up, give or take 15 degrees.
    """
    for _ in range(10):
        view = _any_view(rng) if views == "all" else _front_view(rng)
        if (view @ arm)[2] > -0.75 * np.linalg.norm(arm):
            break
    return view


def _any_view(rng):
    if rng.random() < 0.15:
        quaternion = rng.normal(size=4)
        return Rotation.from_quat(quaternion / np.linalg.norm(quaternion)).as_matrix()
    facing = (0.0, np.pi)[rng.integers(2)] + rng.normal(0, 0.65)
    tilt = rng.normal(0.05, 0.45)
    roll = rng.normal(0, 0.55) if rng.random() < 0.6 else rng.uniform(-np.pi, np.pi)
    return turn(2, roll) @ turn(0, tilt) @ turn(1, facing) @ UPRIGHT


def _front_view(rng):
    facing = (0.0, np.pi)[rng.integers(2)]
    roll, tilt, turned = rng.normal(0, 0.25, 3)
    return turn(2, roll) @ turn(0, tilt) @ turn(1, facing + turned) @ UPRIGHT


def look_at(points, elbows, rng, size, truncated=0.06, widest=2.3):
    """Where the hand stands and the camera of a square crop about it.

    Args:
        points: `(n, 3)` mm about the wrist, turned into the camera's axes.
        elbows: `(m, 3)` mm, kept before the camera too.
        rng: NumPy generator.
        size: side of the crop, pixels.
        truncated: share of crops that may cut the hand.
        widest: largest side of the others, in sides of the keypoints' box.

    Returns:
        origin `(3,)` mm to add to the points, camera matrix `(3, 3)`.
    """
    distance = np.exp(rng.uniform(np.log(280), np.log(1300)))
    centre = 0.5 * (points.min(axis=0) + points.max(axis=0))
    # no closer than 13 cm, and the sleeve not in the lens
    nearest = max(130 - points[:, 2].min(), 160 - elbows[:, 2].min()) + centre[2]
    distance = max(distance, nearest)
    off_axis = np.tan(rng.normal(0, 0.16, 2))
    origin = np.r_[off_axis * distance, distance] - centre
    placed = points + origin
    rays = placed[:, :2] / placed[:, 2:]
    low, high = rays.min(axis=0), rays.max(axis=0)
    extent = np.maximum((high - low).max(), 60 / distance)
    cut = rng.random() < truncated
    factor = rng.uniform(0.85, 1.15) if cut else np.exp(rng.uniform(np.log(1.22), np.log(widest)))
    room = 0.5 * (factor * extent - (high - low)) if not cut else np.full(2, 0.2 * extent)
    shift = np.clip(rng.normal(0, 0.35, 2), -0.85, 0.85) * (room - 0.04 * factor * extent)
    middle = 0.5 * (low + high) + shift
    focal = size / (factor * extent)
    offset = (size - 1) / 2 - focal * middle
    camera = np.array([[focal, 0, offset[0]], [0, focal, offset[1]], [0, 0, 1.0]])
    return origin, camera


def mirrored(camera, size):
    """The camera that sees the mirror image (x → -x) mirrored left to right."""
    camera = camera.copy()
    camera[0, 2] = size - 1 - camera[0, 2]
    return camera


def visibility(points, camera, depth, scale=1.0):
    """2 seen, 1 hidden, 0 outside, for keypoints `(21, 3)` mm against a depth map in mm.

    A joint lies inside flesh: it is seen when the surface at its pixel is its own, that is no
    further in front of it than the flesh about it is thick.
    """
    height, width = depth.shape
    image = project(points, camera)
    column, row = np.rint(image).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height) & (points[:, 2] > 0)
    surface = np.zeros(len(points))
    surface[inside] = depth[row[inside], column[inside]]
    gap = np.where(surface > 0, points[:, 2] - surface, 0)
    seen = gap < (1.4 * KEYPOINT_RADII + 4) * scale
    return np.where(inside, np.where(seen, 2, 1), 0)
