"""How much tracks of keypoints shake, with intervals."""

import numpy as np

from keras_shr.evaluation.bootstrap import Bootstrap
from keras_shr.metrics import acceleration, jitter

COLUMNS = ("source", "metric", "value", "low", "high")
_DRAWS = 500


def clips_of(groups) -> dict:
    """Group → the indices of its frames, for each group of three frames or more."""
    names = np.array(groups)
    found = {name: np.flatnonzero(names == name) for name in dict.fromkeys(groups)}
    return {name: frames for name, frames in found.items() if len(frames) > 2}


def motion_rows(source, tracks, labels, scale=1.0):
    """Rows of `COLUMNS`: jitter, acceleration and the labels' own acceleration, px of 256.

    Args:
        source: what the videos are called.
        tracks: for each video the predictions of its frames, `(frames, keypoints, 2 or 3)`.
        labels: the true keypoints of the same frames, `(frames, keypoints, 2 or 3)`; where the
            third column, visibility, is 0 there is no true motion, and neither frame of a pair
            counts. None leaves acceleration alone.
        scale: factor from the tracks' px to reported px; or one for each video.
    """
    scales = scale if isinstance(scale, list) else [scale] * len(tracks)
    found = {
        "acceleration": [
            (acceleration(t, scale=s), None) for t, s in zip(tracks, scales, strict=True)
        ]
    }
    if labels is not None:
        each = list(zip(tracks, labels, scales, strict=True))
        found = {
            "jitter": [(jitter(t, y, scale=s), _labelled(y, 2)) for t, y, s in each],
            **found,
            "label_acceleration": [(acceleration(y, scale=s), _labelled(y, 3)) for _, y, s in each],
        }
    return [_row(source, metric, parts) for metric, parts in found.items()]


def _labelled(labels, successive):
    """Where so many successive frames have a label, bool `(frames - successive + 1, keypoints)`."""
    labels = np.asarray(labels)
    known = labels[..., 2] > 0 if labels.shape[-1] == 3 else np.ones(labels.shape[:2], bool)
    last = len(known) - successive + 1
    return np.logical_and.reduce([known[i : i + last] for i in range(successive)])


def _row(source, metric, parts):
    """The mean over frames and keypoints, its interval from draws of whole frames.

    Args:
        parts: for each video values `(frames, keypoints)` and which of them count, None for all.
    """
    values = np.concatenate([np.asarray(v, "float64") for v, _ in parts])
    counts = np.concatenate([np.ones(np.shape(v)) if w is None else w for v, w in parts])
    values, counts = (values * counts).sum(1, keepdims=True), counts.sum(1, keepdims=True)
    bootstrap = Bootstrap([""] * len(values), draws=_DRAWS)
    value, draws = bootstrap.ratio(values, counts.astype("float64"))
    low, high = bootstrap.interval(draws)
    return {
        "source": source,
        "metric": metric,
        **{k: float(v[0]) for k, v in (("value", value), ("low", low), ("high", high))},
    }
