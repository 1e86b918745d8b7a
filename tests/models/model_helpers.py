"""Small networks and pictures of coloured dots for the tests of the models."""

import keras

from keras_shr.data.records import KeypointData
from keras_shr.models import PairedHeatmapModel, StableHeatmapRegressor
from keras_shr.skeletons import Skeleton
from tests.dots import KEYPOINTS, SIZE, pictures

TENSORFLOW = keras.backend.backend() == "tensorflow"
QUICK = ("contrast", "gaussian_noise")
SKELETON = Skeleton("three", ("left", "right", "top"), flip_pairs=((0, 1),))
PAPER = {
    "target_options": {"alpha": 0.7, "threshold": 8, "metric": "chessboard"},
    "rcc": "row_column",
    "stop_gradient": False,
    "supervise_perturbed": False,
}
STILL = {"rotation": 5.0, "scale": (0.95, 1.05), "shift": 0.02, "flip": 0.0}


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
    defaults = {"image_size": SIZE, "filters": 16, "perturbations": QUICK}
    if isinstance(options.get("backbone", "mobilenet_v2"), str):
        defaults["alpha"] = 0.35
    return StableHeatmapRegressor(KEYPOINTS, **defaults | options)


def compiled(model, eagerly=True, optimizer=None, **kwargs):
    """`model` compiled; eagerly where a test takes fewer steps than tracing is worth."""
    model.compile(optimizer or keras.optimizers.Adam(1e-3), run_eagerly=eagerly, **kwargs)
    return model


def numpy(value):
    return keras.ops.convert_to_numpy(value)
