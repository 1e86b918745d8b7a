"""Which records of a run's data are for training and which are for validation."""

from keras_shr.data import open_data
from keras_shr.data.base import Reader
from keras_shr.data.joined import check_names
from keras_shr.data.registry import same_split
from keras_shr.errors import KerasShrError, MissingPartError


def open_parts(config) -> tuple[Reader, Reader | None]:
    """The training data of a run, and its validation data if there are any.

    Of several data sets each is asked for its own parts: one without parts is all for training,
    one with parts gives those that the configuration names.

    Args:
        config: `Config`.

    Returns:
        Two readers; None in the place of the second where training data have to be held out.

    Raises:
        DataError: data that are missing or damaged, or that have parts, but none to train on, or
            none of the name that `validation_split` has been given.
    """
    if not config.data:
        raise KerasShrError("no data set is given; set data, as in --data folder:my_images")
    specs = [config.data] if isinstance(config.data, str) else list(config.data)
    training = [open_data(spec, config.split, config.image_size) for spec in specs]
    for spec, reader in zip(specs, training, strict=True):
        if not reader.splits and config.split not in (None, type(config).split):
            raise MissingPartError(
                f"{spec}: has no parts, so none is called {config.split!r}; leave split out"
            )
    if config.validation:
        found = [open_data(config.validation, None, config.image_size)]
    else:
        found = [
            part
            for spec, used in zip(specs, training, strict=True)
            if (part := _validation_part(spec, used, config)) is not None
        ]
    if not found and config.validation_split not in (None, "", type(config).validation_split):
        raise MissingPartError(
            f"{', '.join(specs)}: no part {config.validation_split!r} to validate on beside the "
            "training data; give validation_split the name of one, or None to hold training images "
            "out"
        )
    training, validation = open_data(training), open_data(found) if found else None
    if validation is not None:
        check_names(training, validation)
    return training, validation


def _validation_part(spec, used, config):
    """The part of one data set to validate on; None if there is none beside what is `used`."""
    split = config.validation_split
    if not split:
        return None
    try:
        part = open_data(spec, split, config.image_size)
    except MissingPartError:
        return None
    if part.split and not same_split(part.split, split):
        return None  # RHD and STB have a test part, which answers to "val" elsewhere
    if part.describe() == used.describe():
        return None  # kinds without parts ignore the word
    if config.split is None and set(part.ids) & set(used.ids):
        return None
    return part
