"""The data of a run: rendered hands are made once and kept, others are read where they lie."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_shr.data import KeypointData, load_arrays, open_data, prepare
from keras_shr.errors import DataError, KerasShrError

RENDERED = "rendered"
_SEED = 1


@dataclass(frozen=True)
class DataSet:
    """Specifications, as `open_data` takes them, of the three parts of a data set.

    Attributes:
        name: what tables call it.
        train, test: specifications.
        validation: a specification, or None where a share of the training part is held out.
    """

    name: str
    train: str
    validation: str | None
    test: str


def parse_data(words) -> dict[str, str]:
    """`NAME=SPECIFICATION` words, or `rendered`, as name → specification."""
    found = {}
    for word in words:
        name, equals, spec = word.partition("=")
        if word == RENDERED:
            spec = ""
        elif not equals or not name.replace("_", "").isalnum():
            raise KerasShrError(
                f"--data {word!r}: expected {RENDERED}, or NAME=DATA such as rhd=prepared/rhd"
            )
        if name in found:
            raise KerasShrError(f"--data: two data sets are called {name!r}")
        found[name] = spec
    return found


def make_data_set(name, spec, size, folder, workers=0, progress=None) -> DataSet:
    """A data set ready for training.

    Args:
        name, spec: from `parse_data`.
        size: `Size`.
        folder: where rendered hands are written.
        workers: rendering processes, 0 for all cores.
        progress: called with (records done, records in all, part).
    """
    if spec:
        return _existing(name, spec, size)
    parts = {
        "train": size.train_images,
        "val": size.validation_images,
        "test": size.test_images or 2728,  # as many as RHD has
    }
    for split, count in parts.items():
        reader = open_data(
            f"rendered:{count}?seed={_SEED}&views={size.views}", split, size.image_size
        )
        meter = None if progress is None else _Meter(progress, split)
        # Small shards: what an interruption costs, and how many processes find work.
        shards = -(-count // 128)
        prepare(reader, Path(folder) / split, shards, workers, meter, image_format="png")
    return DataSet(name, *(f"prepared:{Path(folder) / split}" for split in parts))


class _Meter:
    def __init__(self, progress, part):
        self.progress, self.part = progress, part

    def __call__(self, done, count):
        self.progress(done, count, self.part)


def _existing(name, spec, size):
    def part(split):
        try:
            reader = open_data(spec, split, size.image_size)
        except DataError:
            return None
        return reader if len(reader) else None

    train = part("train")
    if train is None:
        open_data(spec, "train", size.image_size)  # says what is wrong
    validation = part("val")
    if validation is not None and set(validation.ids) & set(train.ids):
        validation = None  # kinds without splits ignore the word
    test = part("test")
    if test is None or set(test.ids) & set(train.ids):
        raise KerasShrError(
            f"--data {name}={spec}: has no test part apart from the training part; a comparison "
            "needs one"
        )
    return DataSet(name, spec, validation and spec, spec)


def load_test(data_set, size) -> KeypointData:
    """The test images in memory, at most `size.test_images`, spread evenly over the set."""
    spec = data_set.test
    split = None if spec.startswith("prepared:") else "test"
    data = load_arrays(open_data(spec, split, size.image_size), 0)
    if size.test_images is not None and size.test_images < len(data):
        data = data.take(np.linspace(0, len(data) - 1, size.test_images).round().astype(int))
    return data
