"""Rendered scenes in the layout of the Rendered Hand Pose data set (Zimmermann and Brox 2017).

`{training,evaluation}/{color,mask,depth}/%05d.png`, 320x320, and `anno_{split}.pickle`: a dict of
picture number → `xyz` (42, 3) m, `uv_vis` (42, 3), `K` (3, 3). Joints 0-20 left hand, 21-41 right;
per hand the wrist, then each finger from its tip to the palm, thumb first. Mask: 0 background,
1 person, 2-17 the left hand's segments, 18-33 the right's. Depth: (R·256 + G) / 65535 · 5 m.
"""

import io
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_shr.data.workers import run_tasks
from keras_shr.errors import KerasShrError
from keras_shr.files import replacing, write_bytes
from keras_shr.rendering.camera import random_view, visibility
from keras_shr.rendering.files import claim, split_depth, write_png
from keras_shr.rendering.geometry import Hand
from keras_shr.rendering.people import random_person
from keras_shr.rendering.poses import random_pose
from keras_shr.rendering.raster import project
from keras_shr.rendering.scene import OBJECT, SLEEVE, random_scene, render_picture
from keras_shr.rendering.skeleton import FINGER_BONES, FINGERS, INDEX

SIZE = 320
FROM_HAND_21 = [0] + [4 * finger + joint for finger in range(5) for joint in (4, 3, 2, 1)]
"""RHD's joint i is joint FROM_HAND_21[i] of `HAND_21`."""

_SPLITS = {"training": 1, "evaluation": 2}
_FAR = 5000.0  # mm that the depth picture can hold


def _mask_values():
    """Segment, sleeve or thing → RHD's number for a left hand (tip of the thumb is 2)."""
    table = np.ones(OBJECT + 1, np.uint8)
    table[OBJECT] = 0
    table[[INDEX["palm"], INDEX["ring_metacarpal"], INDEX["little_metacarpal"]]] = 17
    for number, finger in enumerate(FINGERS):
        for step, bone in enumerate(reversed(FINGER_BONES[finger])):
            table[bone] = 2 + 3 * number + step
    table[SLEEVE] = table[INDEX["forearm"]] = 1
    return table


_MASK = _mask_values()


def rhd_scene(seed, split, index):
    """Pictures and annotation of one scene: two hands of one person, the nearer one in view.

    Returns:
        dict with `color` uint8 (320, 320, 3), `mask` uint8 (320, 320), `depth` uint8
        (320, 320, 3), `xyz`, `uv_vis`, `K`.
    """
    rngs = np.random.default_rng([seed, 0x524844, _SPLITS[split], index]).spawn(4)
    person = random_person(rngs[0])
    other = replace(person, side="left" if person.side == "right" else "right")
    scene = random_scene(rngs[1], SIZE, SIZE)
    scene = replace(scene, blur=0.3 * scene.blur)  # the hands are small here
    focal = rngs[2].uniform(270, 300)
    camera = np.array([[focal, 0, SIZE / 2], [0, focal, SIZE / 2], [0, 0, 1.0]])
    place = rngs[2]
    near = np.exp(place.uniform(np.log(300), np.log(620)))
    hands = [_standing(place, person, near, 0.28, focal)]
    hands.append(_standing(place, other, near * place.uniform(1.05, 1.6), 0.9, focal))
    picture = render_picture(scene, hands, camera)
    xyz, uv_vis = np.zeros((42, 3)), np.zeros((42, 3))
    mask = np.where(picture.mask >= 0, _MASK[picture.mask], 0)
    for number, hand in enumerate(hands):
        points = hand.keypoints()[FROM_HAND_21]
        first = 0 if hand.person.side == "left" else 21
        seen = visibility(hand.keypoints(), camera, picture.depth, hand.person.size)[FROM_HAND_21]
        xyz[first : first + 21] = points / 1000
        uv_vis[first : first + 21, :2] = project(points, camera)
        uv_vis[first : first + 21, 2] = seen == 2
        if first:
            mask[(picture.owner == number) & (mask > 1)] += 16
    wall = place.uniform(1500, 4900)
    depth = np.where(picture.depth > 0, np.minimum(picture.depth, _FAR), wall)
    return {
        "color": picture.image,
        "mask": mask.astype(np.uint8),
        "depth": split_depth(depth * (65535 / _FAR)),
        "xyz": xyz,
        "uv_vis": uv_vis,
        "K": camera,
    }


def _standing(rng, person, distance, reach, focal):
    """A hand with its keypoints' centre up to `reach` half picture widths off the middle."""
    hand = Hand(person, random_pose(rng), np.eye(3), np.zeros(3))
    hand = replace(hand, view=random_view(rng, hand.elbow() * hand.mirror))
    points = hand.keypoints() * hand.mirror
    centre = 0.5 * (points.min(axis=0) + points.max(axis=0))
    elbow = hand.elbow()[2] - centre[2]
    distance = max(distance, 160 - elbow)
    aside = rng.uniform(-reach, reach, 2) * (SIZE / 2) * distance / focal
    return replace(hand, origin=np.r_[aside, distance] - centre)


_ARRAYS = ("xyz", "uv_vis", "K")


def _write_scene(shared, index):
    folder, seed, split = shared
    scene = rhd_scene(seed, split, index)
    for kind in ("color", "mask", "depth"):
        write_png(folder / kind / f"{index:05d}.png", scene[kind])
    return {name: scene[name] for name in _ARRAYS}


def write_rhd(root, training=100, evaluation=20, seed=0, workers=1, progress=None) -> Path:
    """Writes rendered scenes as RHD. Run again, it goes on where it stopped.

    Args:
        root: the folder to write into; pictures go to `root/RHD_published_v2` unless `root` has
            that name itself.
        training, evaluation: pictures in each split; a later run may ask for more.
        seed: which scenes.
        workers: processes; the files do not depend on it.
        progress: called as `progress(done, all)` over both splits.

    Returns:
        The folder that holds `training` and `evaluation`.

    Raises:
        DataError: the folder holds something else, or scenes of another seed.
    """
    counts = {"training": training, "evaluation": evaluation}
    for split, count in counts.items():
        if int(count) != count or not 0 <= count <= 100_000:
            raise KerasShrError(f"{split} is {count!r}; expected a whole number, 0 to 100000")
    root = Path(root)
    root = root if root.name == "RHD_published_v2" else root / "RHD_published_v2"
    claim(root, {"layout": "rhd", "seed": int(seed), "version": 1})
    done, total = 0, training + evaluation
    for split, count in counts.items():
        for _ in _write_split(root / split, split, count, seed, workers):
            done += 1
            if progress is not None:
                progress(done, total)
    return root


def _write_split(folder, split, count, seed, workers):
    """Renders what is missing of a split; yields once for each picture."""
    for kind in ("color", "mask", "depth"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    known = _read_progress(folder / "rendered.npz")
    missing = []
    for index in range(count):
        files = [folder / kind / f"{index:05d}.png" for kind in ("color", "mask", "depth")]
        if index in known and all(f.is_file() for f in files):
            yield index
        else:
            missing.append(index)
    for index, arrays in run_tasks(_write_scene, missing, (folder, seed, split), workers):
        known[index] = arrays
        if len(known) % 200 == 0:
            _write_progress(folder / "rendered.npz", known)
        yield index
    if missing:
        _write_progress(folder / "rendered.npz", known)
    # fresh arrays of one dtype object: a pickle's bytes show which objects are shared
    annotations = {
        i: {name: np.array(known[i][name], np.float64) for name in _ARRAYS} for i in range(count)
    }
    stream = io.BytesIO()
    pickle.dump(annotations, stream, protocol=2)
    path = folder / f"anno_{split}.pickle"
    if not path.is_file() or path.read_bytes() != stream.getvalue():
        write_bytes(path, stream.getvalue())


def _read_progress(path):
    """Annotations of finished pictures; kept beside the pickle, since reading that needs care."""
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in ("index", *_ARRAYS)}
    return {
        int(index): {name: arrays[name][row] for name in _ARRAYS}
        for row, index in enumerate(arrays["index"])
    }


def _write_progress(path, known):
    order = sorted(known)
    arrays: dict = {name: np.stack([known[i][name] for i in order]) for name in _ARRAYS}
    with replacing(path) as temporary:
        np.savez(temporary, index=np.array(order), **arrays)
