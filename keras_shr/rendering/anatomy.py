"""The flesh of the resting hand as a signed distance field.

Tapered capsules and spheres about the bones, joined by a smooth minimum, which also gives the webs
between the fingers and the balls of thumb and little finger. Millimetres, negative inside.
"""

from itertools import pairwise

import numpy as np

from keras_shr.rendering.skeleton import BONES, FINGER_BONES, FINGERS, HEADS

ARM_START, ARM_STRETCH = -52.0, 9.0
"""The forearm is modelled shortened: below ARM_START (mm along y) every mm stands for nine."""


def capsule(points, start, end, start_radius, end_radius):
    """Signed distance to a capsule whose radius changes evenly (exact for equal radii)."""
    axis = np.asarray(end, float) - start
    along = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
    off = points - start - along[..., None] * axis
    return np.sqrt(np.einsum("...i,...i->...", off, off)) - (
        start_radius + along * (end_radius - start_radius)
    )


def smooth_minimum(a, b, blend):
    """Polynomial smooth minimum: as `minimum`, rounded over `blend` mm."""
    overlap = np.maximum(blend - np.abs(a - b), 0) / blend
    return np.minimum(a, b) - overlap * overlap * blend * 0.25


def _join(fields, blend):
    result = fields[0]
    for field in fields[1:]:
        result = smooth_minimum(result, field, blend)
    return result


def _finger(points, finger):
    """One finger: its segments, a knuckle at each joint and the pad under the tip."""
    bones = [BONES[i] for i in FINGER_BONES[finger]]
    fields = [capsule(points, b.head, b.tail, *b.radii) for b in bones]
    for bone in bones[1:]:
        knuckle = bone.head + bone.frame[:, 2] * 0.9
        fields.append(np.linalg.norm(points - knuckle, axis=-1) - bone.radii[0] * 1.0)
    last = bones[-1]
    tip_radius = last.radii[1]
    pad = last.tail - last.frame[:, 1] * tip_radius * 1.1 - last.frame[:, 2] * tip_radius * 0.30
    fields.append(np.linalg.norm(points - pad, axis=-1) - tip_radius * 1.12)
    for bone in bones[:-1]:  # the cushions between the creases of the palmar side
        middle = 0.5 * (bone.head + bone.tail) - bone.frame[:, 2] * bone.radii[1] * 0.28
        ends = bone.frame[:, 1] * 0.18 * np.linalg.norm(bone.tail - bone.head)
        fields.append(capsule(points, middle - ends, middle + ends, *(bone.radii[1] * 0.9,) * 2))
    return _join(fields, 3.5)


def _palm(points):
    heads = {f: HEADS[FINGER_BONES[f][0]] for f in FINGERS}
    carpals = {
        "index": (9, 12, 0),
        "middle": (1, 14, 1),
        "ring": (-8, 13, 0),
        "little": (-14, 11, -2),
    }
    fields = [
        capsule(points, carpals[f], heads[f] + (0, -2, -1.0), 14.0, r)
        for f, r in zip(FINGERS[1:], (11.8, 12.0, 11.6, 10.6), strict=True)
    ]
    fields += [
        capsule(points, (15, 16, -9), (41, 50, -13), 13.5, 10.5),  # ball of the thumb
        capsule(points, (12, 34, -8), (30, 58, -8), 9.0, 8.0),  # web between thumb and index
        capsule(points, (34, 44, -7), (29, 74, -2), 6.5, 7.0),
        capsule(points, (-17, 14, -8), (-33, 58, -8), 13.0, 9.5),  # ball of the little finger
        capsule(points, (20, 84, -7), (-28, 74, -9), 8.0, 7.0),  # pads under the knuckles
    ]
    webs = pairwise(FINGERS[1:])
    fields += [  # flesh between neighbouring fingers, a third of the first segment far
        capsule(
            points,
            (heads[a] + heads[b]) / 2 + (0, -4, -2),
            (heads[a] + heads[b]) / 2 + (0, 12, -3),
            8.0,
            5.5,
        )
        for a, b in webs
    ]
    return _join(fields, 7.0)


# Forearm: mm from the wrist, where its two bundles lie left and right of the middle, their radii.
_ARM = np.array(
    [
        (-10, 10.5, 15.0),
        (15, 10.5, 16.0),
        (45, 10.8, 17.0),
        (80, 12.0, 19.5),
        (130, 14.5, 24.0),
        (190, 17.0, 28.0),
        (260, 18.0, 30.0),
        (400, 18.0, 33.0),
        (900, 18.0, 36.0),
    ]
).T


def _arm(points):
    y = points[..., 1]
    along = np.where(y < ARM_START, -ARM_START + (ARM_START - y) * ARM_STRETCH, -y)
    aside, radius = np.interp(along, _ARM[0], _ARM[1]), np.interp(along, _ARM[0], _ARM[2])
    x, z = points[..., 0], points[..., 2] + 1
    thumb, little = (np.hypot(x - s * aside, z) - radius for s in (1, -1))
    flesh = np.maximum(smooth_minimum(thumb, little, 20.0), y - 8)
    ulna = np.sqrt(((points - (-18, -2, 8)) ** 2).sum(axis=-1)) - 9.0  # its head, a bump
    return smooth_minimum(flesh, ulna, 9.0)


def distance(points):
    """Signed distance (mm, negative inside) of the resting hand at `(..., 3)` points."""
    body = smooth_minimum(_palm(points), _arm(points), 12.0)
    thumb = _finger(points, "thumb")
    body = smooth_minimum(body, thumb, 9.0)
    fingers = _join([_finger(points, f) for f in FINGERS[1:]], 1.5)
    return smooth_minimum(body, fingers, 5.0)


def gradient(points):
    """Central differences of `distance`, `(..., 3)`."""
    h = 0.15
    return np.stack(
        [(distance(points + h * e) - distance(points - h * e)) / (2 * h) for e in np.eye(3)],
        axis=-1,
    )
