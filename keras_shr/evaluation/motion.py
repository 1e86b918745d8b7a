"""How much tracks of keypoints shake, with intervals."""

import numpy as np

from keras_shr.data.records import is_picture_group
from keras_shr.evaluation.bootstrap import Bootstrap
from keras_shr.metrics import acceleration, jitter, path_deviation

COLUMNS = ("source", "metric", "value", "low", "high")
BLOCK = 15
"""Successive frames that are drawn together: half a second at 30 frames a second."""
_CLIPS = 10
_WINDOW = 5
_DRAWS = 500


def clips_of(groups) -> dict:
    """Group → the indices of its frames, for each group of three frames or more.

    Pictures without a group are no clip, and neither are several hands of one picture.
    """
    names = np.array(groups)
    films = [name for name in dict.fromkeys(groups) if name and not is_picture_group(name)]
    found = {name: np.flatnonzero(names == name) for name in films}
    return {name: frames for name, frames in found.items() if len(frames) > 2}


def motion_rows(source, tracks, labels, scale=1.0):
    """Jitter, acceleration and the labels' own acceleration, px of 256.

    The intervals come from draws of whole videos where there are ten or more, else of blocks of
    `BLOCK` successive frames: what shakes in one frame shakes in the next, so that frames drawn one
    by one would make them too narrow. The draws are the same for all models on the same videos.

    Args:
        source: what the videos are called.
        tracks: for each video the predictions of its frames, `(frames, keypoints, 2 or 3)`.
        labels: the true keypoints of the same frames, `(frames, keypoints, 2 or 3)`; where the
            third column, visibility, is 0 there is no true motion, and neither frame of a pair
            counts. None leaves acceleration alone.
        scale: factor from the tracks' px to reported px; or one for each video.

    Returns:
        Dicts with the keys `COLUMNS`, and `draws`, the value in each draw.
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


def path_rows(source, tracks, labels, scales):
    """`path_deviation` of the tracks, and the labels' own where there are some; see `motion_rows`.

    Videos that are shorter than its window are left out, and without any other there are no rows.
    """
    each = list(zip(tracks, labels or [None] * len(tracks), scales, strict=True))
    each = [one for one in each if len(one[0]) >= _WINDOW]
    found = {"path_deviation": [(path_deviation(t, scale=s), None) for t, _, s in each]}
    if labels is not None:
        found["label_path_deviation"] = [
            (path_deviation(y, scale=s), _labelled(y, _WINDOW)) for _, y, s in each
        ]
    return [_row(source, metric, parts) for metric, parts in found.items() if parts]


def _labelled(labels, successive):
    """Where so many successive frames have a label, bool `(frames - successive + 1, keypoints)`."""
    labels = np.asarray(labels)
    known = labels[..., 2] > 0 if labels.shape[-1] == 3 else np.ones(labels.shape[:2], bool)
    last = len(known) - successive + 1
    return np.logical_and.reduce([known[i : i + last] for i in range(successive)])


def _row(source, metric, parts):
    """The mean over frames and keypoints, with its interval.

    Args:
        parts: for each video values `(frames, keypoints)` and which of them count, None for all.
    """
    size = BLOCK if len(parts) < _CLIPS else max(len(values) for values, _ in parts)
    sums, counts = [], []
    for values, counted in parts:
        values = np.asarray(values, "float64")
        counted = np.ones(values.shape) if counted is None else counted.astype("float64")
        starts = np.arange(0, len(values), size)
        sums.append(np.add.reduceat((values * counted).sum(1, keepdims=True), starts))
        counts.append(np.add.reduceat(counted.sum(1, keepdims=True), starts))
    sums, counts = np.concatenate(sums), np.concatenate(counts)
    bootstrap = Bootstrap([""] * len(sums), draws=_DRAWS)
    value, draws = bootstrap.ratio(sums, counts)
    low, high = bootstrap.interval(draws)
    return {
        "source": source,
        "metric": metric,
        **{k: float(v[0]) for k, v in (("value", value), ("low", low), ("high", high))},
        "draws": draws[:, 0],
    }
