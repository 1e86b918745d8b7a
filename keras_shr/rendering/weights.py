"""Which segment moves which piece of skin, and where the thumb lies in the texture."""

import numpy as np
from scipy import sparse

from keras_shr.rendering.anatomy import capsule
from keras_shr.rendering.skeleton import (
    BONES,
    COUNT,
    FINGER_BONES,
    FINGERS,
    HEADS,
    INDEX,
)

# Half width (mm) over which the skin passes from one segment to the next, joints in order.
_BLEND = {
    "thumb": (26, 13, 9),
    "index": (15, 10, 8),
    "middle": (15, 10, 8),
    "ring": (14, 10, 8),
    "little": (13, 8.5, 7),
}


def _hats(signed, half_width):
    """Shares of parent, half-turned helper and child at a signed distance past the joint.

    A quadratic B-spline: smooth, never negative, summing to 1.
    """
    t = np.clip(signed / half_width, -1, 1)
    return (1 - t) ** 2 / 4, (1 - t * t) / 2, (1 + t) ** 2 / 4


def _chain(weights, share, bones, base, signed, widths):
    """Adds a chain's weights: `share` flows from `base` outwards past each joint."""
    remaining = share
    parent = base
    for bone, s, width in zip(bones, signed, widths, strict=True):
        before, helper, after = _hats(s, width)
        # what has passed all earlier joints is split by this one
        weights[:, parent] += remaining * before
        weights[:, COUNT + bone] += remaining * helper
        remaining = remaining * after
        parent = bone
    weights[:, parent] += remaining


def skin_weights(vertices, triangles):
    """Sparse `(vertices, 2 * bones)` weights; rows sum to 1, columns are segments then helpers."""
    count = len(vertices)
    # distance to each finger's flesh decides the share of that finger
    gaps = []
    for finger in FINGERS:
        bones = [BONES[b] for b in FINGER_BONES[finger]]
        gaps.append(np.min([capsule(vertices, b.head, b.tail, *b.radii) for b in bones], axis=0))
    gaps = np.stack(gaps, axis=1)
    long = np.exp(-(gaps[:, 1:] - gaps[:, 1:].min(axis=1, keepdims=True)) / 3.0)
    long /= long.sum(axis=1, keepdims=True)
    metacarpals = [
        capsule(vertices, (2 + 0.2 * h[0], 10, 0), h, 12, 11)
        for h in HEADS[[FINGER_BONES[f][0] for f in FINGERS[1:]]]
    ]
    palm_gap = np.minimum(np.min(metacarpals, axis=0), gaps[:, 1:].min(axis=1))
    thumb = 1 / (1 + np.exp(-(palm_gap - gaps[:, 0]) / 4.5))
    weights = np.zeros((count, 2 * COUNT))
    signed = {
        f: [(vertices - HEADS[b]) @ BONES[b].frame[:, 1] for b in FINGER_BONES[f]] for f in FINGERS
    }
    _chain(weights, thumb, FINGER_BONES["thumb"], 0, signed["thumb"], _BLEND["thumb"])
    bases = {"ring": INDEX["ring_metacarpal"], "little": INDEX["little_metacarpal"]}
    for i, finger in enumerate(FINGERS[1:]):
        share = (1 - thumb) * long[:, i]
        # the skin of the palm folds further out than the knuckle's on the back
        first = FINGER_BONES[finger][0]
        depth = (vertices - HEADS[first]) @ BONES[first].frame[:, 2]
        along = [signed[finger][0] + np.clip(depth, -12, 4) * 0.35, *signed[finger][1:]]
        _chain(
            weights,
            share,
            FINGER_BONES[finger],
            bases.get(finger, 0),
            along,
            _BLEND[finger],
        )
    # metacarpals fade into the palm towards the carpus, the palm into the forearm at the wrist
    for bone in bases.values():
        s = (vertices - HEADS[bone]) @ BONES[bone].frame[:, 1]
        _, helper, after = _hats(s - 18, 22)
        column = weights[:, bone].copy()
        weights[:, bone] = column * after
        weights[:, COUNT + bone] += column * helper
        weights[:, 0] += column * (1 - after - helper)
    before, helper, after = _hats(-(vertices[:, 1] + 2), 24)
    weights *= before[:, None]
    weights[:, INDEX["forearm"]] += after
    weights[:, COUNT + INDEX["forearm"]] += helper
    return _smoothed(weights, triangles)


def _smoothed(weights, triangles, rounds=4):
    """Averages each row with its neighbours', which removes creases where two chains meet."""
    count = len(weights)
    a = triangles.ravel()
    b = np.roll(triangles, 1, axis=1).ravel()
    graph = sparse.csr_matrix(
        (np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, a])), shape=(count, count)
    )
    graph.data[:] = 1
    mean = sparse.diags(1 / np.asarray(graph.sum(axis=1)).ravel()) @ graph
    for _ in range(rounds):
        weights = 0.5 * weights + 0.5 * (mean @ weights)
    weights[weights < 0.004] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    return sparse.csr_matrix(weights)


def unrolled(vertices, normals, weights):
    """Texture position: x, y (mm) and dorsal component with the thumb's nail turned upwards."""
    bones = FINGER_BONES["thumb"]
    bone = BONES[bones[1]]
    along = bone.frame[:, 1]
    level = np.array([0, 0, 1.0]) - along[2] * along
    level /= np.linalg.norm(level)
    flat = np.stack([np.cross(along, level), along, level], axis=1)
    turn = flat @ bone.frame.T
    thumb = np.asarray(
        weights[:, [*bones[1:], *(COUNT + b for b in bones[1:])]].sum(axis=1)
    ).ravel()[:, None]
    turned = (vertices - bone.head) @ turn.T + bone.head
    mixed = (1 - thumb) * vertices + thumb * turned
    mixed_normals = (1 - thumb) * normals + thumb * (normals @ turn.T)
    return np.concatenate([mixed[:, :2], mixed_normals[:, 2:]], axis=1)
