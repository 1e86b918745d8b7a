"""Many pictures at once, on as many processes as wanted, the same whatever their number."""

import numpy as np

from keras_shr.data.records import KeypointData
from keras_shr.data.workers import run_tasks
from keras_shr.errors import KerasShrError
from keras_shr.rendering.motion import motion_frame
from keras_shr.rendering.scene import render_sample
from keras_shr.skeletons import HAND_21


def _hand(shared, index):
    seed, size, views, poses = shared
    return _labelled(render_sample(seed, index, size, views=views, poses=poses))


def _frame(shared, index):
    seed, frames, size = shared
    return _labelled(motion_frame(seed, frames, size, index))


def _labelled(sample):
    keypoints = sample.keypoints.copy()
    keypoints[keypoints[:, 2] == 0] = 0  # as every reader does with rows that do not count
    return sample.image, keypoints


def _collect(task, shared, indices, size, workers, progress):
    """Images and keypoints of the tasks, in their order."""
    images = np.empty((len(indices), size, size, 3), np.uint8)
    keypoints = np.empty((len(indices), len(HAND_21), 3), np.float32)
    for done, (index, result) in enumerate(run_tasks(task, indices, shared, workers), 1):
        images[index - indices[0]], keypoints[index - indices[0]] = result
        if progress is not None:
            progress(done, len(indices))
    return images, keypoints


def _check(**numbers):
    for name, (value, least) in numbers.items():
        if isinstance(value, bool) or int(value) != value or value < least:
            raise KerasShrError(f"{name} is {value!r}; expected a whole number, {least} or more")


def render_hands(
    count, size=256, seed=0, start=0, workers=1, progress=None, views="all", poses="all"
) -> KeypointData:
    """Rendered hands in memory.

    Args:
        count: number of pictures.
        size: their side, pixels.
        seed: which endless data set; use different seeds for training and testing.
        start: index of the first picture.
        workers: processes; the result does not depend on it.
        progress: called as `progress(done, count)`.
        views, poses: see `render_sample`.

    Returns:
        `KeypointData` named "rendered" with ids `"rendered-SEED-INDEX"`. Keypoints outside the
        picture have visibility 0 and, as everywhere in `KeypointData`, zeros for coordinates
        (`render_sample` keeps them).
    """
    _check(count=(count, 1), size=(size, 16), seed=(seed, 0), start=(start, 0))
    indices = range(start, start + count)
    shared = (seed, size, views, poses)
    images, keypoints = _collect(_hand, shared, indices, size, workers, progress)
    ids = [f"rendered-{seed}-{i:06d}" for i in indices]
    return KeypointData(images, keypoints, HAND_21, ids, name="rendered")


def render_motion(frames, size=256, seed=0, workers=1, progress=None) -> KeypointData:
    """Consecutive frames (30 a second) of one hand that moves smoothly before a still camera.

    Args:
        frames: how many.
        size: side of the pictures, pixels; the hand stays inside in every frame.
        seed: another seed shows another hand, light, background and movement.
        workers: processes; the result does not depend on it.
        progress: called as `progress(done, frames)`.

    Returns:
        `KeypointData` named "rendered-motion", all frames in one group.
    """
    _check(frames=(frames, 1), size=(size, 16), seed=(seed, 0))
    images, keypoints = _collect(
        _frame, (seed, frames, size), range(frames), size, workers, progress
    )
    ids = [f"motion-{seed}-{i:06d}" for i in range(frames)]
    return KeypointData(
        images, keypoints, HAND_21, ids, [f"motion-{seed}"] * frames, name="rendered-motion"
    )
