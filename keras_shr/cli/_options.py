"""What options of several commands mean."""

import re
import sys
from pathlib import Path

from keras_shr.errors import KerasShrError


def named(models):
    """`NAME=FILE` or `FILE` → dict; a file called model or best is named after its folder."""
    found = {}
    for text in models:
        name, equals, place = text.partition("=")
        path = Path(text if Path(text).is_file() else place if equals else text)
        if path == Path(text):
            name = path.absolute().parent.name if path.stem in ("model", "best") else path.stem
        if not name or not path.name:
            raise KerasShrError(f"{text!r} is no model; give FILE or NAME=FILE")
        if name in found:
            raise KerasShrError(f"two models are called {name!r}; give NAME=FILE")
        found[name] = path
    return found


def kinds(text):
    """The perturbations that `--kinds` names."""
    from keras_shr.perturbations import (
        ALL_PERTURBATIONS,
        EVALUATION_PERTURBATIONS,
        SENSOR_PERTURBATIONS,
        TRAINING_PERTURBATIONS,
    )

    groups = {
        "all": ALL_PERTURBATIONS,
        "seen": TRAINING_PERTURBATIONS,
        "unseen": EVALUATION_PERTURBATIONS,
        "sensor": SENSOR_PERTURBATIONS,
    }
    names = [name.strip() for name in text.split(",")]
    return tuple(kind for name in names for kind in groups.get(name, (name,)))


def part(text):
    """`I/N` as two numbers; None for None."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found:
        raise KerasShrError(f"--part is {text!r}; give I/N, such as 1/4 to 4/4")
    return int(found[1]), int(found[2])


def severities(text):
    """The numbers that `--severities` names."""
    parts = [part.strip() for part in text.split(",")]
    wrong = [part for part in parts if not part.isdecimal()]
    if wrong:
        raise KerasShrError(f"--severities has {wrong[0]!r}; give numbers from 1 to 5 with commas")
    return tuple(map(int, parts))


def check_counts(arguments, *options):
    """Refuses options that count something, such as `"limit"`, and leave nothing of it."""
    for option in options:
        count = getattr(arguments, option)
        if count is not None and count < 1:
            raise KerasShrError(f"--{option.replace('_', '-')} is {count}; it must be at least 1")


def open_part(spec, split, size, option="--split"):
    """`open_data`, but a split that the data would not heed is refused."""
    from keras_shr.data import open_data

    reader = open_data(spec, split, size)
    # PATH/SPLIT of a prepared set may hold what has no parts of its own.
    place = Path(getattr(reader, "root", "")).name
    if split and not reader.split and place != split:
        raise KerasShrError(f"{spec}: {reader.kind} data have no parts here; leave {option} out")
    return reader


def training_note(reader):
    """A sentence where pictures for training are among those to measure on; it is printed too."""
    from keras_shr.data.registry import same_split

    training = [split for split in reader.splits if same_split(split, "train")]
    if not training:
        return []
    others = [split for split in reader.splits if split not in training]
    beside = f", beside {', '.join(others)}" if others else ""
    note = (
        f"The pictures are those of {reader.name}'s part {training[0]!r}{beside}: a model that was "
        "trained on them does better here than on others."
    )
    print(f"{note} --split chooses a part.", file=sys.stderr)
    return [note]
