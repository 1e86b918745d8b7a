"""The smallest size that the tests of a reproduction use."""

import dataclasses

from keras_shr.reproduction import SIZES

TINY = dataclasses.replace(
    SIZES["cpu"],
    train_images=24,
    validation_images=6,
    test_images=6,
    image_size=32,
    images_per_step=6,
    steps=8,
    epochs=4,
    severities=(3,),
)
