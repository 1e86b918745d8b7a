"""Pictures, networks and perturbations whose scores can be worked out by hand.

A picture is 64x64 with one bright pixel in each colour channel: the three keypoints. The honest
network's heatmaps are the picture itself. The perturbations shift the picture, so a keypoint moves
4 px of the 256-px crop for each pixel.
"""

from pathlib import Path

import numpy as np

SIZE = 64
SKELETON_EDGES = ((0, 1), (1, 2))
SHIFTS = f"{Path(__file__).resolve()}:shift"
RANDOM_SHIFTS = f"{Path(__file__).resolve()}:random_shift"


def shift(image, kind, severity, seed):
    """brightness: 1 px right a severity; spatter: 2 px down a severity; others: nothing."""
    del seed
    move = {"brightness": (0, severity), "spatter": (2 * severity, 0)}.get(kind, (0, 0))
    return np.roll(image, move, (0, 1))


def random_shift(image, kind, severity, seed):
    """0 to 9 px right, drawn from the seed alone."""
    del kind, severity
    return np.roll(image, np.random.default_rng(seed).integers(10), 1)


def failing(image, kind, severity, seed):
    raise RuntimeError(f"no {kind} today")


def reference_without_keras(image, kind, severity, seed):
    import sys

    from keras_shr.perturbations import reference

    print("a line that must not disturb the pipe")
    result = reference.perturb(image, kind, severity, seed)
    if loaded := {"keras.src", "tensorflow", "jax"} & set(sys.modules):
        raise RuntimeError(f"the worker imported {loaded}")
    return result


def dies(image, kind, severity, seed):
    import os

    os._exit(3)


def make_data(count=6, seed=0, groups=(), ids=()):
    from keras_shr.data.records import KeypointData
    from keras_shr.skeletons import Skeleton

    rng = np.random.default_rng(seed)
    images = np.zeros((count, SIZE, SIZE, 3), np.uint8)
    keypoints = np.full((count, 3, 3), 2, np.float32)
    keypoints[..., :2] = rng.integers(12, 40, (count, 3, 2))
    for i in range(count):
        for k in range(3):
            x, y = keypoints[i, k, :2].astype(int)
            images[i, y, x, k] = 255
    skeleton = Skeleton("three", ("left", "middle", "right"), SKELETON_EDGES)
    return KeypointData(images, keypoints, skeleton, list(ids), list(groups), "dots")


def honest_network(offset=0.0, size=SIZE):
    """Heatmaps are the picture's channels."""
    import keras

    inputs = keras.Input((size, size, 3), dtype="uint8")
    return keras.Model(inputs, keras.layers.Rescaling(1 / 255, offset)(inputs), name="honest")


def stubborn_network():
    """The same heatmaps whatever the picture: a ramp with its maximum in the lower right corner."""
    import keras

    inputs = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    zero = keras.layers.Rescaling(0.0)(inputs)
    ramp = np.linspace(0, 1, SIZE * SIZE, dtype="float32").reshape(SIZE, SIZE, 1)

    class Ramp(keras.layers.Layer):
        def call(self, x):
            return x + ramp

    return keras.Model(inputs, Ramp()(zero))
