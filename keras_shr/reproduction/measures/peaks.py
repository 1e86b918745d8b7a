"""Heatmaps of a few test images, for Figure 5."""

import numpy as np

from keras_shr.files import replacing
from keras_shr.heatmaps import image_to_heatmap
from keras_shr.reproduction.measures.base import Measure
from keras_shr.reproduction.suites import MAIN

METHODS = ("baseline", "rcc", "paper", "ours")
IMAGES = 16
EXAMPLES = 4
_NEAR = 4


def _peaks(cell, folder, work, model):
    images = work.tests[cell.data].images[:IMAGES]
    maps = np.asarray(model.predict(images, batch_size=IMAGES, verbose=0), "float16")
    with replacing(folder / PEAKS.file) as temporary:
        np.savez_compressed(temporary, maps=maps)


PEAKS = Measure(
    "maps.npz",
    _peaks,
    lambda cell: cell.method in METHODS and cell.architecture == MAIN and cell.seed == 0,
)


def examples(maps, data):
    """The keypoints on which the baseline hesitates most, one an image.

    Args:
        maps: method → heatmaps `(images, h, w, keypoints)`; `"baseline"` must be among them.
        data: the test images, `KeypointData`.

    Returns:
        Arrays `methods`, `heatmaps` `(methods, examples, h, w)`, `images` and `keypoints`
        `(examples, 3)` in heatmap pixels.
    """
    size = maps["baseline"].shape[1:3]
    count = len(maps["baseline"])
    labels = np.asarray(image_to_heatmap(data.keypoints[:count], data.images.shape[1:3], size))
    rivals = _second_peaks(maps["baseline"]) * (labels[..., 2] > 0)
    keypoint = rivals.argmax(1)
    chosen = np.argsort(-rivals.max(1), kind="stable")[:EXAMPLES]
    at = (chosen, slice(None), slice(None), keypoint[chosen])
    return {
        "methods": np.array(list(maps)),
        "heatmaps": np.stack([m[at] for m in maps.values()]),
        "images": data.images[chosen],
        "keypoints": labels[chosen, keypoint[chosen]],
    }


def _second_peaks(maps):
    """The highest value away from the highest, relative to it: `(images, keypoints)`."""
    maps = np.maximum(maps, 0)
    count, height, width, keypoints = maps.shape
    flat = maps.reshape(count, -1, keypoints)
    best = flat.argmax(1)
    y, x = np.divmod(np.arange(height * width), width)
    away = np.maximum(np.abs(y - best[..., None] // width), np.abs(x - best[..., None] % width))
    rest = np.where(away > _NEAR, flat.transpose(0, 2, 1), 0).max(-1)
    return rest / np.maximum(flat.max(1), 1e-12)
