"""Small networks and pictures of coloured dots for the tests of the models."""

import keras
import numpy as np

from keras_shr.data.records import KeypointData
from keras_shr.models import PairedHeatmapModel, StableHeatmapRegressor
from keras_shr.skeletons import Skeleton

TENSORFLOW = keras.backend.backend() == "tensorflow"
SIZE, HEATMAP, KEYPOINTS = 64, 16, 3
QUICK = ("contrast", "gaussian_noise")
SKELETON = Skeleton("three", ("left", "right", "top"), flip_pairs=((0, 1),))
PAPER = {
    "target_options": {"alpha": 0.7, "threshold": 8, "metric": "chessboard"},
    "rcc": "row_column",
    "stop_gradient": False,
    "supervise_perturbed": False,
}
STILL = {"rotation": 5.0, "scale": (0.95, 1.05), "shift": 0.02, "flip": 0.0}


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


def dataset(count=8, seed=0):
    images, keypoints = pictures(count, seed)
    return KeypointData(images, keypoints, SKELETON, name="dots")


def tiny_network(norm=False, regularizer=None, filters=12):
    """64x64 images to 16x16 logits in three convolutions."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = keras.layers.Conv2D(
        filters, 5, 4, padding="same", activation="relu", kernel_regularizer=regularizer
    )(x)
    if norm:
        x = keras.layers.BatchNormalization(momentum=0.5)(x)
    x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    x = keras.layers.Conv2D(KEYPOINTS, 3, padding="same", dtype="float32")(x)
    return keras.Model(inputs, x, name="tiny")


def tiny_model(network=None, **options):
    options = {"perturbations": QUICK, "skeleton": SKELETON} | options
    return PairedHeatmapModel(network or tiny_network(), **options)


def small_regressor(**options):
    defaults = {"image_size": SIZE, "alpha": 0.35, "filters": 16, "perturbations": QUICK}
    return StableHeatmapRegressor(KEYPOINTS, **defaults | options)


def compiled(model, eagerly=True, optimizer=None, **kwargs):
    """`model` compiled; eagerly where a test takes fewer steps than tracing is worth."""
    model.compile(optimizer or keras.optimizers.Adam(1e-3), run_eagerly=eagerly, **kwargs)
    return model


def numpy(value):
    return keras.ops.convert_to_numpy(value)
