"""Following one thing through a video: each frame's crop comes from the frame before."""

from collections import deque

import numpy as np

from keras_shr.data.images import SquareBox
from keras_shr.data.records import PROTOCOL_PIXELS
from keras_shr.prediction.found import Prediction
from keras_shr.prediction.searching import SMALLEST, search, square_around

_SHRUNK = 0.25
_GROWN = 2.0
_REMEMBERED = 90
_SURER = 1.15


class Tracker:
    """Predicts the frames of a video in turn.

    The first frame is searched (`keras_shr.prediction.search`) or looked at in the given box; each
    further one in a square around the keypoints of the frame before. The track is lost when the
    mean score falls below `lost`, or below `drop` of the track's median over its last 90 frames, or
    when the square shrinks to a quarter of its median or to 16 px or grows beyond twice the frame,
    as it does around keypoints that lie on nothing. A frame without a track is searched, or looked
    at as a whole if one of the `search_every` frames before it was searched. As a model may be
    fairly sure of nothing, a track is left for what a search finds with a score 15 % higher; it is
    looked for every `search_every` frames where the track's own score leaves room for that. What
    `box` points at is left only when it is lost.

    Args:
        predictor: `Predictor`.
        box: x, y, width, height in the first frame, or None.
        margin: side of the next crop, in longer sides of the keypoints' bounding box; None: the
            predictor's.
        lost: mean score below which the track is given up, whatever went before. What a model
            answers to nothing depends on the model: look at the scores of your own videos.
        drop: share of the track's median score below which it is given up.
        smoothing: how slowly the crop follows, 0 (at once) to 1 (never): a crop that shakes makes
            keypoints shake.
        search_every: frames from one search, which costs 40 looks, to the next; 0: whole frames are
            looked at instead.
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
        margin=None,
        lost=0.1,
        smoothing=0.5,
        filter=None,
        drop=0.6,
        search_every=30,
    ):
        self.predictor, self.lost, self.drop = predictor, lost, drop
        self.margin = predictor.margin if margin is None else margin
        self.smoothing, self.filter = smoothing, filter
        self.search_every = search_every
        self._first = box
        self._scores: deque = deque(maxlen=_REMEMBERED)
        self._sides: deque = deque(maxlen=_REMEMBERED)
        self.reset()

    def reset(self) -> None:
        """Starts over with the next frame."""
        self._unsearched = self.search_every
        self._leave()

    def _leave(self):
        self._square, self._pointed_at = None, False
        self._scores.clear()
        self._sides.clear()
        if self.filter is not None:
            self.filter.reset()

    def __call__(self, frame, heatmaps=False) -> Prediction:
        """The `Prediction` of the next frame, uint8 `(height, width, 3)`."""
        found = self._look(frame, heatmaps)
        points, (square,) = found.keypoints[0], found.squares
        following = self._next(square, points)
        if self._is_lost(float(found.scores[0]), following.side, max(frame.shape[:2])):
            self._leave()
            return found
        self._square = following
        if self.filter is not None:
            points[:, :2] = self.filter(points[:, :2], PROTOCOL_PIXELS / square.side)
        return found

    def _look(self, frame, heatmaps):
        may_search = 0 < self.search_every <= self._unsearched
        self._unsearched += 1
        square = self._square
        if square is None and self._first is not None:
            (square,) = self.predictor.squares(frame, [self._first])
            self._first, self._pointed_at = None, True
        elif square is None and may_search:
            return self._search(frame, heatmaps)
        elif square is None:
            (square,) = self.predictor.squares(frame)
        found = self.predictor.predict_squares([frame], [[square]], heatmaps)[0]
        needed = _SURER * found.scores[0]
        if may_search and needed < 1 and not self._pointed_at:
            other = self._search(frame, heatmaps)
            if other.scores[0] > needed:
                self._leave()
                return other
        return found

    def _search(self, frame, heatmaps):
        self._unsearched = 1
        return search(self.predictor, frame, heatmaps, self.margin)

    def _is_lost(self, score, side, frame_side):
        self._scores.append(score)
        self._sides.append(side)
        return (
            score < max(self.lost, self.drop * np.median(self._scores))
            or side <= max(SMALLEST, _SHRUNK * np.median(self._sides)) + 0.5
            # Keypoints all over the crop make it grow with each frame, and memory with it.
            or side > _GROWN * frame_side
        )

    def _next(self, square, points):
        wanted = square_around(points, self.margin, square.side)
        share = self.smoothing if self._square is not None else 0.0
        return SquareBox(*(share * np.array(square) + (1 - share) * np.array(wanted)))
