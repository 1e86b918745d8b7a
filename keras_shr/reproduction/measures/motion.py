"""How much the predictions shake on rendered motion, where the true motion is known."""

from functools import lru_cache

import numpy as np

from keras_shr.data.records import PROTOCOL_PIXELS
from keras_shr.evaluation.bootstrap import Bootstrap
from keras_shr.metrics import acceleration, jitter
from keras_shr.rendering import render_motion
from keras_shr.reproduction.measures.base import Measure, on_main, write_rows
from keras_shr.skeletons import HAND_21

SEQUENCES, FRAMES = 4, 45
SHOWN = range(10, 17)
"""Frames of the first sequence that Figure 1 shows."""
COLUMNS = ("source", "metric", "value", "low", "high")
FRAME_COLUMNS = ("frame", "keypoint", "x", "y", "label_x", "label_y")


@lru_cache(maxsize=2)
def sequences(size):
    """Rendered videos, the same for every cell."""
    return [render_motion(FRAMES, size, seed=900 + i) for i in range(SEQUENCES)]


def _temporal(cell, folder, work, model):
    if model.num_keypoints != len(HAND_21):
        write_rows(folder / "frames.csv", [], FRAME_COLUMNS)
        write_rows(folder / "temporal.csv", [], COLUMNS)
        return
    scale = PROTOCOL_PIXELS / max(model.image_size)
    videos = sequences(model.image_size[0])
    tracks = []
    for video in videos:
        work.deadline.check()
        tracks.append(model.predict_keypoints(video.images)[..., :2])
    labels = [video.keypoints for video in videos]
    write_rows(folder / "frames.csv", _frames(tracks[0], labels[0]), FRAME_COLUMNS)
    rows = [
        _row("jitter", [jitter(t, y, scale=scale) for t, y in zip(tracks, labels, strict=True)]),
        _row("acceleration", [acceleration(t, scale=scale) for t in tracks]),
        _row("label_acceleration", [acceleration(y, scale=scale) for y in labels]),
    ]
    write_rows(folder / "temporal.csv", rows, COLUMNS)


def _row(metric, values):
    """The mean over frames and keypoints, its interval from draws of whole frames."""
    values = np.concatenate([np.asarray(v, "float64") for v in values])
    bootstrap = Bootstrap([""] * len(values), draws=500)
    counts = np.full((len(values), 1), float(values.shape[1]))
    value, draws = bootstrap.ratio(values.sum(1, keepdims=True), counts)
    low, high = bootstrap.interval(draws)
    return {
        "source": "rendered_motion",
        "metric": metric,
        **{k: float(v[0]) for k, v in (("value", value), ("low", low), ("high", high))},
    }


def _frames(track, labels):
    for frame in SHOWN:
        for k in range(track.shape[1]):
            label = labels[frame, k] if labels[frame, k, 2] > 0 else (np.nan, np.nan)
            yield {
                "frame": frame,
                "keypoint": k,
                **{"x": float(track[frame, k, 0]), "y": float(track[frame, k, 1])},
                **{"label_x": float(label[0]), "label_y": float(label[1])},
            }


TEMPORAL = Measure("temporal.csv", _temporal, on_main)
