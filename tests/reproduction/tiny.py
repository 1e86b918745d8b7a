"""What the tests of a reproduction share: the smallest size, silence, a table's rows."""

import csv
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


def quiet(line):
    pass


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))
