"""From images to keypoints."""

from collections.abc import Callable

import numpy as np
from keras import ops

from keras_shr.errors import KerasShrError
from keras_shr.heatmaps import decode, heatmap_to_image


class KeypointPrediction:
    """Decoding for a model with `image_size`, `heatmap_size` and `num_keypoints`."""

    image_size: tuple[int, int]
    heatmap_size: tuple[int, int]
    num_keypoints: int
    predict_on_batch: Callable

    def decode(self, heatmaps, method="argmax"):
        """Keypoints `(batch, keypoints, 3)` in image pixels, with a score, from heatmaps."""
        return heatmap_to_image(decode(heatmaps, method), self.image_size, self.heatmap_size)

    def predict_keypoints(self, images, batch_size=32, method="argmax"):
        """Keypoints of images, without keeping their heatmaps.

        Args:
            images: `(count, height, width, 3)` in 0..255 of the model's size.
            batch_size: images a step; the last batch is filled up, so one shape is compiled.
            method: see `keras_shr.heatmaps.decode`.

        Returns:
            NumPy float32 `(count, keypoints, 3)`: x, y in image pixels and a score in [0, 1].
        """
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[1:3] != self.image_size:
            raise KerasShrError(
                f"images have shape {images.shape}; expected (count, {self.image_size[0]}, "
                f"{self.image_size[1]}, 3)"
            )
        batches = [np.zeros((0, self.num_keypoints, 3), "float32")]
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            missing = batch_size - len(batch)
            padded = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
            decoded = ops.convert_to_numpy(self.decode(self.predict_on_batch(padded), method))
            batches.append(decoded[: len(batch)])
        return np.concatenate(batches)
