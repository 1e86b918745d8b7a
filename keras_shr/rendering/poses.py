"""What hands do: named gestures, joint limits and random poses around them."""

import numpy as np

from keras_shr.rendering.kinematics import keypoints, segment_transforms
from keras_shr.rendering.skeleton import BONES, COUNT, FINGER_BONES, FINGERS, INDEX

# Degrees of flexion of a long finger's three joints, by how far it is closed.
_CURL = {
    "straight": (0, 3, 2),
    "back": (-18, 4, 3),
    "easy": (18, 25, 12),
    "half": (45, 50, 28),
    "hook": (8, 85, 45),
    "table": (75, 12, 6),
    "round": (52, 48, 30),
    "pinch": (28, 61, 56),
    "fist": (85, 103, 60),
}
# Thumb: flexion, abduction, twist of its metacarpal, then flexion of its other two joints. Positive
# abduction brings it to the index finger, flexion of the metacarpal across the palm.
_THUMB = {
    "out": (-4, -4, 0, 2, -6),
    "side": (-12, 31, 3, 36, 18),
    "easy": (14, 12, -6, 14, 14),
    "across": (28, 32, 2, 44, 24),
    "over": (35, 6, 8, 29, 44),
    "lock": (28, -4, 13, 25, 50),
    "oppose": (36, -8, -34, 16, 22),
    "up": (-12, 4, 0, -4, -14),
    "pinch": (46, 15, -43, -11, -19),
}
# thumb, index, middle, ring, little, spread (0 closed, 1 wide), weight in the mixture
_GESTURES = {
    "open": ("out", "straight", "straight", "straight", "straight", 0.9, 3),
    "flat": ("side", "straight", "straight", "straight", "straight", 0.1, 2),
    "relaxed": ("easy", "easy", "easy", "easy", "easy", 0.3, 4),
    "loose": ("easy", "easy", "half", "half", "half", 0.2, 2),
    "fist": ("lock", "fist", "fist", "fist", "fist", 0.0, 3),
    "thumb_up": ("up", "fist", "fist", "fist", "fist", 0.0, 1.5),
    "point": ("over", "straight", "fist", "fist", "fist", 0.2, 3),
    "gun": ("up", "straight", "fist", "fist", "fist", 0.2, 1),
    "two": ("over", "straight", "straight", "fist", "fist", 0.9, 2),
    "together_two": ("over", "straight", "straight", "fist", "fist", 0.0, 0.7),
    "three": ("out", "straight", "straight", "fist", "fist", 0.7, 1),
    "three_fingers": ("across", "straight", "straight", "straight", "fist", 0.7, 1),
    "four": ("across", "straight", "straight", "straight", "straight", 0.7, 2),
    "little": ("lock", "fist", "fist", "fist", "straight", 0.3, 0.7),
    "call": ("up", "fist", "fist", "fist", "straight", 0.5, 1),
    "horns": ("lock", "straight", "fist", "fist", "straight", 0.4, 1),
    "pinch": ("pinch", "pinch", "half", "half", "half", 0.2, 2),
    "ring_sign": ("pinch", "pinch", "easy", "straight", "straight", 0.6, 2),
    "grip": ("oppose", "half", "half", "half", "half", 0.2, 2),
    "claw": ("oppose", "hook", "hook", "hook", "hook", 0.7, 1),
    "duck": ("oppose", "table", "table", "table", "table", 0.0, 1),
    "stretched": ("out", "back", "back", "back", "back", 1.1, 1),
}
GESTURES = tuple(_GESTURES)
POSES = {"all": GESTURES, "open": ("open", "flat", "relaxed", "stretched")}
"""Sets of gestures: `"open"` are those that hide hardly a joint."""

# Degrees: least and greatest flexion, abduction, twist.
_LIMITS = {
    "forearm": ((-55, 60), (-28, 20), (-12, 12)),
    "ring_metacarpal": ((0, 10), (0, 0), (-4, 4)),
    "little_metacarpal": ((0, 20), (0, 0), (-8, 8)),
    "thumb_metacarpal": ((-18, 55), (-20, 42), (-45, 15)),
    "thumb_proximal": ((-12, 58), (-8, 8), (0, 0)),
    "thumb_distal": ((-22, 82), (0, 0), (0, 0)),
    "proximal": ((-25, 92), (-22, 22), (-6, 6)),
    "middle": ((-4, 108), (0, 0), (0, 0)),
    "distal": ((-6, 72), (0, 0), (0, 0)),
}


def _limits():
    table = np.zeros((COUNT, 3, 2))
    for i, bone in enumerate(BONES[1:], 1):
        key = bone.name if bone.name in _LIMITS else bone.name.split("_")[1]
        table[i] = _LIMITS[key]
    return np.deg2rad(table)


LIMITS = _limits()
"""`(bones, 3, 2)` radians: least and greatest flexion, abduction and twist of every joint."""

# Abduction (degrees) of the four fingers when closed and how much a full spread adds; at rest the
# model's fingers are spread already, so closing them turns them inwards.
_CLOSED = {"index": 7.0, "middle": 0.5, "ring": -6.0, "little": -13.0}
_SPREAD = {"index": -13.0, "middle": -1.0, "ring": 11.0, "little": 22.0}


def gesture(name):
    """The pose `(bones, 3)` radians of a named gesture."""
    thumb, *curls, spread, _ = _GESTURES[name]
    pose = np.zeros((COUNT, 3))
    flexion, abduction, twist, *rest = _THUMB[thumb]
    first, *others = FINGER_BONES["thumb"]
    pose[first] = flexion, abduction, twist
    pose[others, 0] = rest
    for finger, curl in zip(FINGERS[1:], curls, strict=True):
        angles = _CURL[curl]
        pose[list(FINGER_BONES[finger]), 0] = angles
        # bent fingers cannot spread: they lie against each other and lean to the ball of the thumb
        freedom = 1 - np.clip(angles[0] / 80, 0, 1)
        lean = {"index": 3.0, "middle": 1.0, "ring": -1.0, "little": -2.0}[finger] * (1 - freedom)
        pose[FINGER_BONES[finger][0], 1] = (
            _CLOSED[finger] + spread * freedom * _SPREAD[finger] + lean
        )
    closed = np.mean([_CURL[c][0] for c in curls[2:]]) / 84
    pose[INDEX["little_metacarpal"], 0] = 10 * np.clip(closed, 0, 1)
    pose[INDEX["ring_metacarpal"], 0] = 4 * np.clip(closed, 0, 1)
    return np.deg2rad(pose)


def limit(pose):
    """The pose with every joint brought inside its limits."""
    return np.clip(pose, LIMITS[..., 0], LIMITS[..., 1])


_CHECKED = np.array([b for f in FINGERS for b in FINGER_BONES[f]])
_FINGER_OF = np.repeat(np.arange(5), 3)


def overlap(pose):
    """How deep (mm) the worst pair of different fingers, or a finger and the palm, interpenetrate.

    Every segment stands as four spheres along its axis; flesh gives, so a few mm are normal.
    """
    transforms = segment_transforms(pose)
    starts = np.stack([BONES[b].head for b in _CHECKED])
    ends = np.stack([BONES[b].tail for b in _CHECKED])
    steps = np.array([0.2, 0.47, 0.73, 1.0])
    centres = starts[:, None] + steps[:, None] * (ends - starts)[:, None]
    maps = transforms[_CHECKED]
    centres = np.einsum("bij,bsj->bsi", maps[:, :, :3], centres) + maps[:, None, :, 3]
    radii = np.stack([[BONES[b].radii[0], BONES[b].radii[1]] for b in _CHECKED])
    radii = radii[:, :1] + steps * (radii[:, 1:] - radii[:, :1])
    points, radius = centres.reshape(-1, 3), radii.ravel()
    finger = np.repeat(_FINGER_OF, 4)
    gap = np.linalg.norm(points[:, None] - points[None], axis=-1) - radius[:, None] - radius[None]
    base = np.tile(np.arange(12), 5) < 4  # first segments touch at the webs
    ignored = (finger[:, None] == finger[None]) | (base[:, None] & base[None])
    worst = -np.where(ignored, np.inf, gap).min()
    # palm: a slab 9 mm deep about the metacarpals
    inside = (np.abs(points[:, 0]) < 34) & (points[:, 1] > 10) & (points[:, 1] < 84)
    free = inside & ~base & (points[:, 2] < 20)
    depth = np.where(free, radius + 9 + points[:, 2], -np.inf).max()
    return max(worst, depth)


def random_pose(rng, natural=0.75, tolerance=5.5, poses="all"):
    """A plausible pose `(bones, 3)`: a gesture, a blend of two, or fingers drawn one by one.

    Args:
        rng: NumPy generator.
        natural: share of poses near a named gesture; the others draw each finger by itself.
        tolerance: fingers may press into each other this many mm; a worse pose is drawn again
            and finally drawn back towards the relaxed hand.
        poses: a name in `POSES`. `"open"` draws no finger by itself.
    """
    gestures = POSES[poses]
    natural = natural if poses == "all" else 1.0
    weights = np.array([_GESTURES[g][-1] for g in gestures])
    weights = weights / weights.sum()
    for _ in range(5):
        pose = gesture(gestures[rng.choice(len(gestures), p=weights)])
        kind = rng.random()
        if kind < 0.25:
            other = gesture(gestures[rng.choice(len(gestures), p=weights)])
            pose += rng.random() * (other - pose)
        elif kind > natural:
            for finger in FINGERS[1:]:
                curl = rng.beta(0.7, 0.9)
                bones = list(FINGER_BONES[finger])
                pose[bones, 0] = np.deg2rad(
                    [rng.uniform(-12, 20) + 72 * curl, 100 * curl**0.8, 58 * curl]
                )
            pose[FINGER_BONES["thumb"][0]] += np.deg2rad(rng.normal(0, (10, 9, 6)))
        spread = rng.normal(0, 0.055, COUNT)
        pose[:, 0] += rng.normal(0, 0.085, COUNT)
        pose[:, 1] += spread
        pose[INDEX["forearm"]] = np.deg2rad(rng.normal((-6, 0, 0), (20, 9, 4)))
        for finger in FINGERS[1:]:  # the last joint follows the middle one (shared tendon)
            _, middle, last = FINGER_BONES[finger]
            pose[last, 0] = 0.5 * pose[last, 0] + 0.5 * (
                0.62 * pose[middle, 0] + rng.normal(0, 0.08)
            )
        pose = limit(pose)
        if overlap(pose) < tolerance:
            return pose
    relaxed = gesture("relaxed")
    for share in (0.3, 0.6, 1.0):
        mixed = pose + share * (relaxed - pose)
        if overlap(mixed) < tolerance:
            break
    return limit(mixed)


def pose_keypoints(pose):
    """The 21 keypoints `(21, 3)` mm of a pose of the average hand."""
    return keypoints(segment_transforms(pose))
