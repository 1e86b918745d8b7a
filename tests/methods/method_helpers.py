"""A network of three convolutions and 32-px pictures of dots for the tests of the methods."""

import keras
import numpy as np

TENSORFLOW = keras.config.backend() == "tensorflow"
SIZE, HEATMAP, KEYPOINTS = 32, 8, 2
KINDS = ("contrast", "gaussian_noise")


def small_network(norm=False, filters=6, activation="relu"):
    """32x32 images to 8x8 logits."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = keras.layers.Conv2D(filters, 5, 4, padding="same", activation=activation)(x)
    if norm:
        x = keras.layers.BatchNormalization(momentum=0.5)(x)
    x = keras.layers.Conv2D(filters, 3, padding="same", activation=activation)(x)
    return keras.Model(inputs, keras.layers.Conv2D(KEYPOINTS, 3, padding="same")(x))


def dots(count=4, seed=0):
    """uint8 images `(count, 32, 32, 3)` with a red and a green dot, and their keypoints."""
    rng = np.random.default_rng(seed)
    keypoints = np.full((count, KEYPOINTS, 3), 2, "float32")
    keypoints[..., :2] = rng.uniform(5, SIZE - 5, (count, KEYPOINTS, 2))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    square = (columns - keypoints[..., 0, None, None]) ** 2
    square = square + (rows - keypoints[..., 1, None, None]) ** 2
    images = rng.uniform(20, 60, (count, SIZE, SIZE, 3))
    images[..., :KEYPOINTS] += 190 * np.moveaxis(np.exp(-square / 8), 1, -1)
    return images.astype("uint8"), keypoints


def numpy(value):
    return keras.ops.convert_to_numpy(value)
