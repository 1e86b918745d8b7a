"""For `tests/fork_server.py`: runs commands of keras-shr.

The network is a tiny one under MobileNetV2's name and the videos are short; all else is the command
as it is.
"""

import sys


def small_network(image_size, weights=None, alpha=1.0):
    """Two levels of features, with all that a resumed run has to restore: moving statistics too."""
    import keras

    from keras_shr.models.backbones._common import images_input

    del weights, alpha
    inputs = images_input(image_size)
    x = keras.layers.Rescaling(1 / 255)(inputs)
    fine = keras.layers.Conv2D(8, 3, 2, "same", activation="relu")(x)
    coarse = keras.layers.Conv2D(8, 3, 2, "same", activation="relu")(fine)
    coarse = keras.layers.Dropout(0.1)(keras.layers.BatchNormalization(momentum=0.9)(coarse))
    return keras.Model(inputs, [fine, coarse], name="small")


def prepare():
    """A function that runs the command with the given words."""
    from keras_shr import cli, evaluation, export, reproduction, training  # noqa: F401
    from keras_shr.models.backbones import BACKBONES
    from keras_shr.reproduction.measures import motion

    BACKBONES["mobilenet_v2"] = small_network
    motion.SEQUENCES, motion.FRAMES = 1, 20

    def run(words):
        sys.argv = ["keras-shr", *words]
        return cli.main(words)

    return run
