"""The resting hand: which bones it has, where its joints lie and how they turn.

Millimetres, a left hand of 190 mm lying flat: the wrist at the origin, the fingers along +y, the
thumb on the +x side, the back of the hand towards +z. Segment lengths and thicknesses follow
published adult averages, rounded. A right hand is the mirror image in x.
"""

from dataclasses import dataclass

import numpy as np

FINGERS = ("thumb", "index", "middle", "ring", "little")


@dataclass(frozen=True)
class Bone:
    """One rigid segment.

    Attributes:
        name: such as `"index_proximal"`.
        parent: index of the segment it hangs from, -1 for the palm.
        head: joint about which it turns, `(3,)` mm at rest.
        tail: where it ends, `(3,)` mm at rest.
        frame: `(3, 3)`, columns: the axis of flexion, along the bone, towards its dorsal side.
        radii: half thickness at head and tail, mm.
    """

    name: str
    parent: int
    head: np.ndarray
    tail: np.ndarray
    frame: np.ndarray
    radii: tuple[float, float]


def _unit(vector):
    vector = np.asarray(vector, float)
    return vector / np.linalg.norm(vector)


def _frame(along, dorsal):
    y = _unit(along)
    z = _unit(np.asarray(dorsal, float) - np.dot(dorsal, y) * y)
    return np.stack([np.cross(y, z), y, z], axis=1)


# Per finger: head of the first segment, direction at rest, dorsal side at rest, segment lengths
# (the last one ends at the keypoint "tip", a few mm inside the flesh), radii at the joints.
_CHAINS = {
    "thumb": (
        (24.5, 21.5, -9),
        (0.705, 0.668, -0.239),
        (0.50, -0.42, 0.62),
        (40.5, 32.5, 24.5),
        (13, 11.2, 9.8, 7.6),
    ),
    "index": (
        (25.5, 89, 1),
        (0.165, 1, 0),
        (0.06, 0, 1),
        (43, 25, 20),
        (10.8, 9.3, 8.0, 6.6),
    ),
    "middle": (
        (3.5, 93, 3),
        (0.015, 1, 0),
        (0, 0, 1),
        (47, 29, 21),
        (10.8, 9.5, 8.2, 6.8),
    ),
    "ring": (
        (-17, 88, 1),
        (-0.13, 1, 0),
        (-0.08, 0, 1),
        (43.5, 27, 21),
        (10.2, 8.9, 7.7, 6.4),
    ),
    "little": (
        (-35, 78, -3),
        (-0.30, 1, 0),
        (-0.18, 0, 1),
        (34, 20, 18.5),
        (9.2, 7.7, 6.7, 5.6),
    ),
}
_SEGMENTS = {"thumb": ("metacarpal", "proximal", "distal")}
_CARPALS = {"ring": (-8, 14, 1), "little": (-15, 12, -1)}


def _build():
    bones = [
        Bone("palm", -1, np.zeros(3), np.array([3.5, 93.0, 3.0]), np.eye(3), (18, 12)),
        Bone("forearm", 0, np.zeros(3), np.array([0, -240.0, 0]), np.eye(3), (18, 38)),
    ]
    roots = dict.fromkeys(FINGERS, 0)
    for (
        finger,
        carpal,
    ) in _CARPALS.items():  # these two metacarpals give when the hand is cupped
        head, tail = np.array(carpal, float), np.array(_CHAINS[finger][0], float)
        roots[finger] = len(bones)
        bones.append(
            Bone(
                f"{finger}_metacarpal",
                0,
                head,
                tail,
                _frame(tail - head, (0, 0, 1)),
                (12, 11),
            )
        )
    for finger in FINGERS:
        head, along, dorsal, lengths, radii = _CHAINS[finger]
        frame, head, parent = (
            _frame(along, dorsal),
            np.array(head, float),
            roots[finger],
        )
        names = _SEGMENTS.get(finger, ("proximal", "middle", "distal"))
        for i, (segment, length) in enumerate(zip(names, lengths, strict=True)):
            tail = head + length * frame[:, 1]
            bones.append(
                Bone(
                    f"{finger}_{segment}",
                    parent,
                    head,
                    tail,
                    frame,
                    (radii[i], radii[i + 1]),
                )
            )
            head, parent = tail, len(bones) - 1
    return tuple(bones)


BONES = _build()
INDEX = {bone.name: i for i, bone in enumerate(BONES)}
PARENTS = tuple(bone.parent for bone in BONES)
HEADS = np.stack([bone.head for bone in BONES])
TAILS = np.stack([bone.tail for bone in BONES])
FRAMES = np.stack([bone.frame for bone in BONES])
COUNT = len(BONES)
FINGER_BONES = {
    finger: tuple(
        INDEX[f"{finger}_{s}"] for s in _SEGMENTS.get(finger, ("proximal", "middle", "distal"))
    )
    for finger in FINGERS
}

KEYPOINT_BONES = np.array(
    [0] + [b for f in FINGERS for b in (*FINGER_BONES[f], FINGER_BONES[f][-1])]
)
"""The segment that carries each of the 21 keypoints (order of `HAND_21`)."""

KEYPOINTS_AT_REST = np.stack(
    [np.zeros(3)]
    + [p for f in FINGERS for p in (*HEADS[list(FINGER_BONES[f])], TAILS[FINGER_BONES[f][-1]])]
)
"""`(21, 3)` mm: wrist, then for each finger the heads of its segments and its tip."""

KEYPOINT_RADII = np.array(
    [18.0]
    + [
        r
        for f in FINGERS
        for r in (
            *(BONES[b].radii[0] for b in FINGER_BONES[f]),
            BONES[FINGER_BONES[f][-1]].radii[1],
        )
    ]
)
"""Half thickness of the flesh about each keypoint, mm."""
