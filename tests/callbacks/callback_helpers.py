"""A network of two layers and pictures with a bright spot to find."""

import keras
import numpy as np

from keras_shr.models import PairedHeatmapModel
from keras_shr.skeletons import Skeleton

SIZE, KEYPOINTS = 32, 3
SKELETON = Skeleton("three", ("a", "b", "c"), edges=((0, 1), (1, 2)))


# Tracing a function takes TensorFlow longer than the few steps of these tests.
EAGER = keras.backend.backend() == "tensorflow"


def plain_model(seed=0, optimizer="adam", width=4):
    """A compiled regression model with dropout, for what has nothing to do with pictures."""
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(width, "relu"), keras.layers.Dropout(0.2), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(optimizer, "mse", run_eagerly=EAGER)
    return model


def fit_plain(model, epochs, callbacks=(), y=None):
    """Two batches an epoch."""
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    y = x.sum(axis=1, keepdims=True) if y is None else y
    return model.fit(
        x, y, batch_size=4, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks)
    )


def tiny_model(seed=0, optimizer="adam", metrics=(), width=4, **options):
    """A compiled PairedHeatmapModel, 32x32 to 8x8, without augmentation and pairs."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(width, 5, 4, padding="same", activation="relu")(x)
    x = keras.layers.Dropout(0.1)(x)
    network = keras.Model(inputs, keras.layers.Conv2D(KEYPOINTS, 3, padding="same")(x))
    model = PairedHeatmapModel(
        network, skeleton=SKELETON, rcc=None, perturbations=None, stability=None, **options
    )
    model.compile(optimizer, metrics=list(metrics), run_eagerly=EAGER)
    return model


def pictures(count=8, seed=0, size=SIZE):
    """uint8 images `(count, size, size, 3)` and keypoints `(count, 3, 3)`, all seen but one."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, size, size, 3), dtype=np.uint8)
    keypoints = np.full((count, KEYPOINTS, 3), 2, "float32")
    keypoints[..., :2] = rng.integers(4, size - 4, (count, KEYPOINTS, 2))
    for image, points in zip(images, keypoints.astype(int), strict=True):
        for channel, (x, y, _) in enumerate(points):
            image[y - 2 : y + 3, x - 2 : x + 3, channel] = 255
    keypoints[0, 0] = 0
    return images, keypoints


def fit(model, epochs, callbacks=(), count=8):
    images, keypoints = pictures(count)
    return model.fit(
        images,
        keypoints,
        batch_size=4,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    )


class Interruption(Exception):
    """What stands in for a kill inside one process."""


class Interrupt(keras.callbacks.Callback):
    """Raises in the middle of an epoch (from 0), or at its end before the callbacks after it."""

    def __init__(self, epoch, at_end=False):
        super().__init__()
        self.epoch, self.at_end, self.now = epoch, at_end, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch and not self.at_end:
            raise Interruption

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch and self.at_end:
            raise Interruption


class Epochs(keras.callbacks.Callback):
    """Which epochs were trained."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_begin(self, epoch, logs=None):
        self.seen.append(epoch)
