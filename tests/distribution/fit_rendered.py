"""`keras-shr fit` on rendered hands with a tiny network, in a process with two logical processors.

python -m tests.distribution.fit_rendered OUTPUT STRATEGY [SETTING...]
"""

import os
import sys

import keras

from keras_shr.cli import main
from keras_shr.models.backbones import BACKBONES

TINY = (
    "data=rendered:48?seed=1&views=front",
    "validation_share=0.2",
    "image_size=32",
    "batch_size=8",
    "learning_rate=0.001",
    "model={'backbone': 'tiny', 'filters': 8, 'heatmap_stride': 2, "
    "'perturbations': ('contrast', 'gaussian_noise')}",
)


def tiny(image_size, weights=None):
    """Two convolutions with batch normalisation."""
    x = images = keras.Input((*image_size, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(x)
    for _ in range(2):
        x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return keras.Model(images, [x], name="tiny")


BACKBONES["tiny"] = tiny

if __name__ == "__main__":
    output, strategy, *settings = sys.argv[1:]
    if os.environ.get("LOGICAL") and keras.config.backend() == "tensorflow":
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2
        )
    if os.environ.get("STREAM"):
        import keras_shr.training.run

        keras_shr.training.run._STREAM_BYTES = 0
    command = ["fit", "--output", output, "--strategy", strategy, "--workers", "1", "--set"]
    sys.exit(main([*command, *TINY, *settings]))
