"""Following one thing through a video: each frame's crop comes from the frame before."""

from collections import deque

import numpy as np

from keras_shr.data.images import SquareBox
from keras_shr.data.records import PROTOCOL_PIXELS
from keras_shr.prediction.predictor import Prediction

_SMALLEST = 16.0
_SHRUNK = 0.25
_GROWN = 2.0
_REMEMBERED = 90


class Tracker:
    """Predicts the frames of a video in turn.

    The first frame is looked at as a whole, or in the given box; each further one in a square
    around the keypoints of the frame before. The whole frame is searched again when the track is
    lost: when the mean score falls below `lost`, or below `drop` of the track's median over its
    last 90 frames, or when the square shrinks to a quarter of its median or to 16 px or grows
    beyond twice the frame, as it does around keypoints that lie on nothing.

    Args:
        predictor: `Predictor`.
        box: x, y, width, height in the first frame, or None.
        margin: side of the next crop, in longer sides of the keypoints' bounding box.
        lost: mean score below which the track is given up, whatever went before. What a model
            answers to nothing depends on the model: look at the scores of your own videos.
        drop: share of the track's median score below which it is given up.
        smoothing: how slowly the crop follows, 0 (at once) to 1 (never): a crop that shakes makes
            keypoints shake.
        filter: a filter of keypoints such as `OneEuroFilter`, or None. It is called with points and
            the factor from their pixels to those of a crop 256 pixels wide.

    Example:

    >>> tracker = Tracker(keras_shr.Predictor("hand.keras"), filter=OneEuroFilter(30))
    >>> for frame in frames:
    ...     found = tracker(frame)  # Prediction of one box
    """

    def __init__(
        self,
        predictor,
        box=None,
        margin=1.8,
        lost=0.1,
        smoothing=0.5,
        filter=None,
        drop=0.6,
    ):
        self.predictor, self.margin, self.lost, self.drop = predictor, margin, lost, drop
        self.smoothing, self.filter = smoothing, filter
        self._first = box
        self._scores: deque = deque(maxlen=_REMEMBERED)
        self._sides: deque = deque(maxlen=_REMEMBERED)
        self.reset()

    def reset(self) -> None:
        """Starts over with the next frame."""
        self._square = None
        self._scores.clear()
        self._sides.clear()
        if self.filter is not None:
            self.filter.reset()

    def __call__(self, frame, heatmaps=False) -> Prediction:
        """The `Prediction` of the next frame, uint8 `(height, width, 3)`."""
        square = self._square
        if square is None:
            boxes = None if self._first is None else [self._first]
            (square,) = self.predictor.squares(frame, boxes)
            self._first = None
        found = self.predictor.predict_squares([frame], [[square]], heatmaps)[0]
        points = found.keypoints[0]
        following = self._next(square, points)
        if self._is_lost(float(found.scores[0]), following.side, max(frame.shape[:2])):
            self.reset()
            return found
        self._square = following
        if self.filter is not None:
            points[:, :2] = self.filter(points[:, :2], PROTOCOL_PIXELS / square.side)
        return found

    def _is_lost(self, score, side, frame_side):
        self._scores.append(score)
        self._sides.append(side)
        return (
            score < max(self.lost, self.drop * np.median(self._scores))
            or side <= max(_SMALLEST, _SHRUNK * np.median(self._sides)) + 0.5
            # Keypoints all over the crop make it grow with each frame, and memory with it.
            or side > _GROWN * frame_side
        )

    def _next(self, square, points):
        low, high = points[:, :2].min(0), points[:, :2].max(0)
        side = max(self.margin * float((high - low).max()), _SMALLEST)
        wanted = SquareBox.around((low + high) / 2, side)
        share = self.smoothing if self._square is not None else 0.0
        return SquareBox(*(share * np.array(square) + (1 - share) * np.array(wanted)))
