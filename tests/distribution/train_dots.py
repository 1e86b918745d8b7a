"""Trains a tiny network on dots in a process of its own, whose devices the caller chooses.

    python tests/distribution/train_dots.py OUTPUT.npz '{"strategy": "mirrored", ...}'

The settings are those of `train` below. OUTPUT holds the weights and the history.
"""

import contextlib
import functools
import json
import sys

import keras
import numpy as np

from keras_shr.models import PairedHeatmapModel
from tests.dots import KEYPOINTS, SIZE, pictures


def network(batch_norm=False):
    """A small heatmap network; every start is the same."""
    keras.utils.set_random_seed(3)
    x = images = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(x)
    for filters in (8, 16):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=not batch_norm)(x)
        if batch_norm:
            x = keras.layers.BatchNormalization(momentum=0.5)(x)
        x = keras.layers.ReLU()(x)
    penalty = keras.regularizers.L2(1e-2)
    logits = keras.layers.Conv2D(KEYPOINTS, 3, padding="same", kernel_regularizer=penalty)(x)
    return keras.Model(images, logits)


def build(batch_norm, optimizer, clip, loss_scaling):
    """A compiled `PairedHeatmapModel`; plain arithmetic in the optimizer hides nothing."""
    model = PairedHeatmapModel(
        network(batch_norm),
        augmentation={"rotation": 20.0, "flip_order": None},
        perturbations=("contrast", "gaussian_noise", "motion_blur"),
        seed=7,
    )
    options = {"global_clipnorm": clip} if clip else {}
    chosen = {"sgd": keras.optimizers.SGD, "adamw": keras.optimizers.AdamW}[optimizer]
    rate = {"sgd": 0.05, "adamw": 1e-3}[optimizer]
    optimizer = chosen(rate, **options)
    if loss_scaling:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer)
    return model


def labelled(count):
    """Dots, some of them without a label: the replicas then supervise unequal numbers."""
    images, keypoints = pictures(count, seed=1)
    keypoints[: count // 3, 0, 2] = 0
    return images, keypoints


def train(
    strategy=None,
    images=24,
    batch=8,
    epochs=2,
    batch_norm=False,
    optimizer="sgd",
    clip=0.5,
    loss_scaling=False,
    shuffle=False,
):
    """Weights, history and evaluation of a run."""
    data = labelled(images)
    with scope(strategy):
        model = build(batch_norm, optimizer, clip, loss_scaling)
    history = model.fit(*data, batch_size=batch, epochs=epochs, shuffle=shuffle, verbose=0)
    evaluated = model.evaluate(*data, batch_size=batch, verbose=0, return_dict=True)
    return model.get_weights(), history.history, evaluated


def scope(strategy):
    """The scope of a strategy by its name."""
    return contextlib.nullcontext() if strategy is None else made(strategy).scope()


@functools.cache
def made(strategy):
    """A process can have one strategy: two of them mix up their collective operations."""
    import tensorflow as tf

    if strategy == "mirrored":
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    if strategy == "multiworker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    raise ValueError(strategy)


def main():
    output, settings = sys.argv[1], json.loads(sys.argv[2])
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        logical = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, logical)
    results = {}
    for name, arguments in settings.items():
        weights, history, evaluated = train(**arguments)
        results |= {f"{name}/weight{i:02d}": weight for i, weight in enumerate(weights)}
        results |= {f"{name}/{key}": values for key, values in history.items()}
        results |= {f"{name}/val_{key}": value for key, value in evaluated.items()}
    np.savez(output, **results)


if __name__ == "__main__":
    main()
