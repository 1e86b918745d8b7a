"""Boxes x, y, width, height, as labels and detectors give them."""

import numpy as np

from keras_shr.data.images import SquareBox
from keras_shr.errors import DataError

_ENOUGH = 3  # records, and keypoints of a record, that say something
_MOST = 0.9


def square_around(rectangle, picture, padding, where) -> SquareBox:
    """The square to look at for a box that is there.

    Args:
        rectangle: four numbers, see `box_numbers`.
        picture: `(height, width, 3)`.
        padding: factor on the longer side of the box.
        where: what an error begins with.

    Raises:
        DataError: no part of the box lies in the picture.
    """
    x, y, width, height = rectangle
    rows, columns = picture.shape[:2]
    if not (-width < x < columns and -height < y < rows):
        raise DataError(
            f"{where}: box {_written(rectangle)} lies outside the picture, which is "
            f"{columns}x{rows}"
        )
    return SquareBox.of_rectangle(x, y, width, height, padding)


def refuse_corners(rectangles, keypoints, where) -> None:
    """Refuses boxes that are the corners x1, y1, x2, y2: nearly all of them, so read, hold their
    keypoints, which fill a good part of them, and on the whole much more closely.

    Args:
        rectangles: `(count, 4)`.
        keypoints: `(count, keypoints, 3)`, labelled where the last is above 0.
        where: what the error begins with.
    """
    if not len(rectangles):
        return
    boxes, keypoints = np.asarray(rectangles, float), np.asarray(keypoints, float)
    labelled = keypoints[..., 2:] > 0
    telling = labelled.sum((1, 2)) >= _ENOUGH
    if telling.sum() < _ENOUGH:
        return
    boxes, keypoints, labelled = boxes[telling], keypoints[telling], labelled[telling]
    low = np.where(labelled, keypoints[..., :2], np.inf).min(1)
    high = np.where(labelled, keypoints[..., :2], -np.inf).max(1)
    first, second = boxes[:, :2], boxes[:, 2:]
    holds = ((second > first) & (low >= first - 1) & (high <= second + 1)).all(1)
    if holds.mean() <= _MOST:
        return
    boxes, first, second = boxes[holds], first[holds], second[holds]
    larger = second.prod(1) / (second - first).prod(1)
    filled = ((high - low)[holds] / (second - first)).max(1)
    if np.median(larger) > 2 and np.median(filled) > 0.3:
        example = boxes[np.argmax(larger)]
        raise DataError(
            f"{where}: boxes are x, y, width, height, but these look like corners x1, y1, x2, y2 "
            f"(such as {_written(example)}); give x1, y1, x2 - x1, y2 - y1"
        )


def _written(rectangle):
    return f"[{', '.join(f'{value:g}' for value in rectangle)}]"
