"""From joint angles and proportions to the position of every segment and vertex.

A pose is `(bones, 3)` radians: flexion about the segment's own x axis (positive closes the hand),
abduction about its z axis, twist along it. Each joint also gets a *helper* transform that turns
half as far; skin near a joint follows it, so that a bent finger keeps its thickness (plain linear
blending pinches it).
"""

import numpy as np

from keras_shr.rendering.skeleton import (
    COUNT,
    FRAMES,
    HEADS,
    KEYPOINT_BONES,
    KEYPOINTS_AT_REST,
    PARENTS,
)

_ABOVE = np.maximum(PARENTS, 0)


def rotations(angles):
    """Rotation matrices `(..., 3, 3)` of flexion, abduction and twist `(..., 3)`."""
    (cf, ca, ct), (sf, sa, st) = (
        np.moveaxis(np.cos(angles), -1, 0),
        np.moveaxis(np.sin(angles), -1, 0),
    )
    # Rz(abduction) @ Rx(-flexion) @ Ry(twist), written out
    matrix = np.empty((*np.shape(angles)[:-1], 3, 3))
    matrix[..., 0, 0] = ca * ct + sa * sf * st
    matrix[..., 0, 1] = -sa * cf
    matrix[..., 0, 2] = ca * st - sa * sf * ct
    matrix[..., 1, 0] = sa * ct - ca * sf * st
    matrix[..., 1, 1] = ca * cf
    matrix[..., 1, 2] = sa * st + ca * sf * ct
    matrix[..., 2, 0] = -cf * st
    matrix[..., 2, 1] = -sf
    matrix[..., 2, 2] = cf * ct
    return matrix


def segment_transforms(pose, lengths=None, widths=None):
    """Where each segment, and each joint's half-turned helper, takes the resting hand.

    Args:
        pose: `(bones, 3)` radians: flexion, abduction, twist.
        lengths: `(bones,)` factor along each segment, default 1.
        widths: `(bones,)` factor across each segment, default 1.

    Returns:
        `(2 * bones, 3, 4)`: maps from resting to posed coordinates (mm); the helper of segment b
        is entry `bones + b`.
    """
    lengths = np.ones(COUNT) if lengths is None else lengths
    widths = np.ones(COUNT) if widths is None else widths
    scale = np.stack([widths, lengths, widths], axis=-1)
    back = FRAMES.transpose(0, 2, 1)
    stretch = (FRAMES * scale[:, None]) @ back
    turn = FRAMES @ rotations(pose) @ back
    half_turn = FRAMES @ rotations(np.asarray(pose) * 0.5) @ back
    # a joint sits where its parent's proportions put it
    offsets = np.einsum("bij,bj->bi", stretch[_ABOVE], HEADS - HEADS[_ABOVE])
    frames, places = np.empty((COUNT, 3, 3)), np.empty((COUNT, 3))
    frames[0], places[0] = turn[0], HEADS[0]
    for b in range(1, COUNT):
        parent = PARENTS[b]
        frames[b] = frames[parent] @ turn[b]
        places[b] = places[parent] + frames[parent] @ offsets[b]
    halfway = frames[_ABOVE] @ half_turn
    halfway[0] = frames[0]
    linear = np.concatenate([frames @ stretch, halfway @ (0.5 * (stretch + stretch[_ABOVE]))])
    shift = np.tile(places, (2, 1)) - np.einsum("bij,bj->bi", linear, np.tile(HEADS, (2, 1)))
    return np.concatenate([linear, shift[:, :, None]], axis=2)


def keypoints(transforms):
    """The 21 posed keypoints `(21, 3)` mm in the order of `HAND_21`."""
    carriers = transforms[KEYPOINT_BONES]
    return np.einsum("kij,kj->ki", carriers[:, :, :3], KEYPOINTS_AT_REST) + carriers[:, :, 3]


def skin(vertices, weights, transforms):
    """Posed `(vertices, 3)`: each vertex follows the weighted mean of the transforms.

    Args:
        vertices: `(vertices, 3)` mm at rest.
        weights: `(vertices, 2 * bones)`, rows summing to 1 (dense or scipy sparse).
        transforms: `(2 * bones, 3, 4)` from `segment_transforms`.
    """
    blended = np.asarray(weights @ transforms.reshape(len(transforms), 12)).reshape(-1, 3, 4)
    return np.einsum("vij,vj->vi", blended[:, :, :3], vertices) + blended[:, :, 3]
