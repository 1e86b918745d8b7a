"""The data of a run: rendered hands are made once and kept, others are read where they lie."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from keras_shr.data import KeypointData, PartReader, Reader, load_arrays, open_data, prepare
from keras_shr.errors import KerasShrError, MissingPartError

RENDERED = "rendered"
_SEED = 1


@dataclass(frozen=True)
class DataSet:
    """What a cell is trained and tested on.

    Attributes:
        name: what tables call it.
        training: the keyword arguments of `Config` that say where training and validation data are.
        test: reader of the test part.
    """

    name: str
    training: dict
    test: Reader


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
        progress: called as `progress(records done, records in all, part=...)`.
    """
    if spec:
        return _existing(name, spec, size)
    parts = {
        "train": size.train_images,
        "val": size.validation_images,
        "test": size.test_images or 2728,  # as many as RHD has
    }
    for split, count in parts.items():
        hands = f"rendered:{count}?seed={_SEED}&views={size.views}&poses={size.poses}"
        reader = open_data(hands, split, size.image_size)
        meter = None if progress is None else partial(progress, part=split)
        # Small shards: what an interruption costs, and how many processes find work.
        shards = -(-count // 128)
        prepare(reader, Path(folder) / split, shards, workers, meter, image_format="png")
    train, validation, test = (f"prepared:{Path(folder) / split}" for split in parts)
    training = {"data": train, "validation": validation, "validation_split": None}
    return DataSet(name, training, open_data(test, None, size.image_size))


def _existing(name, spec, size):
    train = open_data(spec, "train", size.image_size)
    try:
        test = open_data(spec, "test", size.image_size)
    except MissingPartError:
        test = None
    if test is None or set(test.ids) & set(train.ids):  # kinds without splits ignore the word
        raise KerasShrError(
            f"--data {name}={spec}: has no test part apart from the training part; a comparison "
            "needs one"
        )
    # Without a part called val, training holds some images out.
    return DataSet(name, {"data": spec}, test)


def load_test(data_set, size) -> KeypointData:
    """The test images in memory, at most `size.test_images`, spread evenly over the set."""
    return load_arrays(PartReader.at_most(data_set.test, size.test_images), 0)
