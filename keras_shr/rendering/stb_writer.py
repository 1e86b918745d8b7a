"""Rendered sequences in the layout of the Stereo Hand Pose Tracking Benchmark (Zhang et al. 2016).

`images/B1Counting/{BB_left,BB_right,SK_color,SK_depth}_{i}.png`, 640x480, and
`labels/B1Counting_{BB,SK}.mat` with `handPara` 3x21xN in mm: the centre of the palm, then the
little finger from its MCP to its tip, ring, middle, index, thumb. BB labels are in the left
camera's frame, SK labels in the depth camera's. Always a left hand, moving smoothly.
"""

import io
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from keras_shr.data.workers import run_tasks
from keras_shr.errors import KerasShrError
from keras_shr.files import write_bytes
from keras_shr.rendering.camera import UPRIGHT, turn
from keras_shr.rendering.files import claim, split_depth, write_png
from keras_shr.rendering.geometry import Hand
from keras_shr.rendering.motion import COUNTING, moving_hands
from keras_shr.rendering.people import random_person
from keras_shr.rendering.scene import random_scene, render_picture

HEIGHT, WIDTH = 480, 640
SEQUENCES = tuple(f"B{b}{motion}" for b in range(1, 7) for motion in ("Counting", "Random"))
FROM_HAND_21 = [0, *(4 * f + j for f in (4, 3, 2, 1, 0) for j in (1, 2, 3, 4))]
"""STB's joint i is joint FROM_HAND_21[i] of `HAND_21`, but for its palm's centre (0)."""

RING_MCP = 13

# The published constants of the two sensors, pixels and mm.
BASELINE = 120.054
SK_ROTATION, SK_TRANSLATION = (0.00531, -0.01196, 0.00301), (-24.0381, -0.4563, -1.2326)


def _matrix(fx, fy, cx, cy):
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


CAMERAS = {
    "BB_left": _matrix(822.79041, 822.79041, 318.47345, 250.31296),
    "BB_right": _matrix(822.79041, 822.79041, 318.47345, 250.31296),
    "SK_color": _matrix(607.92271, 607.88192, 314.78337, 236.42484),
    "SK_depth": _matrix(475.62768, 474.77709, 336.41179, 238.77962),
}

# Where the depth camera of the SK sensor stands beside the stereo camera: ours, STB has no such
# number since each sensor has labels of its own.
SK_PLACE = np.array([60.0, 45.0, 0.0])

_WALL = 1600.0  # mm, where the background is taken to be
_MARGIN = 160  # pixels by which the background is wider than a picture


def to_camera(points, camera):
    """Points `(n, 3)` mm of the left BB camera's frame in another camera's."""
    if camera == "BB_left":
        return points
    if camera == "BB_right":
        return points - (BASELINE, 0, 0)
    depth = points - SK_PLACE
    if camera == "SK_depth":
        return depth
    # X_depth = R X_color + t, so X_color = Rᵀ (X_depth − t); rows times R do just that
    return (depth - SK_TRANSLATION) @ Rotation.from_rotvec(SK_ROTATION).as_matrix()


def _moved(hand, camera):
    """The left hand as another camera sees it."""
    zero = to_camera(np.zeros((1, 3)), camera)[0]
    turned = to_camera(np.eye(3), camera) - zero  # rows: where the axes go
    return replace(hand, view=turned.T @ hand.view, origin=hand.origin @ turned + zero)


@lru_cache(maxsize=2)
def stb_sequence(seed, sequence, frames):
    """The `Scene` (its background wider than a picture) and the `Hand`s of a sequence."""
    background, kind = int(sequence[1]), sequence[2:]
    # both sequences of a background share the room and the person, as in STB
    shared = np.random.default_rng([seed, 0x535442, background]).spawn(2)
    rng = np.random.default_rng([seed, 0x535442, background, len(kind)])
    person = random_person(shared[0], side="left")
    scene = random_scene(shared[1], HEIGHT, WIDTH + 2 * _MARGIN)
    scene = replace(scene, contact=(0.0, 0.0, 0.0))
    view = turn(2, rng.normal(0, 0.2)) @ turn(1, np.pi + rng.normal(0, 0.3)) @ UPRIGHT
    cycle = COUNTING if kind == "Counting" else None
    hands = moving_hands(rng, person, frames, view, cycle, travel=28, turning=0.3)
    centre = np.array([rng.normal(20, 15), 70 + rng.normal(0, 10), rng.uniform(560, 720)])
    return scene, tuple(replace(hand, origin=hand.origin + centre) for hand in hands)


def labels(hands, camera):
    """`handPara` `(3, 21, frames)` mm of the hands, in a camera's frame."""
    points = np.stack([to_camera(hand.keypoints(), camera) for hand in hands])
    stb = points[:, FROM_HAND_21]
    stb[:, 0] = 0.5 * (points[:, 0] + points[:, RING_MCP])
    return np.ascontiguousarray(stb.transpose(2, 1, 0))


def stb_picture(scene, hand: Hand, camera):
    """uint8 `(480, 640, 3)` that one of the four cameras takes of a frame."""
    matrix = CAMERAS[camera]
    shift = matrix @ to_camera(np.array([[0.0, 0.0, _WALL]]), camera)[0] / _WALL
    left = int(np.clip(round(_MARGIN + 320 - shift[0]), 0, 2 * _MARGIN))
    view = scene.background[:, left : left + WIDTH]
    picture = render_picture(replace(scene, background=view), [_moved(hand, camera)], matrix)
    if camera == "SK_depth":
        # millimetres, low byte in R and high byte in G
        depth = np.where(picture.depth > 0, picture.depth, _WALL)
        return split_depth(depth)[..., [1, 0, 2]]
    return picture.image


def _write_frame(shared, task):
    root, seed, frames, cameras = shared
    sequence, frame = task
    scene, hands = stb_sequence(seed, sequence, frames)
    for camera in cameras:
        path = root / "images" / sequence / f"{camera}_{frame}.png"
        if not path.is_file():
            write_png(path, stb_picture(scene, hands[frame], camera))


def write_stb(
    root, frames=30, seed=0, sequences=SEQUENCES, cameras=tuple(CAMERAS), workers=1, progress=None
) -> Path:
    """Writes rendered sequences as STB. Run again, it goes on where it stopped.

    Args:
        root: the folder that gets `images` and `labels`.
        frames: consecutive frames in each sequence (STB has 1,500); a later run may ask for more.
        seed: which hands, rooms and movements.
        sequences: names out of `SEQUENCES`, B1Counting to B6Random.
        cameras: which of the four pictures of a frame to write.
        workers: processes; the files do not depend on it.
        progress: called as `progress(done, all)`, in frames.

    Returns:
        The root.

    Raises:
        DataError: the folder holds something else, or sequences of another seed.
    """
    if int(frames) != frames or frames < 1:
        raise KerasShrError(f"frames is {frames!r}; expected a whole number, 1 or more")
    for name, given, allowed in (("sequence", sequences, SEQUENCES), ("camera", cameras, CAMERAS)):
        for value in given:
            if value not in allowed:
                raise KerasShrError(f"no {name} {value!r} in STB; it has {', '.join(allowed)}")
    root = Path(root)
    claim(root, {"layout": "stb", "seed": int(seed), "version": 1})
    tasks = [(sequence, frame) for sequence in sequences for frame in range(frames)]
    (root / "labels").mkdir(exist_ok=True)
    for sequence in sequences:
        (root / "images" / sequence).mkdir(parents=True, exist_ok=True)
    shared = (root, int(seed), int(frames), tuple(cameras))
    for done, _ in enumerate(run_tasks(_write_frame, tasks, shared, workers), 1):
        if progress is not None:
            progress(done, len(tasks))
    for sequence in sequences:  # last, so that labels never promise pictures that are not there
        _, hands = stb_sequence(int(seed), sequence, int(frames))
        for sensor, camera in (("BB", "BB_left"), ("SK", "SK_depth")):
            stream = io.BytesIO()
            savemat(stream, {"handPara": labels(hands, camera)})
            path = root / "labels" / f"{sequence}_{sensor}.mat"
            write_bytes(path, stream.getvalue())
    return root
