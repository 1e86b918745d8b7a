"""Predictions drawn into their pictures."""

import numpy as np

from keras_shr.data.images import SquareBox, crop
from keras_shr.drawing import WHITE, Canvas, heatmap_overlay

_HEATMAP_WIDTH = 256
_HIGHEST = 8000


def annotated(picture, prediction, skeleton, width=1280):
    """The picture with every skeleton and its score; with heatmaps, each box's beside it.

    A picture in which nothing was found is as large as one with a box, so that the frames of a
    video are all of one size.

    Args:
        picture: uint8 `(height, width, 3)`.
        prediction: `Prediction`.
        skeleton: `Skeleton`.
        width: at most so many pixels wide (small pictures are enlarged to 384), and about 8,000
            high, since JPEG and the memory have their limits.

    Returns:
        uint8 `(height, width, 3)`.
    """
    rows, columns = picture.shape[:2]
    width = min(width, max(384, columns), max(1, _HIGHEST * columns // rows))
    canvas = Canvas(picture, width)
    for keypoints in prediction.keypoints:
        # The score is no visibility: all are drawn.
        canvas.skeleton(keypoints[:, :2], skeleton, width=max(0.5, 384 / canvas.size[0]))
    for square, score in zip(prediction.squares, prediction.scores, strict=True):
        canvas.square(square, WHITE)
        canvas.label((square.left, square.top), f"{score:.2f}")
    drawn = canvas.image()
    if prediction.heatmaps is None:
        return drawn
    panels = [
        heatmap_overlay(
            crop(picture, SquareBox(*map(float, box[:3])), _HEATMAP_WIDTH),
            maps.max(-1),
            _HEATMAP_WIDTH,
        )
        for box, maps in zip(prediction.boxes, prediction.heatmaps, strict=True)
    ]
    height = max(drawn.shape[0], _HEATMAP_WIDTH * max(1, len(panels)))
    sheet = np.zeros((height, drawn.shape[1] + _HEATMAP_WIDTH, 3), np.uint8)
    sheet[: drawn.shape[0], : drawn.shape[1]] = drawn
    for i, panel in enumerate(panels):
        top = i * _HEATMAP_WIDTH
        sheet[top : top + _HEATMAP_WIDTH, drawn.shape[1] :] = panel
    return sheet
