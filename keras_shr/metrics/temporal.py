"""How much a track of keypoints shakes from frame to frame.

Each function takes the keypoints of consecutive frames, `(frames, keypoints, 2 or 3)` (a third
column is not looked at), and gives px for each keypoint, to be averaged over what counts.
"""

import numpy as np
from keras import ops

from keras_shr._typing import Tensor
from keras_shr.errors import KerasShrError
from keras_shr.metrics._arrays import as_float, check_keypoints
from keras_shr.metrics._keypoints import check_scale


def acceleration(track, *, scale=1.0) -> Tensor:
    """`‖p(t+1) − 2 p(t) + p(t−1)‖`: what is left of the motion when even speed is taken out.

    Needs no labels. A hand that really accelerates has some too, so compare trackers on one video,
    or with the labels' own value.

    Args:
        track: predictions, 3 frames or more.
        scale: factor from image px to reported px.

    Returns:
        px per frame², `(frames - 2, keypoints)`.
    """
    points = _points("track", track, 3)
    return _length(points[2:] - 2 * points[1:-1] + points[:-2], scale)


def jitter(track, labels, *, scale=1.0) -> Tensor:
    """`‖(p(t+1) − p(t)) − (y(t+1) − y(t))‖`: frame-to-frame displacement less the true motion.

    A constant offset from the label is no jitter; an offset that changes is.

    Args:
        track: predictions, 2 frames or more.
        labels: true keypoints of the same frames.
        scale: factor from image px to reported px.

    Returns:
        px per frame, `(frames - 1, keypoints)`.
    """
    points, truth = _points("track", track, 2), _points("labels", labels, 2)
    if tuple(points.shape) != tuple(truth.shape):
        raise KerasShrError(
            f"track has shape {tuple(points.shape)} and labels {tuple(truth.shape)}; both must be "
            "of the same frames and keypoints"
        )
    offset = points - truth
    return _length(offset[1:] - offset[:-1], scale)


def path_deviation(track, *, scale=1.0, window=5) -> Tensor:
    """`‖p(t) − q(t)‖`, where q is the parabola fitted to the frames around t.

    q is fitted by least squares to x and y of the `window` frames whose middle is t (the filter of
    Savitzky and Golay, of order 2), so that even speed and even acceleration are taken out. Needs
    no labels. With noise of standard deviation s that is new in each frame, a coordinate of 5
    frames deviates by .72 s; what wanders more slowly than the window follows q and does not count.

    Args:
        track: predictions, `window` frames or more.
        scale: factor from image px to reported px.
        window: frames, an odd number from 5.

    Returns:
        px, `(frames - window + 1, keypoints)`.
    """
    if window < 5 or window % 2 == 0:
        raise KerasShrError(f"window is {window!r}; it must be an odd number from 5")
    points = _points("track", track, window)
    times = np.arange(window) - window // 2
    powers = np.stack([times**0, times, times**2], -1).astype("float64")
    weights = np.eye(window)[window // 2] - (powers @ np.linalg.pinv(powers))[window // 2]
    count = points.shape[0] - window + 1
    middle = points[window // 2 : window // 2 + count]  # its place adds nothing but rounding
    parts = [float(w) * (points[i : i + count] - middle) for i, w in enumerate(weights)]
    return _length(sum(parts[1:], parts[0]), scale)


def _points(what, values, least):
    values = as_float(values)
    check_keypoints(what, values, (2, 3))
    if values.shape[0] < least:
        raise KerasShrError(f"{what} has {values.shape[0]} frames; expected {least} or more")
    return values[..., :2]


def _length(vectors, scale):
    return ops.sqrt(ops.sum(vectors * vectors, axis=-1)) * check_scale(scale)
