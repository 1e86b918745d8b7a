"""Pictures of coloured dots whose keypoints are known, for the tests of models and exports."""

import numpy as np

SIZE, HEATMAP, KEYPOINTS = 64, 16, 3


def pictures(count=8, seed=0):
    """uint8 `(count, 64, 64, 3)` with a red, a green and a blue dot, and their keypoints."""
    rng = np.random.default_rng(seed)
    keypoints = np.full((count, KEYPOINTS, 3), 2, "float32")
    keypoints[..., :2] = rng.uniform(8, SIZE - 8, (count, KEYPOINTS, 2))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    square = (columns - keypoints[..., 0, None, None]) ** 2
    square = square + (rows - keypoints[..., 1, None, None]) ** 2
    images = 40 + 200 * np.exp(-square / 18) + rng.uniform(0, 15, (count, 3, SIZE, SIZE))
    return np.moveaxis(images, 1, -1).clip(0, 255).astype("uint8"), keypoints
