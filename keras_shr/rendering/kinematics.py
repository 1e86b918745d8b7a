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


def _affine(linear, fixed, image):
    """The map p -> linear (p - fixed) + image as `(3, 4)`."""
    return np.concatenate([linear, (image - linear @ fixed)[:, None]], axis=1)


def _after(outer, inner):
    """Composition of two `(3, 4)` maps, `inner` first."""
    linear = outer[:, :3] @ inner
    linear[:, 3] += outer[:, 3]
    return linear


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
    stretch = np.einsum("bij,bj,bkj->bik", FRAMES, scale, FRAMES)
    frames_t = FRAMES.transpose(0, 2, 1)
    turn = FRAMES @ rotations(pose) @ frames_t
    half_turn = FRAMES @ rotations(np.asarray(pose) * 0.5) @ frames_t
    result = np.empty((2 * COUNT, 3, 4))
    rigid = np.empty((COUNT, 3, 4))
    shaped = np.empty((COUNT, 3, 4))  # proportions only, not yet posed
    for b, parent in enumerate(PARENTS):
        head = HEADS[b]
        if parent < 0:
            shaped[b] = _affine(stretch[b], head, head)
            rigid[b] = _affine(turn[b], head, head)
            half_rigid, half_shaped = rigid[b], shaped[b]
        else:
            new_head = shaped[parent][:, :3] @ head + shaped[parent][:, 3]
            shaped[b] = _affine(stretch[b], head, new_head)
            rigid[b] = _after(rigid[parent], _affine(turn[b], new_head, new_head))
            half_rigid = _after(
                rigid[parent], _affine(half_turn[b], new_head, new_head)
            )
            half_shaped = 0.5 * (shaped[parent] + shaped[b])
        result[b] = _after(rigid[b], shaped[b])
        result[COUNT + b] = _after(half_rigid, half_shaped)
    return result


def keypoints(transforms):
    """The 21 posed keypoints `(21, 3)` mm in the order of `HAND_21`."""
    carriers = transforms[KEYPOINT_BONES]
    return (
        np.einsum("kij,kj->ki", carriers[:, :, :3], KEYPOINTS_AT_REST)
        + carriers[:, :, 3]
    )


def skin(vertices, weights, transforms):
    """Posed `(vertices, 3)`: each vertex follows the weighted mean of the transforms.

    Args:
        vertices: `(vertices, 3)` mm at rest.
        weights: `(vertices, 2 * bones)`, rows summing to 1 (dense or scipy sparse).
        transforms: `(2 * bones, 3, 4)` from `segment_transforms`.
    """
    blended = np.asarray(weights @ transforms.reshape(len(transforms), 12)).reshape(
        -1, 3, 4
    )
    return np.einsum("vij,vj->vi", blended[:, :, :3], vertices) + blended[:, :, 3]
