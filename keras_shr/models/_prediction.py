"""From images to keypoints."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from keras_shr.errors import KerasShrError
from keras_shr.heatmaps import decode, heatmap_to_image
from keras_shr.models._checks import check_images


class KeypointPrediction:
    """Decoding for a model with `image_size`, `heatmap_size` and `num_keypoints`."""

    image_size: tuple[int, int]
    heatmap_size: tuple[int, int]
    num_keypoints: int
    network: keras.Model
    predict_on_batch: Callable

    def decode(self, heatmaps, method="argmax"):
        """Keypoints `(batch, keypoints, 3)` in image pixels, with a score, from heatmaps."""
        return heatmap_to_image(decode(heatmaps, method), self.image_size, self.heatmap_size)

    def predict_keypoints(self, images, batch_size=32, method="argmax"):
        """Keypoints of images, without keeping their heatmaps.

        Args:
            images: `(count, height, width, 3)` in 0..255 of the model's size.
            batch_size: images a step; fewer that are left over are filled up to a power of two, so
                that few shapes are compiled.
            method: see `keras_shr.heatmaps.decode`.

        Returns:
            NumPy float32 `(count, keypoints, 3)`: x, y in image pixels and a score in [0, 1].

        Raises:
            KerasShrError: images of another shape or in 0..1, or a batch size below 1.
        """
        if not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise KerasShrError(f"batch_size is {batch_size!r}; expected an integer from 1 up")
        check_images(images, self.image_size, self.network.input_shape[3])
        batches = [np.zeros((0, self.num_keypoints, 3), "float32")]
        for start in range(0, len(images), batch_size):
            batch = ops.convert_to_numpy(images[start : start + batch_size])
            found = self.predict_on_batch(filled_up(batch, batch_size))
            decoded = ops.convert_to_numpy(self.decode(found, method))
            batches.append(decoded[: len(batch)])
        return np.concatenate(batches)


def filled_up(batch, batch_size) -> np.ndarray:
    """A batch with its rows repeated up to the next power of two, and to `batch_size` at most.

    So a single picture is not computed 32 times, and whatever number of pictures comes, a network
    is compiled for few shapes.
    """
    wanted = min(batch_size, 1 << (len(batch) - 1).bit_length())
    return batch if len(batch) == wanted else batch[np.arange(wanted) % len(batch)]
