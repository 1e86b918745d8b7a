"""Finding the one thing a model knows anywhere in a picture, with no other model than itself.

A model of keypoints is trained on crops that its subject fills, and scores highest in such a crop.
So squares of several sizes all over the picture are tried, and the best of them are drawn in around
the keypoints found there. It is no detector: it always answers with one place, the likeliest.
"""

import numpy as np

from keras_shr.data.images import SquareBox
from keras_shr.prediction.found import Prediction

MARGIN = 1.8
"""Side of a crop, in longer sides of its keypoints' bounding box: measured on hands."""

SMALLEST = 16.0
"""Side in pixels that no crop falls below."""

_SIDES = (3 / 4, 1 / 2, 1 / 3)
_OVERLAP = 0.5
_BEST = 4
_ROUNDS = 2
_WIDEST = 2  # crops, in longer sides of the picture


def square_around(points, margin, side) -> SquareBox:
    """The crop to look at next, around keypoints `(keypoints, 2 or more)`.

    Keypoints in one place, such as a single one, say nothing of a size: `side`, that of the crop
    they were found in, is kept.
    """
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    side = max(margin * float((high - low).max()) or side, SMALLEST)
    return SquareBox.around((low + high) / 2, side)


def squares_all_over(height, width) -> list[SquareBox]:
    """The whole picture, and squares of 3/4, 1/2 and 1/3 of its longer side that overlap by half or
    more: 29 for a picture of 4:3."""
    squares = [SquareBox.of_image(height, width)]
    for share in _SIDES:
        side = max(share * max(height, width), SMALLEST)
        lefts, tops = (_starts(length, side) for length in (width, height))
        squares += [SquareBox(left, top, side) for top in tops for left in lefts]
    return squares


def _starts(length, side):
    """Where squares of a side begin on a length, in its middle if they are larger."""
    if side >= length:
        return [(length - side) / 2]
    count = 1 + int(np.ceil((length - side) / (side * (1 - _OVERLAP)) - 1e-9))
    return [float(start) for start in np.linspace(0, length - side, count)]


def _at_most(square, side):
    """Keypoints strewn over a crop ask for a wider one, which a large picture cannot have."""
    return SquareBox.around(square.centre, min(square.side, side))


def search(predictor, picture, heatmaps=False, margin=None) -> Prediction:
    """The likeliest place and keypoints of what a model was trained on, in one picture.

    It looks at about 40 crops, in few batches. Something in the picture is always found: the mean
    score (`Prediction.scores`) says how sure the model is. Of several hands or faces one is found;
    for all of them give boxes from a detector.

    Args:
        predictor: `Predictor`.
        picture: uint8 `(height, width, 3)`.
        heatmaps: keep the heatmaps too.
        margin: side of the crop that is looked at in the end, in longer sides of the keypoints'
            bounding box; None: the predictor's.

    Returns:
        A `Prediction` of one box.

    Example:

    >>> found = search(keras_shr.Predictor("hand"), picture)
    >>> found.keypoints[0], found.boxes[0], found.scores[0]
    """
    squares = squares_all_over(*picture.shape[:2])
    margin = predictor.margin if margin is None else margin
    widest = _WIDEST * max(picture.shape[:2])
    for _ in range(_ROUNDS):
        found = predictor.predict_squares([picture], [squares])[0]
        best = np.argsort(-found.scores, kind="stable")[:_BEST]
        around = [square_around(found.keypoints[i], margin, squares[i].side) for i in best]
        squares = [_at_most(square, widest) for square in around]
    found = predictor.predict_squares([picture], [squares], heatmaps)[0]
    best = np.argmax(found.scores)
    one = slice(best, best + 1)
    maps = None if found.heatmaps is None else found.heatmaps[one]
    return Prediction(found.keypoints[one], found.boxes[one], maps)
