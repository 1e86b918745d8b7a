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
        labels: the true keypoints of the same frames, or None, which leaves acceleration alone.
        scale: factor from the tracks' px to reported px; or one for each video.
    """
    scales = scale if isinstance(scale, list) else [scale] * len(tracks)
    found = {
        "acceleration": [acceleration(t, scale=s) for t, s in zip(tracks, scales, strict=True)]
    }
    if labels is not None:
        each = list(zip(tracks, labels, scales, strict=True))
        found = {
            "jitter": [jitter(t, y, scale=s) for t, y, s in each],
            **found,
            "label_acceleration": [acceleration(y, scale=s) for _, y, s in each],
        }
    return [_row(source, metric, values) for metric, values in found.items()]


def _row(source, metric, values):
    """The mean over frames and keypoints, its interval from draws of whole frames."""
    values = np.concatenate([np.asarray(v, "float64") for v in values])
    bootstrap = Bootstrap([""] * len(values), draws=_DRAWS)
    counts = np.full((len(values), 1), float(values.shape[1]))
    value, draws = bootstrap.ratio(values.sum(1, keepdims=True), counts)
    low, high = bootstrap.interval(draws)
    return {
        "source": source,
        "metric": metric,
        **{k: float(v[0]) for k, v in (("value", value), ("low", low), ("high", high))},
    }
