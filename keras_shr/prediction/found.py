"""What a model found in one picture."""

from dataclasses import dataclass

import numpy as np

from keras_shr.data.images import SquareBox


@dataclass
class Prediction:
    """What was found in one picture.

    Attributes:
        keypoints: float32 `(boxes, keypoints, 3)`: x, y in pixels of the picture (an integer is a
            pixel's centre) and a score in [0, 1].
        boxes: float32 `(boxes, 4)`: the square crops that were looked at, as x, y, width, height
            (COCO).
        heatmaps: float32 `(boxes, h, w, keypoints)` over those crops, or None if not asked for.
    """

    keypoints: np.ndarray
    boxes: np.ndarray
    heatmaps: np.ndarray | None = None

    @property
    def scores(self) -> np.ndarray:
        """The mean score of each box, `(boxes,)`."""
        return self.keypoints[..., 2].mean(-1)

    @property
    def squares(self) -> list[SquareBox]:
        """`boxes` as what `Predictor.predict_squares` takes."""
        return [SquareBox(*map(float, row[:3])) for row in self.boxes]

    def at_least(self, score) -> "Prediction":
        """The boxes whose mean score is so much or more."""
        kept = self.scores >= score
        maps = None if self.heatmaps is None else self.heatmaps[kept]
        return Prediction(self.keypoints[kept], self.boxes[kept], maps)
