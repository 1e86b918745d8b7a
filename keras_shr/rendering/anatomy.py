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
    nearest = np.linalg.norm(points - start - along[..., None] * axis, axis=-1)
    return nearest - (start_radius + along * (end_radius - start_radius))


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


def _arm(points):
    fields = []
    for x, wide, far in ((10.5, 16.5, 26), (-10.5, 16.0, 25)):
        a, b, c = (x, 6, -1), (x, -50, -1), (x * 1.7, ARM_START - 250 / ARM_STRETCH, 0)
        fields += [
            capsule(points, a, b, wide, wide + 1.5),
            capsule(points, b, c, wide + 1.5, far),
        ]
    d = (0.0, ARM_START - 900 / ARM_STRETCH, 0)
    fields.append(capsule(points, (0, ARM_START - 250 / ARM_STRETCH, 0), d, 42, 42))
    fields.append(np.linalg.norm(points - (-18, -2, 9), axis=-1) - 9.5)  # head of the ulna
    return _join(fields, 9.0)


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
