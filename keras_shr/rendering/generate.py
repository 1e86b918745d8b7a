"""Many pictures at once, on as many processes as wanted, the same whatever their number."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np

from keras_shr.data.records import KeypointData
from keras_shr.rendering.scene import render_sample
from keras_shr.skeletons import HAND_21


def _one(index, seed, size):
    sample = render_sample(seed, index, size)
    return sample.image, sample.keypoints


def in_order(task, items, workers, progress=None):
    """Yields `task(item)` in order; `workers` > 1 spreads them over fresh processes."""
    items = list(items)
    if workers <= 1:
        for done, item in enumerate(items, 1):
            yield task(item)
            if progress is not None:
                progress(done, len(items))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        chunk = max(1, min(16, len(items) // (4 * workers)))
        for done, result in enumerate(pool.map(task, items, chunksize=chunk), 1):
            yield result
            if progress is not None:
                progress(done, len(items))


def render_hands(count, size=256, seed=0, start=0, workers=1, progress=None):
    """Rendered hands in memory.

    Args:
        count: number of pictures.
        size: their side, pixels.
        seed: which endless data set; use different seeds for training and testing.
        start: index of the first picture.
        workers: processes; the result does not depend on it.
        progress: called as `progress(done, count)`.

    Returns:
        `KeypointData` named "rendered" with ids `"rendered-SEED-INDEX"`.
    """
    images = np.empty((count, size, size, 3), np.uint8)
    keypoints = np.empty((count, len(HAND_21), 3), np.float32)
    indices = range(start, start + count)
    results = in_order(partial(_one, seed=seed, size=size), indices, workers, progress)
    for i, (image, points) in enumerate(results):
        images[i], keypoints[i] = image, points
    ids = [f"rendered-{seed}-{i:06d}" for i in indices]
    return KeypointData(images, keypoints, HAND_21, ids, name="rendered")
